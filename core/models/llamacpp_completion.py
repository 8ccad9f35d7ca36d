"""What is asked of llama.cpp's ``/completion``, and what it answers: values, and their form on the wire.

The form is that of llama.cpp's ``tools/server/README.md``. A reader here raises ``ModelError`` for an error that the
server reports, and ``ValueError``, ``KeyError`` or ``TypeError`` for a broken answer, which ``llamacpp`` explains.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.errors import ModelError


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn."""

    max_tokens: int = 256
    temperature: float = 0.0
    """0 takes the likeliest token each time."""
    top_p: float = 0.95
    min_p: float = 0.05
    """Tokens less likely than this share of the likeliest are left out (Nguyen et al. 2024); llama.cpp's default."""
    seed: int | None = None
    """None draws a fresh one."""
    stop: tuple[str, ...] = ()
    """Words that end the answer and are not part of it."""
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Token ids, and what is added to their logits."""
    logprobs: int = 0
    """How many of the likeliest tokens to report at each step; 0 reports no log-probabilities."""
    schema: Mapping[str, Any] | None = None
    """A JSON schema the answer is held to; validate all the same, an answer can be cut short."""
    cache_prompt: bool = True
    """Whether a prefix shared with an earlier prompt is computed once."""
    ban_end: bool = False
    """Whether the model may not end by itself: every end-of-text token is banned."""


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """One step of an answer: the token taken, and the likeliest ones with their natural log-probabilities."""

    token: int
    logprob: float
    likeliest: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished answer."""

    text: str
    finish: Literal["stop", "length"]
    """``stop``: the model ended it or a stop word did; ``length``: it was cut."""
    stop_word: str
    tokens: tuple[int, ...]
    """Of a streamed answer, those of characters that span several tokens may be missing."""
    logprobs: tuple[TokenLogprob, ...]
    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt's tokens were not computed again."""


def request_body(prompt: str | Sequence[int], sampling: Sampling) -> dict[str, Any]:
    """The fields of a ``/completion`` request."""
    if sampling.max_tokens < 1:
        raise ModelError(f"{sampling.max_tokens} tokens is not an answer.", "Ask for at least one token.")
    body: dict[str, Any] = {
        "prompt": prompt if isinstance(prompt, str) else list(prompt),
        "n_predict": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_k": 0,
        "top_p": sampling.top_p,
        "min_p": sampling.min_p,
        "stop": list(sampling.stop),
        "n_probs": sampling.logprobs,
        "cache_prompt": sampling.cache_prompt,
        "ignore_eos": sampling.ban_end,
    }
    if sampling.seed is not None:
        body["seed"] = sampling.seed
    if sampling.logit_bias:
        body["logit_bias"] = [list(pair) for pair in sampling.logit_bias]
    if sampling.schema is not None:
        body["json_schema"] = dict(sampling.schema)
    return body


def stream_events(lines: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON events of a server-sent stream; an error among them is raised."""
    for line in lines:
        field, _, value = line.partition(b": ")
        if field == b"error":
            raise refusal(value)
        if field == b"data":
            event = json.loads(value)
            if "error" in event:
                raise refusal(value)
            yield event


def finished(
    text: str, tokens: Sequence[int], steps: Sequence[Mapping[str, Any]], last: Mapping[str, Any]
) -> Completion:
    """The answer whose last event, or only body, is ``last``; ``ModelError`` when that gives no finish reason."""
    if last["stop_type"] not in ("eos", "word", "limit"):
        raise ModelError("llama.cpp ended its answer without a reason.", "Ask again.")
    return Completion(
        text=text,
        finish="length" if last["stop_type"] == "limit" else "stop",
        stop_word=last["stopping_word"],
        tokens=tuple(tokens),
        logprobs=tuple(
            TokenLogprob(
                step["id"], step["logprob"], tuple((top["id"], top["logprob"]) for top in step["top_logprobs"])
            )
            for step in steps
        ),
        prompt_tokens=last["tokens_evaluated"],
        cached_tokens=last["timings"]["cache_n"],
    )


def refusal(body: bytes) -> ModelError:
    """The error that llama.cpp answered with."""
    try:
        answer = json.loads(body)
        error = answer.get("error", answer)
        message, kind = str(error["message"]), str(error["type"])
    except (ValueError, KeyError, TypeError, AttributeError):
        message, kind = body[:200].decode("utf-8", "replace"), ""
    if kind == "exceed_context_size_error":
        return ModelError(f"llama.cpp: {message}", "Shorten the prompt, or start the server with more context.")
    return ModelError(f"llama.cpp refused: {message}", "Check the prompt and the sampling that were sent.")
