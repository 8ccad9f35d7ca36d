"""How well receipts tell what a sentence rests on, against the sample's labels and hand-made hard cases.

The part to choose by fits the weights that stand in ``core/twin/support.py``; the part held back is what counts
(``tests/receipt_labels.py`` says what is in both). Beside it the bare cosine that receipts went by before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.models.embedder import Embedder
from core.models.roles import embedder_of
from core.review.logistic import fit
from core.twin.support import FEATURES, INTERCEPT, LEAST_CHANCE, WEIGHTS, Match, Matcher, read
from tests.embedded_sample import embedded_sample
from tests.receipt_labels import CHANGED, SHOWN, Figures, Labelled, figures, labelled, matches

OLD_SUPPORT = 0.45
"""The bare cosine to the quote that receipts went by before."""


def bare_cosine(rows: Sequence[Labelled], embedder: Embedder) -> list[list[float]]:
    """Each row's cosines to its passages: what receipts went by before."""
    texts = list({text: None for row in rows for text in (row.sentence, *(each.chunk.text for each in row.passages))})
    vectors = dict(zip(texts, embedder.embed(texts), strict=True))
    return [[float(vectors[row.sentence] @ vectors[each.chunk.text]) for each in row.passages] for row in rows]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        workspace = embedded_sample(Path(folder) / "ws").workspace
        embedder = embedder_of(workspace.settings)
        choosing, reporting = labelled(workspace, embedder)
        matcher = Matcher(embedder)
        chosen, reported = matches(choosing, matcher), matches(reporting, matcher)
        _show_weights(choosing, chosen)
        print("\n| part | sentences | matched by | right | wrong | of | precision | recall |\n" + "| --- " * 8 + "|")
        for part, rows, found in (("to choose", choosing, chosen), ("held back", reporting, reported)):
            chances = [[match.chance for match in each] for each in found]
            cosines = bare_cosine(rows, embedder)
            for kinds in ((), ("answer",), ("paraphrase",), CHANGED, ("other answer",)):
                _show(part, ", ".join(kinds), "features", figures(rows, chances, LEAST_CHANCE, *kinds))
                _show(part, ", ".join(kinds), "cosine", figures(rows, cosines, OLD_SUPPORT, *kinds))
            for least in (0.2, 0.3, 0.5, 0.6, 0.7):
                _show(part, f"all, from {least}", "features", figures(rows, chances, least))
        _show_speed(choosing, embedder)


def _show_weights(rows: Sequence[Labelled], found: Sequence[Sequence[Match]]) -> None:
    """Fit on the part to choose, beside what stands in the code. Unlabelled passages of a supported sentence are left
    out: they may support it too."""
    features, verdicts, groups = [], [], []
    for number, (row, each) in enumerate(zip(rows, found, strict=True)):
        for passage, match in zip(row.passages, each, strict=True):
            if not match.veto and (passage.chunk.id in row.right or not row.right):
                features.append(match.features)
                verdicts.append(passage.chunk.id in row.right)
                groups.append(number)
    model = fit(np.array(features, np.float32), np.array(verdicts), np.array(groups, np.int64))
    print("| feature | fitted | in the code |\n| --- | --- | --- |")
    print(f"| intercept | {model.intercept:.2f} | {INTERCEPT} |")
    for name, weight, fixed in zip(FEATURES, model.weights, WEIGHTS, strict=True):
        print(f"| {name} | {weight:.2f} | {fixed} |")


def _show_speed(rows: Sequence[Labelled], embedder: Embedder) -> None:
    """Five sentences against five passages: never seen, and again with other sentences."""
    some = [row for row in rows if len(row.passages) == SHOWN][:40]
    cold: list[float] = []
    warm: list[float] = []
    for row in some[::10]:
        read.cache_clear()
        matcher = Matcher(embedder)
        texts = [each.chunk.text for each in row.passages]
        for times, sentences in ((cold, some[:5]), (warm, some[20:25])):
            began = time.perf_counter()
            matcher.match([each.sentence for each in sentences], texts)
            times.append((time.perf_counter() - began) * 1000)
    print(f"\n5 sentences x 5 passages: {np.median(cold):.0f} ms unseen, {np.median(warm):.0f} ms once seen")


def _show(part: str, kinds: str, how: str, each: Figures) -> None:
    precision = f"{each.precision:.3f}" if each.right + each.wrong else "-"
    recall = f"{each.recall:.3f}" if each.positives else "-"
    print(
        f"| {part} | {kinds or 'all'} | {how} | {each.right} | {each.wrong} | {each.positives} |"
        f" {precision} | {recall} |"
    )
