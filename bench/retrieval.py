"""How well search finds what an answer rests on: the sample's answers that draw on documents, by their quotes.

Every question is asked as the interviewer asked it, on the day of the interview, with the interview itself left out, in
a workspace that holds the whole sample. A quote is found by a passage of its document that holds more than half of it;
passages of other interviews compete for the same places and never count. recall@k is the share of an answer's quotes
among the first k passages, averaged over answers; MRR reads the rank of the first of ten that holds any. Run from the
repository: ``python -m bench.retrieval [folder of an imported and embedded workspace]``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Literal, get_args

from core.journey import Journey, sample_requests
from core.models.roles import embedder_of
from core.recall.run import training_words
from core.retrieval.search import Mode, Query, Searcher
from core.sample import TARGET, sample_folder
from core.store.chunks import Passage
from core.store.conversations import exchanges_of, list_conversations
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.workspace import Workspace

CUTS = (1, 5, 10)
DEPTH = max(CUTS)
Part = Literal["training", "held out"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and where in which document each quote stands that its answer rests on."""

    text: str
    before: int
    conversation: int
    part: Part
    spans: tuple[tuple[str, int, int], ...]
    """Document uid, start and stop of each quote."""


def build_workspace(root: Path) -> Workspace:
    """The whole sample, imported and embedded as the demo does it."""
    workspace = Workspace.create(root, TARGET)
    journey = Journey(workspace, lambda _stage, _event: None)
    requests = sample_requests(sample_folder())
    journey.import_files(workspace, "import", requests["train"], use="train")
    journey.import_files(workspace, "import private", requests["recall"], use="recall", include_private=True)
    journey.embed(workspace)
    return workspace


def questions(workspace: Workspace) -> list[Question]:
    """The questions of ``truth.json`` whose answers rest on quotes."""
    database = workspace.database
    truth = json.loads((sample_folder() / "truth.json").read_text("utf-8"))
    documents = {document.title: document for document in list_documents(database)}
    files = {source.id: Path(source.location).name for source in list_sources(database)}
    conversations = {files[each.source_id]: each for each in list_conversations(database)}
    asked = []
    for answer in truth["answers"]:
        conversation = conversations[answer["interview"]]
        exchange = exchanges_of(database, conversation.id)[answer["exchange"]]
        spans = []
        for support in answer["support"]:
            document = documents[support["document"]]
            start = document.text.index(support["quote"])
            spans.append((document.uid, start, start + len(support["quote"])))
        part: Part = "held out" if answer["interview"] in truth["heldout"] else "training"
        asked.append(Question(exchange.question, exchange.first_day, conversation.id, part, tuple(spans)))
    return asked


def holds(passage: Passage, span: tuple[str, int, int]) -> bool:
    """Whether a passage is of the quote's document and has more than half of the quote."""
    uid, start, stop = span
    common = min(passage.chunk.stop, stop) - max(passage.chunk.start, start)
    return passage.kind != "exchange" and passage.owner_uid == uid and common * 2 > stop - start


def figures(searcher: Searcher, workspace: Workspace, asked: list[Question], mode: Mode) -> list[float]:
    """recall@k for each cut, then the mean reciprocal rank."""
    accept = training_words(workspace)
    rows = []
    for question in asked:
        query = Query(question.text, DEPTH, question.before, mode, not_conversation=question.conversation)
        found = [each.passage for each in searcher.search(query, accept)]
        ranks = [
            next((rank for rank, passage in enumerate(found, 1) if holds(passage, span)), DEPTH + 1)
            for span in question.spans
        ]
        first = min(ranks)
        recalls = [fmean(rank <= cut for rank in ranks) for cut in CUTS]
        rows.append([*recalls, 1 / first if first <= DEPTH else 0.0])
    return [fmean(column) for column in zip(*rows, strict=True)]


def report(workspace: Workspace) -> None:
    asked = questions(workspace)
    searcher = Searcher(workspace, lambda: embedder_of(workspace.settings))
    heads = [*(f"recall@{cut}" for cut in CUTS), "MRR"]
    print(f"{'questions of':22} {'search':10}" + "".join(f"{head:>11}" for head in heads))
    for part in get_args(Part):
        some = [question for question in asked if question.part == part]
        for mode in ("vector", "lexical", "hybrid"):
            row = figures(searcher, workspace, some, mode)
            print(f"{f'{part} ({len(some)})':22} {mode:10}" + "".join(f"{figure:11.3f}" for figure in row))


def main(folder: str = "") -> None:
    if folder:
        report(Workspace.open(Path(folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        report(build_workspace(Path(temporary) / "sample"))


if __name__ == "__main__":
    main(*sys.argv[1:])
