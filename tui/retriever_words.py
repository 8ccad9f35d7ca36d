"""A trained retriever in words: what it will learn from, and what it brought. For the command line and the screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.estimates import about

if TYPE_CHECKING:
    from core.training.retriever.outlook import Outlook

PARTS = (("validation", "validation, by vector"), ("searched", "validation, as you search"), ("training", "training"))
FIGURES = ("recall@1", "recall@5", "recall@10", "mrr")


def outlook_rows(outlook: Outlook) -> list[tuple[str, str]]:
    """(what, how much) of a run that has not started, one fact a row."""
    by = ", ".join(f"{who} {count}" for who, count in outlook.decided_by.items())
    train, validation = outlook.questions["train"], outlook.questions["validation"]
    time = "seconds, once the answers are scored" if outlook.scored else "seconds"
    if outlook.scoring:
        time = f"about {about(outlook.scoring)} to score them (a guess), then seconds"
    if outlook.measured_by:
        time = f"{outlook.measured_by} took {about(outlook.seconds)}"
    if outlook.scored:
        time += "; what was scored before is kept"
    return [
        ("questions", f"{train} train · {validation} validate"),
        ("memories", f"{outlook.accepted} accepted · {outlook.rejected} rejected" + (f" ({by})" if by else "")),
        ("loss", loss_words(outlook.lsr_weight, outlook.contrastive_weight)),
        *([("scored by", f"{outlook.base} · {outlook.scored} answers at the most")] if outlook.scored else []),
        ("embedder", outlook.embedder),
        ("steps", f"{outlook.pace.steps:,} at the most, learning rate {outlook.pace.learning_rate:g}"),
        ("time", time),
    ]


def loss_words(lsr_weight: float, contrastive_weight: float) -> str:
    """Which losses count, and how much."""
    parts = [
        (lsr_weight, "lsr: what makes the real answers likelier"),
        (contrastive_weight, "contrastive: accepted against rejected"),
    ]
    return " + ".join(words if weight == 1 else f"{weight:g} × {words}" for weight, words in parts if weight)


def figure_rows(done: Mapping[str, Any]) -> list[list[str]]:
    """For each part that was measured: its words with its questions, and each of ``FIGURES`` before → after."""
    rows = []
    for part, words in PARTS:
        before, after = done["before"][part], done["after"][part]
        if before is not None:
            shown = [f"{before[each]:.3f} → {after[each]:.3f}" for each in FIGURES]
            rows.append([f"{words} ({before['questions']})", *shown])
    return rows


def drift_words(done: Mapping[str, Any]) -> str:
    """Which step is kept, and how far the queries were turned."""
    words = f"step {done['steps']} of {done['taken']} taken · mean cosine to the plain query {done['drift']:.3f}"
    if done["target_entropy"] is not None:
        words += f" · target's entropy {done['target_entropy']:.3f} of the largest"
    return words
