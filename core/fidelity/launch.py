"""Names of the evaluation runs, for those who start them without importing torch."""

from __future__ import annotations

EVALUATE_KIND = "evaluate"
EVALUATE_ENTRY = "core.fidelity.evaluate:run"
GENERATED_TOKENS = 64
"""Longest generated answer, in tokens."""
