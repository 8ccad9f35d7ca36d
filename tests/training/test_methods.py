"""LoRA, QLoRA and full training, patience and what was forgotten: each for real, on the packaged base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from core.adapters.files import FULL_FILES, files_of
from core.models.causal_lm import CausalLM
from core.runs.control import run_to_end
from core.runs.journal import read_events
from core.store.adapters import find_adapter
from core.training.estimate import estimate
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import tiny_base, tiny_dataset


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture
def copy(untrained: tuple[Path, str], tmp_path: Path) -> tuple[Workspace, str]:
    shutil.copytree(untrained[0], tmp_path / "ws")
    return Workspace.open(tmp_path / "ws"), untrained[1]


def _told(workspace: Workspace, kind: str, run: str = "sft-1") -> list[dict[str, Any]]:
    return [event.payload for event in read_events(workspace.runs / run)[0] if event.kind == kind]


@pytest.mark.slow
def test_qlora_trains_on_a_base_of_four_bits(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(workspace, dataset, max_steps=3, epochs=4, method="qlora", learning_rate=1e-3)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    (plan,) = _told(workspace, "plan")
    assert (plan["method"], plan["dtype"]) == ("qlora", "float32")
    losses = [each["loss"] for each in _told(workspace, "metrics") if "loss" in each]
    assert losses[-1] < losses[0]
    # The adapter is a LoRA like any other: the base it is used on need not be of four bits.
    lm = CausalLM("SmolLM2-135M-Instruct")
    before = lm.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]])
    lm.load_adapter("a", workspace.adapters / "sft-1", done["hash"])
    assert lm.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]]) != before


@pytest.mark.slow
def test_a_full_training_is_used_like_an_adapter_and_left_again(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(workspace, dataset, max_steps=2, epochs=4, method="full", learning_rate=1e-4)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    folder = workspace.adapters / "sft-1"
    assert files_of(folder) == FULL_FILES
    row = find_adapter(workspace.database, "sft-1")
    assert row is not None
    assert row.settings["method"] == "full"
    lm = CausalLM("SmolLM2-135M-Instruct")
    before = lm.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]])
    plain = lm.identity
    lm.load_adapter("whole", folder, done["hash"])
    trained = lm.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]])
    assert trained != before
    assert lm.identity != plain
    alone = CausalLM(str(_whole_folder(lm.folder, folder)))
    assert alone.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]]) == trained
    lm.use("")
    assert lm.token_log_probabilities([[1, 2, 3, 4]], [[1, 2, 3]]) == before


def _whole_folder(base: Path, trained: Path) -> Path:
    """What was trained beside the base's tokenizer, as transformers loads it."""
    folder = trained.parent / "whole"
    folder.mkdir()
    for file in base.iterdir():
        if file.name not in FULL_FILES:
            (folder / file.name).symlink_to(file)
    for name in FULL_FILES:
        (folder / name).symlink_to(trained / name)
    return folder


