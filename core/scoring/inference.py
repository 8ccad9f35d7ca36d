"""Natural-language inference: whether a premise entails or contradicts a hypothesis, by a cross-encoder.

Optional: the embedded default has no such model, and none is fetched that nobody named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.errors import ModelError

LONGEST = 256
"""Tokens of premise and hypothesis together."""
BATCH = 16
_LABELS = ("entail", "neutral", "contradict")
"""How labels begin, whatever their order and case: ``entailment``, ``CONTRADICTED``."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Chances that sum to 1."""

    entail: float
    neutral: float
    contradict: float


class Inference:
    """A cross-encoder of three labels, read by their names: models order them differently."""

    def __init__(self, name: str) -> None:
        """``name`` is a folder or a hub's name. Raises ModelError where it is neither, or has other labels."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.name = name
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name)
            self._model: Any = AutoModelForSequenceClassification.from_pretrained(name, dtype=torch.float32).eval()
        except (OSError, ValueError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise ModelError(
                f"the model of inference {name} cannot be loaded: {first}",
                '[twin] inference names a folder or a cross-encoder of the model hub; "" does without',
            ) from None
        self._order = label_order(self._model.config.id2label, name)

    def infer(self, pairs: Sequence[tuple[str, str]]) -> list[Verdict]:
        """A verdict for each (premise, hypothesis)."""
        import torch

        verdicts: list[Verdict] = [Verdict(0.0, 1.0, 0.0)] * len(pairs)
        # Texts of one length together: padding costs as much as words do.
        order = sorted(range(len(pairs)), key=lambda place: len(pairs[place][0]) + len(pairs[place][1]))
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            batch = self._tokenizer(
                [pairs[place][0] for place in places], [pairs[place][1] for place in places],
                padding=True, truncation=True, max_length=LONGEST, return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                chances = torch.softmax(self._model(**batch).logits.float(), dim=-1).tolist()
            for place, row in zip(places, chances, strict=True):
                verdicts[place] = Verdict(*(row[self._order[label]] for label in _LABELS))
        return verdicts


def label_order(names: dict[int, str], model: str) -> dict[str, int]:
    """Where ``entail``, ``neutral`` and ``contradict`` stand among a model's labels. Raises ModelError."""
    order = {
        label: int(place)
        for place, name in names.items()
        for label in _LABELS
        if str(name).casefold().startswith(label)
    }
    if set(order) != set(_LABELS) or len(names) != len(_LABELS):
        raise ModelError(
            f"{model} has the labels {', '.join(map(str, names.values()))}, not entailment, neutral and contradiction",
            "[twin] inference takes a cross-encoder trained for natural-language inference",
        )
    return order
