"""Bases of other families, each trained for real: nested configurations, layers that hand a state on, many GPUs."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import transformers
from safetensors.torch import load_file

from core.errors import RunError
from core.runs.control import run_to_end
from core.runs.journal import read_events
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import SMALL, tiny_base, tiny_dataset

SHORT: dict[str, Any] = {"max_steps": 2, "epochs": 8, "batch": 2, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture
def copy(untrained: tuple[Path, str], tmp_path: Path) -> tuple[Workspace, str]:
    shutil.copytree(untrained[0], tmp_path / "ws")
    return Workspace.open(tmp_path / "ws"), untrained[1]


def _plan(workspace: Workspace) -> dict[str, Any]:
    return next(event.payload for event in read_events(workspace.runs / "sft-1")[0] if event.kind == "plan")


@pytest.mark.slow
def test_a_base_that_sees_too_is_trained_on_words(copy: tuple[Workspace, str], tmp_path: Path) -> None:
    workspace, dataset = copy
    vision = {
        "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": 16, "patch_size": 8,
    }  # fmt: skip
    config = transformers.Gemma3Config(text_config=SMALL, vision_config=vision, mm_tokens_per_image=4)
    base = tiny_base(tmp_path / "sees", config)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, sft_params(workspace, dataset, base=base, **SHORT))
    assert done["steps"] == 2
    assert _plan(workspace)["samples_alone"] is False
    trained = load_file(workspace.adapters / "sft-1" / "adapter_model.safetensors")
    assert trained
    assert all("language_model" in name for name in trained), "what sees learns nothing from words"


@pytest.mark.slow
def test_a_base_that_hands_a_state_on_reads_each_sample_alone(copy: tuple[Workspace, str], tmp_path: Path) -> None:
    workspace, dataset = copy
    config = transformers.Qwen3_5TextConfig(
        **SMALL, linear_num_key_heads=2, linear_num_value_heads=2, linear_key_head_dim=8, linear_value_head_dim=8,
        layer_types=["linear_attention", "full_attention"],
    )  # fmt: skip
    base = tiny_base(tmp_path / "hybrid", config)
    params = sft_params(workspace, dataset, base=base, **SHORT, micro_batch=2)
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    plan = _plan(workspace)
    assert (plan["samples_alone"], plan["packing"], plan["micro_batch"]) == (True, False, 1)
    assert (plan["rows"], plan["rows_per_step"]) == (plan["samples"], 2)
    packed = sft_params(workspace, dataset, base=base, **SHORT, packing=True)
    with pytest.raises(RunError, match="samples of this base cannot share rows"):
        run_to_end(workspace, SFT_KIND, SFT_ENTRY, packed)


def test_one_process_trains_on_one_of_the_gpus_that_it_sees(tmp_path: Path) -> None:
    import datasets

    from core.settings import TrainingSettings
    from core.training.means import Means
    from core.training.sft import _config, _trainer

    base = tiny_base(tmp_path / "base")
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    means = Means("full", "float32", "sdpa", "adamw_torch", 1, False, False, False, False, 0)
    settings = TrainingSettings(learning_rate=1e-3)
    config = _config(tmp_path / "checkpoints", settings, means, 1, 1, validate=False)
    config._n_gpu = 2  # As the library counts them where two are visible.
    rows = datasets.Dataset.from_list([{"input_ids": [5, 6, 7], "labels": [5, 6, 7], "seq_lengths": [3]}])
    trainer = _trainer(model, rows, datasets.Dataset.from_list([]), config, transformers.TrainerCallback())
    assert trainer.args.n_gpu == 1
