"""One's own editor on a real terminal: it fails, it is interrupted, or the terminal is closed under it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from core.corpus.drafts import DRAFT_FILE
from core.reconfigure import draft_waits
from core.store.decisions import list_decisions
from core.workspace import Workspace
from tests.pty_terminal import Terminal
from tests.review_rows import fill

Open = Callable[..., Terminal]


def script(folder: Path, lines: str) -> str:
    """An editor that does these lines of shell; ``$1`` is the file."""
    path = folder / "editor"
    path.write_text(f"#!/bin/sh\n{lines}\n")
    path.chmod(0o700)
    return str(path)


def saves_and_stays(folder: Path, words: str) -> str:
    return script(folder, f"printf '{words}' > \"$1\"\n: > {folder}/saved\nexec sleep 60")


def lose(terminal: Terminal, folder: Path) -> None:
    """Close the terminal once the editor has saved."""
    terminal.wait_until((folder / "saved").exists, "saved file")
    terminal.hang_up()
    assert terminal.ends()


def write_in_the_journal(terminal: Terminal, workspace: Workspace, words: str) -> None:
    """Type words into the page, and wait until they are in its draft."""
    draft = workspace.root / DRAFT_FILE
    terminal.wait_for("leave the input")
    terminal.type(words)
    terminal.wait_until(lambda: draft.exists() and draft.read_text() == words, "draft")


def test_an_editor_that_fails_gives_the_workbench_back(workspace: Workspace, open_terminal: Open) -> None:
    terminal = open_terminal(workspace.root, "--screen", "journal", VISUAL="", EDITOR="false")
    write_in_the_journal(terminal, workspace, "Salt again")
    terminal.type("\x0f")
    terminal.wait_for("false ended with 1")
    terminal.type("\x1b")
    terminal.settle()
    terminal.type(" and more")
    terminal.wait_for("Salt again and more")


def test_a_key_that_interrupts_the_editor_is_the_editor_s(
    workspace: Workspace, open_terminal: Open, tmp_path: Path
) -> None:
    editor = script(
        tmp_path, "trap 'printf interrupted > \"$1\"; exit 0' INT\necho stands\nwhile :; do sleep 0.1; done"
    )
    terminal = open_terminal(workspace.root, "--screen", "journal", VISUAL=editor)
    write_in_the_journal(terminal, workspace, "Begun")
    terminal.type("\x0f")
    terminal.wait_until(lambda: b"stands" in terminal.output, "editor")
    terminal.type("\x03")
    terminal.wait_for("interrupted")
    terminal.type(" it goes on")
    terminal.wait_for("interrupted it goes on")


def test_an_entry_saved_in_the_editor_outlives_the_terminal(
    workspace: Workspace, open_terminal: Open, tmp_path: Path
) -> None:
    editor = saves_and_stays(tmp_path, "Saved in the editor\\n")
    terminal = open_terminal(workspace.root, "--screen", "journal", VISUAL=editor)
    write_in_the_journal(terminal, workspace, "Begun")
    terminal.type("\x0f")
    lose(terminal, tmp_path)
    assert (workspace.root / DRAFT_FILE).read_text().strip() == "Saved in the editor"
    again = open_terminal(workspace.root, "--screen", "journal")
    again.wait_for("Saved in the editor")


def test_a_card_s_words_saved_in_the_editor_outlive_the_terminal(
    workspace: Workspace, open_terminal: Open, tmp_path: Path
) -> None:
    fill(workspace.database, 10)
    editor = saves_and_stays(tmp_path, "Saved in the editor\\n")
    terminal = open_terminal(workspace.root, "--screen", "review", VISUAL=editor)
    terminal.wait_for("1 of 10")
    terminal.settle()
    terminal.type("E")
    lose(terminal, tmp_path)
    again = open_terminal(workspace.root, "--screen", "review", VISUAL=script(tmp_path, "echo ' and more' >> \"$1\""))
    again.wait_for("was left in the editor")
    again.settle()
    again.type("E")
    again.wait_until(lambda: bool(list_decisions(workspace.database)), "decision")
    (decision,) = list_decisions(workspace.database)
    assert " ".join(decision.text.split()) == "Saved in the editor and more"
    again.wait_for("2 of 10")
    again.settle()
    assert not [*workspace.root.glob("review-edit*")]


def test_settings_saved_in_the_editor_outlive_the_terminal(
    workspace: Workspace, open_terminal: Open, tmp_path: Path
) -> None:
    editor = saves_and_stays(tmp_path, 'name = "Ada Marlow"\\n[retrieval]\\nk = 9\\n')
    terminal = open_terminal(workspace.root, "--screen", "settings", VISUAL=editor)
    terminal.wait_for('"Ada Marlow"')
    terminal.type("e")
    lose(terminal, tmp_path)
    assert draft_waits(workspace)
    again = open_terminal(workspace.root, "--screen", "settings", VISUAL="true")
    again.wait_for("a changed text waits")
    again.type("e")
    again.wait_for("persona.toml is saved")
    workspace.forget_settings()
    assert workspace.settings.retrieval.k == 9
