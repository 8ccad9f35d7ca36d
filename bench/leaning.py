"""What the turn before a question brings to the search for it, by how much it counts.

Two kinds of questions over the sample's quotes (see ``bench.retrieval``). ``named``: the interviewer's own, after the
turn that came before; most name what they are about, and the turn before is about something else. ``follow-up``: one
that was made up to go on from the interviewer's question and its real answer ("Why was that?"), and is to find the same
quotes again. Both searches look for the words of the turn before too, except where it counts nothing; the last row is
what chat does, which chooses by the question (``core.twin.recalling.leaning``). Run from the repository:
``python -m bench.leaning``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from statistics import fmean

from bench.retrieval import CUTS, Question, quoted, scores
from core.models.roles import embedder_of
from core.recall.load import training_words
from core.recall.recollect import DEPTH
from core.retrieval.search import Query, Searcher
from core.store.chunks import Passage
from core.twin.recalling import CONTEXT_WORDS, leaning
from tests.embedded_sample import embedded_sample

WEIGHTS = (0.0, 0.3, 0.5, 1.0, 2.0, 4.0)
K = 5 * DEPTH
FOLLOW_UPS = (
    "Why was that?", "What happened to it then?", "How did you feel about it?", "Did she ever say so to you?",
    "And who else was there?", "Would you do it again?",
)  # fmt: skip
Asked = tuple[str, str, Question]
"""The words asked, the words before them, and what is to be found."""


def named(questions: list[Question]) -> list[Asked]:
    return [(each.text, each.turn_before, each) for each in questions if each.turn_before]


def follow_ups(questions: list[Question]) -> list[Asked]:
    return [(text, f"{each.text} {each.said}", each) for text, each in zip(cycle(FOLLOW_UPS), questions, strict=False)]


def found(
    searcher: Searcher, accept: Callable[[Passage], bool], asked: list[Asked], weight: float | None
) -> list[float]:
    """recall@k for each cut, then MRR. ``weight`` None: as chat has it."""
    rows = []
    for text, before, question in asked:
        own = leaning(text) if weight is None else weight
        query = Query(text, K, question.before, not_conversation=question.conversation)
        if own:
            query = replace(query, context=" ".join(before.split()[-CONTEXT_WORDS:]), leaning=own)
        rows.append(scores([each.passage for each in searcher.search(query, accept)], question.wanted))
    return [fmean(column) for column in zip(*rows, strict=True)]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = embedded_sample(Path(folder) / "sample", private=True).workspace
        embedder = embedder_of(workspace.settings)
        searcher = Searcher(workspace, lambda: embedder)
        accept, every = training_words(workspace), quoted(workspace)
        print(
            "| questions | of interviews | the turn before counts |"
            + "".join(f" recall@{cut} |" for cut in CUTS)
            + " MRR |"
        )
        print("| --- " * (len(CUTS) + 4) + "|")
        for name, kind in (("named", named), ("follow-up", follow_ups)):
            for part in ("training", "held out"):
                asked = kind([each for each in every if each.part == part])
                for weight in (*WEIGHTS, None):
                    figures = " | ".join(f"{each:.3f}" for each in found(searcher, accept, asked, weight))
                    counts = "as chat has it" if weight is None else f"{weight:g}"
                    print(f"| {name} ({len(asked)}) | {part} | {counts} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
