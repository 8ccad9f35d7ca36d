"""`simulee journal` on a real terminal: the prompt, the draft that outlives a kill, the quick form, the editor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.corpus.drafts import DRAFT_FILE
from core.corpus.journal import save_entry
from core.store.documents import list_documents
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal

CTRL_C, CTRL_D = "\x03", "\x04"
Prompt = Callable[..., Terminal]


@pytest.fixture
def prompt(workspace: Workspace) -> Iterator[Prompt]:
    """``prompt(*arguments)``: the command on a terminal of its own, in the workspace."""
    terminals = []

    def do(*arguments: str, **environment: str) -> Terminal:
        settings = {"EDITOR": "", "VISUAL": "", **environment}
        terminals.append(Terminal([*COMMAND, "journal", *arguments], cwd=workspace.root, **settings))
        return terminals[-1]

    yield do
    for terminal in terminals:
        terminal.close()


def texts(workspace: Workspace) -> list[str]:
    return [entry.text for entry in list_documents(workspace.database)]


def drafted(workspace: Workspace, words: str) -> Callable[[], bool]:
    path = workspace.root / DRAFT_FILE
    return lambda: path.exists() and path.read_text() == words


def test_lines_become_an_entry_and_no_earlier_one_is_shown(workspace: Workspace, prompt: Prompt) -> None:
    save_entry(workspace, "A secret of the harbor")
    terminal = prompt()
    terminal.wait_for("\n>")
    terminal.type("Salt again\nand glass")
    terminal.wait_for("and glass")
    terminal.type(f"\n\x1b[A{CTRL_D}")  # An arrow up brings back nothing.
    assert terminal.wait() == 0
    assert texts(workspace)[1:] == ["Salt again\nand glass"]
    assert "saved as d2, 4 words" in terminal.text
    assert b"secret" not in terminal.output
    assert not (workspace.root / DRAFT_FILE).exists()


def left(terminal: Terminal) -> int | None:
    """The exit code once ctrl+d has ended the prompt: what is typed before it reads is not heard."""
    for _ in range(10):
        terminal.type(CTRL_D)
        if (code := terminal.wait(6)) is not None:
            return code
    return None


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, "hang up", CTRL_C])
def test_what_was_typed_outlives_its_end_and_is_gone_on_with(workspace: Workspace, prompt: Prompt, how: Any) -> None:
    terminal = prompt()
    terminal.wait_for("\n>")
    terminal.type("Salt again\nand half a li")
    terminal.wait_until(drafted(workspace, "Salt again\nand half a li"), "draft of the unfinished line", 30)
    if how == "hang up":
        terminal.hang_up()
        os.waitpid(terminal.pid, 0)
    elif how == CTRL_C:
        terminal.type(CTRL_C)
        assert terminal.wait() == 130
        assert "the draft comes again" in terminal.text
    else:
        terminal.send_signal(how)
        assert terminal.wait(60) is not None
    assert texts(workspace) == []
    terminal = prompt()
    terminal.wait_for("this is the draft you left")
    terminal.wait_for("> and half a li")
    terminal.type("ne\n")
    terminal.wait_until(drafted(workspace, "Salt again\nand half a line\n"), "draft", 30)
    assert left(terminal) == 0
    assert texts(workspace) == ["Salt again\nand half a line"]


@pytest.mark.parametrize("form", ["-", "--quick"])
def test_the_quick_form_takes_a_line_and_says_nothing(workspace: Workspace, prompt: Prompt, form: str) -> None:
    (workspace.root / DRAFT_FILE).write_text("a longer page")
    terminal = prompt(form)
    terminal.wait_for("journal>")
    terminal.type("One thought\n")
    assert terminal.wait() == 0
    assert terminal.text.strip() == "journal> One thought"
    assert texts(workspace) == ["One thought"]
    assert (workspace.root / DRAFT_FILE).read_text() == "a longer page"


def test_the_quick_form_takes_a_pipe_and_an_argument(workspace: Workspace, simulee: Any) -> None:
    here = ("-w", workspace.root)
    piped = subprocess.run(
        [*COMMAND, "journal", "-", "-w", str(workspace.root)], input="Two\nlines", capture_output=True, text=True
    )
    assert (piped.returncode, piped.stdout, piped.stderr) == (0, "", "")
    told = simulee("journal", "--quick", "From a key", *here)
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    assert texts(workspace) == ["Two\nlines", "From a key"]


def test_a_line_longer_than_the_terminal_takes_at_once_is_whole(workspace: Workspace, prompt: Prompt) -> None:
    terminal = prompt()
    terminal.wait_for("\n>")
    words = "salt " * 1_500
    terminal.type(f"{words}\n")
    terminal.wait_until(drafted(workspace, f"{words}\n"), "the whole line in the draft")
    terminal.type(CTRL_D)
    assert terminal.wait() == 0
    assert texts(workspace) == [words.rstrip()]


def test_keys_that_come_all_at_once_are_all_taken(workspace: Workspace, prompt: Prompt) -> None:
    terminal = prompt()
    terminal.wait_for("\n>")
    terminal.type(f"one\ntwo\n{CTRL_D}")
    assert terminal.wait() == 0
    assert texts(workspace) == ["one\ntwo"]


def test_an_empty_page_is_refused(workspace: Workspace, prompt: Prompt) -> None:
    terminal = prompt()
    terminal.wait_for("\n>")
    terminal.type(CTRL_D)
    assert terminal.wait() == 2
    assert "the entry is empty" in terminal.text


def test_the_editor_writes_into_the_draft_itself(workspace: Workspace, prompt: Prompt, tmp_path: Path) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "half a page" > "$1"\nkill -9 $PPID\n')
    script.chmod(0o700)
    terminal = prompt(EDITOR=str(script))
    assert terminal.wait() == -signal.SIGKILL
    deadline = time.monotonic() + 5
    while not drafted(workspace, "half a page")() and time.monotonic() < deadline:
        time.sleep(0.02)
    script.write_text('#!/bin/sh\nprintf ", and the rest" >> "$1"\n')
    terminal = prompt(EDITOR=str(script))
    assert terminal.wait() == 0
    assert texts(workspace) == ["half a page, and the rest"]
    script.write_text("#!/bin/sh\nexit 3\n")
    terminal = prompt(EDITOR=str(script))
    assert terminal.wait() == 1
    assert "ended with 3" in terminal.text.replace("\n", "")
    assert len(texts(workspace)) == 1


def test_a_draft_that_was_saved_before_a_kill_is_not_saved_twice(workspace: Workspace, prompt: Prompt) -> None:
    save_entry(workspace, "Saved, then killed")
    (workspace.root / DRAFT_FILE).write_text("Saved, then killed\n")
    terminal = prompt()
    terminal.wait_for("> Saved, then killed")
    assert left(terminal) == 2
    assert "was saved before" in terminal.text
    assert texts(workspace) == ["Saved, then killed"]


def test_the_prompt_imports_nothing_that_takes_time() -> None:
    late = ("typer", "pydantic", "apsw", "numpy", "tomlkit", "textual", "charset_normalizer", "tokenizers")
    code = f"import sys, tui.cli, tui.journal_prompt; print([name for name in {late!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_folder_of_the_settings_is_kept_in_step(workspace: Workspace, simulee: Any, tmp_path: Path) -> None:
    folder = tmp_path / "wiki"
    folder.mkdir()
    path = workspace.root / "persona.toml"
    path.write_text(f'{path.read_text()}[journal]\nsync = "{folder}"\n')
    (folder / "Harbor.tid").write_text("title: Harbor\ncreated: 20200101101010123\n\nThe heron from there")
    assert simulee("journal", "From here", "-w", workspace.root).stderr == ""
    deadline = time.monotonic() + 20
    while len(list(folder.glob("*.tid"))) < 2 or len(texts(workspace)) < 2:
        assert time.monotonic() < deadline, (workspace.root / "journal.log").read_text()
        time.sleep(0.05)
    for each in folder.iterdir():
        each.unlink()
    folder.rmdir()
    told = simulee("journal", "Once more", "-w", workspace.root)
    assert (told.returncode, "saved as d3" in told.stdout) == (0, True)
    assert told.stderr == f"the entry is saved, but the journal's folder {folder} is not there\n"
    gone = simulee("journal", "--sync", folder, "-w", workspace.root)
    assert (gone.returncode, gone.stderr.splitlines()[0]) == (2, f"simulee: the journal's folder {folder} is not there")


def test_sync_by_hand_tells_what_it_did_in_a_line_each(workspace: Workspace, simulee: Any, tmp_path: Path) -> None:
    here = ("-w", workspace.root)
    folder = tmp_path / "wiki"
    folder.mkdir()
    save_entry(workspace, "From here")
    (folder / "Harbor.tid").write_text("title: Harbor\n\nFrom there")
    done = simulee("journal", "--sync", folder, *here)
    assert (done.returncode, done.stdout) == (0, f"1 written to {folder}; 1 brought in, 0 changed here\n")
    (folder / "Harbor.tid").unlink()
    done = simulee("journal", "--sync", folder, *here)
    assert "1 are no longer in the folder and stay here: nothing is deleted here" in done.stdout
    assert len(texts(workspace)) == 2
    wrong = simulee("journal", "text", "--sync", folder, *here)
    assert wrong.returncode == 2
