"""How likely a model finds pieces of a text: bits per named segment, batched and cached by content."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.store.call_cache import cached, remember
from core.store.database import Database
from core.store.identity import content_uid

if TYPE_CHECKING:
    from core.models.causal_lm import CausalLM

BATCH_TOKENS = 2048
"""Padded tokens of one forward pass."""
MOST_PADDING = 1.5
"""Longest to shortest of one batch: padding costs as much as words do."""
DECIMALS = 4
"""Bits are rounded, so that a stored figure does not hang on the last bits of a float."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of text, tokenized on its own; ``name`` is empty for context that is not scored."""

    text: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class SegmentScore:
    """Information of one segment given everything before it, in bits, and its number of tokens."""

    bits: float
    tokens: int

    @property
    def per_token(self) -> float:
        return self.bits / self.tokens if self.tokens else 0.0


Scores = dict[str, SegmentScore]


class Likelihood:
    """Scores segments under a model, as it is now (base or active adapter)."""

    def __init__(self, model: CausalLM, database: Database | None = None) -> None:
        self._model = model
        self._database = database

    def score(self, texts: Sequence[Sequence[Segment]]) -> list[Scores]:
        """Score each text; equal batches give equal figures. Cached texts cost nothing.

        One call is the unit of caching: call it with what belongs together, so that a restart repeats a call whole
        and gets the same figures.
        """
        key = content_uid("likelihood", self._model.identity, [[(s.text, s.name) for s in text] for text in texts])
        if self._database is not None:
            known = cached(self._database, [key]).get(key)
            if known is not None:
                return [
                    {name: SegmentScore(bits, tokens) for name, (bits, tokens) in row.items()}
                    for row in json.loads(known)
                ]
        results = self._score(texts)
        if self._database is not None:
            value = json.dumps([{name: (s.bits, s.tokens) for name, s in row.items()} for row in results])
            with self._database.write():
                remember(self._database, {key: value})
        return results

    def _score(self, texts: Sequence[Sequence[Segment]]) -> list[Scores]:
        sequences: list[list[int]] = []
        positions: list[list[tuple[str, int, int]]] = []
        for text in texts:
            ids: list[int] = []
            spans = []
            for segment in text:
                tokens = self._model.tokenizer.encode(segment.text)
                if segment.name:
                    spans.append((segment.name, max(len(ids), 1), len(ids) + len(tokens)))
                ids += tokens
            sequences.append(ids)
            positions.append(spans)
        order = sorted(range(len(sequences)), key=lambda index: (len(sequences[index]), index))
        results: list[Scores] = [{} for _ in sequences]
        for batch in _batches(order, [len(sequence) for sequence in sequences]):
            scored = [[p for _, start, stop in positions[index] for p in range(start, stop)] for index in batch]
            rows = self._model.token_log_probabilities([sequences[index] for index in batch], scored)
            for index, row in zip(batch, rows, strict=True):
                offset = 0
                for name, start, stop in positions[index]:
                    count = max(stop - start, 0)
                    bits = -sum(row[offset : offset + count]) / math.log(2)
                    offset += count
                    results[index][name] = SegmentScore(round(bits, DECIMALS), count)
        return results


def _batches(order: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Cut an ascending order of lengths into batches of like lengths, of at most ``BATCH_TOKENS`` padded tokens."""
    batches: list[list[int]] = []
    for index in order:
        fits = bool(batches) and (len(batches[-1]) + 1) * lengths[index] <= BATCH_TOKENS
        if fits and lengths[index] <= MOST_PADDING * lengths[batches[-1][0]]:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
