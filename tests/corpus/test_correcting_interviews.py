"""A corrected interview is the same interview: what was held out stays so, and what was recalled for it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.corpus.holdout import assign_splits, assigned_splits, hold_out
from core.corpus.successors import hand_on, heirs_of
from core.dataset.build import build
from core.dataset.export import find_dataset
from core.dataset.verify import parity_problems
from core.journey import EMBED
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.settings import DatasetSettings
from core.store.conversations import (
    ConversationRow,
    TurnRow,
    assign_split,
    conversations_of_source,
    put_conversation,
    remove_conversations_but,
    trainable_conversations,
)
from core.store.datasets import ExampleRow, examples_of, put_dataset, trained_conversations
from core.store.memories import MemoryRow, put_memories, review_rows
from core.store.origins import gone
from core.store.sources import begin_source
from core.workspace import Workspace

Importing = Callable[..., dict[str, Any]]
Writing = Callable[..., Path]

QUESTION = "What did you cuont that year, and who paid for the jars?"
ANSWER = "I counted the jars twice and the ferry once, which was the one that came out wrong."
CORRECTIONS = {
    "question": {"question": QUESTION.replace("cuont", "count")},
    "title": {"title": "The harbor"},
    "date": {"date": "2009-01-01"},
    "all of them": {"question": "Who paid?", "title": "The harbor", "date": "2009-01-01", "answer": "Pell did."},
}


@pytest.fixture
def talk(tmp_path: Path) -> Writing:
    """Write the interview of a year without a native id: ``talk(2015, title="…")``."""

    def do(year: int, title: str = "", date: str = "", question: str = QUESTION, answer: str = ANSWER) -> Path:
        path = tmp_path / f"talk-{year}.txt"
        path.write_text(
            f"Title: {title or f'Talk {year}'}\nDate: {date or f'{year}-05-01'}\n"
            f"Interviewer: Ines Calder\nInterviewee: Ada Marlow\n\n"
            f"Q: {question}\nA: {answer} It was {year}.\n\nQ: And then?\nA: Rain in {year}.\n",
            "utf-8",
        )
        return path

    return do


@pytest.fixture
def talks(workspace: Workspace, import_paths: Importing, talk: Writing) -> Workspace:
    """Four interviews; none is held out yet."""
    import_paths(workspace, [talk(year, answer=f"Answer of {year}.") for year in range(2010, 2013)])
    import_paths(workspace, [talk(2013)])
    return workspace


def _held(workspace: Workspace) -> list[str]:
    splits = assign_splits(workspace)
    return [
        row[0]
        for uid, split in splits.items()
        if split == "heldout"
        for row in workspace.database.rows(
            "SELECT location FROM conversation JOIN source ON source.id = source_id WHERE conversation.uid = ?", (uid,)
        )
    ]


@pytest.mark.parametrize("what", CORRECTIONS)
def test_a_held_out_interview_stays_so_when_it_is_corrected(
    talks: Workspace, import_paths: Importing, talk: Writing, what: str
) -> None:
    path = talk(2013)
    assert _held(talks) == [str(path)]
    import_paths(talks, [talk(2013, **CORRECTIONS[what])])
    assert _held(talks) == [str(path)]
    assert "2013" not in str([each.messages for each in examples_of(talks.database, build(talks).id)])
    import_paths(talks, [talk(2013)])
    assert _held(talks) == [str(path)]


@pytest.mark.parametrize("what", CORRECTIONS)
def test_so_does_one_that_a_person_held_out(
    talks: Workspace, import_paths: Importing, talk: Writing, what: str
) -> None:
    first = trainable_conversations(talks.database)[0]
    hold_out(talks, [f"c{first.id}"])
    path = talk(2010, **{"answer": "Answer of 2010.", **CORRECTIONS[what]})
    import_paths(talks, [path])
    assert _held(talks) == [str(path)]
    (row,) = (row for row in trainable_conversations(talks.database) if row.source_id == first.source_id)
    assert row.uid != first.uid
    assert (
        talks.database.value("SELECT chosen_by FROM conversation_split WHERE conversation_uid = ?", (row.uid,))
        == "person"
    )


def test_a_held_out_interview_that_is_gone_holds_no_other_back(
    talks: Workspace, import_paths: Importing, talk: Writing, tmp_path: Path
) -> None:
    path = talk(2013)
    assert _held(talks) == [str(path)]
    talks.database.execute("DELETE FROM source WHERE location = ?", (str(path),))
    import_paths(talks, [talk(2012, answer="Answer of 2012."), talk(2014)])
    assert _held(talks) == [str(tmp_path / "talk-2014.txt")]


def test_of_several_in_a_source_each_is_followed_by_its_own_corrected_form(workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        source = begin_source(database, "s", "talks", "transcript", "train", False, "2020-01-01")
        _store(workspace, source, "held", "The jars were counted twice, and the ferry once.")
        _store(workspace, source, "trained", "A knot is a promise that is made in hemp.")
        assign_split(database, "held", "heldout", "rule")
        assign_split(database, "trained", "train", "rule")
        _store(workspace, source, "cut short", "The jars were counted twice, and the ferry never.")
        _store(workspace, source, "trained again", "A knot is a promise that is made in rope.")
        _store(workspace, source, "held again", "The jars were counted twice, and the ferry once!")
        now = {"trained again", "held again"}
        hand_on(database, heirs_of(database, source, now, now))
        remove_conversations_but(database, source, now)
    assert assigned_splits(workspace) == {"held again": "heldout", "trained again": "train"}


def test_while_others_wait_to_write_nothing_is_compared_and_each_split_looked_up(workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        source = begin_source(database, "s", "talks", "transcript", "train", False, "2020-01-01")
        for number in range(20):
            _store(workspace, source, f"old {number}", f"The jars of {number} were counted in {number}, and once.")
            assign_split(database, f"old {number}", "heldout" if number % 2 else "train", "rule")
            _store(workspace, source, f"new {number}", f"The jars of {number} were counted in {number}, and twice.")
    now = {f"new {number}" for number in range(20)}
    heirs = heirs_of(database, source, now, now)
    asked: list[str] = []
    database.connection.exec_trace = lambda cursor, sql, bindings: bool(asked.append(sql) or True)
    try:
        with database.write():
            hand_on(database, heirs)
            remove_conversations_but(database, source, now)
    finally:
        database.connection.exec_trace = None
    assert not [sql for sql in asked if "FROM turn" in sql]
    assert not [sql for sql in asked if "FROM conversation_split" in sql and "WHERE" not in sql]
    assert assigned_splits(workspace) == {f"new {number}": "heldout" if number % 2 else "train" for number in range(20)}


def _store(workspace: Workspace, source: int, uid: str, text: str) -> None:
    place = len(conversations_of_source(workspace.database, source))
    row = ConversationRow(0, uid, source, place, uid, "", "2013", "year", 1, 2, "public", 0, uid)
    put_conversation(workspace.database, row, [TurnRow(0, "Ada Marlow", text, "", None, "said")])


@pytest.mark.parametrize("correction", [{"title": "The harbor"}, {"date": "2009-01-01"}, {"answer": "Answr of 2010."}])
def test_what_was_accepted_for_a_question_outlives_a_correction_and_is_not_asked_again(
    talks: Workspace, import_paths: Importing, talk: Writing, tmp_path: Path, correction: dict[str, str]
) -> None:
    note = tmp_path / "jars.md"
    words = "The jars on the shelf were counted, and Pell paid for them."
    note.write_text(f"---\ntitle: Jars\ndate: 2005-01-01\n---\n{words}")
    import_paths(talks, [note])
    run_to_end(talks, *EMBED, {})
    database = talks.database
    chunk = database.value("SELECT id FROM chunk WHERE text = ?", (words,))

    def recall(uid: str) -> int:
        asked = database.value(
            "SELECT exchange.id FROM exchange JOIN conversation ON conversation.id = conversation_id JOIN source"
            " ON source.id = source_id WHERE location LIKE '%talk-2010.txt' AND question = ?", (QUESTION,),
        )  # fmt: skip
        row = MemoryRow(0, uid, asked, chunk, 1, 1.0, "extractive", words, words, 0, len(words))
        with database.write():
            put_memories(database, asked, [(row, {})])
        return int(asked)

    before = recall("as first recalled")
    decide(database, Actor("person", "Nell"), [Decision("as first recalled", "accept")])
    import_paths(talks, [talk(2010, **{"answer": "Answer of 2010.", **correction})])
    assert recall("as recalled for the corrected interview") != before
    assert [(row.memory.uid, row.state) for row in review_rows(database)] == [("as first recalled", "accepted")]


@pytest.mark.parametrize("what", ["title", "date"])
def test_what_was_trained_on_an_interview_is_of_its_corrected_form(
    talks: Workspace, import_paths: Importing, talk: Writing, what: str
) -> None:
    built = build(talks, how=DatasetSettings(form="completion"))
    for corrected in ({**CORRECTIONS[what]}, {**CORRECTIONS[what], "title": "The port"}):
        import_paths(talks, [talk(2010, **{"answer": "Answer of 2010.", **corrected})])
        dataset = find_dataset(talks, str(built.id))
        assert parity_problems(talks, dataset) == []
        assert gone(talks.database, [dataset.id]) == (0, 0)
    now = {row.uid for row in trainable_conversations(talks.database)}
    assert trained_conversations(talks.database, built.id) <= now


def test_of_what_was_trained_on_the_corrected_words_alone_are_gone(
    talks: Workspace, import_paths: Importing, talk: Writing
) -> None:
    built = build(talks, how=DatasetSettings(form="completion"))
    import_paths(talks, [talk(2010, title="The harbor", answer="Another answer.")])
    assert gone(talks.database, [built.id]) == (1, 0)
    assert len(parity_problems(talks, find_dataset(talks, str(built.id)))) == 1


def test_a_source_that_holds_the_uncorrected_interview_too_keeps_what_was_trained_on_it(workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        sources = [begin_source(database, uid, uid, "transcript", "train", False, "2020-01-01") for uid in ("s", "t")]
        for source in sources:
            _store(workspace, source, "trained", "A knot is a promise that is made in hemp.")
        row = ExampleRow(0, 0, "train", "trained", [], 10, 5, ())
        dataset = put_dataset(database, "h", {}, 0, "2026-01-01", [row])
        for source, now in zip(sources, ("corrected", "corrected again"), strict=True):
            _store(workspace, source, now, "A knot is a promise that is made in rope.")
            hand_on(database, heirs_of(database, source, {now}, {now}))
            remove_conversations_but(database, source, {now})
            assert trained_conversations(database, dataset) == {"trained" if source == sources[0] else now}
