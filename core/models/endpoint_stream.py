"""An answer of an OpenAI-compatible server as it streams, on any thread: the wire under both forms of completion.

Of the environment only a proxy is taken, and none on the way to this machine; redirects are not followed, since they
would take the words elsewhere; one deadline bounds a whole answer, drips of its head included, and so does a number of
bytes. What a server sends is hostile: everything but the promised form is a ``ModelError``. Heavy: import it only where
an answer is spoken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2

from core.errors import Interrupted, ModelError, SimuleeError
from core.models.endpoint_answers import failure_of_status
from core.models.endpoint_transport import CONNECT_WITHIN, MOST_BYTES, proxy_for
from core.models.endpoint_wire import Wire, Wires
from core.models.generation import Finish
from core.models.hosts import host_of

MOST_STOPS = 4
"""Stop strings that OpenAI's interface takes; further ones end the answer here."""
DONE = "[DONE]"
MOST_REFUSAL_BYTES = 64 * 1024
MOST_TOLD = 300
"""Characters that are told of what a server says."""
_WITHOUT_TOOLS = (400, 404, 422, 500, 501)
"""With these, servers that know no functions say so, each in its own words: no parser, no template, no such route."""

_NEVER_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)


class NotTaken(ModelError):
    """The server has not taken the request up, and so charges nothing for it."""


class ParameterRefused(NotTaken):
    """The server takes no request with this optional parameter. Not a word of the answer has come."""

    def __init__(self, message: str, parameter: str) -> None:
        super().__init__(message, "ask without it")
        self.parameter = parameter

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.parameter))


class StreamingEndpoint:
    """One server and one of its paths. Its connections are shared by all threads that speak through it."""

    path: str
    """What is appended to the base address."""
    missing: str
    """What to do where the server does not know the path or the model; ``{model}`` stands for its name."""
    optional: frozenset[str] = frozenset()
    """Parameters that may be left out where the server refuses them."""

    def __init__(self, base_url: str, api_key: str, connections: int) -> None:
        self.host = host_of(base_url)
        self._url = f"{base_url.rstrip('/')}{self.path}"
        self._headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx2.Client(
            trust_env=False,
            follow_redirects=False,
            proxy=proxy_for(base_url),
            # An answer is left at its end mark, and its connection with it: none is ever used again.
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=0),
        )
        self._wires = Wires()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def stop(self) -> None:
        """End every answer that is under way, and what is asked from now on; for any thread."""
        self._wires.stop()

    @contextmanager
    def choices(self, body: Mapping[str, Any], within: float) -> Iterator[Iterator[dict[str, Any]]]:
        """Send a request; the first choice of each event comes out as it arrives.

        Leaving closes the connection, which stops the server. Whatever goes wrong inside, with the connection or with
        the form of a choice (``ValueError``, ``KeyError``, ``TypeError`` …), leaves as ModelError: as NotTaken where
        the server never had the request or refused it. After ``stop`` it is Interrupted.
        """
        timeout = httpx2.Timeout(within, connect=CONNECT_WITHIN)
        with self._wires.wire(within) as wire:
            try:
                with self._client.stream(
                    "POST", self._url, json=body, headers=self._headers, timeout=timeout,
                    extensions={"trace": wire.told},
                ) as response:  # fmt: skip
                    if response.status_code != httpx2.codes.OK:
                        raise self._refused(response, body)
                    yield self._choices(response, wire)
            except httpx2.HTTPError as error:
                raise self._failure(error, wire, within) from None
            except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
                raise ModelError(
                    f"{self.host} answered with something else than completions: {type(error).__name__}",
                    f"[models.persona] base_url must lead to a server with {self.path}, such as vLLM",
                ) from None

    def _failure(self, error: httpx2.HTTPError, wire: Wire, within: float) -> SimuleeError:
        if wire.why == "stopped":
            return Interrupted("the answer was stopped", "ask again")
        if wire.why == "late" or isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout):
            return ModelError(f"no whole answer from {self.host} within {within:g} s", "ask again")
        kind = NotTaken if isinstance(error, _NEVER_SENT) else ModelError
        return kind(
            f"{self.host} broke off or cannot be reached: {error or type(error).__name__}",
            "see that it runs, then ask again",
        )

    def _choices(self, response: httpx2.Response, wire: Wire) -> Iterator[dict[str, Any]]:
        for data in self._events(response, wire):
            event = json.loads(data)
            if error := event.get("error"):
                said = str(error.get("message") if isinstance(error, dict) else error)
                raise ModelError(f"{self.host} broke off: {_one_line(said)}", "see its log")
            # A last event with the usage has no choice.
            if choices := event["choices"]:
                yield choices[0]

    def _events(self, response: httpx2.Response, wire: Wire) -> Iterator[str]:
        """The data of server-sent events. Raises ModelError past the bound, httpx2's own where the wire was cut."""
        total = 0
        rest = b""
        for part in response.iter_raw():
            total += len(part)
            if total > MOST_BYTES:
                raise ModelError(f"{self.host} answered with more than {MOST_BYTES} bytes", "ask for fewer tokens")
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                field, _, value = line.strip().partition(b":")
                data = value.strip().decode("utf-8", "replace")
                if field == b"data" and data == DONE:
                    return
                if field == b"data":
                    yield data
        if wire.why:
            # To who reads an answer of no given length, it looks like its end.
            raise httpx2.ReadError("the connection was cut")

    def _refused(self, response: httpx2.Response, body: Mapping[str, Any]) -> NotTaken:
        told = b""
        for part in response.iter_raw():
            told += part
            if len(told) > MOST_REFUSAL_BYTES:
                break
        words = _one_line(told[:MOST_TOLD].decode("utf-8", "replace"))
        status = response.status_code
        refused = failure_of_status(status, response.headers, told, body, self.host)[1] if self.optional else ""
        if not refused and "tools" in body and status in _WITHOUT_TOOLS and "tool" in words.casefold():
            refused = "tools"
        if refused in self.optional:
            return ParameterRefused(f"{self.host} refused {refused}: {words}", refused)
        if status == httpx2.codes.NOT_FOUND:
            return NotTaken(
                f"{self.host} has no model {body['model']!r}, or no {self.path}: {words}",
                self.missing.format(model=body["model"]),
            )
        return NotTaken(f"{self.host} refused with {status}: {words}", "see its log")


def request_body(
    model: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    stop: Sequence[str],
    logit_bias: Mapping[int, float] | None,
) -> dict[str, Any]:
    """What both forms ask alike: a stream of so many tokens, drawn so."""
    body: dict[str, Any] = {
        "model": model, "max_tokens": max_tokens, "temperature": temperature, "seed": seed, "stream": True,
    }  # fmt: skip
    if stop:
        body["stop"] = list(stop[:MOST_STOPS])
    if logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in logit_bias.items()}
    return body


def words_of(text: object) -> str:
    """A piece of an answer as it may be stored: without halves of a character and NULs. Raises TypeError."""
    if text is not None and not isinstance(text, str):
        raise TypeError("a piece of an answer is text")
    return (text or "").encode("utf-8", "replace").decode().replace("\0", "")


def finish_of(reason: object) -> Finish | None:
    """How an answer ended, of what a choice says of it; None while it goes on. Raises TypeError."""
    if reason is not None and not isinstance(reason, str):
        raise TypeError("a finish reason is a word")
    return ("length" if reason == "length" else "stop") if reason else None


def _one_line(text: str) -> str:
    return " ".join(text[:MOST_TOLD].split())
