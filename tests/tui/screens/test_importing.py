"""Import: a look before anything is stored, what a person settles, the run, its issues, and the next step."""

from __future__ import annotations

import subprocess
import sys
import threading
import zipfile

import pytest
from textual.events import Key
from textual.keys import _character_to_key

from core.corpus.journal import save_entry
from core.corpus.recent import sources_of
from core.runs.journal import list_runs
from core.store.conversations import exchanges_of, list_conversations
from core.workspace import Workspace
from tui.screens.importing.asking import look_at_line
from tui.screens.importing.parts import IssuesBox
from tui.widgets.boxes import ChoiceBox, ShowBox
from tui.widgets.inputs import Field
from tui.widgets.line_list import LineList

CHAT = "".join(f"14/02/2019, 18:{minute} - {who}: words number {minute}\n" for minute, who in
               [(14, "Mags"), (15, "Ada M."), (16, "Mags"), (17, "Ada M."), (18, "Mags")])  # fmt: skip
UNCLEAR_DATES = "".join(f"0{day}/02/2019, 18:31 - {who}: words {day}\n" for day, who in
                        [(3, "Mags"), (4, "Ada Marlow"), (5, "Mags"), (6, "Ada Marlow")])  # fmt: skip
DONE = {"format": "text", "confidence": 1.0, "documents": 1, "conversations": 0, "turns": 0, "exchanges": 0,
        "profiles": 0, "changed": 0, "removed": 0, "use": "train", "speakers": []}  # fmt: skip


def report(location="/letters/one.txt", added=1, issues=()):
    return DONE | {
        "location": location, "added": added, "skipped": len(issues),
        "issues": [{"locator": place, "reason": reason, "hint": ""} for place, reason in issues],
    }  # fmt: skip


async def look(seat, text):
    """Type a path and look into it."""
    await seat.press("slash")
    seat.bench.stage_now().query_one(Field).put(str(text))
    await seat.press("enter")
    await seat.until(lambda: not seat.bench.stage_now()._looking)
    await seat.settle()


async def settle(seat, key, choice):
    """Open a question and choose; wait for the look that follows."""
    await seat.press(key, choice)
    await seat.until(lambda: not seat.bench.stage_now()._looking)
    await seat.settle()


def cursor_on(seat, words):
    """Put the cursor on the row that says this."""
    rows = seat.bench.stage_now().query_one(LineList)
    for place in range(rows.count):
        row = "".join(part if isinstance(part, str) else part[0] for part in rows._row(place))
        if words in row:
            rows.go_to(place)
            return
    raise AssertionError(f"no row says {words!r}:\n{seat.shown}")


