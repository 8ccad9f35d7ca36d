"""Talking at the workbench: what is seen and what is stored, with a stand-in for the twin's server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from core.corpus import importing
from core.journey import EMBED
from core.review.decisions import Actor
from core.runs.control import run_to_end
from core.store.pairs import list_pairs
from core.store.sessions import add_message, begin_session, list_sessions, session_messages
from core.twin.preferences import correct
from core.workspace import Workspace
from tui.screens.chat.screen import ChatScreen
from tui.widgets.line_list import LineList
from tui.widgets.text import Words
from tui.widgets.transcript import TalkView

STUB = Path(__file__).with_name("twin_stub.py")
AT = "2026-01-02T03:04:05+00:00"
WORDS = "Every map is an argument with the coast. The coast wins by Thursday. Nobody asked the tide."


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one embedded note."""
    folder = tmp_path_factory.mktemp("words")
    note = folder / "2011-03-14 The argument with the coast.md"
    note.write_text(f"---\ntitle: The argument with the coast\ndate: 2011-03-14\n---\n{WORDS}\n")
    workspace = Workspace.create(folder / "ws", "Ada Marlow")
    choices, _ = importing.plan([note], None)
    sources = [asdict(importing.Request(str(choice.source.path), choice.importer.name)) for choice in choices]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    run_to_end(workspace, *EMBED, {})
    workspace.database.close()
    return workspace.root


@pytest.fixture
def twin(embedded: Path, tmp_path: Path) -> Iterator[Workspace]:
    """The same, with a stand-in that serves it."""
    root = Path(shutil.copytree(embedded, tmp_path / "ws"))
    stub = subprocess.Popen([sys.executable, str(STUB), str(root)], stdout=subprocess.PIPE)
    assert stub.stdout is not None
    assert stub.stdout.readline().strip() == b"ready"
    yield Workspace.open(root)
    stub.terminate()
    stub.communicate(timeout=20)


def stage(seat: Any) -> ChatScreen:
    screen = seat.bench.stage_now()
    assert isinstance(screen, ChatScreen)
    return screen


def talk(seat: Any) -> str:
    """What the transcript says."""
    return str(stage(seat).query_one(TalkView).shown)


def header(seat: Any) -> str:
    return str(stage(seat).query_one("#header", Words).shown)


async def ask(seat: Any, text: str, wait: bool = True) -> None:
    """Type into the input and send it."""
    stage(seat).field.put(text)
    await seat.press("enter")
    if wait:
        await seat.until(lambda: not stage(seat).busy)
        await seat.settle()


def answers(workspace: Workspace) -> list[str]:
    return [
        message.text
        for session in list_sessions(workspace.database)
        for message in session_messages(workspace.database, session.id)
        if message.role == "assistant"
    ]


