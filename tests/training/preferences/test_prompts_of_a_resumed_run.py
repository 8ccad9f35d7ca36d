"""A prompt that is made of a question stays the one that the run began with, whatever the workspace says since."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from core.dataset.build import renderer_of
from core.dataset.scenes import scene_of
from core.errors import TrainingError
from core.prompts.render import PromptTurn
from core.runs.job import Job
from core.runs.journal import EventLog
from core.training.preferences.launch import dpo_params
from core.training.preferences.work import _rendered
from core.workspace import Workspace
from tests.conftest import TARGET

from .conftest import PAIRS, prefer

SYSTEM = "You are {{ name }}, of whom it is said: {{ about }}."


@pytest.fixture
def paired(tmp_path: Path) -> Workspace:
    workspace = Workspace.create(tmp_path / "ws", TARGET)
    for pair in PAIRS:
        prefer(workspace, *pair)
    return workspace


def _prompts(workspace: Workspace, params: dict[str, Any]) -> list[str]:
    """What a run of these params reads when it goes on now."""
    again = Workspace.open(workspace.root)
    folder = again.runs / "dpo-1"
    folder.mkdir(exist_ok=True)
    with closing(EventLog(folder)) as log:
        return [each.prompt for each in _rendered(Job(again, folder, params, log), "dpo")]


def _say(workspace: Workspace) -> None:
    """Let persona.toml say something else of the target than before."""
    file = workspace.root / "persona.toml"
    told = tomlkit.parse(file.read_text("utf-8"))
    told.update({"name": "Ada M.", "about": "A columnist from a small island."})
    told["dataset"] = {"memory_form": "thinking"}
    file.write_text(tomlkit.dumps(told), "utf-8")


def test_changes_of_persona_toml_do_not_reach_it(paired: Workspace) -> None:
    params = dpo_params(paired)
    before = _prompts(paired, params)
    assert all(TARGET in each for each in before)
    _say(paired)
    assert _prompts(paired, params) == before
    fresh = _prompts(paired, dpo_params(Workspace.open(paired.root)))
    assert all("A columnist from a small island." in each for each in fresh)


def test_changed_prompt_files_end_it_where_prompts_are_made_by_them(paired: Workspace) -> None:
    params = dpo_params(paired)
    before = _prompts(paired, params)
    (paired.root / "prompts").mkdir(exist_ok=True)
    own = paired.root / "prompts" / "system.j2"
    own.write_text(SYSTEM, "utf-8")
    with pytest.raises(TrainingError, match="the prompt files have changed since this run began") as caught:
        _prompts(paired, params)
    assert "start a new run" in caught.value.hint
    own.unlink()
    assert _prompts(paired, params) == before


def test_stored_prompts_need_no_prompt_files(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "ws", TARGET)
    renderer = renderer_of(workspace)
    messages = renderer.messages(scene_of(workspace.settings, TARGET, "2020-01-01", ()), [PromptTurn("Why maps?")])
    prompt = renderer.prompt(messages)
    prefer(workspace, "Why maps?", "They argue.", "They are useful.", prompt)
    params = dpo_params(workspace)
    (workspace.root / "prompts").mkdir(exist_ok=True)
    (workspace.root / "prompts" / "system.j2").write_text(SYSTEM, "utf-8")
    _say(workspace)
    assert _prompts(workspace, params) == [prompt]


def test_a_run_that_froze_nothing_of_it_goes_on_as_the_workspace_says_now(paired: Workspace) -> None:
    params = dpo_params(paired)
    before = _prompts(paired, params)
    del params["scene"]
    assert _prompts(paired, params) == before
    _say(paired)
    assert all("A columnist from a small island." in each for each in _prompts(paired, params))
