"""A run on preferences is launched in processes that each train by themselves, and refuses others at once."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from core.errors import UsageError
from core.runs.job import Job
from core.runs.journal import EventLog
from core.training.preferences.launch import dpo_params, kto_params
from core.training.preferences.work import run_dpo
from core.workspace import Workspace

from .conftest import PAIRS, prefer

TEMPLATES = Path(__file__).parents[3] / "docs" / "launch"
SHARDED = [("one-node-sharded.yaml", "FSDP"), ("two-nodes-sharded.yaml", "DeepSpeed")]


@pytest.fixture
def paired(interviewed: Workspace) -> Workspace:
    for pair in PAIRS:
        prefer(interviewed, *pair)
    return interviewed


@pytest.mark.parametrize(("name", "library"), SHARDED)
def test_a_training_that_is_shared_out_is_refused_before_it_starts(paired: Workspace, name: str, library: str) -> None:
    for params in (dpo_params, kto_params):
        with pytest.raises(UsageError, match=f"goes without {library}, which {name} is for") as caught:
            params(paired, launch=str(TEMPLATES / name))
        assert "docs/launch/one-node.yaml" in caught.value.hint
    assert dpo_params(paired, launch=str(TEMPLATES / "two-nodes.yaml"))["processes"] == 16


def test_a_configuration_that_was_changed_since_is_refused_before_anything_is_launched(
    paired: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "launch.yaml"
    shutil.copy(TEMPLATES / "two-nodes.yaml", file)
    params = dpo_params(paired, launch=str(file))
    shutil.copy(TEMPLATES / "two-nodes-sharded.yaml", file)
    folder = paired.runs / "dpo-1"
    folder.mkdir()
    with closing(EventLog(folder)) as log, pytest.raises(UsageError, match="goes without DeepSpeed"):
        run_dpo(Job(paired, folder, params, log))
    assert not (folder / ".tells").exists()
