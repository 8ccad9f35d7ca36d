"""The model answers the same validation questions at each evaluation, without leaving a trace in its training."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from core.models.causal_lm import CausalLM
from core.prompts.messages import Message
from core.prompts.render import Renderer
from core.store.conversations import exchanges_named
from core.store.datasets import ExampleRow
from core.workspace import Workspace

QUESTIONS = 2
"""Validation questions that are answered at each evaluation."""
LONGEST = 40
"""Tokens of these answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A validation question: as it is shown, as the model receives it, and what the target really answered."""

    question: str
    prompt: str
    real: str


def asked(workspace: Workspace, renderer: Renderer, validation: Sequence[ExampleRow]) -> list[Asked]:
    """The first question of up to two validation samples, the same ones for every run on a dataset."""
    rows = list(validation[:: max(1, len(validation) // QUESTIONS)])[:QUESTIONS]
    known = exchanges_named(workspace.database, [row.parts[0].exchange_uid for row in rows if row.parts])
    found = []
    for row in rows:
        messages = [Message.of(message) for message in row.messages]
        mine = (place for place, message in enumerate(messages) if message.role == "assistant" or message.trained)
        answered = next((place for place in mine if place), 0)
        if answered:
            exchange = known.get(row.parts[0].exchange_uid) if row.parts else None
            question = exchange.question if exchange else messages[answered - 1].content
            found.append(_asked_of(renderer, question, messages, answered))
    return found


def _asked_of(renderer: Renderer, question: str, messages: list[Message], answered: int) -> Asked:
    said = messages[answered]
    return Asked(question, renderer.prompt(messages[:answered]) + said.content[: said.head], said.content[said.head :])


class Speaker:
    """Answers greedily and tells it as an event; the random state and the mode of the model are given back."""

    def __init__(self, tell: Callable[..., None], lm: CausalLM, questions: Sequence[Asked]) -> None:
        self._tell, self._lm, self._asked = tell, lm, questions

    def speak(self, step: int) -> None:
        """Answer now."""
        if not self._asked:
            return
        with aside(self._lm):
            said = self._lm.generate([each.prompt for each in self._asked], LONGEST)
        self._tell(
            "samples",
            step=step,
            samples=[
                {"question": each.question, "twin": twin, "real": each.real}
                for each, twin in zip(self._asked, said, strict=True)
            ],
        )


@contextmanager
def aside(lm: CausalLM) -> Iterator[None]:
    """Speak in the midst of a training: random state, mode and threads are afterwards what they were."""
    model: Any = lm.model
    training, threads = model.training, torch.get_num_threads()
    checkpointing = getattr(model, "is_gradient_checkpointing", False)
    devices = [torch.cuda.current_device()] if lm.device == "cuda" else []
    with torch.random.fork_rng(devices), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.eval()
        if checkpointing:  # It allows no cache, and an answer without one takes its length squared.
            model.gradient_checkpointing_disable()
        # Word by word a CPU waits for memory: a second thread gains little there, and on a busy machine the two
        # wait for each other at every layer, which made an answer take minutes.
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            if checkpointing:
                model.gradient_checkpointing_enable({"use_reentrant": False})
            model.train(training)