@pytest.fixture
def letters(tmp_path):
    """A folder of two clear files, one that could be either, and one that is nothing."""
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "chat.txt").write_text(CHAT, "utf-8")
    (folder / "notes.md").write_text("---\ntitle: Salt\ndate: 2014-03-01\n---\nSalt keeps.\n", "utf-8")
    (folder / "essay.txt").write_text("Some words.\n\nMore words.\n", "utf-8")
    (folder / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    return folder


def test_a_path_typed_right_behind_its_key_is_words(workspace, sit, letters):
    async def work(seat):
        for character in f"/{letters}":
            seat.bench.post_message(Key(_character_to_key(character), character))
        await seat.settle()
        assert seat.bench.stage_now().query_one(Field).value == str(letters)

    sit(workspace.root, "import", work)
    assert not list_runs(workspace.runs)


def test_an_empty_workspace_says_what_to_do(workspace, sit):
    async def work(seat):
        assert "Type / and a file or a folder" in seat.shown
        await seat.press("s")
        assert "name a file or a folder first" in seat.said
        for key in ("t", "f"):
            await seat.press(key)
            assert "look into a file first" in seat.said
        await seat.press("e")
        assert "nothing was left out" in seat.said
        await seat.press("c")
        assert "no import or embedding is running" in seat.said

    sit(workspace.root, "import", work)


def test_a_look_tells_the_format_why_the_speakers_and_the_use_and_stores_nothing(workspace, tmp_path, sit):
    path = tmp_path / "chat.txt"
    path.write_text(CHAT, "utf-8")

    async def work(seat):
        await look(seat, path)
        assert "whatsapp 95%: 5 of the first 5 lines begin with" in seat.shown
        assert "text 50%" in seat.shown
        assert "1 conversation · 2019" in seat.shown
        assert "Mags: words number 14" in seat.shown
        assert "○ Mags" in seat.shown
        assert "3 turns" in seat.shown
        assert "use    none: kept, and used for nothing" in seat.shown
        assert "nothing is stored yet" in seat.said
        assert sources_of(workspace) == []
        assert list_runs(workspace.runs) == []

    sit(workspace.root, "import", work)


def test_a_folder_shows_each_source_what_is_unclear_and_what_is_left_out(workspace, letters, sit):
    async def work(seat):
        await look(seat, letters)
        assert "✓ chat.txt" in seat.shown
        assert "✓ notes.md" in seat.shown
        assert "✗ essay.txt" in seat.shown
        assert "could be text, profile" in seat.shown
        assert "Left out: 2" in seat.shown
        await seat.press("e")
        assert isinstance(seat.bench.screen, IssuesBox)
        assert "a binary file, not text" in seat.shown
        assert "picture.png" in seat.shown
        await seat.press("down", "enter")
        assert isinstance(seat.bench.screen, ShowBox)
        await seat.press("escape", "escape")
        cursor_on(seat, "notes.md")
        await seat.press("enter")
        assert "use train" in seat.shown
        assert str(letters / "notes.md") in seat.shown

    sit(workspace.root, "import", work)


def test_the_format_of_one_source_can_be_overruled(workspace, letters, sit):
    async def work(seat):
        await look(seat, letters)
        cursor_on(seat, "Sources")
        await seat.press("f")
        assert "put the cursor on a source first" in seat.said
        cursor_on(seat, "essay.txt")
        await settle(seat, "f", "1")
        assert "✓ essay.txt" in seat.shown
        assert seat.bench.stage_now()._asked.formats == {str(letters / "essay.txt"): "text"}

    sit(workspace.root, "import", work)


def test_the_kind_settles_what_is_unclear(workspace, letters, sit):
    async def work(seat):
        await look(seat, letters / "essay.txt")
        assert "could be text, profile" in seat.shown
        await seat.press("s")
        assert "could be text, profile" in seat.said
        await settle(seat, "a", "4")
        assert "kind profile" in seat.shown
        assert "profile 80%: said to be profile" in seat.shown

    sit(workspace.root, "import", work)


def test_dates_that_read_two_ways_are_asked_about(workspace, tmp_path, sit):
    path = tmp_path / "chat.txt"
    path.write_text(UNCLEAR_DATES, "utf-8")

    async def work(seat):
        await look(seat, path)
        assert "day and month cannot be told apart" in seat.shown
        await seat.press("s")
        assert isinstance(seat.bench.screen, ChoiceBox)
        await seat.press("3")
        await seat.until(lambda: not seat.bench.stage_now()._looking)
        assert "dates month first" in seat.shown
        assert "cannot be told apart" not in seat.shown
        cursor_on(seat, "chat.txt")
        await seat.press("enter")
        assert "2019-03-02 to 2019-06-02" in seat.shown
        await seat.press("escape")
        await settle(seat, "d", "2")
        assert "dates day first" in seat.shown

    sit(workspace.root, "import", work)


def test_private_parts_are_left_out_until_they_are_let_in(workspace, sample, sit):
    async def work(seat):
        await look(seat, sample / "ada" / "winter-ledger.zip")
        assert "private parts left out" in seat.shown
        assert "draft, skipped" in seat.shown
        await seat.press("p")
        await seat.until(lambda: not seat.bench.stage_now()._looking)
        assert "private parts let in" in seat.shown
        assert "draft, skipped" not in seat.shown

    sit(workspace.root, "import", work)


def test_a_bad_path_and_an_address_are_one_clear_line(workspace, simulee, tmp_path, sit):
    address = "https://example.org/feed.xml"

    async def work(seat):
        await look(seat, "/nowhere/letters")
        assert "✗ letters: no such file or folder" in seat.shown
        assert "no such file or folder" in seat.said
        await look(seat, address)
        told = simulee("import", address, cwd=workspace.root)
        message = told.stderr.splitlines()[0].removeprefix("simulee: ")
        assert message in seat.shown
        assert told.stderr.splitlines()[1].strip() in seat.shown
        await look(seat, "   ")
        assert "no file or folder is named" in seat.said
        await seat.press("escape", "escape")
        assert "✗" not in seat.shown

    sit(workspace.root, "import", work)


def test_tab_completes_a_path(workspace, letters, sit):
    async def work(seat):
        await seat.press("slash")
        source = seat.bench.stage_now().query_one(Field)
        source.put(f"{letters}/no")
        await seat.press("tab")
        await seat.until(lambda: source.value == f"{letters}/notes.md")
        source.put(f"{letters}/")
        await seat.press("tab")
        await seat.until(lambda: "chat.txt, essay.txt" in seat.said)
        source.put(f"{letters}/zebra")
        await seat.press("tab")
        await seat.until(lambda: "nothing here begins so" in seat.said)
        await seat.press("escape")
        assert not seat.bench.stage_now().is_writing()

    sit(workspace.root, "import", work)


@pytest.mark.slow
def test_the_target_is_chosen_named_and_imported_and_embedding_is_offered(workspace, tmp_path, sit):
    path = tmp_path / "chat.txt"
    path.write_text(CHAT, "utf-8")

    async def work(seat):
        await look(seat, path)
        assert "nobody in it is the target" in seat.shown
        await seat.press("s")
        assert "choose who is the target" in seat.shown
        await seat.press("1")
        await seat.press("2")
        assert "◉ Ada M." in seat.shown
        await settle(seat, "u", "2")
        assert "use train" in seat.shown
        assert workspace.settings.aliases == ()
        await seat.press("s")
        await seat.until(lambda: "import-1 done" in seat.shown)
        assert "chat.txt: whatsapp, 1 conversations, 2 exchanges" in seat.shown
        assert "cut the new text into passages and embed them" in seat.shown
        assert seat.bench.stage_now().query_one(Field).value == ""
        cursor_on(seat, "chat.txt")
        await seat.press("enter")
        assert isinstance(seat.bench.screen, ShowBox)
        await seat.press("x", "escape")
        await seat.until(lambda: "Imported before" in seat.shown)
        cursor_on(seat, str(path)[-20:])
        await seat.press("enter")
        await seat.until(lambda: "imported 20" in seat.shown)
        assert "what is the same changes nothing" in seat.shown

    sit(workspace.root, "import", work)
    fresh = Workspace.open(workspace.root)
    assert fresh.settings.aliases == ("Ada M.",)
    assert [source.use for source in sources_of(fresh)] == ["train"]
    conversation = list_conversations(fresh.database)[0]
    assert len(exchanges_of(fresh.database, conversation.id)) == 2


def test_the_journal_is_not_offered_as_a_file_to_look_into(workspace, sit):
    save_entry(workspace, "Salt again")

    async def work(seat):
        await seat.until(lambda: "Nothing was imported yet" in seat.shown)

    sit(workspace.root, "import", work)


def test_who_is_marked_by_mistake_is_unmarked(workspace, tmp_path, sit):
    path = tmp_path / "chat.txt"
    path.write_text(CHAT, "utf-8")

    async def work(seat):
        await look(seat, path)
        cursor_on(seat, "○ Mags")
        await seat.press("enter")
        assert "◉ Mags" in seat.shown
        cursor_on(seat, "◉ Mags")
        await seat.press("enter")
        assert "○ Mags" in seat.shown
        assert "is not the target" in seat.said

    sit(workspace.root, "import", work)
    assert Workspace.open(workspace.root).settings.aliases == ()


def test_the_last_import_shows_its_issues_by_reason_and_the_next_step(workspace, history, sit):
    issues = [("line 3", "no date"), ("line 9", "no date"), ("line 12", "empty")]
    history(workspace, "import", state="done", result={"sources": [report(issues=issues)]})

    async def work(seat):
        assert "import-1 done: 1 sources, 1 added, 3 issues" in seat.shown
        assert "b  cut the new text into passages" in seat.shown
        await seat.press("e")
        assert isinstance(seat.bench.screen, IssuesBox)
        assert "2 × no date" in seat.shown
        assert "line 9" in seat.shown

    sit(workspace.root, "import", work)


def test_nothing_is_offered_once_it_is_embedded(workspace, history, sit):
    history(workspace, "import", state="done", result={"sources": [report(added=0)]})

    async def work(seat):
        assert "embed them" not in seat.shown

    sit(workspace.root, "import", work)


@pytest.mark.slow
def test_embedding_is_started_from_here(workspace, history, sit):
    history(workspace, "import", state="done", result={"sources": [report()]})

    async def work(seat):
        await seat.press("b")
        await seat.until(lambda: any(run.kind == "embed" for run in list_runs(workspace.runs)), 60)
        await seat.until(lambda: all(run.state != "running" for run in list_runs(workspace.runs)), 120)
        await seat.until(lambda: "embed them" not in seat.shown)

    sit(workspace.root, "import", work)


def test_a_running_import_is_shown_and_stopped_and_a_stopped_one_goes_on(workspace, history, at_work, sit):
    told = [("progress", {"done": 3, "total": 12, "rate": 1.0, "what": "letters.json: 400 records"})]
    run = history(workspace, "import", told)
    at_work(run)

    async def work(seat):
        await seat.until(lambda: "import-1 running 25%" in seat.shown)
        assert "letters.json: 400 records" in seat.shown
        await seat.press("c")
        await seat.until(lambda: "import-1 cancelled" in seat.shown)
        assert "stopped as asked" in seat.shown
        assert "s goes on" in seat.shown

    sit(workspace.root, "import", work)


def test_one_comes_back_to_what_one_looked_into(workspace, letters, sit):
    async def first(seat):
        await look(seat, letters)
        await seat.press("p")
        await seat.until(lambda: not seat.bench.stage_now()._looking)
        seat.bench.remember_place()

    async def second(seat):
        await seat.until(lambda: "✓ notes.md" in seat.shown)
        assert "private parts let in" in seat.shown
        assert seat.bench.stage_now().query_one(Field).value == str(letters)

    sit(workspace.root, "import", first)
    sit(workspace.root, "import", second)


def test_a_path_that_is_pasted_is_looked_into(workspace, letters, sit):
    from textual.events import Paste

    async def work(seat):
        seat.bench.screen.post_message(Paste(f"'{letters}/notes.md'\n"))
        await seat.until(lambda: "markdown" in seat.shown)

    sit(workspace.root, "import", work)


@pytest.fixture
def slow_looks(monkeypatch):
    """Once set, a look goes on until it is stopped."""
    slow = threading.Event()

    def do(line, formats, options, stop, seen):
        if slow.is_set():
            stop.wait(60)
        return look_at_line(line, formats, options, stop, seen)

    monkeypatch.setattr("tui.screens.importing.screen.look_at_line", do)
    return slow


@pytest.mark.parametrize("asked", ["another source", "private parts"])
def test_what_was_seen_is_not_imported_for_something_else_whose_look_was_stopped(
    workspace, letters, sit, slow_looks, asked
):
    async def work(seat):
        await look(seat, letters / "chat.txt")
        assert "whatsapp" in seat.shown
        slow_looks.set()
        if asked == "private parts":
            await seat.press("p")
        else:
            await seat.press("slash")
            seat.bench.stage_now().query_one(Field).put(str(letters / "notes.md"))
            await seat.press("enter")
        await seat.press("escape")
        await seat.until(lambda: "stopped looking" in seat.said)
        assert "whatsapp" not in seat.shown
        await seat.press("s")
        assert "name a file or a folder first" in seat.said
        assert seat.bench.screen is seat.bench.stage_now()

    sit(workspace.root, "import", work)
    assert list_runs(workspace.runs) == []


def test_a_source_that_is_typed_and_not_looked_into_is_not_taken_for_the_one_before(workspace, letters, sit):
    async def work(seat):
        await look(seat, letters / "notes.md")
        await seat.press("slash")
        seat.bench.stage_now().query_one(Field).put(str(letters / "chat.txt"))
        await seat.press("escape", "s")
        assert "names something else now: i looks into it" in seat.said
        await seat.press("i")
        await seat.until(lambda: "whatsapp" in seat.shown)

    sit(workspace.root, "import", work)
    assert list_runs(workspace.runs) == []


def test_looking_again_sees_what_has_changed(workspace, letters, sit):
    async def work(seat):
        await look(seat, letters)
        (letters / "more.md").write_text("---\ntitle: More\n---\nwords\n", "utf-8")
        await seat.press("i")
        await seat.until(lambda: "✓ more.md" in seat.shown)

    sit(workspace.root, "import", work)


def test_hostile_sources_are_shown_with_marks(workspace, tmp_path, sit):
    path = tmp_path / "chat.txt"
    evil = "\x1b]52;c;ZXZpbA==\x07[/nope][@click=app.quit]x" + "y" * 10_000
    path.write_text("".join(f"{day}/02/2019, 18:31 - {who}: {evil}\n" for day, who in
                            [(14, "[b]Mags[/b]\x1b[31m"), (15, "Ada Marlow")] * 3), "utf-8")  # fmt: skip

    async def work(seat):
        await look(seat, path)
        assert "[/nope]" in seat.shown
        assert not any("\x1b" in painted or "\x07" in painted for painted in seat.painted)
        await seat.press("t", "escape")
        assert seat.bench.is_running

    sit(workspace.root, "import", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_any_size_will_do(workspace, letters, sit, size):
    async def work(seat):
        await look(seat, letters)
        assert seat.bench.stage_now()._sight is not None

    sit(workspace.root, "import", work, size)


def test_without_a_workspace_it_says_so(tmp_path, sit):
    async def work(seat):
        assert "There is no workspace here" in seat.shown
        await seat.press("slash", "x", "enter")
        assert "There is no workspace here" in seat.shown

    sit(tmp_path / "none", "import", work)


def test_the_screen_imports_nothing_heavy(workspace, tmp_path):
    path = tmp_path / "chat.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("chat.txt", CHAT)
    code = (
        "import sys, threading\n"
        "import tui.screens.importing.screen, tui.screens.importing.rows\n"
        "from tui.screens.importing.asking import Asked, look_at_line\n"
        f"look_at_line({str(path)!r}, {{}}, Asked().options(), threading.Event(), [0, 0])\n"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
