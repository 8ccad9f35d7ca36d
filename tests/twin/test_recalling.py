"""When the words before a question help to find what it asks for."""

from __future__ import annotations

import pytest

from core.twin.recalling import stands_alone


@pytest.mark.parametrize(
    "question",
    [
        "Why?", "And in winter?", "Why do you keep them?", "Who was she?", "Und warum?", "", "...",
        "Was hast du ihm damals gesagt?", "Und was hat sie dann daraus gemacht?",
        "Hoe lang was je daar toen eigenlijk?",
        "¿Y cuánto tiempo estuvo ella allí a tu lado?",
        "Why did he finally decide to sell everything after that summer?",
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
        "You stood up at that causeway meeting in May. What have you got against it, and against a road?",
        "How did your old bicycle come by the name of a boat that sank?",
    ],
)
def test_a_question_that_names_its_subject_stands_alone(question: str) -> None:
    assert stands_alone(question)
