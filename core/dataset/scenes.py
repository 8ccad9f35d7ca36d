"""From stored exchanges and memories to what the renderer takes: the one place where both meet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby

from core.prompts.render import PromptTurn, RecalledMemory, Scene, Speaker
from core.settings import Settings
from core.store.conversations import ConversationRow, ExchangeRow


def scene_of(settings: Settings, target: str, when: str, askers: tuple[str, ...]) -> Scene:
    """The scene of a conversation or a chat: who, when, with whom."""
    speakers = tuple(
        Speaker(name, settings.speakers[name].relation if name in settings.speakers else "") for name in askers if name
    )
    return Scene(target, settings.about, when, speakers)


def conversation_scene(settings: Settings, target: str, row: ConversationRow, exchanges: list[ExchangeRow]) -> Scene:
    """The scene of a stored conversation, or of one stretch of a chat; everyone who asks in it is there.

    A chat runs for years, so each stretch has the date of its own first answer.
    """
    names = dict.fromkeys(name for exchange in exchanges for name in exchange.asker.split(" and ") if name)
    day = exchanges[0].first_day if row.chat and exchanges else -1
    return scene_of(settings, target, date.fromordinal(day).isoformat() if day > 0 else row.date, tuple(names))


def stretches_of(exchanges: Sequence[ExchangeRow]) -> Iterator[list[ExchangeRow]]:
    """The exchanges between the silences of a chat; all of them at once for any other conversation."""
    for _, stretch in groupby(exchanges, key=lambda exchange: exchange.segment):
        yield list(stretch)


def is_before(last_day: int, exchange: ExchangeRow) -> bool:
    """Whether a passage that may be as late as this day (-1 when undated) can be remembered in an exchange."""
    return exchange.first_day < 0 or last_day < exchange.first_day


def turn_of(exchange: ExchangeRow, memories: tuple[RecalledMemory, ...], command: str = "") -> PromptTurn:
    """A stored exchange as a turn of a prompt. A group's question names its speakers itself."""
    return PromptTurn(exchange.question, "", memories, exchange.answer, command=command)
