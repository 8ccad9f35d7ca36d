"""How likely a model finds pieces of a text: bits per named segment, batched and cached by content."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
Read = Callable[[Sequence[Sequence[int]], Sequence[Sequence[int]]], list[list[float]]]
"""Token ids and the positions that are scored, to natural-log probabilities of these."""


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
        key = content_uid("likelihood", self._model.identity, _told(texts))
        return self._once(key, lambda: self._score(texts, self._model.token_log_probabilities))

    def score_after(self, prefix: str, texts: Sequence[Sequence[Segment]]) -> list[Scores]:
        """The same of texts that all follow one prefix, tokenized on its own and read once for all of them.

        A text's first segment is context: its first token has no score.
        """
        ids = self._model.tokenizer.encode(prefix)
        key = content_uid("likelihood after", self._model.identity, prefix, _told(texts))
        return self._once(
            key, lambda: self._score(texts, partial(self._model.token_log_probabilities_after, ids), len(ids))
        )

    def _once(self, key: str, score: Callable[[], list[Scores]]) -> list[Scores]:
        if self._database is not None:
            known = cached(self._database, [key]).get(key)
            if known is not None:
                return [
                    {name: SegmentScore(bits, tokens) for name, (bits, tokens) in row.items()}
                    for row in json.loads(known)
                ]
        results = score()
        if self._database is not None:
            value = json.dumps([{name: (s.bits, s.tokens) for name, s in row.items()} for row in results])
            with self._database.write():
                remember(self._database, {key: value})
        return results

    def _score(self, texts: Sequence[Sequence[Segment]], read: Read, before: int = 0) -> list[Scores]:
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
        # What a prefix holds in the cache is held for every row of a batch.
        for batch in _batches(order, [before + len(sequence) for sequence in sequences]):
            scored = [[p for _, start, stop in positions[index] for p in range(start, stop)] for index in batch]
            rows = read([sequences[index] for index in batch], scored)
            for index, row in zip(batch, rows, strict=True):
                offset = 0
                for name, start, stop in positions[index]:
                    count = max(stop - start, 0)
                    bits = -sum(row[offset : offset + count]) / math.log(2)
                    offset += count
                    results[index][name] = SegmentScore(round(bits, DECIMALS), count)
        return results


def _told(texts: Sequence[Sequence[Segment]]) -> list[list[tuple[str, str]]]:
    return [[(segment.text, segment.name) for segment in text] for text in texts]


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
