"""An assistant's voice, another style, another length and facts of its own are all found in a merge."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.twin.hybrid.claims import Checked
from core.twin.hybrid.style import Style, assistant_phrase
from core.twin.hybrid.verify import drift_of

TURN = (
    "I have not paid for a sheet of it, and I consider that the charts keep me, and not the other way about, thank you."
)
SUPPORTED = [Checked("x", "supported")]
ASSISTANT = (
    "Spending time outdoors in the mornings is a wonderful way to start the day, as it provides numerous health"
    " benefits and additionally offers valuable opportunities to connect with the community."
)


@pytest.fixture(scope="module")
def answers(sample: Path) -> list[str]:
    """The sample target's answers."""
    return [
        said for file in sorted((sample / "ada" / "interviews").glob("*.json"))
        for _, said in json.loads(file.read_text("utf-8"))["exchanges"]
    ]  # fmt: skip


def test_the_targets_held_out_words_are_nearer_than_an_assistants(answers: list[str]) -> None:
    style = Style(answers[::2])
    for own in (answer for answer in answers[1::2] if len(answer) > 150):
        found = style.distances(own, ASSISTANT)
        assert found is not None
        assert found[0] < found[1]


def test_length_alone_is_no_style(answers: list[str]) -> None:
    style = Style(answers[::2])
    long = " ".join(answers[1::2])[:2000]
    found = style.distances(long, long[:100])
    assert found is not None
    assert abs(found[0] - found[1]) < 0.04


def test_too_little_is_not_judged(answers: list[str]) -> None:
    assert Style(answers).distances("Aye.", TURN) is None


def test_a_good_merge_holds(answers: list[str]) -> None:
    drift = drift_of(TURN.replace("sheet", "page"), TURN, SUPPORTED, Style(answers), 0.04)
    assert drift.reasons == ()
    assert drift.before is not None


@pytest.mark.parametrize(
    ("merged", "sentences", "why"),
    [
        ("As an AI language model, I have not paid for it.", SUPPORTED, "an assistant's words"),
        (ASSISTANT, SUPPORTED, "the style is farther off"),
        (f"{TURN} {TURN} {TURN}", SUPPORTED, "words where the simulation has"),
        ("No.", SUPPORTED, "words where the simulation has"),
        (TURN, [Checked("It was 1952.", "unsupported", 0.0, "a number of its own")], "not in CONTEXT"),
        (" ", [], "the merge is empty"),
    ],
)
def test_a_drifting_merge_is_told_why(merged: str, sentences: list[Checked], why: str, answers: list[str]) -> None:
    reasons = drift_of(merged, TURN, sentences, Style(answers), 0.04).reasons
    assert any(why in reason for reason in reasons)


@pytest.mark.parametrize("text", ["I hope this helps!", "Feel free to ask me more.", "I'm just an AI."])
def test_what_an_assistant_says_is_heard(text: str) -> None:
    assert assistant_phrase(text)


@pytest.mark.parametrize("text", ["I hope the tide helps.", "The assistant keeper rowed.", "Ask me tomorrow."])
def test_a_person_may_use_the_same_words(text: str) -> None:
    assert not assistant_phrase(text)
