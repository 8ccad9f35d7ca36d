"""The settings: what holds and where it was said, one's own editor, a mistake that costs nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.reconfigure import DRAFT_FILE, draft_waits
from core.settings import effective_settings, parse_settings
from core.store.conversations import exchanges_of, list_conversations
from core.workspace import SETTINGS_FILE, Workspace
from tui.widgets.boxes import ChoiceBox, ShowBox


def editor(folder: Path, monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    """An editor that writes these texts, one for each time it is opened, and keeps what it was given."""
    script = folder / "editor"
    for number, text in enumerate(texts):
        (folder / f"text{number}").write_text(text)
    script.write_text(
        f'#!/bin/sh\ncd "{folder}"\nn=$(cat count 2>/dev/null || echo 0)\n'
        'cp "$1" given$n\ncat text$n > "$1"\necho $((n+1)) > count\n'
    )
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))


def line_of(seat: Any, words: str) -> str:
    return next(line for line in seat.shown.splitlines() if words in line)


def test_every_setting_is_shown_with_where_it_was_said(workspace: Workspace, sit: Any) -> None:
    path = workspace.root / SETTINGS_FILE
    path.write_text(path.read_text() + '[retrieval]\nk = 7\n[models.judge]\nengine = "extractive"\n')

    async def work(seat: Any) -> None:
        await seat.until(lambda: "chunk_tokens" in seat.shown)
        assert "7" in line_of(seat, "  k  ")
        assert "persona.toml" in line_of(seat, "  k  ")
        assert "default" in line_of(seat, "chunk_tokens")
        assert "✓ ok" in line_of(seat, "embedder  ")
        assert "packaged" in line_of(seat, "embedder  ")
        assert "✗ not ok" in line_of(seat, "judge  ")
        shown = seat.shown
        for setting in effective_settings(path):
            assert f"  {setting.key} " in shown, setting

    sit(workspace.root, "settings", work)


def test_an_edit_is_checked_saved_and_holds_at_once(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, 'name = "Ada Marlow"\n# my own remark\n[retrieval]\nk = 9\n')

    async def work(seat: Any) -> None:
        await seat.press("e")
        await seat.until(lambda: "saved" in seat.said)
        await seat.until(lambda: "9" in line_of(seat, "  k  "))
        assert seat.bench.workspace.settings.retrieval.k == 9
        assert await seat.bench.read(lambda seen: seen.settings.retrieval.k) == 9

    sit(workspace.root, "settings", work)
    assert "# my own remark" in (workspace.root / SETTINGS_FILE).read_text()
    assert (tmp_path / "given0").read_text() == 'name = "Ada Marlow"\n'


def test_a_mistake_is_shown_with_its_line_and_nothing_is_lost(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (workspace.root / SETTINGS_FILE).read_text()
    wrong = 'name = "Ada Marlow"\n[retrieval]\nk = 900 # much work\n'
    editor(tmp_path, monkeypatch, wrong, wrong.replace("900", "[/nope]"), wrong.replace("900", "90"))

    async def work(seat: Any) -> None:
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        assert "line 3: retrieval.k" in seat.shown
        assert (workspace.root / SETTINGS_FILE).read_text() == before
        await seat.press("1")
        await seat.until(lambda: "not valid TOML" in seat.shown)
        await seat.press("2")
        await seat.until(lambda: "a changed text waits" in seat.shown)
        await seat.press("e")
        await seat.until(lambda: "saved" in seat.said)

    sit(workspace.root, "settings", work)
    assert (tmp_path / "given1").read_text() == wrong
    assert "[/nope]" in (tmp_path / "given2").read_text()
    assert parse_settings((workspace.root / SETTINGS_FILE).read_text(), "x").retrieval.k == 90
    assert not (workspace.root / DRAFT_FILE).exists()


def leave_draft(seat: Any) -> Any:
    """Write a text with a mistake, and leave it for later."""

    async def do() -> None:
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("2")
        await seat.until(lambda: "a changed text waits" in seat.shown)

    return do()


def test_a_text_that_waits_does_not_overwrite_settings_that_were_changed_since(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = 'name = "Ada Marlow"\n[retrieval]\nk = 900\n'
    editor(tmp_path, monkeypatch, wrong, wrong.replace("900", "9"))
    newer = 'name = "Ada Marlow"\naliases = ["A. M."]\n'

    async def work(seat: Any) -> None:
        await leave_draft(seat)
        (workspace.root / SETTINGS_FILE).write_text(newer)
        await seat.press("e")
        await seat.until(lambda: "was changed since" in seat.shown)
        await seat.press("escape")
        assert (workspace.root / SETTINGS_FILE).read_text() == newer
        await seat.press("e", "2")
        await seat.until(lambda: "saved" in seat.said)

    sit(workspace.root, "settings", work)
    assert (tmp_path / "given1").read_text() == wrong
    assert parse_settings((workspace.root / SETTINGS_FILE).read_text(), "x").retrieval.k == 9


def test_settings_that_were_broken_while_a_text_waits_can_be_opened(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = 'name = "Ada Marlow"\nnmae = 1\n'
    editor(tmp_path, monkeypatch, 'name = "Ada Marlow"\n[retrieval]\nk = 900\n', 'name = "Ada Marlow"\n')

    async def leave(seat: Any) -> None:
        await leave_draft(seat)

    async def mend(seat: Any) -> None:
        assert "nmae" in seat.said
        await seat.press("e", "1")
        await seat.until(lambda: seat.bench.workspace is not None)

    sit(workspace.root, "settings", leave)
    (workspace.root / SETTINGS_FILE).write_text(broken)
    sit(workspace.root, "settings", mend)
    assert (tmp_path / "given1").read_text() == broken
    assert not draft_waits(workspace)


def test_settings_that_change_while_one_edits_are_not_overwritten(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = 'name = "Ada Marlow"\naliases = ["A. M."]\n'
    (tmp_path / "newer").write_text(newer)
    script = tmp_path / "editor"
    script.write_text(
        f'#!/bin/sh\necho "[retrieval]\nk = 9" >> "$1"\ncp {tmp_path}/newer {workspace.root}/persona.toml\n'
    )
    script.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(script))

    async def work(seat: Any) -> None:
        await seat.press("e")
        await seat.until(lambda: "was changed while you edited it" in seat.shown)
        await seat.press("2")
        await seat.until(lambda: "a changed text waits" in seat.shown)

    sit(workspace.root, "settings", work)
    assert (workspace.root / SETTINGS_FILE).read_text() == newer


def test_a_text_with_a_mistake_can_be_dropped(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor(tmp_path, monkeypatch, "no toml")

    async def work(seat: Any) -> None:
        await seat.press("e")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("3")
        await seat.until(lambda: "dropped" in seat.said)

    sit(workspace.root, "settings", work)
    assert not (workspace.root / DRAFT_FILE).exists()
    assert parse_settings((workspace.root / SETTINGS_FILE).read_text(), "x").name == "Ada Marlow"


def test_settings_that_keep_the_workspace_closed_can_be_mended_here(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.root / SETTINGS_FILE).write_text('name = "Ada Marlow"\nnmae = 1\n')
    editor(tmp_path, monkeypatch, 'name = "Ada Marlow"\n')

    async def work(seat: Any) -> None:
        assert "nmae" in seat.said
        await seat.press("e")
        await seat.until(lambda: seat.bench.workspace is not None)
        await seat.until(lambda: "chunk_tokens" in seat.shown)

    sit(workspace.root, "settings", work)


def test_other_names_of_the_target_give_other_exchanges(
    workspace: Workspace, sit: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, import_paths: Any
) -> None:
    chat = tmp_path / "talk.txt"
    chat.write_text("Ines: Do maps lie?\n\nA. M.: They argue.\n\nInes: With whom?\n\nA. M.: With the coast.\n")
    import_paths(workspace, [chat], "transcript")
    (talk,) = list_conversations(workspace.database)
    assert not exchanges_of(workspace.database, talk.id)
    editor(tmp_path, monkeypatch, 'name = "Ada Marlow"\naliases = ["A. M."]\n')

    async def work(seat: Any) -> None:
        await seat.press("e")
        await seat.until(lambda: "saved" in seat.said)

    sit(workspace.root, "settings", work)
    assert [each.answer for each in exchanges_of(workspace.database, talk.id)] == ["They argue.", "With the coast."]


def test_theme_motion_and_mouse_are_kept(workspace: Workspace, sit: Any) -> None:
    async def choose(seat: Any) -> None:
        await seat.press("t")
        await seat.until(lambda: isinstance(seat.bench.screen, ChoiceBox))
        await seat.press("2")
        await seat.until(lambda: seat.bench.theme == "simulee-light")
        await seat.press("m")
        assert "reduced" in seat.said
        mouse = line_of(seat, "  mouse ")
        await seat.press("u")
        await seat.until(lambda: line_of(seat, "  mouse ") != mouse)

    async def again(seat: Any) -> None:
        assert seat.bench.theme == "simulee-light"
        assert seat.bench.animation_level == "none"
        assert "simulee-light" in line_of(seat, "  theme ")
        assert "on" in line_of(seat, "  reduced motion ")
        kept = json.loads((workspace.root / "workbench.json").read_text())["app"]["mouse"]
        assert line_of(seat, "  mouse ").split()[1].rstrip(":") == ("on" if kept else "off")
        await seat.press("m")
        assert seat.bench.animation_level == "full"

    sit(workspace.root, "settings", choose)
    sit(workspace.root, "settings", again)


@pytest.mark.slow
def test_everything_is_checked_in_a_process_of_its_own(workspace: Workspace, sit: Any) -> None:
    async def work(seat: Any) -> None:
        await seat.press("c")
        assert "checking" in seat.said
        await seat.until(lambda: isinstance(seat.bench.screen, ShowBox), 120)
        assert "✓ ok" in line_of(seat, "database")
        await seat.press("escape")
        assert "checks" in seat.said

    sit(workspace.root, "settings", work)


def test_without_a_workspace_the_workbench_s_own_choices_work_until_it_is_left(
    tmp_path: Path, sit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def work(seat: Any) -> None:
        assert "no workspace" in seat.shown
        assert "until you leave: a workspace would keep them" in line_of(seat, "Workbench")
        assert "kept for this workspace" not in seat.shown
        await seat.press("m")
        assert "on" in line_of(seat, "  reduced motion ")
        assert "persona.toml" not in seat.painted[-1]
        assert "theme" in seat.painted[-1]
        await seat.press("e")
        assert "this needs a workspace" in seat.said

    sit(None, "settings", work)


@pytest.mark.slow
def test_without_a_workspace_none_is_told_to_be_all_right(
    tmp_path: Path, sit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def work(seat: Any) -> None:
        await seat.press("c")
        await seat.until(lambda: isinstance(seat.bench.screen, ShowBox), 120)
        assert "– none" in line_of(seat, "workspace  ")
        assert "no workspace is open" in seat.said
        checks = [line for line in seat.shown.splitlines() if line.startswith("✓ ok")]
        assert f"{len(checks)} checks, all ok" in seat.said

    sit(None, "settings", work)


@pytest.mark.parametrize("size", [(1, 1), (20, 5), (120, 40)])
def test_it_lives_at_any_size(workspace: Workspace, sit: Any, size: tuple[int, int]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("j", "end", "t", "escape")

    sit(workspace.root, "settings", work, size=size)
