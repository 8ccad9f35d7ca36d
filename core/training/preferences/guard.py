"""A guard against collapse: a run on preferences can win every pair and lose the language.

At each look the same questions are answered, greedily, and what is said is held against what the reference says to
them: its length, how much of it repeats itself, and how far its words are from the reference's (Kullback-Leibler
divergence, over the whole vocabulary, at every token that was said). Past a threshold the run stops; the weights of the
last look that was well are kept.

An answer is written as far as it takes to see that it grew too long, and no further. Where the reference itself did not
end within ``guard_tokens``, nobody knows how long it would have been, and growth is not judged; nor where the base's
context leaves an answer less room than that takes.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.models.causal_lm import CausalLM, Continuation
from core.runs.job import Job
from core.settings import DpoSettings
from core.training.checkpoints import WELL, is_whole, write_manifest
from core.training.launching import is_first
from core.training.preferences.rendering import Rendered
from core.training.speaking import aside
from core.training.watching import any_of_us

STEP = "step"
"""The file in it that says which step that was."""
SHORT = 32
"""Tokens of two sentences or so: a twin of few words that learns to say one more has not lost its language, however
many times longer that is."""
UNENDED = 0.5
"""Share of the answers over which it is a collapse that they run on: one alone may be to a question that needs more."""
TRAINED, REFERENCE = "default", "ref"
"""PEFT's names of the two adapters: TRL gives the reference this one."""
ELSEWHERE = "the first process saw a collapse"
"""Why the other processes stop."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at each look, and the answer that was preferred; empty where none was."""

    question: str
    prompt: str
    preferred: str


@dataclass(frozen=True, slots=True)
class Look:
    """Answers as they are now."""

    said: tuple[str, ...]
    lengths: tuple[int, ...]
    """Tokens of each."""
    heard: tuple[int, ...]
    """After how many tokens each would have been cut."""
    ended: tuple[bool, ...]
    """Whether each came to its end before it was cut."""
    distinct: float
    """Distinct-2 (Li et al. 2016), averaged: pairs of neighboring tokens that are not a repetition, of all of one
    answer's."""
    kl: float = 0.0
    """Nats per token from the reference, averaged."""

    @property
    def length(self) -> float:
        """Tokens, averaged."""
        return _mean(self.lengths)


def longest_well(reference: Look, settings: DpoSettings) -> float | None:
    """Up to how many tokens the answers may grow; None where the reference does not tell."""
    ended = [length for length, end in zip(reference.lengths, reference.ended, strict=True) if end]
    return max(settings.guard_length * _mean(ended), SHORT) if ended else None


def verdict(look: Look, reference: Look, settings: DpoSettings) -> str:
    """Why answers are a collapse; empty where they are not."""
    if look.length < 1 <= reference.length:
        return "the answers are empty"
    most = longest_well(reference, settings)
    if most is not None:
        told = [
            place
            for place, end in enumerate(reference.ended)
            if end and (look.ended[place] or look.heard[place] > most)
        ]
        unended = sum(not look.ended[place] for place in told)
        if unended > UNENDED * len(told):
            before = _mean([reference.lengths[place] for place in told])
            return (
                f"the answers grew: {unended} of {len(told)} do not end within {most:.0f} tokens, the reference's have"
                f" {before:.0f}"
            )
    if look.distinct < settings.guard_distinct * reference.distinct:
        return f"the answers repeat themselves: distinct-2 is {look.distinct:.2f}, not {reference.distinct:.2f}"
    if not look.kl <= settings.guard_kl:  # Also where it is not a number.
        return f"the answers are {look.kl:.2f} nats per token from the reference, over {settings.guard_kl:g}"
    return ""


def questions_of(validation: Sequence[Rendered], train: Sequence[Rendered], most: int) -> list[Question]:
    """The questions to ask: those that validate, and where they are too few, some that are trained on."""
    chosen: dict[str, Question] = {}
    for each in [*validation, *train]:
        if len(chosen) < most:
            chosen.setdefault(each.prompt, Question(each.preference.question, each.prompt, each.preference.chosen))
    return list(chosen.values())


@contextmanager
def as_reference(model: Any) -> Iterator[None]:
    """Let the reference speak; afterwards the trained adapter is active, and trainable, again."""
    model.set_adapter(REFERENCE, inference_mode=True)
    try:
        yield
    finally:
        model.set_adapter(TRAINED)


