"""A training run as curves, figures and samples: from its picture to words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tui.estimates import about
from tui.screens.train import retriever
from tui.widgets.block_chart import Curve
from tui.widgets.frame import GLYPHS
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture

STATE_STYLES = {
    "running": "bold $accent", "queued": "$quiet", "done": "$success", "failed": "$error", "cancelled": "$warning",
    "lost": "$error",
}  # fmt: skip
LONGEST = 400
"""Characters of one text among the samples."""


def curve(picture: RunPicture, name: str) -> Curve:
    """(step, value) of one figure of a run."""
    return [(each["step"], each[name]) for each in picture.metrics if name in each]


def last(picture: RunPicture, name: str) -> float | None:
    """The newest value of a figure, or None."""
    return next((each[name] for each in reversed(picture.metrics) if name in each), None)


def last_step(picture: RunPicture) -> int:
    """Where the axis ends."""
    return int(picture.plan.get("steps") or picture.total or max((each["step"] for each in picture.metrics), default=0))


def title_parts(picture: RunPicture, is_used: bool, width: int) -> list[Part]:
    """Which run it is, on what, whether what it made is used, and its state at the right."""
    if picture.kind == retriever.KIND:
        words = retriever.title_words(picture) + (" · in use" if is_used else "")
    else:
        words = _adapter_words(picture) + (" · the twin's" if is_used else "")
    state = f"{GLYPHS[picture.state]} {picture.state}"
    room = max(0, width - len(state) - 2)
    words = words if len(words) <= room else words[: max(0, room - 1)] + "…"
    gap = " " * max(1, width - len(words) - len(state))
    return [(words, "bold"), gap, (state, STATE_STYLES[picture.state])]


def _adapter_words(picture: RunPicture) -> str:
    settings = picture.params.get("settings", {})
    base = picture.plan.get("base") or picture.params.get("base", "")
    dataset = f" · ds{picture.plan['dataset']}" if "dataset" in picture.plan else ""
    rank = picture.plan.get("rank") or settings.get("rank", "?")
    start = f" from {picture.params['start_from']}" if picture.params.get("start_from") else ""
    return f"{picture.id} · {base.rpartition('/')[2]} · LoRA r{rank}{start}{dataset}"


def figure_parts(picture: RunPicture) -> list[Part]:
    """The figures of now on one line, the dearest first."""
    loss, evaluated = last(picture, "loss"), last(picture, "eval_loss")
    rate, memory = last(picture, "tokens_per_second"), last(picture, "memory_mb")
    before = picture.what if picture.state == "running" and picture.what not in ("", "training") else ""
    figures = [
        ("loss", f"{loss:.2f}" if loss is not None else ""),
        ("eval", f"{evaluated:.2f}" if evaluated is not None else ""),
        ("margin", _with_eval(picture, "margin", ".2f")),
        ("won", _with_eval(picture, "accuracy", ".0%")),
        ("KL", f"{kl:.2f}" if (kl := last(picture, "kl")) is not None else ""),
        ("MRR", _from_to(picture, "mrr")),
        ("step", f"{picture.done}/{last_step(picture)}" if last_step(picture) and not before else ""),
        (before, f"{picture.done}/{picture.total}" if before else ""),
        ("", f"{rate:.{0 if rate >= 10 else 1}f} tok/s" if rate else ""),
        (
            "eta",
            about(picture.seconds_left)
            if picture.state == "running" and picture.done and picture.seconds_left >= 1
            else "",
        ),
        ("", f"{memory / 1024:.1f} GB" if memory else ""),
        ("ckpt", str(picture.checkpoint) if picture.checkpoint else ""),
    ]
    parts: list[Part] = []
    for name, value in figures:
        if value:
            parts += [(f"{name} " if name else "", "$quiet"), (value, "bold"), "   "]
    return parts or [("loading the model", "$quiet")]


def _with_eval(picture: RunPicture, name: str, form: str) -> str:
    """A figure of a run on preferences, and after a stroke what it is on those that validate; empty for other runs."""
    values = [last(picture, name), last(picture, f"eval_{name}")]
    return " / ".join(format(value, form) for value in values if value is not None)


def _from_to(picture: RunPicture, name: str) -> str:
    """A figure as it was at first and as it is now."""
    values = [each[name] for each in picture.metrics if name in each]
    return f"{values[0]:.2f} → {values[-1]:.2f}" if values else ""


def trouble_parts(picture: RunPicture, resume_key: str) -> list[Part]:
    """Why a run stopped, and what to do; nothing for one that goes well."""
    at = f" at step {picture.checkpoint}" if picture.checkpoint else ""
    goes_on = f"{resume_key} goes on from its last checkpoint{at}"
    if picture.kind == retriever.KIND and not picture.checkpoint:
        goes_on = f"{resume_key} goes on; what was scored is kept"
    if picture.state == "lost":
        return [("! its process is gone. ", "$error"), goes_on]
    if picture.state in ("failed", "cancelled"):
        style = "$error" if picture.state == "failed" else "$warning"
        hint = str(picture.result.get("hint", ""))[:LONGEST]
        if picture.state == "cancelled":
            hint = goes_on
        return [(str(picture.result.get("error", picture.state))[:LONGEST], style), f"\n{hint}"]
    if picture.result.get("stopped"):
        return [("! ", "$warning"), str(picture.result["stopped"])[:LONGEST]]
    if picture.plan.get("damaged"):
        return [("! ", "$warning"), f"damaged checkpoints set aside: {', '.join(map(str, picture.plan['damaged']))}"]
    return []


def run_line(picture: RunPicture) -> str:
    """One run among others."""
    loss, evaluated = last(picture, "loss"), last(picture, "eval_loss")
    gain = picture.result.get("gain")
    return (
        f"{GLYPHS[picture.state]} {picture.id} {picture.state} · {picture.done}/{last_step(picture)} steps"
        + (f" · loss {loss:.2f}" if loss is not None else "")
        + (f" · eval {evaluated:.2f}" if evaluated is not None else "")
        + (f" · gain {gain:+.2f} MRR" if isinstance(gain, float) else "")
    )


def sample_parts(sample: dict[str, Any], step: int) -> list[Part]:
    """One validation question, what the twin says to it now, and what the target said."""
    return [
        (str(sample.get("question", ""))[:LONGEST], "bold"), (f"   step {step}\n", "$quiet"),
        ("  twin  ", "$accent"), str(sample.get("twin", ""))[:LONGEST] or "(nothing)", "\n",
        ("  real  ", "$success"), str(sample.get("real", ""))[:LONGEST], "\n",
    ]  # fmt: skip