@pytest.mark.slow
def test_patience_ends_a_run_that_gets_no_better_and_keeps_the_best(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(
        workspace, dataset, max_steps=12, epochs=40, evaluations=12, patience=2, learning_rate=2e-2, warmup=0.0
    )
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    validated = {each["step"]: each["eval_loss"] for each in _told(workspace, "metrics") if "eval_loss" in each}
    best = min(validated, key=lambda step: validated[step])
    assert done["steps"] < 12
    assert done["best_step"] == best == done["steps"] - 2
    kept = workspace.runs / "sft-1" / "checkpoints" / "best" / "adapter_model.safetensors"
    assert kept.read_bytes() == (workspace.adapters / "sft-1" / "adapter_model.safetensors").read_bytes()


@pytest.mark.slow
def test_a_run_killed_after_its_patience_ran_out_takes_no_further_step(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(
        workspace, dataset, max_steps=12, epochs=40, evaluations=12, patience=2, learning_rate=2e-2, warmup=0.0,
        checkpoint_steps=1,
    )  # fmt: skip
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    assert done["steps"] < 12
    (workspace.runs / "sft-1" / "state.json").unlink()
    again = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id="sft-1")
    assert _told(workspace, "plan")[-1]["resumed_from"] == f"checkpoint-{done['steps']}"
    told = ("steps", "best_step", "loss", "hash")
    assert [again[name] for name in told] == [done[name] for name in told]


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_a_run_killed_after_its_last_step_saves_the_best_weights_where_they_are_whole(
    copy: tuple[Workspace, str], damaged: bool
) -> None:
    workspace, dataset = copy
    params = sft_params(
        workspace, dataset, max_steps=3, epochs=40, evaluations=3, patience=3, learning_rate=2e-2, warmup=0.0
    )
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    assert done["best_step"] < 3
    (workspace.runs / "sft-1" / "state.json").unlink()
    if damaged:
        (workspace.runs / "sft-1" / "checkpoints" / "best" / "manifest.json").unlink()
    again = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id="sft-1")
    assert _told(workspace, "plan")[-1]["resumed_from"] == "checkpoint-3"
    said = [each["text"] for each in _told(workspace, "problem")]
    if damaged:
        assert "best_step" not in again
        assert said == [
            f"the best weights, of step {done['best_step']}, are not whole any more: those of step 3 are saved"
        ]
    else:
        assert (again["best_step"], again["hash"]) == (done["best_step"], done["hash"])
        assert not said


@pytest.mark.slow
def test_a_run_killed_after_its_last_step_takes_no_further_one(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    # The last step is within the second epoch of three.
    params = sft_params(workspace, dataset, max_steps=4, epochs=40, batch=1)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    (workspace.runs / "sft-1" / "state.json").unlink()
    again = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id="sft-1")
    assert _told(workspace, "plan")[-1]["resumed_from"] == "checkpoint-4"
    assert (again["steps"], again["hash"]) == (4, done["hash"])


@pytest.mark.slow
def test_what_is_forgotten_is_said_and_general_text_keeps_more_of_it(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    found = []
    for share in (0.0, 0.75):
        params = sft_params(
            workspace, dataset, max_steps=12, epochs=4, learning_rate=3e-3, measure_forgetting=True, general_share=share
        )
        found.append(run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)["general_bits_per_token"])
    alone, mixed = found
    assert alone["before"] == mixed["before"]
    assert alone["after"] > alone["before"]
    assert mixed["after"] < alone["after"]


@pytest.mark.slow
def test_an_adapter_that_is_gone_on_from_keeps_its_shape_and_is_recorded_with_it(
    copy: tuple[Workspace, str], tmp_path: Path
) -> None:
    workspace, dataset = copy
    base = tiny_base(tmp_path / "base")
    first = sft_params(workspace, dataset, base, max_steps=1, epochs=4, rank=4, alpha=12, dropout=0.25)
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, first)
    params = sft_params(workspace, dataset, base, max_steps=1, epochs=4, start_from="sft-1")
    assert params["settings"]["rank"] == 16
    assert estimate(workspace, params).rank == 4
    run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    row = find_adapter(workspace.database, "sft-2")
    assert row is not None
    for told in (_told(workspace, "plan", "sft-2")[0], row.settings):
        assert (told["rank"], told["alpha"], told["dropout"]) == (4, 12, 0.25)
    config = json.loads((workspace.adapters / "sft-2" / "adapter_config.json").read_text("utf-8"))
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (4, 12, 0.25)


@pytest.mark.slow
def test_gradient_checkpointing_changes_no_loss(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    losses = []
    for wanted in (False, True):
        params = sft_params(workspace, dataset, max_steps=2, epochs=4, gradient_checkpointing=wanted)
        run = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)["run"]
        losses.append([each["loss"] for each in _told(workspace, "metrics", run) if "loss" in each])
        assert _told(workspace, "plan", run)[0]["gradient_checkpointing"] is wanted
        assert _told(workspace, "samples", run)
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)
