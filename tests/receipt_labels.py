"""What the sample says its answers rest on, as sentences beside passages: for the test and the bench of receipts.

Positives are the sentences that ``data/truth.json`` lists for an answer, with the passages that hold the quotes;
negatives are all other sentences of all interviews beside their passages (the labelled ones, filled up to five with
what retrieval finds), and each supported sentence beside the passages of another answer. ``receipt_cases.json`` adds
paraphrases of passages, and the same with one fact changed. What the sample trains on is there to choose by, the three
held-out interviews to report. The labels are not complete: sentences that repeat a passage nearly word for word are
unlabelled in places, so precision is understated.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.corpus.sentences import sentences_of
from core.models.embedder import Embedder
from core.retrieval.search import Query, Searcher
from core.sample import sample_folder
from core.store.chunks import Passage, chunk_ids_of, passages
from core.store.conversations import ExchangeRow, exchanges_of, list_conversations
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.twin.support import Match, Matcher
from core.workspace import Workspace

SHOWN = 5
"""Passages beside a sentence, unless more are labelled."""
CASES = Path(__file__).parent / "twin" / "receipt_cases.json"
CHANGED = ("number", "name", "date", "negation")


@dataclass(frozen=True, slots=True)
class Labelled:
    """One sentence, the passages beside it, and which of them support it (of a case: the one that would)."""

    interview: str
    sentence: str
    passages: tuple[Passage, ...]
    right: frozenset[int]
    kind: str
    """``answer``, ``other answer``, ``paraphrase`` or what was changed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Right and wrong receipts of a part; ``positives`` is how many sentences there are to support."""

    right: int
    wrong: int
    positives: int

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.positives)


def labelled(workspace: Workspace, embedder: Embedder) -> tuple[list[Labelled], list[Labelled]]:
    """The part to choose on, and the part to report."""
    truth = json.loads((sample_folder() / "truth.json").read_text("utf-8"))
    searcher = Searcher(workspace, lambda: embedder)
    written = _written(workspace)
    support = {(each["interview"], each["exchange"]): each["support"] for each in truth["answers"]}
    rows: list[Labelled] = []
    shown: list[tuple[str, tuple[Passage, ...]]] = []
    for name, exchange in _exchanges(workspace):
        holding = [
            (each["sentences"], _holding(written, each["document"], each["quote"]))
            for each in support.get((name, exchange.position), [])
        ]
        passages = {each.chunk.id: each for _, some in holding for each in some[:1]}
        for hit in searcher.search(Query(exchange.question, k=50, before=exchange.first_day), _writing):
            if len(passages) < SHOWN:
                passages.setdefault(hit.passage.chunk.id, hit.passage)
        for number, sentence in enumerate(sentences_of(exchange.answer)):
            right = frozenset(each.chunk.id for listed, some in holding if number in listed for each in some)
            rows.append(Labelled(name, sentence.text, tuple(passages.values()), right, "answer"))
        shown.append((name, tuple(passages.values())))
    rows += _crossed(rows, shown)
    for case in json.loads(CASES.read_text("utf-8")):
        passages_of = tuple(_holding(written, case["document"], case["quote"]))
        right = frozenset(each.chunk.id for each in passages_of)
        rows.append(Labelled(case["interview"], case["paraphrase"], passages_of, right, "paraphrase"))
        rows.append(Labelled(case["interview"], case["altered"], passages_of, frozenset(), case["changed"]))
    held = set(truth["heldout"])
    return [each for each in rows if each.interview not in held], [each for each in rows if each.interview in held]


def _crossed(rows: Sequence[Labelled], shown: Sequence[tuple[str, tuple[Passage, ...]]]) -> list[Labelled]:
    """Each supported sentence against the passages of an answer of the same interview that shares no document."""
    crossed = []
    for number, row in enumerate(rows):
        titles = {each.title for each in row.passages if each.chunk.id in row.right}
        others = [
            some for name, some in shown
            if name == row.interview and titles.isdisjoint(each.title for each in some)
        ]  # fmt: skip
        if row.right and others:
            crossed.append(
                Labelled(row.interview, row.sentence, others[number % len(others)], frozenset(), "other answer")
            )
    return crossed


def matches(rows: Sequence[Labelled], matcher: Matcher) -> list[list[Match]]:
    """Each row's sentence matched with each of its passages."""
    return [matcher.match([row.sentence], [each.chunk.text for each in row.passages])[0] for row in rows]


def figures(rows: Sequence[Labelled], scores: Sequence[Sequence[float]], least: float, *kinds: str) -> Figures:
    """Receipts of the best passage from a score on; one is right where that passage is labelled to support."""
    right = wrong = positives = 0
    for row, each in zip(rows, scores, strict=True):
        if kinds and row.kind not in kinds:
            continue
        positives += bool(row.right)
        best = max(range(len(each)), key=each.__getitem__)
        if each[best] >= least:
            is_right = row.passages[best].chunk.id in row.right
            right, wrong = right + is_right, wrong + (not is_right)
    return Figures(right, wrong, positives)


def _exchanges(workspace: Workspace) -> Iterator[tuple[str, ExchangeRow]]:
    """Every question and answer of the target's interviews, with the interview's file name."""
    database = workspace.database
    files = {source.id: Path(source.location).name for source in list_sources(database)}
    for each in list_conversations(database):
        if files[each.source_id][:2] == "20":
            for exchange in exchanges_of(database, each.id):
                yield files[each.source_id], exchange


def _written(workspace: Workspace) -> list[Passage]:
    """Every passage of a piece of writing."""
    database = workspace.database
    owners = [each.id for each in list_documents(database) if each.kind == "writing"]
    ids = [chunk for owner in owners for chunk in chunk_ids_of(database, "document_id", owner)]
    return list(passages(database, ids).values())


def _writing(passage: Passage) -> bool:
    return passage.kind == "writing"


def _holding(written: Sequence[Passage], title: str, quote: str) -> list[Passage]:
    """Passages of a document that hold a sentence of a quote."""
    wanted = [_plain(each.text) for each in sentences_of(quote)]
    return [each for each in written if each.title == title and any(one in _plain(each.chunk.text) for one in wanted)]


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", text.lower()).strip()
