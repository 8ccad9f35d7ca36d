"""What a process imports: a command nothing of the screens, the workbench nothing of the models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from core.review.decisions import Actor, Decision, decide
from core.store.pairs import put_pair
from tests.hostile_rows import fill

ROOT = Path(__file__).parents[2]
MODELS = ("torch", "transformers", "sentence_transformers", "peft", "trl", "onnxruntime", "xllamacpp")
SCREENS = sorted(f"tui.screens.{path.parent.name}.screen" for path in (ROOT / "tui" / "screens").glob("*/screen.py"))

IMPORTS = """
import importlib, sys
forbidden = sys.argv[1].split(",")
for name in sys.argv[2:]:
    importlib.import_module(name)
    found = [each for each in forbidden if each in sys.modules]
    if found:
        sys.exit(f"{name} imports {', '.join(found)}")
"""


def imported(forbidden: tuple[str, ...], *names: str) -> str:
    """What a fresh process says after it imported some modules; empty when nothing forbidden came with them."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, ",".join(forbidden), *names],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stderr.strip()


@pytest.mark.parametrize("name", ["tui.cli", "tui.command_line"])
def test_the_command_line_imports_neither_models_nor_screens(name: str) -> None:
    assert imported((*MODELS, "textual", "numpy", "pydantic"), name) == ""


SITTING = """
import asyncio, sys
from pathlib import Path
from tui.app import SCREENS, Options, Workbench

KEYS = {"train": ["s", "p", "escape", "m", "2", "m", "3", "b", "escape", "m", "4", "f", "2"],
        "evaluate": ["s", "escape", "enter", "escape"], "chat": ["s", "escape"],
        "dataset": ["c", "escape", "enter", "escape", "b", "escape"], "review": ["o", "l", "escape", "s", "escape"]}

async def sit():
    bench = Workbench(Options(folder=Path(sys.argv[1])))
    async with bench.run_test() as pilot:
        for name in (*SCREENS, "overview"):
            bench.go_to(name)
            while not bench.stage_now().ready:
                await pilot.pause(0.05)
            await pilot.pause(0.3)
            bench.screen.set_focus(None)
            for key in KEYS.get(name, ["enter", "escape"]):
                await pilot.press(key)
            await pilot.pause(0.3)
    bench.close_lanes()

asyncio.run(sit())
print(",".join(name for name in sys.argv[2].split(",") if name in sys.modules))
"""


@pytest.mark.slow
def test_a_sitting_at_every_screen_brings_no_model_into_the_process(tmp_path: Path) -> None:
    workspace = fill(tmp_path / "rows")
    with workspace.database.write():  # So that every kind of training has something to prepare.
        pair = put_pair(workspace.database, "Why ink?", "", "It dries.", "Sure!", "import", None, "2026-01-02", ())
        workspace.database.execute("INSERT INTO vector VALUES (1, 'all-MiniLM-L6-v2', 'r', 1, x'0000803f')")
    decide(workspace.database, Actor("person", "Nell"), [Decision(pair, "accept", text="left", card_kind="pair")])
    root = workspace.root
    done = subprocess.run(
        [sys.executable, "-c", SITTING, str(root), ",".join(MODELS)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_the_workbench_imports_no_models() -> None:
    assert imported((*MODELS, "numpy", "apsw"), "tui.app") == ""


def test_the_first_paint_waits_for_no_editor_no_box_and_no_settings() -> None:
    late = ("textual.widgets._text_area", "tui.widgets.boxes", "pydantic", "tomllib", "typer")
    assert imported(late, "tui.cli", "tui.app", "tui.screens.overview.screen") == ""


def test_there_is_a_screen_for_every_name() -> None:
    from tui.app import SCREENS as NAMES

    folders = {name.split(".")[2] for name in SCREENS}
    assert {("importing" if name == "import" else name) for name in NAMES} == folders


def test_the_screens_import_no_models() -> None:
    assert imported(MODELS, *SCREENS) == ""
