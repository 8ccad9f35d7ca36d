"""The registry of actions: one place for ids, keys and words, and one's own keys over it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import SettingsError
from core.workspace import Workspace
from tui.app import SCREENS, Options, Workbench
from tui.keys import ACTIONS, EVERYWHERE, GO_KEYS, Keymap, key_table, load_keymap, shown
from tui.readme import with_key_table

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a keys.toml where the workbench looks for it."""

    def do(text: str) -> Path:
        path = tmp_path / "keys.toml"
        path.write_text(text)
        monkeypatch.setenv("SIMULEE_KEYS", str(path))
        return path

    return do


def test_ids_are_unique_and_belong_to_a_screen() -> None:
    ids = [action.id for action in ACTIONS]
    assert len(ids) == len(set(ids))
    assert {action.where for action in ACTIONS} <= {EVERYWHERE, *SCREENS}
    assert set(GO_KEYS.values()) == set(SCREENS)


def test_every_action_of_every_screen_does_something() -> None:
    async def run() -> list[str]:
        bench = Workbench()
        async with bench.run_test():
            owners = {EVERYWHERE: bench, **{name: bench.stage(name) for name in SCREENS}}
            missing = [action.id for action in ACTIONS if not hasattr(owners[action.where], f"action_{action.name}")]
        bench.close_lanes()
        return missing

    assert asyncio.run(run()) == []


def test_every_screen_opens_by_its_key_and_can_be_left(workspace: Workspace) -> None:
    async def run() -> None:
        bench = Workbench(Options(folder=workspace.root))
        async with bench.run_test(size=(80, 24)) as pilot:
            for key, name in GO_KEYS.items():
                bench.stage_now().set_focus(None)
                await pilot.press("g", key)
                await pilot.pause()
                assert bench.stage_now() is bench.stage(name)
                assert len(bench.screen_stack) == 1, f"a box is over {name}"
        bench.close_lanes()

    asyncio.run(run())


def test_two_actions_with_one_key_are_refused_by_name() -> None:
    with pytest.raises(SettingsError) as told:
        Keymap({"review.accept": "x"})
    assert "review.accept" in told.value.message
    assert "review.reject" in told.value.message
    with pytest.raises(SettingsError, match=r"app\.go"):
        Keymap({"chat.copy": "g"})
    with pytest.raises(SettingsError, match=r"review\.nothing"):
        Keymap({"review.nothing": "x"})


@pytest.mark.parametrize(
    ("name", "key", "other"),
    [
        ("review.accept", "ctrl+p", "app.palette"),
        ("chat.copy", "ctrl+q", "app.quit"),
        ("runs.copy", "j", "moving in a list"),
        ("evaluate.start", "pagedown", "moving in a list"),
    ],
)
def test_a_key_that_would_never_arrive_is_refused_by_what_takes_it(name: str, key: str, other: str) -> None:
    with pytest.raises(SettingsError) as told:
        Keymap({name: key})
    assert name in told.value.message
    assert other in told.value.message


def test_the_keys_that_textual_keeps_stay_and_their_twins_can_go() -> None:
    keymap = Keymap({"app.palette": "f20", "app.quit": "f21", "review.next": "j,n", "review.next_waiting": "W"})
    assert keymap["app.palette"].shown_key == "f20"
    assert keymap["review.next"].keys == "j,n"


def test_own_keys_act_and_are_told(written: Any, workspace: Workspace, simulee: Any) -> None:
    written('"app.settings" = "f20"\n"settings.motion" = "!,f21"\n')
    keymap = load_keymap()
    assert keymap["app.settings"].shown_key == "f20"

    async def run() -> None:
        bench = Workbench(Options(folder=workspace.root), keymap)
        async with bench.run_test() as pilot:
            await pilot.pause()
            await pilot.press("f12")
            assert bench.stage_now().NAME == "overview", "the key it had is free"
            await pilot.press("f20")
            await pilot.pause()
            assert bench.stage_now().NAME == "settings"
            before = bench.animation_level
            await pilot.press("exclamation_mark")
            assert bench.animation_level != before
        bench.close_lanes()

    asyncio.run(run())
    told = json.loads(simulee("keys", "--json").stdout)
    (row,) = [each for each in told["keys"] if each["id"] == "app.settings"]
    assert (row["keys"], row["changed"]) == (["f20"], True)
    assert "Settings" in simulee("keys").stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not toml", "not valid TOML"),
        ('"review.accept" = 3', "keys are a text"),
        ('"review.accept" = ""', "keys are a text"),
        ('"review.nothing" = "a"', "there is no action"),
        ('"review.accept" = "x"', "is the key of both"),
        ("[review]\naccept = 'q'", "review"),
    ],
)
def test_a_bad_keys_file_is_one_clear_line(written: Any, simulee: Any, text: str, words: str) -> None:
    path = written(text)
    told = simulee("keys")
    assert told.returncode == 2
    first, hint = told.stderr.splitlines()
    assert words in first
    assert str(path) in first
    assert hint.startswith("  ")


def test_the_readme_s_table_is_the_registry_s() -> None:
    text = README.read_text("utf-8")
    assert text == with_key_table(text), "`make keys` writes it"
    for action in ACTIONS:
        assert f"`{action.id}`" in key_table()
        assert f"`{shown(action.keys.split(',')[0])}`" in key_table()
