"""What a chat request's messages say: the turns before, who asks now, and what they ask.

Programs send more than a question: a card of their own as system message, a greeting that the character said first,
several people's messages in a row, instructions after the last one. Only what people and the twin said is read. What
several said together before an answer is one question that names them, as in the logs that the twin was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.prompts.render import PromptTurn
from core.store.identity import content_uid
from core.twin.protocol import ChatMessage, ChatRequest
from core.twin.serving.refusals import bad_request


@dataclass(frozen=True, slots=True)
class Heard:
    """A chat request as it is understood."""

    turns: tuple[PromptTurn, ...]
    """Before the question, each with its answer."""
    question: str
    asker: str
    history: str
    """Names what was said before the question, the model and the date; empty where nothing was."""
    said: tuple[str, ...]
    """All that was said, the question among it: what a later request's history is known by."""
    setting: tuple[str, ...]

    def history_with(self, answer: str) -> str:
        """The history of a request that goes on after this answer."""
        return _key(self.setting, (*self.said, _line("assistant", "", answer)))


def heard(asked: ChatRequest) -> Heard:
    """Read a request's messages. Raises Refusal where there is no question at their end."""
    setting = (asked.model, asked.adapter or "", asked.as_of)
    spoken = [each for each in asked.messages if each.role in ("user", "assistant") and each.content.strip()]
    if asked.again:
        return Heard((), "", "", "", (), setting)
    if not spoken:
        raise bad_request("there is no question")
    if spoken[-1].role != "user":
        raise bad_request("the last message must be the user's: an answer that is begun is not gone on with")
    turns: list[PromptTurn] = []
    pending: list[ChatMessage] = []
    for message in spoken:
        if message.role == "user":
            pending.append(message)
        elif pending or not turns:
            question, asker = _together(pending, asked.speaker)
            turns.append(PromptTurn(question, asker, (), message.content.strip()))
            pending = []
        else:
            last = turns.pop()
            turns.append(PromptTurn(last.question, last.asker, (), f"{last.answer}\n{message.content.strip()}"))
    question, asker = _together(pending, asked.speaker)
    before = len(spoken) - len(pending)
    said = tuple(_line(each.role, each.name if each.role == "user" else "", each.content) for each in spoken)
    history = _key(setting, said[:before]) if before else ""
    return Heard(tuple(turns), question, asker, history, said, setting)


def _together(messages: Sequence[ChatMessage], speaker: str) -> tuple[str, str]:
    """One question of all of them, and who asks it."""
    names = list(dict.fromkeys(each.name or speaker for each in messages))
    if len(names) < 2:
        return "\n".join(each.content.strip() for each in messages), names[0] if names else ""
    lines = [
        f"{each.name or speaker}: {each.content.strip()}" if each.name or speaker else each.content.strip()
        for each in messages
    ]
    return "\n".join(lines), " and ".join(name for name in names if name)


def _line(role: str, name: str, text: str) -> str:
    return f"{role}\0{name}\0{text.strip()}"


def _key(setting: Sequence[str], said: Sequence[str]) -> str:
    return content_uid(list(setting), list(said))
