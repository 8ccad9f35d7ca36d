"""Which settings decide a run on preferences, and what its plan and its card say of them. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.settings import DpoSettings, TrainingSettings
from core.training.preferences.gathering import Method
from core.training.presets import Preset, filled
from core.training.starting import going_on_from

SHARED = ("learning_rate", "epochs", "batch", "rank", "alpha", "evaluations")
"""What ``[training.dpo]`` says in place of ``[training]``."""
NOT_DONE: dict[str, Any] = {
    "dropout": 0.0, "packing": False, "liger": False, "patience": 0, "general_share": 0.0, "general_text": "",
    "measure_forgetting": False,
}  # fmt: skip
"""What ``[training]`` asks of a fine-tuning alone, as a run on preferences has it: judgements are read as they are, the
policy and the reference without dropout, and its guard looks in place of the rest."""


def settings_of(frozen: Mapping[str, Any], preset: Preset, start: Path | None = None) -> TrainingSettings:
    """The settings of a run from those that it froze, nothing left open; ``start`` is the folder of an adapter that it
    goes on from, which keeps its rank and alpha."""
    return going_on_from(start, filled(TrainingSettings(**{**frozen, **NOT_DONE}), preset))


def told(method: Method, own: DpoSettings, settings: TrainingSettings) -> dict[str, Any]:
    """Every setting that decided something, nothing left open."""
    said = own.model_dump(mode="json", exclude=set(SHARED)) | settings.model_dump(mode="json", exclude=set(NOT_DONE))
    if method == "kto":
        said["loss"] = "kto"
    if said["loss"] != "robust":  # Of TRL's losses that judge a pair alone, the only one that smooths.
        del said["label_smoothing"]
    return said
