"""How many tokens each judgement is, counted before a run starts. Imports neither torch nor transformers.

An answer and a prompt that is stored are counted as they are read, but for a mark or two. A prompt that is made of the
question is counted by its messages, since the template itself needs transformers. Where the base's tokenizer is not on
this machine, characters are counted instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.models.chat_tokenizer import ChatTokenizer
from core.prompts.render import PromptTurn, Renderer
from core.training.preferences.framing import Framing, prompt_files
from core.training.preferences.gathering import Preference
from core.workspace import Workspace

CHARACTERS_PER_TOKEN = 4.0
"""Of English, where nothing counts tokens."""
MESSAGE_MARKS = 5
"""Tokens with which a chat template surrounds a message (ChatML)."""
END_MARKS = 1
"""Tokens that end an answer."""
INSTRUCTION_TOKENS = 120
"""Of a prompt beside its question, where nothing counts tokens."""


@dataclass(frozen=True, slots=True)
class Sized:
    """Tokens of a judgement; an answer that is not there has none."""

    preference: Preference
    prompt: int
    chosen: int
    rejected: int

    @property
    def tokens(self) -> int:
        """Of the prompt and the longer answer."""
        return self.prompt + max(self.chosen, self.rejected)


def sized(
    workspace: Workspace,
    framing: Framing,
    preferences: Sequence[Preference],
    tokenizer: ChatTokenizer | None,
    day: str,
) -> list[Sized]:
    """The judgements with their tokens; ``day`` is the date of a prompt whose judgement has none."""
    counter = _Counter(workspace, framing, tokenizer)
    return [
        Sized(each, counter.prompt(each, day), counter.answer(each.chosen), counter.answer(each.rejected))
        for each in preferences
    ]


class _Counter:
    def __init__(self, workspace: Workspace, framing: Framing, tokenizer: ChatTokenizer | None) -> None:
        self._framing, self._tokenizer = framing, tokenizer
        self._renderer = Renderer(tokenizer, prompt_files(workspace), framing.form) if tokenizer else None

    def answer(self, text: str) -> int:
        said = self._tokenizer.plain(text.strip()) if self._tokenizer else text.strip()
        return self._count(said) + END_MARKS if text else 0

    def prompt(self, preference: Preference, day: str) -> int:
        if preference.prompt:
            return self._count(preference.prompt)
        if self._renderer is None:
            return self._count(preference.question) + INSTRUCTION_TOKENS
        scene = self._framing.scene(preference.day or day)
        messages = self._renderer.messages(scene, [PromptTurn(preference.question)])
        # And the mark that begins the answer.
        return sum(self._count(each.content) for each in messages) + MESSAGE_MARKS * (len(messages) + 1)

    def _count(self, text: str) -> int:
        return self._tokenizer.count(text) if self._tokenizer else round(len(text) / CHARACTERS_PER_TOKEN)
