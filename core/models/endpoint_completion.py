"""A rendered prompt continued by an OpenAI-compatible server (``/completions``), piece by piece, on any thread.

For a persona behind vLLM: the prompt goes as it is, because ``core.prompts`` alone applies a chat template, and an
adapter is asked for by its name (vLLM's ``--lora-modules NAME=PATH``). Of the environment only a proxy is taken, and
none on the way to this machine; redirects are not followed, since they would take the words elsewhere; one deadline
bounds a whole answer, drips included. Heavy: import it only where an answer is spoken.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

import httpx2

from core.errors import ModelError
from core.models.endpoint_transport import CONNECT_WITHIN, MOST_BYTES, proxy_for
from core.models.generation import Finish
from core.models.hosts import host_of

MOST_STOPS = 4
"""Stop strings that OpenAI's interface takes; further ones end the answer here."""
DONE = "[DONE]"


class CompletionEndpoint:
    """One server. Its connections are shared by all threads that speak through it."""

    def __init__(self, base_url: str, api_key: str, connections: int) -> None:
        self.host = host_of(base_url)
        self._url = f"{base_url.rstrip('/')}/completions"
        self._headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx2.Client(
            trust_env=False,
            follow_redirects=False,
            proxy=proxy_for(base_url),
            limits=httpx2.Limits(max_connections=connections),
        )

    def stream(
        self,
        model: str,
        prompt: str,
        *,
        max_tokens: int,
        temperature: float,
        seed: int,
        stop: Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        within: float,
    ) -> Generator[str, None, Finish]:
        """Yield the continuation in pieces and return how it ended; closing it closes the connection, which stops
        the server. Raises ModelError."""
        body: dict[str, Any] = {
            "model": model,
            "prompt": prompt,
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "stream": True,
            # vLLM's own: the chat template has written every token that a prompt begins with.
            "add_special_tokens": False,
        }
        if stop:
            body["stop"] = list(stop[:MOST_STOPS])
        if logit_bias:
            body["logit_bias"] = {str(token): bias for token, bias in logit_bias.items()}
        deadline = time.monotonic() + within
        timeout = httpx2.Timeout(within, connect=CONNECT_WITHIN)
        try:
            with self._client.stream("POST", self._url, json=body, headers=self._headers, timeout=timeout) as response:
                if response.status_code != httpx2.codes.OK:
                    raise self._refused(response, model)
                finish: Finish | None = None
                for data in self._events(response, deadline):
                    choice = json.loads(data)["choices"]
                    # A last event with the usage has no choice.
                    if not choice:
                        continue
                    if text := choice[0]["text"]:
                        yield str(text)
                    ended = choice[0].get("finish_reason")
                    finish = ("length" if ended == "length" else "stop") if ended else finish
        except httpx2.TimeoutException:
            raise ModelError(f"{self.host} did not answer within {within:g} s", "ask again") from None
        except httpx2.HTTPError as error:
            raise ModelError(f"{self.host} broke off or cannot be reached: {error or type(error).__name__}",
                             "see that it runs, then ask again") from None  # fmt: skip
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise ModelError(
                f"{self.host} answered with something else than completions: {type(error).__name__}",
                "[models.persona] base_url must lead to a server with /completions, such as vLLM",
            ) from None
        if finish is None:
            raise ModelError(f"{self.host} ended its answer without a reason", "ask again")
        return finish

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _events(self, response: httpx2.Response, deadline: float) -> Iterator[str]:
        """The data of server-sent events. Raises ModelError past the deadline or the bound."""
        total = 0
        rest = b""
        for part in response.iter_raw():
            total += len(part)
            if total > MOST_BYTES:
                raise ModelError(f"{self.host} answered with more than {MOST_BYTES} bytes", "ask for fewer tokens")
            if time.monotonic() > deadline:
                raise ModelError(f"{self.host} did not end its answer in time", "ask for fewer tokens, or again")
            *lines, rest = (rest + part).split(b"\n")
            for line in lines:
                field, _, value = line.strip().partition(b":")
                data = value.strip().decode("utf-8", "replace")
                if field == b"data" and data == DONE:
                    return
                if field == b"data":
                    yield data

    def _refused(self, response: httpx2.Response, model: str) -> ModelError:
        told = b""
        for part in response.iter_raw():
            told += part
            if len(told) > MOST_BYTES:
                break
        words = " ".join(told[:300].decode("utf-8", "replace").split())
        if response.status_code == httpx2.codes.NOT_FOUND:
            return ModelError(
                f"{self.host} has no model {model!r}, or no /completions: {words}",
                f"serve the adapter under its name, as with vllm serve --enable-lora --lora-modules {model}=FOLDER",
            )
        return ModelError(f"{self.host} refused with {response.status_code}: {words}", "see its log")
