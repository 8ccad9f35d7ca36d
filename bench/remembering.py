"""What the twin's memories cost before its first word, among many passages: retrieval, and all that follows it.

A made-up workspace of ``bench.searching`` is talked with as chat does it. ``first turn`` embeds a question and finds
its passages; ``later turn`` does so too for a question that leans on the turn before it, whose words were read while
nobody asked; ``memories`` does what a later turn does, retells the best passages and judges them. Milliseconds by the
clock, p50 and p95, and of this thread on the processor, p50. Run from the repository:
``python -m bench.remembering [passages]``.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from bench.searching import Work, fill, timed
from bench.vectors import QUERIES, mixed, real_sentences
from core.models.load_embedder import load_embedder
from core.recall.asked import Asked
from core.recall.load import load_recollector, recallable_words
from core.recall.recollect import DEPTH
from core.retrieval.search import Query, Searcher
from core.twin.recalling import UNSURE
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
    show(workspace)


def show(workspace: Workspace) -> None:
    """Talk with a workspace and print what it cost."""
    print(f"{'':12}{'p50 ms':>9}{'p95 ms':>9}{'processor ms':>14}")
    for name, (middle, late, own) in timed(real_sentences()[:ASKED], _works(workspace)).items():
        print(f"{name:12}{middle:9.1f}{late:9.1f}{own:14.1f}")


def _works(workspace: Workspace) -> dict[str, Work]:
    # Each has a searcher of its own: the vectors of the last texts are kept.
    embedder = load_embedder()
    alone, leaning = Searcher(workspace, lambda: embedder), Searcher(workspace, lambda: embedder)
    recollector, _ = load_recollector(workspace, live=True)
    k = DEPTH * workspace.settings.recall.candidates
    accept = recallable_words(workspace)
    sentences = real_sentences()
    before = dict(zip(sentences[:ASKED], sentences[ASKED : 2 * ASKED], strict=True))
    for text in before.values():
        leaning.read(text)
        recollector.look_ahead(text)

    def first(text: str) -> object:
        return alone.search(Query(text, k), accept)

    def later(text: str) -> object:
        return leaning.search(Query(text, k, context=before[text], leaning=UNSURE), accept)

    def memories(text: str) -> object:
        return recollector.recollect(Asked(text, context=before[text], leaning=UNSURE), accept)

    return {"first turn": first, "later turn": later, "memories": memories}


def main(passages: str = str(PASSAGES)) -> None:
    with tempfile.TemporaryDirectory() as folder:
        measure(int(passages), Path(folder) / "ws")


if __name__ == "__main__":
    main(*sys.argv[1:])
