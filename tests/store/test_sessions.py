"""Sessions are found by what was said in them, and keep messages, receipts and ratings."""

from __future__ import annotations

from core.store.sessions import (
    add_memories,
    add_message,
    add_receipts,
    begin_session,
    find_message,
    find_session,
    list_sessions,
    memories_of_message,
    question_of,
    rate_message,
    receipts_of_message,
    remove_session,
    session_messages,
)
from core.workspace import Workspace

AT = "2026-01-02T03:04:05+00:00"


def put_session(workspace: Workspace, *said: str, as_of: str = "") -> list[int]:
    """A session of alternating questions and answers; returns its id and the messages'."""
    database = workspace.database
    with database.write():
        session = begin_session(database, None, as_of, AT)
        messages = [
            add_message(database, session, "assistant" if place % 2 else "user", "Ada", text, "", {}, AT)
            for place, text in enumerate(said)
        ]
    return [session, *messages]


def test_the_session_talked_in_last_comes_first(workspace: Workspace) -> None:
    first, *_ = put_session(workspace, "Do you keep charts?", "I do.")
    second, *_ = put_session(workspace, "And tea?", "Under protest.", as_of="2019")
    assert [each.id for each in list_sessions(workspace.database)] == [second, first]
    with workspace.database.write():
        add_message(workspace.database, first, "user", "", "Still?", "", {}, AT)
    rows = list_sessions(workspace.database)
    assert [(each.id, each.questions, each.first) for each in rows] == [
        (first, 2, "Do you keep charts?"),
        (second, 1, "And tea?"),
    ]
    assert rows[1].as_of == "2019"


def test_every_word_must_be_said_somewhere_in_a_session(workspace: Workspace) -> None:
    charts, *_ = put_session(workspace, "Do you keep CHARTS?", "With the tea.")
    put_session(workspace, "Tea?", "Under protest, 100%.")
    assert [each.id for each in list_sessions(workspace.database, ["charts", "tea"])] == [charts]
    assert list_sessions(workspace.database, ["charts", "coffee"]) == []
    assert len(list_sessions(workspace.database, ["100%"])) == 1
    assert list_sessions(workspace.database, ["t%p"]) == [], "a percent sign is only a percent sign"


def test_a_session_that_holds_nothing_is_not_listed(workspace: Workspace) -> None:
    session, *_ = put_session(workspace)
    assert list_sessions(workspace.database) == []
    assert find_session(workspace.database, session) is None


def test_a_rating_is_kept_changed_and_taken_back(workspace: Workspace) -> None:
    session, question, answer = put_session(workspace, "Tea?", "Under protest.")
    for rating in (1, -1, -1, 0, 0):
        with workspace.database.write():
            rate_message(workspace.database, answer, rating, AT)
        assert [each.rating for each in session_messages(workspace.database, session)] == [0, rating]
    message = find_message(workspace.database, answer)
    assert message is not None
    asked = question_of(workspace.database, message)
    assert asked is not None
    assert (asked.id, asked.text) == (question, "Tea?")


def test_a_removed_session_takes_all_that_hangs_on_it(workspace: Workspace) -> None:
    session, _, answer = put_session(workspace, "Tea?", "Under protest. Always.")
    kept, *_ = put_session(workspace, "Charts?")
    with workspace.database.write():
        add_receipts(
            workspace.database, answer, [("Under protest.", None, 0.2, "style"), ("Always.", None, 0.1, "unsupported")]
        )
        rate_message(workspace.database, answer, 1, AT)
    assert [each.sentence for each in receipts_of_message(workspace.database, answer)] == ["Under protest.", "Always."]
    with workspace.database.write():
        add_memories(workspace.database, answer, [])
        remove_session(workspace.database, session)
    assert [each.id for each in list_sessions(workspace.database)] == [kept]
    assert receipts_of_message(workspace.database, answer) == []
    assert memories_of_message(workspace.database, answer) == []
    assert workspace.database.value("SELECT count(*) FROM message_rating") == 0


def test_the_numbers_of_a_removed_session_and_of_its_messages_are_not_given_again(workspace: Workspace) -> None:
    gone, *messages = put_session(workspace, "Tea?", "Under protest.")
    with workspace.database.write():
        remove_session(workspace.database, gone)
    session, *others = put_session(workspace, "Charts?", "I keep them.")
    assert session > gone
    assert min(others) > max(messages)
