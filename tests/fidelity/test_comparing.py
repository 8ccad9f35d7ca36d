"""Two scorecards side by side: what is said of them when they did not measure alike."""

from __future__ import annotations

from typing import Any

import pytest

from core.fidelity.reading import Scored, apart, compare

ASKED = [{"exchange": f"x{place}", "interview": place} for place in range(3)]


def _scored(bits: float, **told: Any) -> Scored:
    figures = {"bits": [bits] * 3, "tokens": [1] * 3}
    system = {
        "title": "base with memories",
        "metrics": {"bits_per_token": {"value": bits, "low": bits, "high": bits}},
        "per_question": figures,
    }
    card = {"base": "b", "questions": ASKED, "interviews": [{}] * 3, "systems": {"b2": system}}
    return Scored(1, "", card | told)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"retriever": {"name": "retriever-1", "hash": "h1"}}, ""),
        ({"retriever": {"name": "retriever-9", "hash": "h1"}}, ""),
        ({"retriever": {"name": "retriever-1", "hash": "h2"}}, "Not the same retriever: other memories are recalled."),
        ({"retriever": None}, "Not the same retriever: other memories are recalled."),
        ({}, ""),
    ],
)
def test_scorecards_with_memories_of_two_retrievers_are_compared_and_it_is_said(
    other: dict[str, Any], said: str
) -> None:
    one, two = _scored(2.0, retriever={"name": "retriever-1", "hash": "h1"}), _scored(3.0, **other)
    assert apart(one, two) == said
    (row,) = compare(one, two)
    assert row.difference is not None
    assert row.difference.value == -1.0


def test_other_questions_are_said_too() -> None:
    assert apart(_scored(2.0, retriever=None), _scored(3.0, retriever={"name": "r", "hash": "h"}, questions=[])) == (
        "Not the same questions: the differences have no interval. Not the same retriever: other memories are recalled."
    )
