"""Answers are read strictly: exactly the shape that was asked for, or the reason why not."""

from __future__ import annotations

import json
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from core.calls.structured import read_choice, read_json, read_lines
from core.models.generation import CallFailed, Told


class Retold(BaseModel):
    model_config = ConfigDict(extra="forbid")

    memory: Annotated[str, Field(max_length=100)]
    useful: bool = True
    rank: int = 0


GOOD = '{"memory": "the tide", "useful": true}'


@pytest.mark.parametrize("text", [GOOD, f"\n  {GOOD}\n", f"```json\n{GOOD}\n```", f" ```\n{GOOD}\n```\n"])
def test_a_json_object_may_stand_in_one_fence(text: str) -> None:
    assert read_json(Told(text, "stop"), Retold) == Retold(memory="the tide")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not json"), ("the tide", "not json"), (f"Here you are: {GOOD}", "not json"), (f"{GOOD} Bye", "not json"),
        (f"{GOOD}{GOOD}", "not json"), (f"{GOOD}\n{GOOD}", "not json"), (GOOD[:-1], "not json"),
        (f"[{GOOD}]", "not json"), ("null", "not json"), ('"the tide"', "not json"),
        (f"```json\n{GOOD}\n```\n```json\n{GOOD}\n```", "not json"), (f"```json\n{GOOD}", "not json"),
        ('{"memory": "a", "memory": "b"}', "not json"), ('{"memory": "a", "rank": NaN}', "not json"),
        ('{"memory": "a", "rank": ' + "9" * 5000 + "}", "not json"),
        ('{"memory": ' + "[" * 100_000, "too long"), ('{"memory": ' + "[" * 30_000 + "]" * 30_000 + "}", "not json"),
        ('{"memory": 7}', "wrong shape"), ('{"memory": ["a"]}', "wrong shape"), ('{"memory": null}', "wrong shape"),
        ('{"memory": "a", "useful": "yes"}', "wrong shape"), ('{"memory": "a", "useful": 1}', "wrong shape"),
        ('{"memory": "a", "rank": 1.0}', "wrong shape"), ('{"memory": "a", "rank": "1"}', "wrong shape"),
        ('{"useful": true}', "wrong shape"), ('{"memory": "a", "more": 1}', "wrong shape"),
        (json.dumps({"memory": "a" * 101}), "wrong shape"), (json.dumps({"memory": "a" * 70_000}), "too long"),
        ('{"memory": "a\\u0000b"}', "not text"), ('{"memory": "\\ud800"}', "not text"),
        ('{"memory": "a", "\\ud800": 1}', "not text"), ('{"memory": "a\x00"}', "not text"),
        ('{"memory": "\ud800"}', "not text"),
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(CallFailed) as refused:
        read_json(Told(text, "stop"), Retold)
    assert refused.value.reason == reason
    assert refused.value.retryable


def test_a_cut_answer_is_refused_even_when_it_parses() -> None:
    for read in (lambda told: read_json(told, Retold), lambda told: read_lines(told, ["MEMORY"])):
        with pytest.raises(CallFailed) as refused:
            read(Told(GOOD, "length"))
        assert refused.value.reason == "length"


@pytest.mark.parametrize(
    "text", ["QUOTE: the tide\nMEMORY: I saw it: twice", "\n quote : the tide \n\nMemory:I saw it: twice\n"]
)
def test_labelled_lines_are_read(text: str) -> None:
    found = read_lines(Told(text, "stop"), ["QUOTE", "MEMORY"])
    assert found == {"QUOTE": "the tide", "MEMORY": "I saw it: twice"}


@pytest.mark.parametrize(
    "text",
    [
        "", "QUOTE: the tide", "MEMORY: m\nQUOTE: q", "QUOTE: q\nQUOTE: q", "Sure!\nQUOTE: q\nMEMORY: m",
        "QUOTE: q\nMEMORY: m\nthat is all", "QUOTE:\nMEMORY: m", "QUOTE q\nMEMORY: m",
        "QUOTE: q\nMEMORY: " + "m" * 5000,
        "QUOTE: q\u2028MEMORY: m\u2028MEMORY: n",
    ],
)  # fmt: skip
def test_lines_that_are_not_exactly_those_are_refused(text: str) -> None:
    with pytest.raises(CallFailed) as refused:
        read_lines(Told(text, "stop"), ["QUOTE", "MEMORY"])
    assert refused.value.reason == "wrong shape"


def test_a_choice_is_one_of_the_words_and_nothing_beside() -> None:
    assert [read_choice(Told(text, "stop"), ["yes", "no"]) for text in ("Yes.", " no\n", "YES")] == ["yes", "no", "yes"]
    for text in ("", "yes, because", "maybe", "yes no"):
        with pytest.raises(CallFailed):
            read_choice(Told(text, "stop"), ["yes", "no"])
