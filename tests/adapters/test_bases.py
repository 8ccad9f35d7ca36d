"""A base that is a folder is found where the settings name it now, once the workspace or the machine is another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from core.adapters.bases import base_of
from core.adapters.files import ADAPTER_FILES, folder_hash
from core.adapters.launch import EXPORT_ENTRY, EXPORT_KIND, export_params
from core.adapters.vllm import SERVE
from core.errors import TrainingError
from core.fidelity.plan import weights_of
from core.models.packaged import revision
from core.runs.control import run_to_end
from core.store.adapters import AdapterRow, find_adapter, put_adapter
from core.training.preferences.launch import dpo_params
from core.training.starting import start_of
from core.twin.parts import Parts
from core.workspace import SETTINGS_FILE, Workspace

GONE = "/home/ada/persona/models/mine"
HUB = "owner/mine"


@pytest.fixture
def base(workspace: Workspace) -> str:
    """The folder of weights that the settings name, relative to them."""
    folder = workspace.root / "models" / "mine"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    with (workspace.root / SETTINGS_FILE).open("a") as file:
        file.write('\n[models.persona]\nengine = "transformers"\nmodel = "models/mine"\n')
    workspace.forget_settings()
    return str(folder)


def trained(workspace: Workspace, name: str, stored: str, memories: int = 1, weights: str = "") -> AdapterRow:
    """An adapter of the base, or of other weights, which lay elsewhere when it was trained."""
    folder = workspace.adapters / name
    folder.mkdir()
    for file in ADAPTER_FILES:
        (folder / file).write_text('{"r": 8}')
    weights = weights or revision(Path(workspace.settings.models.base))
    row = AdapterRow(
        0, name, None, name, stored, weights, memories, f"adapters/{name}", folder_hash(folder, ADAPTER_FILES), {}, ""
    )
    with workspace.database.write():
        put_adapter(workspace.database, row)
    found = find_adapter(workspace.database, name)
    assert found is not None
    return found


def test_the_folder_that_the_settings_name_takes_the_place_of_one_that_is_not_here(
    workspace: Workspace, base: str
) -> None:
    assert base_of(workspace, trained(workspace, "sft-1", GONE)) == base


@pytest.mark.parametrize(
    ("stored", "weights", "change"),
    [
        ("{there}", "", lambda base: None),
        (HUB, "", lambda base: None),
        (GONE, "0" * 12, lambda base: None),
        (GONE, "", lambda base: base.rename(base.with_name("yours"))),
    ],
)
def test_a_base_that_is_here_or_that_the_settings_name_no_other_of_stays(
    workspace: Workspace, base: str, tmp_path: Path, stored: str, weights: str, change: Callable[[Path], object]
) -> None:
    stored = stored.format(there=tmp_path)
    adapter = trained(workspace, "sft-1", stored, weights=weights)
    change(Path(base))
    assert base_of(workspace, adapter) == stored


@pytest.mark.parametrize(("name", "same"), [("mine", True), ("yours", False)])
def test_a_folder_without_weights_is_the_base_only_by_its_name_too(
    workspace: Workspace, base: str, name: str, same: bool
) -> None:
    adapter = trained(workspace, "sft-1", f"/home/ada/{name}")
    (Path(base) / "model.safetensors").unlink()
    assert (base_of(workspace, adapter) == base) == same


def test_a_twin_and_a_training_find_the_base_of_an_adapter_where_it_is_now(workspace: Workspace, base: str) -> None:
    adapter = trained(workspace, "sft-1", GONE)
    parts = Parts(workspace)
    try:
        assert parts.base(adapter) == parts.base(None) == base
    finally:
        parts.close()
    assert start_of(workspace, "sft-1", base) == workspace.adapters / "sft-1"
    with pytest.raises(TrainingError, match="was trained on"):
        start_of(workspace, "sft-1", HUB)


def test_judgements_go_on_from_an_adapter_on_the_base_where_it_is_now(
    workspace: Workspace, base: str, tmp_path: Path
) -> None:
    trained(workspace, "sft-1", GONE)
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"prompt": "Who?", "chosen": "Pell.", "rejected": "Nobody."}\n')
    for named in (None, base):
        assert dpo_params(workspace, file=pairs, start_from="sft-1", base=named)["base"] == base


def test_adapters_of_one_base_are_compared_wherever_it_lay_when_each_was_trained(
    workspace: Workspace, base: str
) -> None:
    trained(workspace, "sft-1", base)
    trained(workspace, "sft-2", GONE, memories=0)
    weights = weights_of(workspace, {})
    assert weights.memories is not None
    assert weights.plain is not None
    assert (weights.memories.name, weights.plain.name) == ("sft-1", "sft-2")


def test_an_export_serves_the_base_from_where_it_is_now(workspace: Workspace, base: str) -> None:
    trained(workspace, "sft-1", GONE)
    found = run_to_end(workspace, EXPORT_KIND, EXPORT_ENTRY, export_params(workspace, "sft-1", "vllm"))
    script = (Path(found["path"]) / SERVE).read_text()
    assert base in script
    assert GONE not in script
