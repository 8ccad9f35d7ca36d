"""A retriever's run in words: its title, and what it brought in the figures before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.retriever_words import FIGURES
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture

KIND = "retriever"
PARTS = (("validation", "by vector"), ("searched", "as you search"), ("training", "training"))


def title_words(picture: RunPicture) -> str:
    """Which run it is, and what it turns."""
    what = "encoder" if picture.params.get("full") else "head"
    embedder = str(picture.plan.get("embedder", ""))
    words = f"{picture.id} · {what}" + (f" on {embedder.rpartition('/')[2]}" if embedder else "")
    questions = picture.plan.get("questions")
    return words + (f" · {questions['train']} questions" if isinstance(questions, dict) else "")


def verdict_parts(picture: RunPicture, is_used: bool, use_key: str) -> list[Part]:
    """The verdict, recall@k and MRR before and after, the drift, and the key that adopts or takes back."""
    result = picture.result
    try:
        gained = str(result["verdict"]).startswith("gain: ")
        parts: list[Part] = [(str(result["verdict"]), "bold $success" if gained else "bold $warning"), "\n"]
        parts += [*_use_parts(is_used, use_key), "\n"]
        parts += [
            (f"{'':<20}" + "".join(f"{each.upper() if each == 'mrr' else each:<14}" for each in FIGURES), "$quiet")
        ]
        for part, words in PARTS:
            before, after = result["before"][part], result["after"][part]
            if before is not None:
                label = f"{words} ({before['questions']})"
                figures = "".join(f"{f'{before[each]:.2f} → {after[each]:.2f}':<14}" for each in FIGURES)
                parts.append(f"\n{label:<20}{figures}")
        decided = ", ".join(f"{who} {count}" for who, count in result["decided_by"].items())
        turned = f"drift: cosine {result['drift']:.3f} to the plain query"
        parts.append(
            f"\nstep {result['steps']} of {result['taken']} · {turned}" + (f" · by {decided}" if decided else "")
        )
    except (KeyError, TypeError, ValueError):  # A result of another release.
        return []
    return parts


def _use_parts(is_used: bool, use_key: str) -> list[Part]:
    if is_used:
        return ["searches use it; ", (use_key, "bold $accent"), " goes back to the embedder as it is"]
    return ["searches do not use it; ", (use_key, "bold $accent"), " adopts it"]
