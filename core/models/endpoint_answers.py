"""What an OpenAI-compatible server answers, read strictly: an answer, or the reason why it is none.

Servers and what stands before them say 200 and send a login page, an empty object, half an answer. Nothing of that may
look like words of a model; so the bytes are validated here, and the client's lenient objects are never made.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from core.models.generation import Ask, CallFailed, Finish, Told

OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "response_format": ("response_format", "json_schema", "structured output", "guided"),
    "logprobs": ("logprobs",),
    "seed": ("seed",),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens",),
    "stop": ("'stop'", '"stop"', "stop sequence"),
    "logit_bias": ("logit_bias",),
    "metadata": ("metadata",),
    "hyperparameters": ("hyperparameters", "n_epochs"),
}
"""Parameters that a server may refuse, and the words by which its refusal names them."""
_UNSUPPORTED = ("support", "unknown", "unrecognized", "unexpected", "not permitted", "not allowed", "extra", "invalid")
_TOO_LONG = ("context length", "context size", "context_length", "maximum context", "too long", "exceed_context")
_TOLD_CHARACTERS = 200
_MOST_TOKENS = 10_000_000

_Figure = Annotated[int, Field(ge=0, le=_MOST_TOKENS)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")


class _TopToken(_Part):
    token: str
    logprob: float


class _Step(_Part):
    top_logprobs: tuple[_TopToken, ...] = ()


class _Steps(_Part):
    content: tuple[_Step, ...] | None = None


class _Message(_Part):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Part):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Steps | None = None


class _Usage(_Part):
    prompt_tokens: _Figure = 0
    completion_tokens: _Figure = 0


class _Answer(_Part):
    choices: Annotated[tuple[_Choice, ...], Field(min_length=1)]
    usage: _Usage | None = None


def read_answer(content: bytes, ask: Ask, server: str) -> Told:
    """The answer in a response's body. Raises CallFailed for everything that is not a whole one."""
    try:
        answer = _Answer.model_validate_json(content)
    except ValidationError as error:
        raise CallFailed(
            "not an answer", f"{server} answered with {described(content, error)}", retryable=True
        ) from None
    choice, usage = answer.choices[0], answer.usage or _Usage()
    if choice.finish_reason == "content_filter" or choice.message.refusal:
        raise CallFailed("content filter", f"{server} declined to answer", retryable=False)
    if choice.finish_reason not in ("stop", "length"):
        said = f"the finish reason {choice.finish_reason[:40]!r}" if choice.finish_reason else "no finish reason"
        raise CallFailed("no finish", f"{server} ended its answer with {said}", retryable=True)
    finish: Finish = "stop" if choice.finish_reason == "stop" else "length"
    text = choice.message.content or ""
    if not text.strip():
        raise CallFailed("empty", f"{server} answered with nothing", retryable=True)
    # One of a few words needs no end: its first token tells which.
    if finish == "length" and not ask.choices:
        raise CallFailed("length", f"the answer was cut at {ask.max_tokens} tokens", retryable=True)
    chances = None
    if ask.choices and choice.logprobs is not None and choice.logprobs.content:
        likeliest = [(top.token, top.logprob) for top in choice.logprobs.content[0].top_logprobs]
        chances = chances_of(likeliest, ask.choices)
    return Told(text, finish, usage.prompt_tokens, usage.completion_tokens, chances)


def chances_of(likeliest: Sequence[tuple[str, float]], choices: Sequence[str]) -> dict[str, float] | None:
    """Choice → probability that the answer begins with it; None when no token begins any choice.

    ``likeliest`` holds tokens with their natural log-probabilities. Spaces before a token and its case do not count; a
    token that begins two choices counts for neither.
    """
    chances = dict.fromkeys(choices, 0.0)
    found = False
    for token, logprob in likeliest:
        word = token.strip().casefold()
        begun = [choice for choice in choices if word and choice.casefold().startswith(word)]
        if len(begun) == 1 and math.isfinite(logprob) and logprob <= 0.001:
            chances[begun[0]] += math.exp(min(logprob, 0.0))
            found = True
    return chances if found else None


def failure_of_status(
    status: int, headers: Mapping[str, str], content: bytes, sent: Mapping[str, Any], server: str
) -> tuple[CallFailed, str]:
    """Why a response of another status than 2xx is no answer, and the optional parameter that it refuses, if any."""
    said, code, named = _error_of(content)
    lowered = f"{said} {code}".casefold()
    after = retry_after(headers)

    def failed(reason: str, retryable: bool, wait: float | None = None) -> CallFailed:
        detail = f": {said}" if said else ""
        return CallFailed(reason, f"{server} answered {status}{detail}", retryable=retryable, retry_after=wait)

    if status == 429:
        if "insufficient_quota" in lowered or "billing" in lowered:
            return failed("quota", False), ""
        return failed("rate limit", True, after), ""
    if status in (503, 529):
        return failed("overloaded", True, after), ""
    if status >= 500:
        return failed("server error", True, after), ""
    if 300 <= status < 400:
        return failed("redirect", False), ""
    if status in (401, 403):
        return failed("not authorized", False), ""
    if status == 404:
        return failed("not found", False), ""
    if status in (408, 409, 425):
        return failed("timeout" if status == 408 else "server error", True, after), ""
    if status == 413 or any(words in lowered for words in _TOO_LONG):
        return failed("prompt too long", False), ""
    if status in (400, 422):
        refused = _refused(lowered, named.casefold(), sent)
        if refused:
            return failed("parameter refused", True, 0.0), refused
    return failed("refused", False), ""


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait, from ``retry-after-ms`` or ``Retry-After`` as seconds or as an HTTP date."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(value).timestamp() - time.time()
            except (ValueError, TypeError, OverflowError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _error_of(content: bytes) -> tuple[str, str, str]:
    """What a server says went wrong, its code, and the parameter it names; each may be empty."""
    try:
        loaded = json.loads(content)
    except (ValueError, RecursionError):
        return _short(content.decode("utf-8", "replace")), "", ""
    error = loaded.get("error", loaded) if isinstance(loaded, dict) else loaded
    if not isinstance(error, dict):
        return _short(str(error)), "", ""
    said = error.get("message") or error.get("detail") or ""
    return _short(str(said)), str(error.get("code") or error.get("type") or ""), str(error.get("param") or "")


def _refused(said: str, named: str, sent: Mapping[str, Any]) -> str:
    for parameter, words in OPTIONAL.items():
        if parameter not in sent:
            continue
        if named.startswith(parameter):
            return parameter
        if any(word in said for word in words) and (
            parameter == "response_format" or any(word in said for word in _UNSUPPORTED)
        ):
            return parameter
    return ""


def described(content: bytes, error: ValidationError) -> str:
    """What a body is instead of an answer, in a few words."""
    start = content[:256].lstrip().lower()
    if not start:
        return "an empty body"
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page"
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"what is no answer ({where + ': ' if where else ''}{_short(first['msg'])})"


def _short(text: str) -> str:
    return " ".join(text.split())[:_TOLD_CHARACTERS]