def test_an_empty_talk_says_what_to_do_and_the_input_has_the_focus(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        assert "Ask Ada Marlow something" in talk(seat)
        assert "/recall" in talk(seat)
        assert "base model · as of today · memories on" in header(seat)
        assert "asleep" in header(seat)
        assert stage(seat).focused is stage(seat).field
        for key, said in (("plus", "no answer to rate"), ("c", "no answer to correct"), ("ctrl+r", "no answer to com"),
                          ("r", "nothing was asked"), ("y", "no answer to copy"), ("enter", "no passage here"),
                          ("x", "nothing is being answered"), ("minus", "no answer to rate")):  # fmt: skip
            await seat.press("escape", key)
            assert said in seat.said, key
        await seat.press("i")
        assert stage(seat).focused is stage(seat).field

    sit(workspace.root, "chat", work)


def test_an_answer_comes_with_its_marks_and_its_receipt_opens(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "Do maps lie?")
        assert "Every map is an argument.¹ I invented this.~" in talk(seat)
        assert "¹ The argument with the coast, 2011-03-14" in talk(seat)
        assert "nothing I wrote supports this sentence" in talk(seat)
        assert "session 1" in header(seat)
        assert "awake" in header(seat)
        await seat.press("escape", "end", "enter")
        assert "2011-03-14" in seat.shown
        assert "Nobody asked the tide." in seat.shown
        await seat.press("escape", "k", "enter")
        assert "Nobody asked the tide." in seat.shown, "on an answer, its first passage opens"

    sit(twin.root, "chat", work)
    (session,) = list_sessions(twin.database)
    assert session_messages(twin.database, session.id)[0].text == "Do maps lie?"


def test_ratings_corrections_and_copies(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "Do maps lie?")
        await seat.press("escape", "plus")
        assert "you called it good" in talk(seat)
        await seat.press("minus")
        assert "you called it bad" in talk(seat)
        await seat.press("minus")
        assert "you called it" not in talk(seat)
        await seat.press("plus", "c")
        assert "What should the answer have been?" in seat.shown
        await seat.press("escape")
        assert list_pairs(twin.database) == []
        await seat.press("c", "ctrl+a", *"No. ", "enter")
        await seat.until(lambda: "you corrected it" in talk(seat))
        assert "kept as a pair" in seat.said
        await seat.press("y")
        assert seat.bench.clipboard.startswith("Every map")

    sit(twin.root, "chat", work)
    (pair,) = list_pairs(twin.database)
    assert (pair.origin, pair.state, pair.preferred, pair.question) == (
        "correction", "accepted", "left", "Do maps lie?"
    )  # fmt: skip
    assert pair.left != pair.right
    assert session_messages(twin.database, 1)[1].rating == 1


@pytest.mark.parametrize(
    ("key", "state", "standing"), [("1", "accepted", 1), ("right", "accepted", 2), ("0", "rejected", 2)]
)
def test_two_answers_side_by_side(twin: Workspace, sit: Any, key: str, state: str, standing: int) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "Do maps lie?")
        await seat.press("ctrl+r")
        await seat.until(lambda: "0 both bad" in seat.shown)
        assert "That is answer 1" in seat.shown
        assert "That is answer 2" in seat.shown
        await seat.press(key)
        await seat.until(lambda: "kept as a pair" in seat.said)
        assert f"answer {standing} of 2" in talk(seat)

    sit(twin.root, "chat", work)
    (pair,) = list_pairs(twin.database)
    assert (pair.origin, pair.state) == ("comparison", state)


def test_retry_answers_the_same_question_again(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "Do maps lie?")
        await seat.press("escape", "r")
        await seat.until(lambda: "answer 2 of 2" in talk(seat))
        await seat.press("i")
        await ask(seat, "/retry")
        await seat.until(lambda: "answer 3 of 3" in talk(seat))

    sit(twin.root, "chat", work)
    assert [each.role for each in session_messages(twin.database, 1)] == ["user", *["assistant"] * 3]


def test_escape_stops_an_answer_and_keeps_what_was_said(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "drip it", wait=False)
        await seat.until(lambda: "Every map" in talk(seat))
        await ask(seat, "and another", wait=False)
        assert "esc stops it" in seat.said
        assert stage(seat).field.value == "and another"
        await seat.press("escape")
        await seat.until(lambda: "stopped before its end" in talk(seat))
        await seat.press("escape")
        assert stage(seat).focused is stage(seat).view

    sit(twin.root, "chat", work)
    (text,) = answers(twin)
    assert text.startswith("Every")
    assert "of True" not in text


@pytest.mark.parametrize(("question", "said"), [
    ("truncate", "broke off"), ("refuse", "the model ␛[31mbroke"), ("html", "has no end"),
])  # fmt: skip
def test_a_failing_server_is_told_and_the_talk_goes_on(twin: Workspace, sit: Any, question: str, said: str) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, question)
        await seat.until(lambda: "✗" in talk(seat))
        shown = " ".join(" ".join(seat.painted).split())
        assert said in shown or said in talk(seat)
        assert "\x1b" not in "".join(seat.painted)
        stored = bool(list_sessions(twin.database))
        assert (stage(seat).field.value == question) != stored, "the question is in the store or back in the input"
        await ask(seat, "Do maps lie?")
        assert "✗" not in talk(seat)
        assert "That is answer" in talk(seat)

    sit(twin.root, "chat", work)


