"""How well search finds what an answer rests on, and what each addition to it brings and costs.

Two measures. The sample's answers that draw on documents, by their quotes: every question is asked as the interviewer
asked it, on the day of the interview, with the interview itself left out, in a workspace that holds the whole sample. A
quote is found by a passage of its document that holds more than half of it; passages of other interviews compete for
the same places and never count. And, where the workspace named has decisions, its accepted memories: their passages are
to be found for the question they were accepted for; whatever search proposed them has an advantage there.

recall@k is the share of what is to be found that is among the first k passages, averaged over questions; MRR reads the
rank of the first of ten that counts; the last columns are one search's milliseconds, the query's vector included.
Where the workspace has a trained retriever in use, two more rows search with it. Questions about passages come from the
embedded model, once: they are kept with simulee's other caches. Run from the
repository: ``python -m bench.retrieval [folder of an imported and embedded workspace]``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, quantiles
from typing import Any

from bench._local_asker import local_asker
from core.models.embedder import Embedder
from core.models.roles import embedder_of
from core.recall.load import training_words
from core.retrieval.question_index import embed_questions
from core.retrieval.questions import ask_about_passages
from core.retrieval.retrievers import retriever_in_use
from core.retrieval.search import Mode, Query, Searcher
from core.sample import sample_folder
from core.settings import RetrievalSettings
from core.store.chunks import Passage, passages
from core.store.conversations import exchanges_of, get_exchange, list_conversations
from core.store.documents import list_documents
from core.store.memories import accepted_memories
from core.store.questions import question_counts
from core.store.sources import list_sources
from core.workspace import Workspace
from tests.embedded_sample import embedded_sample

CUTS = (1, 5, 10)
DEPTH = max(CUTS)
OFF: dict[str, Any] = {
    "questions": False, "second_hop": False, "mmr_lambda": 1.0, "per_document": 0, "query_head": False,
}  # fmt: skip
HOP: dict[str, Any] = {"second_hop": True}
MMR: dict[str, Any] = {"mmr_lambda": 0.8}
CAP: dict[str, Any] = {"per_document": 2}
ASKED: dict[str, Any] = {"questions": True}
SEARCHES: tuple[tuple[str, Mode, dict[str, Any]], ...] = (
    ("vector", "vector", {}),
    ("lexical", "lexical", {}),
    ("hybrid", "hybrid", {}),
    ("hybrid + questions", "hybrid", ASKED),
    ("hybrid + second hop", "hybrid", HOP),
    ("hybrid + MMR 0.8", "hybrid", MMR),
    ("hybrid + cap of 2", "hybrid", CAP),
    ("all of them", "hybrid", ASKED | HOP | MMR | CAP),
)
TRAINED: tuple[tuple[str, Mode, dict[str, Any]], ...] = (
    ("vector, trained", "vector", {"query_head": True}),
    ("hybrid, trained", "hybrid", {"query_head": True}),
)
"""With the trained retriever that is in use."""
Span = tuple[str, int, int]
"""Document uid, start and stop of a quote."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question, and what is to be found for it."""

    text: str
    before: int | None
    conversation: int
    part: str
    wanted: tuple[Span | str, ...]
    """Quotes by their place in a document, or passages by their uid."""
    said: str = ""
    """What was really answered."""
    turn_before: str = ""
    """Question and answer before it in its conversation; empty for the first."""


def quoted(workspace: Workspace) -> list[Question]:
    """The questions of ``truth.json`` whose answers rest on quotes; none where the workspace is not the sample's."""
    database = workspace.database
    truth = json.loads((sample_folder() / "truth.json").read_text("utf-8"))
    documents = {document.title: document for document in list_documents(database)}
    files = {source.id: Path(source.location).name for source in list_sources(database)}
    conversations = {files[each.source_id]: each for each in list_conversations(database)}
    asked = []
    for answer in truth["answers"]:
        conversation = conversations.get(answer["interview"])
        if conversation is None:
            continue
        exchanges = exchanges_of(database, conversation.id)
        place = answer["exchange"]
        exchange = exchanges[place]
        before = f"{exchanges[place - 1].question} {exchanges[place - 1].answer}" if place else ""
        spans = []
        for support in answer["support"]:
            document = documents[support["document"]]
            start = document.text.index(support["quote"])
            spans.append((document.uid, start, start + len(support["quote"])))
        part = "held out" if answer["interview"] in truth["heldout"] else "training"
        asked.append(
            Question(
                exchange.question, exchange.first_day, conversation.id, part, tuple(spans), exchange.answer, before
            )
        )
    return asked


