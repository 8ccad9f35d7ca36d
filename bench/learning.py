"""What the review learns from a person, on the sample: how well it foretells them, and when its order is of use.

The person is simulated from ``data/truth.json``: they accept a memory if its quote overlaps a passage that the answer
is labelled to rest on, and reject it otherwise. The memories are those of ``demo/`` where that folder is, else of a
recall made for the bench. Each figure is the mean over draws of which memories were decided on first.
"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.journey import EMBED, RECALL, Journey, sample_requests
from core.review.features import FeatureTable, read_features
from core.review.learning import fit_labels
from core.sample import TARGET, sample_folder
from core.store.learned import LabelRow, question_bits
from core.workspace import Workspace

DECIDED = (30, 40, 50, 60, 80, 100, 120)
DRAWS = 40
DEMO = Path("demo")


@dataclass(frozen=True, slots=True)
class Case:
    """The memories of labelled answers: their features, the person's verdicts, and what the judge said."""

    table: FeatureTable
    accepted: dict[int, bool]
    exchanges: dict[int, int]
    bits: dict[int, float]


def load(root: Path) -> Case:
    """Read a workspace of the sample. Nothing is written to it but what opening writes."""
    workspace = Workspace.open(root)
    database = workspace.database
    truth = json.loads((sample_folder() / "truth.json").read_text("utf-8"))
    support = {
        (each["interview"], each["exchange"]): [(one["document"], one["quote"]) for one in each["support"]]
        for each in truth["answers"]
    }
    rows = database.rows(
        "SELECT memory.id, memory.exchange_id, source.location, exchange.position, quote_start, quote_stop, chunk.text,"
        " coalesce(document.title, ''),"
        " (SELECT count(*) FROM exchange AS other WHERE other.conversation_id = exchange.conversation_id"
        " AND other.position < exchange.position)"
        " FROM memory JOIN exchange ON exchange.id = memory.exchange_id"
        " JOIN conversation ON conversation.id = exchange.conversation_id"
        " JOIN source ON source.id = conversation.source_id JOIN chunk ON chunk.id = memory.chunk_id"
        " LEFT JOIN document ON document.id = chunk.document_id"
    )
    accepted, exchanges = {}, {}
    for memory, exchange, location, _, start, stop, text, title, place in rows:
        quotes = support.get((Path(location).name, place))
        if quotes is not None:
            accepted[memory] = any(_overlaps(text, title, start, stop, *quote) for quote in quotes)
            exchanges[memory] = exchange
    table = read_features(database, workspace.settings.models.embedder.model)
    return Case(table, accepted, exchanges, question_bits(database, accepted))


def _overlaps(text: str, title: str, start: int, stop: int, document: str, quote: str) -> bool:
    at = text.find(quote) if title == document else -1
    return at >= 0 and at < stop and start < at + len(quote)


def auc(scores: NDArray[np.float64], accepted: NDArray[np.bool_]) -> float:
    """Chance that an accepted one scores above a rejected one."""
    higher = scores[accepted][:, None] - scores[~accepted][None, :]
    return float(np.mean((higher > 0) + 0.5 * (higher == 0)))


def measure(case: Case, decided: int) -> list[float]:
    """Learn from so many verdicts, drawn at random; hold the model and the judge against all others."""
    chance = np.random.default_rng(decided)
    memories = np.array(sorted(case.accepted))
    places = np.searchsorted(case.table.memories, memories)
    verdicts = np.array([case.accepted[int(memory)] for memory in memories])
    bits = np.array([case.bits.get(int(memory), 0.0) for memory in memories])
    found = []
    for _ in range(DRAWS):
        order = chance.permutation(len(memories))
        known, rest = np.sort(order[:decided]), order[decided:]
        if min(verdicts[known].sum(), (~verdicts[known]).sum()) < 5:
            continue
        labels = [LabelRow(int(memories[at]), case.exchanges[int(memories[at])], bool(verdicts[at])) for at in known]
        model = fit_labels(case.table, labels)
        chances = model.chances(case.table.matrix[places[rest]]).astype(np.float64)
        right = (chances >= 0.5) == verdicts[rest]
        base = verdicts[known].mean()
        by_doubt = np.argsort(np.abs(chances - 0.5), kind="stable")
        by_judge = np.argsort(np.abs(bits[rest]), kind="stable")
        half = len(rest) // 2
        wrong = max(1, (~right).sum())
        found.append(
            [
                right.mean(),
                (np.full(len(rest), base >= 0.5) == verdicts[rest]).mean(),
                ((bits[rest] >= 0) == verdicts[rest]).mean(),
                auc(chances, verdicts[rest]),
                auc(bits[rest], verdicts[rest]),
                np.mean((chances - verdicts[rest]) ** 2),
                np.mean((base - verdicts[rest]) ** 2),
                model.checked.brier,
                (~right[by_doubt[:half]]).sum() / wrong,
                (~right[by_judge[:half]]).sum() / wrong,
            ]
        )
    return [float(value) for value in np.mean(found, axis=0)] if found else []


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = DEMO
        if not (DEMO / "persona.toml").is_file():
            root = Path(name) / "ws"
            workspace = Workspace.create(root, TARGET)
            journey = Journey(workspace, lambda *_: None)
            requests = sample_requests(sample_folder())
            journey.import_files(workspace, "import", requests["train"], use="train")
            journey.work("embed", workspace, *EMBED, {})
            journey.work("recall", workspace, *RECALL, {})
        case = load(root)
    kept = sum(case.accepted.values())
    print(f"{len(case.accepted)} memories of labelled answers, {kept} rest on a labelled passage\n")
    print(
        "| decided | agrees: model | always one answer | judge | AUC: model | judge | Brier: model | base rate"
        " | cross-validated | errors in the first half: by the model's doubt | by the judge's |"
    )
    print("|" + " --- |" * 11)
    for decided in DECIDED:
        figures = measure(case, decided) if decided < len(case.accepted) - 20 else []
        if figures:
            print(f"| {decided} | " + " | ".join(f"{value:.3f}" for value in figures) + " |")


if __name__ == "__main__":
    main()