def test_an_answer_that_went_without_memories_says_so(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "a forgetful question")
        assert "without 2 memories: the server" in seat.said
        assert "\x1b" not in "".join(seat.painted)
        assert len(answers(twin)) == 1

    sit(twin.root, "chat", work)


def test_commands(twin: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await ask(seat, "/as-of 2019")
        assert "as of 2019" in header(seat)
        await ask(seat, "/as-of soon")
        assert "is not a date" in seat.said
        await ask(seat, "/memories off")
        assert "memories off" in header(seat)
        await ask(seat, "/memories maybe")
        assert "on or off" in seat.said
        await ask(seat, "/hybrid on")
        assert "hybrid" in header(seat)
        await ask(seat, "/hybrid perhaps")
        assert "on or off" in seat.said
        await ask(seat, "/who Nell")
        assert "with Nell" in header(seat)
        await ask(seat, "/save")
        assert "holds nothing yet" in seat.said
        await ask(seat, "/dance wildly")
        assert "there is no /dance" in seat.said
        assert "/forget" in seat.said
        await ask(seat, "Do maps lie?")
        assert "of False." in " ".join(talk(seat).split())
        assert "fell back: the style is farther off" in seat.said
        assert "Nell" in talk(seat)
        await ask(seat, "/save")
        assert "saved in" in seat.said
        await ask(seat, "/recall the coast and the map")
        await seat.until(lambda: "Passages" in seat.shown)
        assert "Nobody asked the tide." in seat.shown
        await seat.press("escape")
        await ask(seat, "/as-of 2012")
        assert "new session" in header(seat), "a session has one date"
        await ask(seat, "And in 2012?")
        assert "session 2" in header(seat)
        await ask(seat, "/forget", wait=False)
        await seat.press("1")
        assert "session 2" in header(seat)
        await ask(seat, "/forget", wait=False)
        await seat.press("2")
        await seat.until(lambda: "is gone" in seat.said)
        assert "new session" in header(seat)

    sit(twin.root, "chat", work)
    (session,) = list_sessions(twin.database)
    assert (session.id, session.as_of) == (1, "2019")
    assert session_messages(twin.database, 1)[0].speaker == "Nell"
    saved = twin.exports / "session-1.md"
    assert "Do maps lie?" in saved.read_text("utf-8")
    assert saved.stat().st_mode & 0o777 == 0o600


def test_sessions_are_kept_searched_and_come_back_to(twin: Workspace, sit: Any) -> None:
    async def first(seat: Any) -> None:
        await seat.press("escape", "s")
        await seat.until(lambda: "no sessions yet" in "\n".join(seat.painted))
        await seat.press("escape", "i")
        await ask(seat, "Do maps lie?")
        await seat.press("escape", "n")
        assert "new session" in header(seat)
        await ask(seat, "What of tea?")
        await seat.press("escape", "s")
        await seat.until(lambda: "What of tea?" in seat.shown and "Do maps lie?" in seat.shown)
        await seat.press(*"lie")
        await seat.until(lambda: "What of tea?" not in seat.shown)
        await seat.press("enter")
        await seat.until(lambda: "session 1" in header(seat))
        assert "Do maps lie?" in talk(seat)
        assert "What of tea?" not in talk(seat)
        stage(seat).field.put("half a tho")
        seat.bench.remember_place()

    async def again(seat: Any) -> None:
        await seat.until(lambda: "Do maps lie?" in talk(seat))
        assert "session 1" in header(seat)
        assert stage(seat).field.value == "half a tho"
        await ask(seat, "And charts?")
        assert "session 1" in header(seat)

    sit(twin.root, "chat", first)
    sit(twin.root, "chat", again)
    assert [(each.id, each.questions) for each in list_sessions(twin.database)] == [(1, 2), (2, 1)]


def test_a_session_that_is_gone_leaves_an_empty_talk(workspace: Workspace, sit: Any) -> None:
    (workspace.root / "workbench.json").write_text(json.dumps({"chat": {"session": 99, "as_of": 3, "draft": [1]}}))

    async def work(seat: Any) -> None:
        assert "Ask Ada Marlow something" in talk(seat)
        assert "new session" in header(seat)

    sit(workspace.root, "chat", work)


def hostile_session(workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        session = begin_session(database, None, "", AT)
        for role, text in (
            ("user", "\x1b[2J[/nope] \u202e rtl " + "x" * 10_000),
            ("assistant", "[@click=app.quit]me[/] \x9b31m" + "word " * 4_000),
            ("user", "and unanswered"),
        ):
            message = add_message(database, session, role, "\x1b]52;c;aGk=\x07", text, "", {}, AT)
    correct(workspace, Actor("person", "Nell"), message - 1, "\x1b[31mred [/nope]")
    (workspace.root / "workbench.json").write_text(json.dumps({"chat": {"session": session}}))


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (20, 6), (1, 1)])
def test_hostile_words_and_any_size(workspace: Workspace, sit: Any, size: tuple[int, int]) -> None:
    hostile_session(workspace)

    async def work(seat: Any) -> None:
        if size[0] >= 80:
            await seat.until(lambda: "⚠" in talk(seat))
            assert "no answer: r asks again" in talk(seat)
        painted = "".join(seat.painted)
        assert not any(character in painted for character in "\x1b\x9b\u202e\x07")
        await seat.press("escape", "home", "j", "k", "end", "pageup", "space", "s", "escape", "c", "escape")

    sit(workspace.root, "chat", work, size=size)


