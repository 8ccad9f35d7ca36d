"""A model that learns from one person's decisions which memories they would accept. It orders and reports; it never
decides alone.

Each person has a model of their own, by name: two people may rightly differ, and pooled verdicts would teach neither.
It learns from verdicts that stand and that the person gave by looking at the card (``store.labels``), never from a
rule's or an import's, nor from the blind sample, which it is measured on. It is learned after 30 verdicts and again
every 10; the same verdicts on the same memories give the same model.
"""

from __future__ import annotations

from array import array
from datetime import UTC, datetime

import numpy as np

from core.review.features import FeatureTable, read_features
from core.review.logistic import Model, fit
from core.review.verdicts import AGAIN, is_enough
from core.store import learned as store
from core.store.decisions import last_decision_id
from core.store.learned import LabelRow, LearnedRow
from core.workspace import Workspace


class Learner:
    """Learns in one workspace. It keeps the features at hand, which takes a second to read at a hundred thousand
    memories, so that learning again takes milliseconds; used from one thread."""

    def __init__(self) -> None:
        self._table: FeatureTable | None = None
        self._fingerprint = ""

    def learn(self, workspace: Workspace, actor: str, always: bool = False) -> LearnedRow | None:
        """Learn when there is something to learn from since the last time. Returns the model when it is another one.

        ``always`` learns whatever has happened. Where verdicts were taken back until too few are left, the model goes.
        """
        database = workspace.database
        before = store.learned_at(database, actor)
        fingerprint = store.features_fingerprint(database)
        if before is not None and not always:
            news = store.decisions_since(database, actor, before[0])
            if news < AGAIN and before[1] == fingerprint:
                return None
        last = last_decision_id(database)
        labels = store.labels(database, actor)
        if not is_enough(labels):
            if before is not None:
                with database.write():
                    store.remove_learned(database, actor)
            return None
        if self._table is None or self._fingerprint != fingerprint:
            self._table = read_features(database, workspace.settings.models.embedder.model)
            self._fingerprint = fingerprint
        row = learned_row(self._table, labels, actor, last, fingerprint)
        with database.write():
            store.put_learned(database, row)
        return row


def learned_row(
    table: FeatureTable, labels: list[LabelRow], actor: str, last_decision: int, fingerprint: str
) -> LearnedRow:
    """The model of these verdicts, and what it says of every memory, the most uncertain first."""
    model = fit_labels(table, labels)
    # Rounded, so that the order does not hang on the last bits of a sum.
    chances = np.round(model.chances(table.matrix), 5).astype(np.float32)
    order = np.lexsort((table.memories, np.abs(chances - np.float32(0.5))))
    checked = model.checked
    return LearnedRow(
        actor,
        datetime.now(UTC).isoformat(timespec="milliseconds"),
        last_decision,
        len(labels),
        fingerprint,
        {
            "strength": model.strength,
            "accepted": sum(label.accepted for label in labels),
            "brier": round(checked.brier, 4),
            "base_brier": round(checked.base_brier, 4),
            "log_loss": round(checked.log_loss, 4),
            "agreement": round(checked.agreement, 4),
            "calibration_error": round(checked.calibration_error, 4),
            "reliability": [
                {"n": each.count, "foretold": round(each.foretold, 3), "accepted": round(each.accepted, 3)}
                for each in checked.bins
            ],
            "weights": {name: round(float(value), 4) for name, value in zip(table.names, model.weights, strict=True)},
        },
        array("i", table.memories[order].astype(np.int32).tobytes()),
        array("i", table.exchanges[order].astype(np.int32).tobytes()),
        array("f", chances[order].tobytes()),
    )


def reordered(row: LearnedRow, ids: list[int], groups: list[int]) -> tuple[list[int], list[int]]:
    """Cards of a queue and their groups, the most uncertain first; second looks, which are negative, keep their place,
    and so does what the model does not know."""
    before = np.array(ids, dtype=np.int32)
    memories, exchanges = np.array(row.memories), np.array(row.exchanges)
    known, wanted = np.isin(before, memories), np.isin(memories, before)
    after, after_groups = before.copy(), np.array(groups, dtype=np.int32)
    after[known], after_groups[known] = memories[wanted], exchanges[wanted]
    return after.tolist(), after_groups.tolist()


def fit_labels(table: FeatureTable, labels: list[LabelRow]) -> Model:
    """Fit verdicts on the features of their memories."""
    places = np.searchsorted(table.memories, [label.memory_id for label in labels])
    return fit(
        table.matrix[places],
        np.array([label.accepted for label in labels]),
        np.array([label.exchange_id for label in labels], dtype=np.int64),
    )
