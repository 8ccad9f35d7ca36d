"""When the words before a question help to find what it asks for."""

from __future__ import annotations

import pytest

from core.twin.recalling import stands_alone


@pytest.mark.parametrize(
    "question",
    [
        "Why?", "And in winter?", "Why do you keep them?", "Who was she?", "Und warum?", "", "...",
        "Wann hast du den alten Leuchtturm zum ersten Mal gesehen?",
        "the the the the the the the lamp lamp lamp lamp lamp lamp",
    ],
)  # fmt: skip
def test_a_question_that_says_little_leans_on_what_was_said(question: str) -> None:
    assert not stands_alone(question)


@pytest.mark.parametrize(
    "question",
    [
        "What did the big December storm do to the sheds down in the harbor?",
        "How did your bicycle come by its name, and is it older than our headmaster?",
    ],
)
def test_a_question_that_names_its_subject_stands_alone(question: str) -> None:
    assert stands_alone(question)