class Guard(TrainerCallback):
    """Looks every so many steps and at the last one; it stops the run, and says why in ``collapsed``.

    Of several processes, whose weights are the same, the first one looks.
    """

    def __init__(
        self, job: Job, lm: CausalLM, model: Any, questions: Sequence[Question], settings: DpoSettings, every: int
    ) -> None:
        """``model`` is the PEFT model over ``lm``."""
        self._job, self._lm, self._model = job, lm, model
        self._questions, self._settings, self._every = questions, settings, every
        self._reference: Look | None = None
        self.collapsed = ""
        """Why the run was stopped; empty for a run that is well."""

    def well(self, folder: Path) -> tuple[Path, int] | None:
        """The weights at the last look that was well, and their step, among the checkpoints in a folder."""
        kept = folder / WELL
        return (kept, int((kept / STEP).read_text("ascii"))) if is_whole(kept) else None

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        step = state.global_step
        if not self._questions or (step % self._every and step < state.max_steps):
            return
        if is_first():
            look = self.look()
            self._tell(step, look)
            assert self._reference is not None
            self.collapsed = verdict(look, self._reference, self._settings)
        if any_of_us(bool(self.collapsed), args.device):
            self.collapsed = self.collapsed or ELSEWHERE
            control.should_training_stop = True
            control.should_save = False
        elif is_first():
            self._keep(Path(args.output_dir), step)

    def look(self) -> Look:
        """The answers as they are now, against the reference's."""
        with aside(self._lm), torch.no_grad():
            if self._reference is None:
                with as_reference(self._model):
                    self._reference = self._answers(self._settings.guard_tokens)[0]
            most = longest_well(self._reference, self._settings)
            look, sequences = self._answers(self._settings.guard_tokens if most is None else math.floor(most) + 1)
            kls = [value for prompt, said in sequences for value in self._divergences(prompt, said)]
        return replace(look, kl=_mean(kls))

    def _answers(self, most: int) -> tuple[Look, list[tuple[list[int], list[int]]]]:
        """What the active adapter says in so many tokens at the most, and (prompt, answer) as token ids."""
        encode = self._lm.tokenizer.encode
        prompts = [each.prompt for each in self._questions]
        read = [encode(prompt) for prompt in prompts]
        context = self._lm.context
        heard = [max(1, min(most, context - len(ids))) if context else most for ids in read]
        told: dict[int, Continuation] = {}
        for room in sorted(set(heard)):
            places = [place for place, each in enumerate(heard) if each == room]
            said = self._lm.continuations([prompts[place] for place in places], room)
            told.update(zip(places, said, strict=True))
        answers = [told[place] for place in range(len(prompts))]
        ids = [encode(each.text) for each in answers]
        look = Look(
            tuple(each.text for each in answers), tuple(each.tokens for each in answers), tuple(heard),
            tuple(each.ended for each in answers), _mean([_distinct(each) for each in ids]),
        )  # fmt: skip
        return look, list(zip(read, ids, strict=True))

    def _divergences(self, prompt: list[int], said: list[int]) -> list[float]:
        """KL from the reference where each token was said, and where the next one would be."""
        ids = torch.tensor([prompt + said]).to(self._lm.device)
        mine = self._log_probabilities(ids, len(said) + 1)
        with as_reference(self._model):
            reference = self._log_probabilities(ids, len(said) + 1)
        return [float(value) for value in (mine.exp() * (mine - reference)).sum(-1)]

    def _log_probabilities(self, ids: torch.Tensor, last: int) -> torch.Tensor:
        logits = self._lm.model(input_ids=ids, use_cache=False, logits_to_keep=last).logits[0]
        return torch.log_softmax(logits.float(), dim=-1)

    def _tell(self, step: int, look: Look) -> None:
        reference = self._reference
        assert reference is not None
        self._job.event(
            "metrics",
            step=step,
            answer_tokens=round(look.length, 1),
            reference_tokens=round(reference.length, 1),
            distinct=round(look.distinct, 3),
            reference_distinct=round(reference.distinct, 3),
            **({"kl": round(look.kl, 4)} if math.isfinite(look.kl) else {}),
        )
        self._job.event(
            "samples",
            step=step,
            samples=[
                {"question": each.question, "twin": said, "real": each.preferred}
                for each, said in zip(self._questions, look.said, strict=True)
            ],
        )

    def _keep(self, folder: Path, step: int) -> None:
        """Keep these weights as the last ones that were well; written aside, so that a kill leaves the ones before."""
        partial, kept = folder / f".{WELL}", folder / WELL
        shutil.rmtree(partial, ignore_errors=True)
        self._model.save_pretrained(partial, selected_adapters=[TRAINED])
        (partial / STEP).write_text(str(step), "ascii")
        write_manifest(partial)
        shutil.rmtree(kept, ignore_errors=True)
        partial.rename(kept)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _distinct(ids: Sequence[int]) -> float:
    pairs = list(pairwise(ids))
    return len(set(pairs)) / len(pairs) if pairs else 1.0
