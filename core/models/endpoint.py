"""The endpoint engine: the ``openai`` client against any server that speaks its chat interface. One attempt per ask.

The client's habits that harm here are off: no retries of its own, no redirects (which would send the words on to
another host), a deadline over the whole call instead of one per read, a bound on what is read, and no key, account or
header of the environment that was meant for another server. An answer counts only when its bytes are what the
interface promises; everything else is a ``CallFailed`` with its reason (``endpoint_answers``).

Heavy: import it only where calls are made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2
import openai

from core.models.endpoint_answers import failure_of_status, read_answer
from core.models.endpoint_transport import BoundedTransport, TooLarge
from core.models.generation import Ask, CallFailed, Told
from core.models.hosts import host_of

LIKELIEST = 20
"""Tokens whose log-probabilities are asked for: the most that OpenAI's interface grants."""
NO_KEY = "none"
"""Without a key the client would take ``OPENAI_API_KEY``, which was made out to another server."""


class EndpointEngine:
    """A model behind an OpenAI-compatible server."""

    def __init__(
        self, base_url: str, model: str, api_key: str = "", *, slots: int = 32, identity: str = "", ours: bool = False
    ) -> None:
        """``ours`` says that the server is this program's own, so that asking it sends nothing anywhere."""
        self._model = model
        self._slots = slots
        self._identity = identity or f"endpoint:{base_url.rstrip('/')}:{model}"
        self._host = "" if ours else host_of(base_url)
        self._refused: set[str] = set()
        self.client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key or NO_KEY,
            max_retries=0,
            http_client=httpx2.AsyncClient(
                transport=BoundedTransport(base_url, slots),
                follow_redirects=False,
                trust_env=False,
            ),
            # The whole call has one deadline, in ``ask``.
            timeout=None,
        )

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def host(self) -> str:
        return self._host

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def holds_schemas(self) -> bool:
        # Most servers take one; compiling each anew may cost them seconds, and some refuse what others take.
        return False

    @property
    def refused_parameters(self) -> frozenset[str]:
        """Parameters that this server has refused so far; they are left out since."""
        return frozenset(self._refused)

    async def ask(self, ask: Ask, within: float) -> Told:
        body = self.body(ask)
        try:
            async with asyncio.timeout(within):
                response = await self.client.post("/chat/completions", cast_to=httpx2.Response, body=body)
        except (TimeoutError, openai.APIError) as error:
            raise self.failure(error, body, within) from None
        return read_answer(response.content, ask, self._told)

    def body(self, ask: Ask) -> dict[str, Any]:
        """The fields of a chat request, without those that this server refused."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": said.role, "content": said.content} for said in ask.messages],
            "max_tokens": ask.max_tokens,
            "temperature": ask.temperature,
            "seed": ask.seed,
        }
        if ask.choices:
            body |= {"logprobs": True, "top_logprobs": LIKELIEST}
        elif ask.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": dict(ask.schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        for name in self._refused:
            body.pop(name, None)
        if "logprobs" in self._refused:
            body.pop("top_logprobs", None)
        if "max_tokens" in self._refused:
            # The name that OpenAI's newer models insist on; every other server knows the old one.
            body["max_completion_tokens"] = ask.max_tokens
        return body

    async def close(self) -> None:
        await self.client.close()

    @property
    def _told(self) -> str:
        return self._host or "the model's server"

    def refusal(self, status: int, headers: Mapping[str, str], content: bytes, sent: Mapping[str, Any]) -> CallFailed:
        """Why a response of another status than 2xx is no answer; an optional parameter that was refused of what was
        sent is left out from now on."""
        failed, refused = failure_of_status(status, headers, content, sent, self._told)
        if refused:
            self._refused.add(refused)
        return failed

    def failure(self, error: TimeoutError | openai.APIError, body: Mapping[str, Any], within: float) -> CallFailed:
        """Why a request that ended so is no answer; see ``refusal``."""
        if isinstance(error, TimeoutError | openai.APITimeoutError):
            return CallFailed("timeout", f"no whole answer from {self._told} within {within:g} s", retryable=True)
        if isinstance(error, openai.APIStatusError):
            return self.refusal(error.response.status_code, error.response.headers, error.response.content, body)
        cause = error.__cause__
        if isinstance(cause, TooLarge):
            return CallFailed("too large", f"{self._told} answered with {cause}", retryable=False)
        if isinstance(cause, httpx2.DecodingError):
            return CallFailed("not an answer", f"{self._told}: {cause}", retryable=True)
        if isinstance(cause, httpx2.RemoteProtocolError | httpx2.ReadError):
            return CallFailed("cut off", f"{self._told} broke off: {cause or 'no more bytes'}", retryable=True)
        return CallFailed("connection", f"{self._told} cannot be reached: {cause or error}", retryable=True)
