"""Names of the training runs, for those who start them without importing torch."""

from __future__ import annotations

SFT_KIND = "sft"
SFT_ENTRY = "core.training.sft:run"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What an adapter's folder holds, and what its hash covers."""
