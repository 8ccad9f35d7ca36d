"""``simulee demo``: the whole journey on the sample target, offline."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Annotated, Any

import typer

from core.journey import QUICK_QUESTIONS, QUICK_RECALLED, QUICK_STEPS
from core.journey import demo as journey_demo
from core.sample import TARGET
from tui.face import Face, command
from tui.safe_text import safe_line
from tui.scorecard import WIDTH, scorecard_lines

app = typer.Typer(rich_markup_mode=None)

QUICK = (
    f"Quick: memories for {QUICK_RECALLED} questions, {QUICK_STEPS} training steps, three systems, and"
    f" {QUICK_QUESTIONS} questions",
    "of each held-out interview. Without --quick it does all of it, and adds the systems",
    "that show what recall and training bring.",
)
NAMES = {"b0": "the base model", "b2": "with memories", "b4": "the trained twin"}


@command(app)
def demo(
    face: Face,
    folder: Annotated[Path, typer.Option("--dir", metavar="D", help="Where the workspace goes.")] = Path("demo"),
    quick: Annotated[
        bool, typer.Option("--quick", help="A taste: less training, fewer systems and questions.")
    ] = False,
) -> None:
    """Import, embed, recall, review, freeze, train, measure and talk, on an invented person, with no network.

    Interrupted, it goes on where it stopped when it is called again.

    Example: simulee demo --quick
    """
    root = folder.absolute()
    face.note(f"The journey of {TARGET}, an invented person, in {root}")
    if quick:
        for line in QUICK:
            face.note(line)
    progress = face.watcher()
    try:
        told = journey_demo(root, quick, progress.show)
    finally:
        progress.clear()
    face.result(told, _lines(told, folder))


def _lines(told: dict[str, Any], folder: Path) -> list[str]:
    lines = ["", *scorecard_lines(told["scorecard"]), "", f"Asked: {told['question']}"]
    for name, answer in told["answers"].items():
        lines += ["", f"{name}, {NAMES[name]}:", *textwrap.wrap(safe_line(answer), WIDTH - 2, initial_indent="  ",
                                                                subsequent_indent="  ")]  # fmt: skip
    seconds = sum(stage["seconds"] for stage in told["stages"])
    return [
        *lines,
        "",
        f"{seconds / 60:.1f} minutes. The model is small (135M): it proves every step; fidelity needs a bigger one.",
        "Try next:",
        f"  cd {folder}",
        '  simulee chat --once "What did the storm of 2016 take?"',
        '  simulee search "dogs" --as-of 2013',
        "  simulee dataset show --mask",
        "  simulee trace sft-1",
    ]