def accepted(workspace: Workspace) -> list[Question]:
    """The questions for which memories were accepted, with the passages of those."""
    database = workspace.database
    by_exchange: dict[int, list[int]] = {}
    for row in accepted_memories(database):
        by_exchange.setdefault(row.memory.exchange_id, []).append(row.memory.chunk_id)
    asked = []
    for exchange_id, chunk_ids in by_exchange.items():
        exchange = get_exchange(database, exchange_id)
        assert exchange is not None
        before = exchange.first_day if exchange.first_day >= 0 else None
        wanted = tuple(sorted(passage.chunk.uid for passage in passages(database, chunk_ids).values()))
        asked.append(Question(exchange.question, before, exchange.conversation_id, "accepted", wanted))
    return asked


def holds(passage: Passage, wanted: Span | str) -> bool:
    """Whether a passage is the one wanted, or is of the quote's document and has more than half of the quote."""
    if isinstance(wanted, str):
        return passage.chunk.uid == wanted
    uid, start, stop = wanted
    common = min(passage.chunk.stop, stop) - max(passage.chunk.start, start)
    return passage.kind != "exchange" and passage.owner_uid == uid and common * 2 > stop - start


def scores(found: list[Passage], wanted: tuple[Span | str, ...]) -> list[float]:
    """recall@k of one search for each cut, then the reciprocal rank of the first that counts."""
    ranks = [
        next((rank for rank, passage in enumerate(found, 1) if holds(passage, each)), DEPTH + 1) for each in wanted
    ]
    first = min(ranks)
    return [*(fmean(rank <= cut for rank in ranks) for cut in CUTS), 1 / first if first <= DEPTH else 0.0]


def figures(
    searcher: Searcher, accept: Callable[[Passage], bool], asked: list[Question], mode: Mode
) -> tuple[list[float], list[float]]:
    """recall@k for each cut, then the mean reciprocal rank; and the milliseconds of each search."""
    rows, times = [], []
    for question in asked:
        query = Query(question.text, DEPTH, question.before, mode, not_conversation=question.conversation)
        began = time.perf_counter()
        found = [each.passage for each in searcher.search(query, accept)]
        times.append((time.perf_counter() - began) * 1e3)
        rows.append(scores(found, question.wanted))
    return [fmean(column) for column in zip(*rows, strict=True)], times


def ask_questions(workspace: Workspace, embedder: Embedder) -> None:
    """Have the embedded model write questions about every passage, and embed those that are kept."""
    with local_asker() as asker:
        asked = asyncio.run(ask_about_passages(workspace, embedder, asker, None))
        print(f"questions: {asked.answered} of {asked.passages} passages asked about, {asker.calls} calls made now and "
              f"{asker.reused} before; parked {dict(asked.parked)}, dropped {dict(asked.dropped)}")  # fmt: skip
    embed_questions(workspace, embedder)
    written, kept = question_counts(workspace.database)
    print(f"questions: {written} stand, {kept} of them are searched\n")


def report(workspace: Workspace) -> None:
    embedder = embedder_of(workspace.settings)
    ask_questions(workspace, embedder)
    asked = quoted(workspace) + accepted(workspace)
    accept = training_words(workspace)
    heads = [*(f"recall@{cut}" for cut in CUTS), "MRR", "p50 ms", "p95 ms"]
    print(f"{'questions of':22} {'search':20}" + "".join(f"{head:>11}" for head in heads))
    for part in ("training", "held out", "accepted"):
        some = [question for question in asked if question.part == part]
        if not some:
            continue
        for name, mode, added in SEARCHES + (TRAINED if retriever_in_use(workspace.adapters) else ()):
            how = RetrievalSettings(**OFF | added)
            found, times = figures(Searcher(workspace, lambda: embedder, how), accept, some, mode)
            row = [f"{figure:11.3f}" for figure in found]
            row += [f"{quantiles(times, n=20)[place]:11.1f}" for place in (9, 18)]
            print(f"{f'{part} ({len(some)})':22} {name:20}" + "".join(row))


def main(folder: str = "") -> None:
    if folder:
        report(Workspace.open(Path(folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        report(embedded_sample(Path(temporary) / "sample", private=True).workspace)


if __name__ == "__main__":
    main(*sys.argv[1:])
