"""The cores that a model uses, and the limit that the environment sets."""

from __future__ import annotations

import os

import pytest

from core.models.cores import LIMIT, usable_cores


@pytest.mark.parametrize(("limit", "most"), [("1", 1), ("0", 1), ("100000", None), ("", None), ("many", None)])
def test_the_environment_limits_and_never_adds(monkeypatch: pytest.MonkeyPatch, limit: str, most: int | None) -> None:
    monkeypatch.setenv(LIMIT, limit)
    there = len(os.sched_getaffinity(0))
    assert usable_cores() == (there if most is None else min(most, there))
