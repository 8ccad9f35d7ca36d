"""Corrections and choices become pairs with their decision; pairs travel as JSON lines; what stands is told on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.preference_file import pair_of
from core.errors import UsageError
from core.review.decisions import Actor, fold, recompute, redo, undo
from core.store.decisions import list_decisions
from core.store.pairs import list_pairs
from core.store.sessions import add_message, begin_session
from core.twin.preferences import compare, correct, export_pairs, import_pairs, rate
from core.twin.transcript import as_markdown, load_transcript, past_turns
from core.workspace import Workspace

NELL = Actor("person", "Nell")
AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def talk(workspace: Workspace) -> list[int]:
    """One question with two answers, then an unanswered one; session, question, two answers, question."""
    database = workspace.database
    with database.write():
        session = begin_session(database, None, "2019", AT)
        question = add_message(database, session, "user", "Nell", "Do maps lie?", "", {}, AT)
        answers = [
            add_message(database, session, "assistant", "Ada", text, "the prompt", {"finish": "stop"}, AT)
            for text in ("They do.", "They argue.")
        ]
        last = add_message(database, session, "user", "Nell", "And tides?", "", {}, AT)
    return [session, question, *answers, last]


def test_a_correction_is_a_pair_that_prefers_it(workspace: Workspace, talk: list[int]) -> None:
    uid = correct(workspace, NELL, talk[3], "  They argue with the coast. ")
    (pair,) = list_pairs(workspace.database)
    assert (pair.uid, pair.origin, pair.question, pair.prompt) == (uid, "correction", "Do maps lie?", "the prompt")
    assert (pair.left, pair.right) == ("They argue with the coast.", "They argue.")
    assert (pair.state, pair.preferred, pair.message_id) == ("accepted", "left", talk[3])
    assert fold(list_decisions(workspace.database))["pair", uid][:2] == ("accepted", "left")
    assert recompute(workspace.database) == 0
    undo(workspace.database, NELL)
    assert list_pairs(workspace.database)[0].state == "pending"
    redo(workspace.database, NELL)
    assert list_pairs(workspace.database)[0].preferred == "left"


@pytest.mark.parametrize(("better", "state", "preferred"), [
    ("left", "accepted", "left"), ("right", "accepted", "right"), (None, "rejected", ""),
])  # fmt: skip
def test_a_choice_between_two_answers_is_a_pair(
    workspace: Workspace, talk: list[int], better: str | None, state: str, preferred: str
) -> None:
    compare(workspace, NELL, talk[2], talk[3], better)  # type: ignore[arg-type]
    (pair,) = list_pairs(workspace.database)
    assert (pair.left, pair.right, pair.origin) == ("They do.", "They argue.", "comparison")
    assert (pair.state, pair.preferred) == (state, preferred)


def test_what_cannot_be_corrected_or_compared_is_refused_in_words(workspace: Workspace, talk: list[int]) -> None:
    for refused in (
        lambda: correct(workspace, NELL, talk[3], " "),
        lambda: correct(workspace, NELL, talk[3], "They argue."),
        lambda: correct(workspace, NELL, talk[1], "a question is no answer"),
        lambda: correct(workspace, NELL, 999, "nobody"),
        lambda: compare(workspace, NELL, talk[2], talk[2], "left"),
        lambda: rate(workspace, talk[1], 1),
    ):
        with pytest.raises(UsageError):
            refused()
    assert list_pairs(workspace.database) == []
    assert list_decisions(workspace.database) == []


def test_the_newest_answer_stands_until_another_is_preferred(workspace: Workspace, talk: list[int]) -> None:
    session = talk[0]
    assert [turn.answer for turn in past_turns(workspace, session).turns] == ["They argue."]
    compare(workspace, NELL, talk[2], talk[3], "left")
    assert [turn.answer for turn in past_turns(workspace, session).turns] == ["They do."]
    correct(workspace, NELL, talk[2], "They flatter.")
    assert [turn.answer for turn in past_turns(workspace, session).turns] == ["They flatter."]
    transcript = load_transcript(workspace, session)
    assert [(each.question, len(each.answers)) for each in transcript.asked] == [("Do maps lie?", 2), ("And tides?", 0)]
    said = transcript.asked[0].answer
    assert said is not None
    assert (said.text, said.correction) == ("They do.", "They flatter.")
    assert past_turns(workspace, session, before=talk[1]).turns == ()
    text = as_markdown(transcript, "Ada")
    assert "They do." in text
    assert "They flatter." in text
    assert "(no answer)" in text


def test_pairs_come_back_as_they_went_and_only_once(workspace: Workspace, talk: list[int], tmp_path: Path) -> None:
    correct(workspace, NELL, talk[3], "They argue with the coast.")
    compare(workspace, NELL, talk[2], talk[3], "right")
    file = tmp_path / "pairs.jsonl"
    assert export_pairs(workspace, file) == 2
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [(row["prompt"], row["chosen"], row["rejected"]) for row in rows] == [
        ("the prompt", "They argue with the coast.", "They argue."),
        ("the prompt", "They argue.", "They do."),
    ]
    assert file.stat().st_mode & 0o777 == 0o600
    done = import_pairs(workspace, file)
    assert (done.added, done.known) == (0, 2), "they are there already, whichever side they stood on"
    other = Workspace.create(tmp_path / "other", "Ada")
    assert import_pairs(other, file).added == 2
    assert {(pair.origin, pair.state, pair.preferred) for pair in list_pairs(other.database)} == {
        ("import", "accepted", "left")
    }
    assert export_pairs(other, tmp_path / "again.jsonl") == 2


def test_a_line_that_is_no_pair_is_refused_and_the_rest_comes_in(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    chat = [{"role": "user", "content": "Do maps lie?"}]
    file.write_bytes(
        b'{"prompt": "Q", "chosen": "A", "rejected": "B"}\n'
        b"not json\n[1]\n" + b"[" * 5000 + b"\n"
        b'{"prompt": "Q", "chosen": "A"}\n{"prompt": "Q", "chosen": "A", "rejected": "A"}\n\n'
        b'{"prompt": "\\ud800", "chosen": "A", "rejected": "\\u0000B"}\n'
        + json.dumps({"prompt": chat, "chosen": [{"role": "assistant", "content": "Yes."}], "rejected": "No."}).encode()
    )
    done = import_pairs(workspace, file)
    assert done.added == 3
    assert [each.partition(":")[0] for each in done.refused] == [f"line {n}" for n in (2, 3, 4, 5, 6)]
    assert [pair.question for pair in list_pairs(workspace.database)] == ["Q", "?", "Do maps lie?"]
    with pytest.raises(UsageError):
        import_pairs(workspace, tmp_path / "none.jsonl")


@pytest.mark.parametrize("name", ["prompt", "chosen", "rejected"])
def test_a_chat_of_several_messages_is_refused_and_not_cut_to_its_last_one(name: str) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Do maps lie?"}]
    said = rf"^{name} is a chat of 2 messages: write it as one text, as the model reads it$"
    with pytest.raises(ValueError, match=said):
        pair_of(json.dumps({"prompt": "Q", "chosen": "A", "rejected": "B"} | {name: chat}))


@given(st.text())
def test_no_line_ends_an_import(line: str) -> None:
    try:
        pair = pair_of(line)
    except ValueError:
        return
    assert pair.chosen != pair.rejected
    assert all((pair.question, pair.chosen, pair.rejected))
