"""How fast passages are embedded, beside sentence-transformers on the same texts in the same run.

The two take turns, so that a busy machine slows both; the ratio of each round is what counts. Run from the repository:
``python -m bench.embedding [passages] [rounds]``.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from core.models import packaged
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder

ROOT = Path(__file__).parents[1]
PASSAGE_TOKENS = (180, 240)
COLD = (
    "from core.models.load_embedder import load_embedder; load_embedder().embed(['what did I say about the sea?'])",
    "from sentence_transformers import SentenceTransformer as S; import sys;"
    " S(sys.argv[1], device='cpu').encode(['what did I say about the sea?'])",
)


def passages(embedder: Embedder, count: int) -> list[str]:
    """Overlapping pieces of the sample's essays, 180 to 240 tokens each."""
    text = "\n".join(file.read_text("utf-8") for file in sorted((ROOT / "data/ada/vault").glob("*.md")))
    spans = embedder.token_spans(text)
    random = np.random.default_rng(0)
    lengths = random.integers(*PASSAGE_TOKENS, count)
    starts = random.integers(0, len(spans) - max(PASSAGE_TOKENS), count)
    return [text[spans[s][0] : spans[s + n][1]] for s, n in zip(starts, lengths, strict=True)]


def seconds(call: object, *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)  # type: ignore[operator]
    return time.perf_counter() - began


def cold_seconds(code: str) -> float:
    """Import, load and one query in a fresh process; the best of three."""
    command = [sys.executable, "-W", "ignore", "-c", code, str(packaged.minilm_folder())]
    return min(seconds(lambda: subprocess.run(command, cwd=ROOT, capture_output=True, check=True)) for _ in range(3))


def main(count: int = 64, rounds: int = 5) -> None:
    warnings.simplefilter("ignore")
    from sentence_transformers import SentenceTransformer

    library = SentenceTransformer(str(packaged.minilm_folder()), device="cpu")
    embedder = load_embedder()
    long = passages(embedder, count)
    cases = {"passages of 180-240 tokens": long, "questions of 12 tokens": [text[:60] for text in long]}
    print(f"{'':28} {'library/s':>10} {'simulee/s':>10} {'ratio':>7} {'min..max':>12} {'worst cosine':>13}")
    for name, texts in cases.items():
        expected, found = library.encode(texts), embedder.embed(texts)
        worst = float((expected * found).sum(axis=1).min())
        pairs = [(seconds(library.encode, texts), seconds(embedder.embed, texts)) for _ in range(rounds)]
        ratios = sorted(theirs / ours for theirs, ours in pairs)
        theirs, ours = (len(texts) / statistics.median(times) for times in zip(*pairs, strict=True))
        spread = f"{ratios[0]:.2f}..{ratios[-1]:.2f}"
        print(f"{name:28} {theirs:10.1f} {ours:10.1f} {statistics.median(ratios):7.2f} {spread:>12} {worst:13.5f}")
    ours, theirs = (cold_seconds(code) for code in COLD)
    print(f"{'cold start and one query, s':28} {theirs:10.2f} {ours:10.2f} {theirs / ours:7.2f}")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
