"""How many threads a model may use here."""

from __future__ import annotations

import os

LIMIT = "OMP_NUM_THREADS"
"""The variable by which OpenMP, torch and numpy are told as well: one setting for every engine."""


def usable_cores() -> int:
    """The cores that this process may run on, or fewer where the environment sets a limit on threads."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get(LIMIT, "")
    return min(cores, max(1, int(wanted))) if wanted.isdecimal() else cores
