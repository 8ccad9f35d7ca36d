"""A judgement as token ids: the prompt as the twin receives it, and answers with the mark that ends a turn."""

from __future__ import annotations

from dataclasses import dataclass

from core.prompts.render import PromptTurn, Renderer
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import Preference

PROBE = "probe"


@dataclass(frozen=True, slots=True)
class Rendered:
    """A judgement as the model reads it. An answer that is not there has no ids."""

    preference: Preference
    prompt: str
    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]
    stored: bool
    """Whether the prompt is the one that was really read, not one made of the question."""

    @property
    def tokens(self) -> int:
        """Of the prompt and the longer answer."""
        return len(self.prompt_ids) + max(len(self.chosen_ids), len(self.rejected_ids))


class PreferenceRenderer:
    """Judgements for one base, through THE renderer."""

    def __init__(self, renderer: Renderer, framing: Framing) -> None:
        self._renderer, self._framing = renderer, framing
        messages = renderer.messages(framing.scene(""), [PromptTurn(PROBE, answer=PROBE)])
        spoken = next(each for each in renderer.segments(messages) if each.trained)
        self._end = spoken.text.removeprefix(PROBE)
        """What ends a turn in this base's template."""
        asked = messages[1].content
        self._turn = renderer.prompt(messages[:2]).rpartition(asked)[2]
        """What stands between a question and its answer in this base's template."""

    def rendered(self, preference: Preference, day: str) -> Rendered:
        """``day`` is the date of a prompt that is not known, where the judgement itself has none."""
        # A file may have a whole prompt where a question could stand.
        stored = self._own(preference.asked)
        prompt = stored or self._prompt(preference, day)
        encode = self._renderer.tokenizer.encode
        # The prompt and the answer apart, as a sample of the dataset is: that is where a sample's loss begins.
        return Rendered(
            preference, prompt, encode(prompt), self._said(preference.chosen), self._said(preference.rejected),
            bool(stored),
        )  # fmt: skip

    def _own(self, prompt: str) -> str:
        """A prompt that is in this base's template, with the white space at its end that a file takes away; empty for
        any other: another model's would be read as plain words."""
        mark = self._turn.rstrip()
        if not mark or mark not in prompt:
            return ""
        return prompt + self._turn[len(mark) :] if prompt.endswith(mark) else prompt

    def _prompt(self, preference: Preference, day: str) -> str:
        scene = self._framing.scene(preference.day or day)
        return self._renderer.prompt(self._renderer.messages(scene, [PromptTurn(preference.question)]))

    def _said(self, answer: str) -> list[int]:
        if not answer:
            return []
        return self._renderer.tokenizer.encode(self._renderer.tokenizer.plain(answer.strip()) + self._end)
