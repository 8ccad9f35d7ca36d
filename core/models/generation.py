"""What is asked of a text model and what it says: values that every engine of the writer and the judge shares.

An engine makes one attempt. Retries, limits, the cache and the ledger are ``core.calls``'s, around any engine.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

from core.errors import ModelError

Finish = Literal["stop", "length"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Said:
    """One message of a prompt. What is the same for many asks comes first, so that servers' prefix caches hit."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a text model."""

    messages: tuple[Said, ...]
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    """A JSON schema the answer should be held to, where the engine can; the answer is validated all the same."""
    temperature: float = 0.0
    seed: int = 0
    choices: tuple[str, ...] = ()
    """For an ask that is answered with one of these words: the engine reports their probabilities where it can."""


@dataclass(frozen=True, slots=True)
class Told:
    """A finished answer."""

    text: str
    finish: Finish
    prompt_tokens: int = 0
    answer_tokens: int = 0
    chances: Mapping[str, float] | None = None
    """Choice → probability of its first token, of those the engine reported; None where it reports none."""


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A function that was called, as the server wrote it: the name may be none of those that were offered, and the
    arguments need not be JSON."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """How an answer ended, and what it calls; with calls, it is to be asked again."""

    finish: Finish
    calls: tuple[FunctionCall, ...] = ()


class CallFailed(ModelError):
    """One attempt gave no usable answer.

    ``reason`` is a short stable word (``rate limit``, ``timeout``, ``not json`` …), shown and counted.
    """

    def __init__(self, reason: str, message: str, *, retryable: bool, retry_after: float | None = None) -> None:
        super().__init__(message, "the item is parked: run the same command again")
        self.reason = reason
        self.retryable = retryable
        self.retry_after = retry_after
        """Seconds that the server asked to wait, or None."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_call_failed, (self.reason, self.message, self.retryable, self.retry_after))


def _call_failed(reason: str, message: str, retryable: bool, retry_after: float | None) -> CallFailed:
    return CallFailed(reason, message, retryable=retryable, retry_after=retry_after)


class TextEngine(Protocol):
    """A text model that answers one ask at a time; many asks may wait at once."""

    @property
    def identity(self) -> str:
        """Engine, model and revision: part of every cache key."""

    @property
    def host(self) -> str:
        """``name:port`` of the server that receives the words; empty for a model on this machine."""

    @property
    def slots(self) -> int:
        """How many asks it may be given at once, at the most."""

    @property
    def holds_schemas(self) -> bool:
        """Whether it writes by the schema from the first word on, and takes another one for each ask at no cost."""

    async def ask(self, ask: Ask, within: float) -> Told:
        """Answer within so many seconds. Raises CallFailed."""

    async def close(self) -> None:
        """Let go of connections, processes and memory."""


class Asker(Protocol):
    """Asks a role's model and gets a checked answer: what the stages see of an engine with all that guards it."""

    @property
    def identity(self) -> str:
        """Role, engine, model and parameters: what a stage's own keys depend on."""

    async def ask(self, ask: Ask, accept: Callable[[Told], T], *, purpose: str, about: Sequence[str]) -> T:
        """The answer as ``accept`` reads it.

        ``accept`` raises CallFailed for an answer that is not one: it is asked again, and nothing of it is kept. What
        it takes is cached by content: the same ask costs nothing the next time. ``purpose`` (``retell``, ``judge``,
        ``questions`` …) and ``about`` (uids of the documents and exchanges whose words are sent) go into the ledger.
        Raises CallFailed once the attempts are used up: the item is then to be parked.
        """
