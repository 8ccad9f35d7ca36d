"""From stored exchanges and memories to what the renderer takes: the one place where both meet."""

from __future__ import annotations

from core.dates import DateSpan
from core.prompts.render import PromptTurn, RecalledMemory, Scene, Speaker
from core.settings import Settings
from core.store.conversations import ConversationRow, ExchangeRow


def scene_of(settings: Settings, target: str, date: str, askers: tuple[str, ...]) -> Scene:
    """The scene of a conversation or a chat: who, when, with whom."""
    speakers = tuple(
        Speaker(name, settings.speakers[name].relation if name in settings.speakers else "") for name in askers if name
    )
    return Scene(target, settings.about, date, speakers)


def conversation_scene(settings: Settings, target: str, row: ConversationRow, exchanges: list[ExchangeRow]) -> Scene:
    """The scene of a stored conversation; everyone who asks is there from the start."""
    names = dict.fromkeys(name for exchange in exchanges for name in exchange.asker.split(" and ") if name)
    return scene_of(settings, target, row.date or DateSpan.unknown().iso(), tuple(names))


def turn_of(exchange: ExchangeRow, memories: tuple[RecalledMemory, ...]) -> PromptTurn:
    """A stored exchange as a turn of a prompt. A group's question names its speakers itself."""
    return PromptTurn(exchange.question, "", memories, exchange.answer)
