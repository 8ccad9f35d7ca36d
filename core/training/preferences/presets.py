"""Values for training on preferences that fit a base model's size, each with its source."""

from __future__ import annotations

from core.errors import UsageError
from core.training.presets import SMALL_PARAMETERS, Preset

SMALL = Preset("small", 1e-4, 3.0, 4)
"""Chosen on 16 pairs of the sample, real answers against those of a fine-tuned SmolLM2-135M: two epochs at this rate
won all of them, the two that validate too (margin 0.8), at 0.01 nats per token from the reference; the held-out answers
cost 5.48 bits per token before and after. At ten times the rate three steps on two pairs went 0.4 nats."""
APC = Preset("apc", 2e-4, 10.0, 8)
"""APC's published code: a LoRA of rank 32 or more on models of billions of parameters, at most about 100 prompts."""
PRESETS = {preset.name: preset for preset in (SMALL, APC)}


def named_preset(name: str) -> Preset:
    """The preset of this name. Raises UsageError for an unknown one."""
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}", f"choose one of: {', '.join(PRESETS)}")
    return PRESETS[name]


def preset_for(parameters: int) -> Preset:
    """The preset for a base of this many parameters."""
    return SMALL if parameters < SMALL_PARAMETERS else APC
