"""A session becomes a conversation by a person's word only, and what the twin said is never the target's by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from core.corpus.holdout import assign_splits, assigned_splits, hold_out
from core.corpus.importing import name_target
from core.corpus.journal import save_entry
from core.corpus.records import Use
from core.dates import DateSpan
from core.errors import UsageError
from core.journey import EMBED
from core.review.decisions import Actor, undo
from core.runs.control import run_to_end
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow, passages
from core.store.conversations import ExchangeRow, exchanges_of, get_conversation, list_conversations, turns_of
from core.store.sessions import add_memories, add_message, begin_session, remove_session
from core.store.sources import list_sources
from core.twin.preferences import correct, forget_session, rate
from core.twin.session_import import import_session
from core.workspace import Workspace

NELL = Actor("person", "Nell")
PRIVATE = "The harbor master never forgave me for the night I moved his seven painted buoys to the mill pond."


def put(
    workspace: Workspace, *talk: tuple[str, str], asker: str = "Nell", day: str = "2020-01-02", as_of: str = ""
) -> list[int]:
    """A session of questions and answers, a minute apart; its id, then the ids of the answers."""
    database = workspace.database
    with database.write():
        made = [begin_session(database, None, as_of, f"{day}T12:00:00+00:00")]
        for place, (question, answer) in enumerate(talk):
            at = f"{day}T12:{place:02}:00+00:00"
            add_message(database, made[0], "user", asker, question, "", {}, at)
            made.append(add_message(database, made[0], "assistant", "Ada Marlow", answer, "p", {}, at))
    return made


def exchanges(workspace: Workspace) -> list[ExchangeRow]:
    database = workspace.database
    return [each for row in list_conversations(database) for each in exchanges_of(database, row.id)]


def asked(workspace: Workspace) -> list[tuple[str, str, str]]:
    return [(each.asker, each.question, each.answer) for each in exchanges(workspace)]


TALK = (("Do maps lie?", "They do."), ("And tides?", "As an AI, no."), ("Tea?", "Gladly."), ("Coffee?", "Never."))


def test_only_what_was_corrected_or_called_good_becomes_the_targets(workspace: Workspace) -> None:
    session, _, tides, tea, coffee = put(workspace, *TALK)
    correct(workspace, NELL, tides, "A tide keeps its word.")
    rate(workspace, tea, -1)
    rate(workspace, coffee, 1)
    done = import_session(workspace, session, "train", "corrected")
    assert sorted(asked(workspace)) == [("Nell", "And tides?", "A tide keeps its word."), ("Nell", "Coffee?", "Never.")]
    assert (done.outcome, done.exchanges, done.turns, done.left_out) == ("added", 2, 4, {"not judged": 2})
    (source,) = list_sources(workspace.database)
    assert source.location.startswith(f"session:{session}@2020-01-02")
    assert (source.format, source.use, source.use_chosen) == ("session", "train", 1)
    assert done.conversation is not None
    row = get_conversation(workspace.database, done.conversation)
    assert row is not None
    assert (row.date, row.visibility) == ("2020-01-02", "private")


def test_nothing_of_a_talk_is_anybodys_without_the_word(workspace: Workspace) -> None:
    session, first, *_ = put(workspace, *TALK)
    rate(workspace, first, 1)
    assert list_conversations(workspace.database) == []
    done = import_session(workspace, session, "train")
    assert (done.exchanges, done.turns) == (0, 8)
    assert exchanges(workspace) == []
    # Not even by another name: what the twin said is no turn that anybody could have taken.
    assert done.conversation is not None
    twins = {turn.speaker for turn in turns_of(workspace.database, done.conversation) if turn.kind != "said"}
    assert twins == {"Ada Marlow (twin)"}
    name_target(workspace, "Ada Marlow", [*twins])
    assert exchanges(workspace) == []


def test_what_the_target_themself_says_to_their_twin_is_theirs(workspace: Workspace) -> None:
    session, first, *_ = put(workspace, *TALK[:2], asker="ada marlow")
    import_session(workspace, session, "recall")
    assert [each[2] for each in asked(workspace)] == ["Do maps lie?\nAnd tides?"]
    # Once the answers are theirs, a question of theirs is somebody's, or it would run into its answer.
    correct(workspace, NELL, first, "Maps argue.")
    import_session(workspace, session, "recall", "corrected")
    assert asked(workspace) == [("Visitor", "Do maps lie?", "Maps argue.")]


def test_an_import_follows_what_the_person_says_later(workspace: Workspace) -> None:
    session, maps, tides, *_ = put(workspace, *TALK, asker="")
    with pytest.raises(UsageError, match=r"holds no answer that is Ada Marlow's: 4 neither corrected nor called good"):
        import_session(workspace, session, "recall", "corrected")
    assert list_sources(workspace.database) == [], "a refusal leaves nothing behind"
    rate(workspace, maps, 1)
    first = import_session(workspace, session, "recall", "corrected")
    kept = exchanges(workspace)[0].id
    correct(workspace, NELL, tides, "A tide keeps its word.")
    second = import_session(workspace, session, "recall", "corrected")
    assert (second.outcome, second.exchanges, second.conversation) == ("changed", 2, first.conversation)
    assert exchanges(workspace)[0].id == kept, "what stays keeps its memories"
    assert import_session(workspace, session, "recall", "corrected").outcome == "same"
    undo(workspace.database, NELL)
    rate(workspace, maps, 0)
    gone = import_session(workspace, session, "recall", "corrected")
    assert (gone.outcome, gone.conversation) == ("removed", None)
    assert list_conversations(workspace.database) == []
    rate(workspace, maps, 1)
    assert import_session(workspace, session, "train", "corrected").exchanges == 1


def test_of_several_answers_the_one_that_was_judged_is_taken(workspace: Workspace) -> None:
    session, first = put(workspace, ("Do maps lie?", "They do."))
    database = workspace.database
    with database.write():
        second = add_message(database, session, "assistant", "Ada", "They argue.", "p", {}, "2026-01-05T12:00:00+00:00")
        add_message(database, session, "assistant", "Ada", "Hm.", "p", {}, "2026-01-05T12:01:00+00:00")
    rate(workspace, first, 1)
    rate(workspace, second, -1)
    import_session(workspace, session, "recall", "corrected")
    assert asked(workspace) == [("Nell", "Do maps lie?", "They do.")], (
        "days between a question and its answer part neither"
    )


def test_a_talk_is_dated_by_its_days_and_a_correction_by_its_own(workspace: Workspace) -> None:
    session, maps, tides = put(workspace, *TALK[:2], day="2020-03-04", as_of="1998")
    with workspace.database.write():
        add_message(workspace.database, session, "user", "Nell", "Tea?", "", {}, "2020-03-09T12:00:00+00:00")
        tea = add_message(workspace.database, session, "assistant", "A", "Yes.", "p", {}, "2020-03-09T12:00:00+00:00")
    rate(workspace, maps, 1)
    rate(workspace, tea, 1)
    correct(workspace, NELL, tides, "A tide keeps its word.")
    done = import_session(workspace, session, "recall", "corrected")
    today = datetime.now().astimezone().date()
    days = {each.question: each.first_day for each in exchanges(workspace)}
    assert days == {
        "Do maps lie?": DateSpan.parse("2020-03-04").first,
        "Tea?": DateSpan.parse("2020-03-09").first,
        "And tides?": today.toordinal(),
    }
    assert [each.answer for each in exchanges(workspace)] == ["They do.", "Yes.", "A tide keeps its word."]
    assert (done.first_day, done.last_day) == ("2020-03-04", today.isoformat())
    run_to_end(workspace, *EMBED, {})
    chunk = workspace.database.value("SELECT id FROM chunk WHERE text LIKE 'A tide%'")
    assert passages(workspace.database, [chunk])[chunk].chunk.last_day == today.toordinal()


def test_no_rule_holds_a_talk_out_and_none_takes_the_place_of_an_interview(
    workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., object]
) -> None:
    import_paths(
        workspace, [write_interview(f"{year}-05-01", [("Why?", f"Because of {year}.")]) for year in range(2010, 2014)]
    )
    talks = []
    for day in ("2026-01-02", "2026-01-03"):
        session, answer = put(workspace, ("Do maps lie?", f"They do, on {day}."), day=day)
        rate(workspace, answer, 1)
        talks.append(import_session(workspace, session, "train", "corrected"))
    splits = assign_splits(workspace)
    by_date = {row.date[:4]: splits[row.uid] for row in list_conversations(workspace.database)}
    assert by_date == {"2010": "train", "2011": "train", "2012": "train", "2013": "heldout", "2026": "train"}
    # A person may still hold one out, and importing it again does not change that.
    hold_out(workspace, [f"c{talks[1].conversation}"])
    import_session(workspace, session, "train", "corrected")
    row = next(row for row in list_conversations(workspace.database) if row.id == talks[1].conversation)
    assert assigned_splits(workspace)[row.uid] == "heldout"


@pytest.fixture
def diary(workspace: Workspace) -> int:
    """An entry that may be recalled and never trained on; returns its passage."""
    entry = save_entry(workspace, PRIVATE)
    row = ChunkRow(0, "private", entry.id, None, 0, 0, len(PRIVATE), PRIVATE, 20, -1)
    with workspace.database.write():
        sync_chunks(workspace.database, "document_id", entry.id, "Buoys", [row])
    return int(workspace.database.value("SELECT id FROM chunk"))


def test_what_is_only_for_recall_never_comes_to_be_trained_on_through_a_talk(workspace: Workspace, diary: int) -> None:
    session, maps, tides, tea, coffee = put(workspace, *TALK)
    with workspace.database.write():
        add_memories(workspace.database, tides, [(diary, "I moved the buoys.")])
    for answer in (maps, tides, tea):
        rate(workspace, answer, 1)
    correct(workspace, NELL, coffee, "Coffee is for customs officers.")
    done = import_session(workspace, session, "train", "corrected")
    # What was recalled for one question is in the prompt of the next one too.
    assert {each[1] for each in asked(workspace)} == {"Do maps lie?", "Coffee?"}
    assert done.left_out == {"recall only": 2}
    correct(workspace, NELL, coffee, f"Well. {PRIVATE}")
    assert import_session(workspace, session, "train", "corrected").left_out == {"recall only": 3}
    recalled = import_session(workspace, session, "recall", "corrected")
    assert (recalled.exchanges, recalled.left_out) == (4, {})


@pytest.mark.parametrize("use", ["recall", "none"])
def test_an_earlier_import_does_not_stand_in_the_way_of_training(workspace: Workspace, use: Use) -> None:
    session, answer = put(
        workspace, ("Do maps lie?", "They argue with the coast, and by Thursday the coast has won again.")
    )
    rate(workspace, answer, 1)
    assert import_session(workspace, session, use, "corrected").exchanges == 1
    done = import_session(workspace, session, "train", "corrected")
    assert (done.exchanges, done.left_out) == (1, {})
    assert list_sources(workspace.database)[0].use == "train"


def test_a_passage_that_is_gone_counts_as_one_for_recall_only(workspace: Workspace, diary: int) -> None:
    session, answer = put(workspace, TALK[0])
    with workspace.database.write():
        add_memories(workspace.database, answer, [(diary, "I moved the buoys.")])
        workspace.database.execute("DELETE FROM chunk")
    rate(workspace, answer, 1)
    with pytest.raises(UsageError, match="recall"):
        import_session(workspace, session, "train", "corrected")


def test_what_was_imported_outlives_its_session(workspace: Workspace) -> None:
    session, answer = put(workspace, TALK[0])
    rate(workspace, answer, 1)
    import_session(workspace, session, "recall", "corrected")
    forget_session(workspace, session)
    later, other = put(workspace, TALK[3], day="2026-02-02")
    rate(workspace, other, 1)
    import_session(workspace, later, "recall", "corrected")
    assert [each[1] for each in asked(workspace)] == ["Do maps lie?", "Coffee?"]
    with workspace.database.write():
        remove_session(workspace.database, later)
    with pytest.raises(UsageError):
        import_session(workspace, later, "recall", "corrected")
