"""Values that fit a base model's size, each with its source; ``persona.toml`` and the command line outrank them."""

from __future__ import annotations

from dataclasses import dataclass

from core.errors import UsageError
from core.settings import TrainingSettings

SMALL_PARAMETERS = 500_000_000


@dataclass(frozen=True, slots=True)
class Preset:
    """How fast, how long, and over how many samples at a time."""

    name: str
    learning_rate: float
    epochs: float
    batch: int
    """Samples per optimizer step."""


SMALL = Preset("small", 1e-3, 1.5, 1)
"""Chosen on the validation interview of the sample with SmolLM2-135M: a higher rate overfits it, and two epochs end
within 0.01 of where 1.3 are (3.604 and 3.597 with memories, 3.597 twice without)."""
RAFT = Preset("raft", 2e-4, 3.0, 8)
"""RAFT's published code, for models of billions of parameters."""
PRESETS = {preset.name: preset for preset in (SMALL, RAFT)}


def named_preset(name: str) -> Preset:
    """The preset of this name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}", f"choose one of: {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_for(parameters: int) -> Preset:
    """The preset for a base of this many parameters."""
    return SMALL if parameters < SMALL_PARAMETERS else RAFT


def filled(settings: TrainingSettings, preset: Preset) -> TrainingSettings:
    """The settings with what they leave open taken from the preset."""
    values = {
        name: getattr(preset, name) for name in ("learning_rate", "epochs", "batch") if getattr(settings, name) is None
    }
    return settings.model_copy(update=values)
