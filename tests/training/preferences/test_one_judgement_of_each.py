"""Judgements that contradict each other are not both learned from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.review.decisions import Decision, decide
from core.store.pairs import list_pairs, put_pair
from core.store.sessions import add_message, begin_session, rate_message
from core.training.preferences.gathering import Gathered, found_again, gathered
from core.training.preferences.launch import dpo_params, kto_params
from core.twin.preferences import compare, correct
from core.workspace import Workspace

from .conftest import AT, NELL, prefer


@pytest.fixture
def answers(interviewed: Workspace) -> list[int]:
    """Two answers to one question."""
    database = interviewed.database
    with database.write():
        session = begin_session(database, None, "2026", AT)
        add_message(database, session, "user", "Nell", "Why maps?", "", {}, AT)
        return [
            add_message(database, session, "assistant", "Ada", text, "the prompt", {}, AT)
            for text in ("They argue.", "They lie.")
        ]


def _texts(found: Gathered) -> list[tuple[str, str]]:
    return sorted((each.chosen, each.rejected) for each in found.preferences)


def test_two_answers_compared_again_with_their_sides_exchanged_are_one_pair(
    interviewed: Workspace, answers: list[int]
) -> None:
    first = compare(interviewed, NELL, *answers, "left")
    assert compare(interviewed, NELL, *answers[::-1], "left") == first
    (pair,) = list_pairs(interviewed.database)
    assert (pair.left, pair.right, pair.preferred) == ("They argue.", "They lie.", "right")
    compare(interviewed, NELL, *answers[::-1], None)
    assert list_pairs(interviewed.database)[0].state == "rejected"


def test_of_two_pairs_of_the_same_answers_the_one_decided_on_last_counts(interviewed: Workspace) -> None:
    left = prefer(interviewed, "Why maps?", "They argue.", "They lie.")
    prefer(interviewed, "Why maps?", "They lie.", "They argue.")
    found = gathered(interviewed, "dpo")
    assert (_texts(found), found.overruled) == ([("They lie.", "They argue.")], 1)
    decide(interviewed.database, NELL, [Decision(left, "accept", text="left", card_kind="pair")])
    assert _texts(gathered(interviewed, "dpo")) == [("They argue.", "They lie.")]
    assert _texts(gathered(interviewed, "kto")) == [("They argue.", "They lie.")]
    assert dpo_params(interviewed)["left_out"]["overruled"] == 1


def test_an_answer_that_was_preferred_and_then_corrected_is_bad_and_nothing_else(
    interviewed: Workspace, answers: list[int]
) -> None:
    compare(interviewed, NELL, *answers, "left")
    correct(interviewed, NELL, answers[0], "They flatter.")
    assert len(gathered(interviewed, "dpo").preferences) == 2, "of a pair only the difference is learned"
    found = gathered(interviewed, "kto")
    labels = [(each.chosen, True) for each in found.preferences if each.chosen]
    labels += [(each.rejected, False) for each in found.preferences if each.rejected]
    assert sorted(labels) == [("They argue.", False), ("They flatter.", True), ("They lie.", False)]
    assert found.overruled == 1
    params = kto_params(interviewed)
    again = found_again(interviewed, "kto", params["preferences"], None)
    assert sorted(again, key=str) == sorted(found.preferences, key=str)


def test_the_same_words_after_another_prompt_are_another_answer(interviewed: Workspace) -> None:
    prefer(interviewed, "Why maps?", "I do not know.", "They lie.", "a prompt without memories")
    prefer(interviewed, "Why maps?", "They argue.", "I do not know.", "a prompt with memories")
    found = gathered(interviewed, "kto")
    assert (len(found.preferences), found.overruled) == (2, 0)


def test_a_thumb_that_a_pair_overrules_and_thumbs_that_differ_are_counted(
    interviewed: Workspace, answers: list[int]
) -> None:
    database = interviewed.database
    with database.write():
        session = begin_session(database, None, "2026", AT)
        add_message(database, session, "user", "Nell", "Why maps?", "", {}, AT)
        same = add_message(database, session, "assistant", "Ada", "They argue.", "the prompt", {}, AT)
        rate_message(database, answers[0], 1, AT)
        rate_message(database, same, -1, AT)
    found = gathered(interviewed, "kto")
    assert (_texts(found), found.overruled) == ([("", "They argue.")], 1)
    compare(interviewed, NELL, *answers, "left")
    found = gathered(interviewed, "kto")
    assert (_texts(found), found.overruled) == ([("They argue.", "They lie.")], 2)


def test_of_two_lines_that_contradict_each_other_the_first_counts(interviewed: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    sides = [("They argue.", "They lie."), ("They lie.", "They argue.")]
    lines = [json.dumps({"prompt": "Why maps?", "chosen": good, "rejected": bad}) for good, bad in sides]
    file.write_text("\n".join(lines))
    found = gathered(interviewed, "dpo", file)
    assert (_texts(found), found.overruled) == (sides[:1], 1)


def test_an_undecided_pair_overrules_none(interviewed: Workspace) -> None:
    prefer(interviewed, "Why maps?", "They argue.", "They lie.")
    with interviewed.database.write():
        put_pair(interviewed.database, "Why maps?", "", "They lie.", "They argue.", "generated", None, AT)
    assert _texts(gathered(interviewed, "dpo")) == [("They argue.", "They lie.")]
