"""The file is checked before it leaves: one clear line for each problem."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.store.datasets import ExampleRow
from core.training.hosted import training_file
from core.training.hosted.training_file import LEAST_SAMPLES, MOST_TOKENS, content_of, problems_of, problems_of_rows

GOOD = [("system", "You are Ada."), ("user", "Why?"), ("assistant", "Because.")]


def file_of(*samples: Any) -> bytes:
    good = [_sample(GOOD)] * (LEAST_SAMPLES - len(samples))
    return "".join(json.dumps(each) + "\n" for each in [*samples, *good]).encode()


def _sample(said: list[tuple[Any, Any]]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in said]}


@pytest.mark.parametrize(
    ("sample", "problem"),
    [
        ([1], "has no messages"),
        ({"messages": []}, "has no messages"),
        (_sample([*GOOD, ("narrator", "And so.")]), "has a message without a role of assistant, system, user"),
        (_sample([("user", "Why?"), ("assistant", None)]), "has a message without a role"),
        (_sample([*GOOD, ("system", "Again.")]), "has a system message that is not the first"),
        (_sample(GOOD[:2]), "does not end with an answer"),
        (_sample([GOOD[0], GOOD[2]]), "does not go from a question to its answer"),
        (_sample([*GOOD, GOOD[2]]), "does not go from a question to its answer"),
        (_sample([*GOOD[:2], ("assistant", " \n")]), "has an empty answer"),
        (_sample([("user", ""), GOOD[2]]), "has an empty user message"),
    ],
)
def test_each_problem_has_its_line(sample: Any, problem: str) -> None:
    (told,) = problems_of(file_of(sample))
    assert told.startswith(f"sample 1 {problem}")


def test_a_good_file_has_none_and_a_short_or_broken_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems_of(file_of()) == []
    assert problems_of(b"") == [f"the file has 0 samples, fewer than {LEAST_SAMPLES}"]
    assert problems_of(file_of()[:-9]) == [f"sample {LEAST_SAMPLES} is not JSON"]
    monkeypatch.setattr(training_file, "MOST_BYTES", 100)
    assert problems_of(file_of())[0].endswith("bytes, more than 100")


def test_what_a_host_would_train_on_and_should_not_is_a_problem() -> None:
    def row(tokens: int = 9, **answer: Any) -> ExampleRow:
        messages = [
            {"role": "user", "content": "Why?", "trained": False},
            {"role": "assistant", "content": "I remember. Because.", "trained": True, **answer},
        ]
        return ExampleRow(0, 0, "train", "c", messages, tokens, 3, ())

    told = problems_of_rows([row(), row(tokens=MOST_TOKENS + 1), row(head=11), row(trained=False)])
    assert [line.split(" ", 2)[1] for line in told] == ["2", "3", "4"]
    assert 'memory_form = "question"' in told[1]


@settings(deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=1, max_size=4))
def test_whatever_was_said_is_one_line_a_sample_and_the_same_words(answers: list[str]) -> None:
    """Line separators that are not the newline among them."""
    rows = [
        ExampleRow(
            0, 0, "train", "c",
            [{"role": "user", "content": "Why?", "trained": False},
             {"role": "assistant", "content": f"Well: {each}", "trained": True}],
            9, 3, (),
        )
        for each in answers
    ]  # fmt: skip
    content = content_of(rows * LEAST_SAMPLES)
    assert problems_of(content) == []
    said = [json.loads(line)["messages"][1]["content"] for line in content.decode().split("\n")[:-1]]
    assert said == [f"Well: {each}" for each in answers] * LEAST_SAMPLES
