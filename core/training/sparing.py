"""A run that had too little memory goes on with less of it: what changes how much is in memory at once, and nothing of
what is computed. Imports no torch.

What a run does is frozen when it starts; this is written beside it, and holds for all of its later attempts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.errors import UsageError
from core.runs.journal import Run, read_events
from core.training.launch import SFT_KIND
from core.training.means import Means

FILE = "spared.json"
CHECKPOINTING, MICRO_BATCH = "--gradient-checkpointing", "--micro-batch"
"""The options of ``runs resume``."""


def spare(run: Run, checkpointing: bool | None, micro_batch: int | None) -> None:
    """Let a run that is resumed compute activations again, or read fewer rows at once; None leaves it as it was.

    Raises UsageError for a run that cannot, and for rows that would not make up the steps that it began with.
    """
    if checkpointing is None and micro_batch is None:
        return
    if run.kind != SFT_KIND:
        raise UsageError(f"{run.id} is no fine-tuning on this machine", "resume it without options, or start a new run")
    if run.state in ("running", "done"):
        raise UsageError(f"{run.id} is {run.state}: it cannot be changed", "see `simulee runs list`")
    began = next((event.payload for event in read_events(run.folder)[0] if event.kind == "plan"), {})
    known = spared(run.folder)
    settings = dict(known.get("settings", {}))
    rows = began.get("rows_per_step")
    if rows is not None:
        each = rows // began.get("processes", 1)
        if micro_batch is not None and each % micro_batch:
            raise UsageError(
                f"a step of {run.id} reads {each} rows, which no batches of {micro_batch} make up",
                f"{MICRO_BATCH} N, of which {each} is a multiple",
            )
        # Recomputing makes room, into which a run that chooses for itself would put more rows.
        settings.setdefault("micro_batch", began["micro_batch"])
    if checkpointing is not None:
        settings["gradient_checkpointing"] = checkpointing
    if micro_batch is not None:
        settings["micro_batch"] = micro_batch
    write_atomically(run.folder / FILE, json.dumps({"settings": settings, "rows_per_step": rows}))


def spared(folder: Path) -> dict[str, Any]:
    """What was changed of a run: ``settings``, and the ``rows_per_step`` to keep where it had begun to train."""
    file = folder / FILE
    told: dict[str, Any] = json.loads(file.read_text("utf-8")) if file.is_file() else {}
    return told


def remedies(run_id: str, means: Means) -> list[str]:
    """Commands under which a run takes less memory than by these means, the cheaper one first."""
    options = []
    if means.micro_batch > 1:
        fewer = means.micro_batch // 2 if means.micro_batch % 2 == 0 else 1
        options.append(f"{MICRO_BATCH} {fewer}")
    if not means.gradient_checkpointing:
        options.append(CHECKPOINTING)
    return [f"`simulee runs resume {run_id} {option}`" for option in options]
