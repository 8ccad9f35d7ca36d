"""A session written for other programs reads as it was said, whatever was said in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import UsageError
from core.review.decisions import Actor
from core.store.sessions import add_message, begin_session, remove_session
from core.twin.preferences import compare, correct, rate
from core.twin.session_files import as_messages, as_sillytavern, export_session, session_number
from core.twin.transcript import as_markdown, load_transcript
from core.workspace import Workspace

NELL = Actor("person", "Nell")
AT = "2026-01-02T03:04:05+00:00"
TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",), exclude_characters="\0")
               | st.sampled_from("\n\r\x85\u2028\u2029\x1c\"\\"), max_size=40)  # fmt: skip
ASKER = st.sampled_from(["", "Nell", "Ines \u2028 Calder"])
TALK = st.lists(st.tuples(ASKER, TEXT, st.lists(TEXT, max_size=3)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = Workspace.create(tmp_path_factory.mktemp("shelf") / "ws", "Ada Marlow")
    yield workspace
    workspace.database.close()


def put(workspace: Workspace, talk: list[tuple[str, str, list[str]]]) -> tuple[int, list[int]]:
    """A session of (asker, question, answers); its id, and the ids of the answers."""
    database = workspace.database
    answers = []
    with database.write():
        session = begin_session(database, None, "2019", AT)
        for asker, question, said in talk:
            add_message(database, session, "user", asker, question, "", {}, AT)
            answers += [add_message(database, session, "assistant", "Ada", text, "p", {}, AT) for text in said]
    return session, answers


def rows(text: str) -> list[dict[str, Any]]:
    """As a careless reader takes lines: at everything that Unicode calls a line break."""
    return [json.loads(line) for line in text.splitlines()]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(TALK)
def test_messages_read_back_as_they_were_said(shelf: Workspace, talk: list[tuple[str, str, list[str]]]) -> None:
    session, _ = put(shelf, talk)
    (row,) = rows(as_messages(load_transcript(shelf, session)))
    expected = []
    for _, question, answers in talk:
        expected.append({"role": "user", "content": question})
        if answers and answers[-1]:
            expected.append({"role": "assistant", "content": answers[-1]})
    assert row == {"messages": expected}
    with shelf.database.write():
        remove_session(shelf.database, session)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(TALK)
def test_a_chat_of_sillytavern_reads_back_as_it_was_said(
    shelf: Workspace, talk: list[tuple[str, str, list[str]]]
) -> None:
    session, _ = put(shelf, talk)
    header, *messages = rows(as_sillytavern(load_transcript(shelf, session), "Ada Marlow"))
    assert header["character_name"] == "Ada Marlow"
    assert header["user_name"] == next((asker for asker, _, _ in talk if asker), "You")
    assert header["chat_metadata"]["simulee"] == {"session": session, "as_of": "2019", "adapter": ""}
    expected = []
    for asker, question, answers in talk:
        expected.append((asker or "You", True, AT, question, None))
        if answers and answers[-1]:
            expected.append(("Ada Marlow", False, AT, answers[-1], answers if len(answers) > 1 else None))
    assert [(m["name"], m["is_user"], m["send_date"], m["mes"], m.get("swipes")) for m in messages] == expected
    assert all(m["swipes"][m["swipe_id"]] == m["mes"] for m in messages if "swipes" in m)
    with shelf.database.write():
        remove_session(shelf.database, session)


def test_what_stands_is_exported_and_the_rest_are_swipes(workspace: Workspace) -> None:
    session, (first, second, _) = put(
        workspace, [("Nell", "Do maps lie?", ["They do.", "They argue."]), ("", "Tea?", [""])]
    )
    compare(workspace, NELL, first, second, "left")
    (row,) = rows(as_messages(load_transcript(workspace, session)))
    assert [each["content"] for each in row["messages"]] == ["Do maps lie?", "They do.", "Tea?"]
    (_, _, answer, _) = rows(as_sillytavern(load_transcript(workspace, session), "Ada"))
    assert (answer["mes"], answer["swipes"], answer["swipe_id"]) == ("They do.", ["They do.", "They argue."], 0)
    correct(workspace, NELL, first, "They flatter.")
    (row,) = rows(as_messages(load_transcript(workspace, session)))
    assert row["messages"][1]["content"] == "They flatter."
    (_, _, answer, _) = rows(as_sillytavern(load_transcript(workspace, session), "Ada"))
    assert (answer["mes"], answer["swipe_id"]) == ("They flatter.", 2)
    assert answer["swipes"] == ["They do.", "They argue.", "They flatter."]


@pytest.mark.parametrize(("finish", "mark"), [("stopped", " *(stopped)*"), ("broken", " *(broken off)*"), ("stop", "")])
def test_an_answer_without_its_end_is_marked_and_taught_to_nobody(workspace: Workspace, finish: str, mark: str) -> None:
    database = workspace.database
    with database.write():
        session = begin_session(database, None, "", AT)
        add_message(database, session, "user", "Nell", "Do maps lie?", "", {}, AT)
        answer = add_message(database, session, "assistant", "Ada", "They argue with", "p", {"finish": finish}, AT)
    transcript = load_transcript(workspace, session)
    assert f"**Ada Marlow:** They argue with{mark}\n" in as_markdown(transcript, "Ada Marlow")
    (row,) = rows(as_messages(transcript))
    assert ("They argue with" in [each["content"] for each in row["messages"]]) == (not mark)
    rate(workspace, answer, 1)
    (row,) = rows(as_messages(load_transcript(workspace, session)))
    assert row["messages"][1]["content"] == "They argue with", "a person called it good as it is"
    rate(workspace, answer, 0)
    correct(workspace, NELL, answer, "They argue with the coast.")
    (row,) = rows(as_messages(load_transcript(workspace, session)))
    assert row["messages"][1]["content"] == "They argue with the coast."


def test_files_are_the_persons_alone_and_replaced_whole(workspace: Workspace, tmp_path: Path) -> None:
    session, _ = put(workspace, [("", "Do maps lie?", ["They do."])])
    for name, file in (("markdown", f"session-{session}.md"), ("messages", f"session-{session}.messages.jsonl"),
                       ("sillytavern", f"session-{session}.sillytavern.jsonl")):  # fmt: skip
        path = export_session(workspace, session, name)
        assert path == workspace.exports / file
        assert path.stat().st_mode & 0o777 == 0o600
        assert "They do." in path.read_text("utf-8")
    kept = tmp_path / "kept.jsonl"
    kept.write_text("before")
    assert export_session(workspace, session, "messages", kept) == kept
    assert "before" not in kept.read_text("utf-8")


def test_what_cannot_be_exported_is_refused_in_words(workspace: Workspace, tmp_path: Path) -> None:
    session, _ = put(workspace, [("", "Do maps lie?", ["They do."])])
    for number, name, path in (
        (session, "html", None), (session + 1, "messages", None),
        (session, "messages", tmp_path / "none" / "f"), (session, "messages", tmp_path),
    ):  # fmt: skip
        with pytest.raises(UsageError) as refused:
            export_session(workspace, number, name, path)
        assert refused.value.hint
    assert [session_number(each) for each in ("12", "s12")] == [12, 12]
    for wrong in ("", "s", "12s", "m12", "-1", "ss1", "９", "9" * 30):
        with pytest.raises(UsageError):
            session_number(wrong)
