"""What a launcher's configuration says is known before anything is launched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.errors import UsageError
from core.models.causal_lm import _own_gpu
from core.training.launch import sft_params
from core.training.launch_file import Launch, read_launch
from core.workspace import Workspace

TEMPLATES = Path(__file__).parents[2] / "docs" / "launch"


def _file(folder: Path, text: str) -> Path:
    file = folder / "launch.yaml"
    file.write_text(text, "utf-8")
    return file


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("one-node.yaml", Launch(8, False)),
        ("one-node-sharded.yaml", Launch(8, True, "FSDP")),
        ("two-nodes.yaml", Launch(16, False)),
        ("two-nodes-sharded.yaml", Launch(16, False, "DeepSpeed")),  # ZeRO 2: every process has whole weights.
    ],
)
def test_the_templates_are_read(name: str, told: Launch) -> None:
    assert read_launch(TEMPLATES / name) == told


ZERO_3 = "distributed_type: DEEPSPEED\nnum_processes: 4\ndeepspeed_config:\n  zero_stage: 3\n"


def test_weights_that_could_not_be_saved_at_the_end_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ZeRO-3") as caught:
        read_launch(_file(tmp_path, ZERO_3))
    assert "zero3_save_16bit_model: true" in caught.value.hint
    assert read_launch(_file(tmp_path, ZERO_3 + "  zero3_save_16bit_model: true\n")) == Launch(4, True, "DeepSpeed")


@pytest.mark.parametrize(("gathers", "saves"), [(True, True), (False, False), (None, False)])
def test_deepspeeds_own_file_is_read_too(tmp_path: Path, gathers: bool | None, saves: bool) -> None:
    zero = {"stage": 3} | ({} if gathers is None else {"stage3_gather_16bit_weights_on_model_save": gathers})
    own = tmp_path / "zero.json"
    own.write_text(json.dumps({"zero_optimization": zero}), "utf-8")
    file = _file(tmp_path, f"distributed_type: DEEPSPEED\ndeepspeed_config:\n  deepspeed_config_file: {own}\n")
    if saves:
        assert read_launch(file) == Launch(1, True, "DeepSpeed")
        return
    with pytest.raises(UsageError, match="none could be saved"):
        read_launch(file)


@pytest.mark.parametrize("text", ["", "[", "num_processes: many", "- 1"])
def test_what_is_wrong_with_it_is_left_to_the_launcher(tmp_path: Path, text: str) -> None:
    assert read_launch(_file(tmp_path, text)) == Launch()


def test_four_bits_are_not_shared_out(workspace: Workspace) -> None:
    sharded = str(TEMPLATES / "one-node-sharded.yaml")
    with pytest.raises(UsageError, match="cannot be shared out") as caught:
        sft_params(workspace, "hash", launch=sharded, method="qlora")
    assert 'method = "lora"' in caught.value.hint
    params = sft_params(workspace, "hash", launch=sharded)
    assert (params["processes"], params["sharded"]) == (8, True)


@pytest.mark.parametrize("name", ["one-node-sharded.yaml", "two-nodes-sharded.yaml"])
def test_patience_is_refused_before_it_starts_where_a_training_is_shared_out(workspace: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="patience") as caught:
        sft_params(workspace, "hash", launch=str(TEMPLATES / name), patience=2)
    assert "patience = 0" in caught.value.hint
    assert sft_params(workspace, "hash", launch=str(TEMPLATES / "two-nodes.yaml"), patience=2)["processes"] == 16


def test_a_launched_process_has_the_gpu_of_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert _own_gpu() == 3