def test_without_a_workspace_it_says_so(tmp_path: Path, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "Open a workspace" in talk(seat))
        await ask(seat, "hello?", wait=False)
        assert "Open a workspace" in talk(seat)

    sit(tmp_path, "chat", work)


@pytest.mark.slow
def test_a_twin_that_cannot_be_woken_says_why_and_gives_the_question_back(workspace: Workspace, sit: Any) -> None:
    settings = workspace.root / "persona.toml"
    settings.write_text(
        settings.read_text() + '\n[models.judge]\nengine = "transformers"\nmodel = "/nowhere/at/all"\n'
        '\n[twin]\njudgement = "recall"\n'
    )

    async def work(seat: Any) -> None:
        await ask(seat, "Anybody?", wait=False)
        assert "looking for the twin" in talk(seat) or "waking the twin" in talk(seat)
        await seat.until(lambda: "✗" in talk(seat), seconds=120)
        assert "cannot be woken" in talk(seat)
        assert "/nowhere/at/all" in talk(seat)
        assert stage(seat).field.value == "Anybody?"

    sit(workspace.root, "chat", work)


def test_the_screen_and_its_client_import_nothing_heavy() -> None:
    code = (
        "import sys, openai, tui.screens.chat.screen, core.twin.client, core.twin.transcript, core.twin.preferences\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers', 'xllamacpp'} & set(sys.modules)\n"
        "import core.twin.lookup\n"
        "print(sorted(heavy | {'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sessions_are_found_and_written_by_slash_commands(twin: Workspace, sit: Any) -> None:
    with twin.database.write():
        old = begin_session(twin.database, None, "", AT)
        add_message(twin.database, old, "user", "", "Where are the charts?", "", {}, AT)

    async def work(seat: Any) -> None:
        await ask(seat, "Do maps lie?")
        await ask(seat, "/export sillytavern", wait=False)
        await seat.until(lambda: "saved in" in seat.said)
        await ask(seat, "/export html", wait=False)
        await seat.until(lambda: "choose one of: markdown, messages, sillytavern" in seat.said)
        await ask(seat, "/find chart", wait=False)
        await seat.until(lambda: "Where are the charts?" in seat.shown)
        assert seat.bench.screen.query_one(LineList).count == 1
        await seat.press("enter")
        await seat.until(lambda: f"session {old}" in header(seat))

    sit(twin.root, "chat", work)
    (file,) = twin.exports.iterdir()
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert rows[1]["mes"] == "Do maps lie?"
    assert rows[2]["name"] == "Ada Marlow"
