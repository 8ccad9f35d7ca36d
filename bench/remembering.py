"""What the twin's memories cost before its first word, among many passages: retrieval, and all that follows it.

A made-up workspace of ``bench.searching`` is talked with as chat does it. ``retrieval`` embeds a question, and the
question with the words of the turn before it, and finds and fuses the passages of both; ``memories`` does that, retells
the best and judges them; ``prepare`` does all that chat does before the model reads its prompt. Milliseconds by the
clock, p50 and p95, and of this thread on the processor, p50. Run from the repository:
``python -m bench.remembering [passages]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from bench.searching import Work, fill, timed
from bench.vectors import QUERIES, mixed, real_sentences
from core.models.load_embedder import load_embedder
from core.recall.asked import Asked
from core.recall.load import recallable_words
from core.recall.recollect import DEPTH, fused
from core.retrieval.search import Query, Searcher
from core.twin.chat import ChatOptions, Conversation
from core.twin.parts import Parts
from core.workspace import Workspace

PASSAGES = 100_000
ASKED = 100


def measure(count: int, root: Path) -> None:
    embedder = load_embedder()
    sentences = real_sentences()
    real = embedder.embed(sentences)
    workspace = Workspace.create(root, "Bench")
    began = time.monotonic()
    fill(workspace.database, embedder, sentences[QUERIES:], mixed(real[QUERIES:], count))
    print(f"{count:,} passages; made in {time.monotonic() - began:.0f} s")
    parts = Parts(workspace)
    try:
        print(f"{'':12}{'p50 ms':>9}{'p95 ms':>9}{'processor ms':>14}")
        for name, (middle, late, own) in timed(sentences[:ASKED], _works(workspace, parts)).items():
            print(f"{name:12}{middle:9.1f}{late:9.1f}{own:14.1f}")
    finally:
        parts.close()


def _works(workspace: Workspace, parts: Parts) -> dict[str, Work]:
    recollector = parts.recollector
    searcher = Searcher(workspace, lambda: recollector.embedder)
    accept = recallable_words(workspace)
    before = cycle(real_sentences()[ASKED : 2 * ASKED])

    def retrieval(text: str) -> object:
        query = Query(text, DEPTH * workspace.settings.recall.candidates)
        alone, wider = searcher.search_each([query, replace(query, text=f"{next(before)}\n{text}")], accept)
        return fused(alone, wider)

    def memories(text: str) -> object:
        return recollector.recollect(Asked(text, "", None, context=next(before)), accept)

    def prepare(text: str) -> object:
        # A talk of one turn, so that its prompt does not grow from one question to the next.
        return Conversation(parts, ChatOptions()).prepare(text)

    return {"retrieval": retrieval, "memories": memories, "prepare": prepare}


def main(passages: str = str(PASSAGES)) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(int(passages), Path(folder) / "ws")


if __name__ == "__main__":
    main(*sys.argv[1:])
