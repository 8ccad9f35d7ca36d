"""Messages answered by an OpenAI-compatible server (``/chat/completions``), piece by piece, on any thread.

For a persona that any chat model plays: the server applies its own template. Functions may be offered; what it calls is
put together from its fragments and told raw, since only who offered a function knows what it takes. Heavy, as
``endpoint_stream`` is.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from core.errors import ModelError
from core.models.endpoint_stream import StreamingEndpoint, finish_of, request_body, words_of
from core.models.generation import Finish, FunctionCall, Reply

MOST_CALLS = 4
"""Functions that are called at once; further ones are passed over."""
LONGEST_ARGUMENTS = 2000
"""Characters of one call's arguments; what is longer is cut, and so no JSON any more."""
LONGEST_NAME = 64


class ChatEndpoint(StreamingEndpoint):
    """One server that answers messages."""

    path = "/chat/completions"
    missing = "serve {model} there, set [models.persona] model to one that it serves, or talk with --adapter base"
    optional = frozenset({"seed", "temperature", "max_tokens", "stop", "logit_bias", "tools"})

    def __init__(self, base_url: str, api_key: str, connections: int) -> None:
        super().__init__(base_url, api_key, connections)
        self.refused: frozenset[str] = frozenset()
        """Parameters that this server has refused so far; they are left out since."""

    def stream(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        max_tokens: int,
        temperature: float,
        seed: int,
        stop: Sequence[str] = (),
        logit_bias: Mapping[int, float] | None = None,
        within: float,
    ) -> Generator[str, None, Reply]:
        """Yield the answer's words and return how it ended; closing it closes the connection, which stops the server.

        Functions that were not offered are never called. Raises ParameterRefused, after which the same may be asked
        again at once, without what was refused; ModelError.
        """
        body = request_body(model, max_tokens, temperature, seed, stop, logit_bias) | {"messages": list(messages)}
        if tools:
            body["tools"] = list(tools)
        for name in self.refused & body.keys():
            del body[name]
        if "max_tokens" in self.refused:
            # The name that OpenAI's newer models insist on; every other server knows the old one.
            body["max_completion_tokens"] = max_tokens
        finish: Finish | None = None
        calls = _Calls()
        spoke = False
        with self.choices(body, within) as choices:
            for choice in choices:
                delta = choice.get("delta") or {}
                if text := words_of(delta.get("content")):
                    spoke = True
                    yield text
                if delta.get("refusal") or choice.get("finish_reason") == "content_filter":
                    raise ModelError(f"{self.host} declined to answer", "ask in other words")
                if "tools" in body:
                    calls.add(delta.get("tool_calls") or ())
                finish = finish_of(choice.get("finish_reason")) or finish
        if finish is None:
            raise ModelError(f"{self.host} ended its answer without a reason", "ask again")
        if not spoke and not calls.made:
            raise ModelError(f"{self.host} answered without a word", "ask again, or name another model")
        return Reply(finish, calls.made)

    def leave_out(self, parameter: str) -> None:
        """Send this parameter no more."""
        self.refused |= {parameter}


class _Calls:
    """Calls as their fragments come, each of which names its call by its place, by its id, or not at all."""

    def __init__(self) -> None:
        self._parts: list[list[str]] = []
        """Name and arguments of each."""
        self._at: dict[tuple[int | None, str | None], int] = {}
        self._last: dict[int | None, str | None] = {}
        """Place → the id that its last fragment with one had."""
        self._current = -1

    def add(self, fragments: object) -> None:
        """Raises TypeError for what is no list of fragments."""
        if not isinstance(fragments, list | tuple):
            raise TypeError("calls are a list")
        for fragment in fragments:
            if not isinstance(fragment, dict):
                raise TypeError("a call is an object")
            function = fragment.get("function")
            named: Mapping[str, object] = function if isinstance(function, dict) else {}
            name, arguments = named.get("name"), named.get("arguments")
            self._current = self._place(fragment.get("index"), fragment.get("id"), bool(name))
            if 0 <= self._current < MOST_CALLS:
                part = self._parts[self._current]
                if isinstance(name, str) and name != part[0]:
                    part[0] = (part[0] + name)[:LONGEST_NAME]
                if isinstance(arguments, str):
                    part[1] = (part[1] + arguments)[: LONGEST_ARGUMENTS + 1]

    @property
    def made(self) -> tuple[FunctionCall, ...]:
        """Those that came so far, in their order."""
        return tuple(FunctionCall(words_of(name), words_of(arguments)) for name, arguments in self._parts)

    def _place(self, index: object, identity: object, begins: bool) -> int:
        """Which call a fragment belongs to; ``MOST_CALLS`` for one too many."""
        place = index if isinstance(index, int) else None
        own = identity if isinstance(identity, str) and identity else None
        if place is None and own is None:
            # Some servers send whole calls without either.
            return self._opened() if begins or self._current < 0 else self._current
        if own is None:
            own = self._last.get(place)
        # Others give every call the same place, and another id.
        self._last[place] = own
        key = (place, own)
        if key not in self._at:
            if len(self._at) > MOST_CALLS:
                return MOST_CALLS
            self._at[key] = self._opened()
        return self._at[key]

    def _opened(self) -> int:
        if len(self._parts) >= MOST_CALLS:
            return MOST_CALLS
        self._parts.append(["", ""])
        return len(self._parts) - 1
