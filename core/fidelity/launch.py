"""Names of the evaluation runs, for those who start them without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

EVALUATE_KIND = "evaluate"
EVALUATE_ENTRY = "core.fidelity.evaluate:run"
GENERATED_TOKENS = 64
"""Longest generated answer, in tokens."""


def evaluate_params(
    systems: str | None = None, adapter: str | None = None, control: Path | None = None, limit: int | None = None
) -> dict[str, Any]:
    """What an evaluation is asked: ``systems`` by commas (None: the ladder), the adapter (None: the one in use),
    another person's workspace as a control, and the first ``limit`` questions of each interview.
    """
    return {
        "systems": [name.strip() for name in systems.split(",") if name.strip()] if systems else None,
        "adapter": adapter,
        "control": str(control.absolute()) if control else None,
        "limit": limit,
    }
