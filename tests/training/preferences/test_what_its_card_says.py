"""The plan and the card of a run on preferences name the settings that decided it, and no others."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.models.packaged import SMOLLM2, revision, smollm2_folder
from core.runs.job import Job
from core.runs.journal import EventLog
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.training.estimate import preference_estimate
from core.training.preferences.gathering import Method
from core.training.preferences.launch import preference_params
from core.training.preferences.work import _Prepared, _said
from core.workspace import Workspace
from tests.conftest import TARGET

from .conftest import AT, PAIRS, prefer

FINE_TUNING = {
    "dropout": 0.1, "packing": True, "patience": 3, "general_share": 0.2, "general_text": "prose.txt",
    "measure_forgetting": True,
}  # fmt: skip
OWN = {"rank": 6, "alpha": 30, "label_smoothing": 0.2}


@pytest.fixture
def set_up(tmp_path: Path) -> Workspace:
    """A workspace whose ``[training]`` asks for what only a fine-tuning does."""
    sections = {"training": {**FINE_TUNING, "checkpoint_steps": 7, "warmup": 0.0, "dpo": OWN}}
    workspace = Workspace.create(tmp_path / "ws", TARGET, sections=sections)
    for pair in PAIRS:
        prefer(workspace, *pair)
    return workspace


def _started(workspace: Workspace) -> None:
    """Give the twin an adapter of rank 8."""
    folder = workspace.root / "adapters" / "sft-1"
    folder.mkdir(parents=True)
    shape = {"r": 8, "lora_alpha": 24, "lora_dropout": 0.05}
    (folder / ADAPTER_FILES[0]).write_text(json.dumps(shape), "utf-8")
    (folder / ADAPTER_FILES[1]).write_bytes(b"weights")
    row = AdapterRow(
        0, "sft-1", None, "sft-1", SMOLLM2, revision(smollm2_folder()), 1, "adapters/sft-1",
        folder_hash(folder, ADAPTER_FILES), {"rank": 8}, AT,
    )  # fmt: skip
    with workspace.database.write():
        use_adapter(workspace.database, put_adapter(workspace.database, row))


def _prepared(workspace: Workspace, method: Method, **changed: Any) -> _Prepared:
    params = preference_params(workspace, method)
    params["settings"] |= changed
    folder = workspace.runs / f"{method}-1"
    folder.mkdir()
    with closing(EventLog(folder)) as log:
        return _Prepared.of(Job(workspace, folder, params, log), method)


def test_the_rank_and_alpha_are_those_of_the_adapter_that_it_goes_on_from(set_up: Workspace) -> None:
    said = _said(_prepared(set_up, "dpo"))
    assert (said["rank"], said["alpha"], said["checkpoint_steps"]) == (6, 30, 7)
    _started(set_up)
    said = _said(_prepared(set_up, "kto"))
    assert (said["rank"], said["alpha"], said["checkpoint_steps"]) == (8, 24, 7)
    assert preference_estimate(set_up, "dpo", preference_params(set_up, "dpo")).rank == 8


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_what_only_a_fine_tuning_does_is_neither_done_nor_said(set_up: Workspace, method: Method) -> None:
    # As in a run that was begun when these were frozen with it.
    work = _prepared(set_up, method, **FINE_TUNING, liger=True)
    assert not {*FINE_TUNING, "liger"} & _said(work).keys()
    assert (work.means.packing, work.means.liger, work.settings.dropout) == (False, False, 0.0)


def test_the_loss_is_said_as_it_is(set_up: Workspace) -> None:
    said = _said(_prepared(set_up, "kto"))
    assert said["loss"] == "kto"
    assert "label_smoothing" not in said
    said = _said(_prepared(set_up, "dpo"))
    assert said["loss"] == "sigmoid"
    assert "label_smoothing" not in said, "of TRL's losses that judge a pair alone only one smooths"
    robust = preference_params(set_up, "dpo", settings={"loss": "robust"})
    folder = set_up.runs / "dpo-2"
    folder.mkdir()
    with closing(EventLog(folder)) as log:
        said = _said(_Prepared.of(Job(set_up, folder, robust, log), "dpo"))
    assert (said["loss"], said["label_smoothing"]) == ("robust", 0.2)
