"""What a run will take, said before it starts: from earlier runs where there are any, else a guess that says so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.dataset.export import find_dataset
from core.errors import TrainingError, UsageError
from core.runs.journal import EventLog, create_run, load_run
from core.store.datasets import ExampleRow, put_dataset
from core.training.base_size import parameters_of
from core.training.estimate import GUESSED_MEMORY_MB, GUESSED_RATE, estimate
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.means import Hardware
from core.transfer.merge import merge
from core.transfer.pack import pack
from core.transfer.unpack import unpack
from core.workspace import Workspace
from tui.estimates import estimate_lines

SAMPLES = 10
TOKENS = 400


def _dataset(workspace: Workspace, samples: int = SAMPLES, validation: int = 2) -> str:
    splits = ["train"] * samples + ["validation"] * validation
    rows = [
        ExampleRow(0, place, split, "c", [{"role": "user", "content": str(place), "trained": False}], TOKENS, 50, ())
        for place, split in enumerate(splits)
    ]
    content_hash = f"hash{samples}"
    with workspace.database.write():
        put_dataset(
            workspace.database,
            content_hash,
            {"base": "SmolLM2-135M-Instruct", "max_tokens": 640},
            0,
            "2026-01-01",
            rows,
        )
    return content_hash


def _earlier_run(
    workspace: Workspace,
    base: str,
    rate: float,
    memory: int,
    steps: int = 20,
    device: str = "cpu",
    name: str = "CPU",
    **plan: Any,
) -> str:
    run = create_run(workspace.runs, SFT_KIND, SFT_ENTRY, {"base": base, "rate": rate})
    log = EventLog(run.folder)
    log.append("started", {"pid": 1})
    log.append("plan", {"steps": steps, "device": device, "hardware": name, **plan})
    for step in range(1, steps + 1):
        log.append("metrics", {"step": step, "loss": 3.0, "tokens_per_second": rate, "memory_mb": memory})
    log.close()
    return run.id


def test_without_an_earlier_run_time_and_memory_are_guesses_and_say_so(workspace: Workspace) -> None:
    found = estimate(workspace, sft_params(workspace, _dataset(workspace)))
    assert (found.samples, found.validation, found.preset) == (SAMPLES, 2, "small")
    assert (found.steps, found.tokens) == (1.5 * SAMPLES, 1.5 * SAMPLES * TOKENS)
    assert found.tokens_per_second == GUESSED_RATE
    assert found.measured_by == ""
    assert 6000 / GUESSED_RATE < found.seconds < 6000 / GUESSED_RATE + 60
    assert "(a guess" in "\n".join(estimate_lines(found))


def test_an_earlier_run_of_the_base_gives_its_rate_and_peak(workspace: Workspace) -> None:
    name = _earlier_run(workspace, "SmolLM2-135M-Instruct", 50.0, 1234)
    _earlier_run(workspace, "another/base-1B", 9.0, 9999)
    _earlier_run(workspace, "SmolLM2-135M-Instruct", 5.0, 1, steps=2)  # stopped before it could tell
    found = estimate(workspace, sft_params(workspace, _dataset(workspace)))
    assert (found.measured_by, found.tokens_per_second, found.memory_mb) == (name, 50.0, 1234)
    assert found.seconds == pytest.approx(6000 / 50, abs=2)
    assert f"as {name} did" in "\n".join(estimate_lines(found))


def test_a_run_on_another_device_does_not_tell_how_fast_this_one_is(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    _earlier_run(workspace, "SmolLM2-135M-Instruct", 30_000.0, 9999, device="cuda", name="Some GPU")
    params = sft_params(workspace, _dataset(workspace))
    found = estimate(workspace, params)
    assert (found.measured_by, found.tokens_per_second) == ("", GUESSED_RATE)
    own = _earlier_run(workspace, "SmolLM2-135M-Instruct", 50.0, 1234)
    assert estimate(workspace, params).measured_by == own
    for name, measured_by in (("Some GPU", "sft-1"), ("Another GPU", "")):
        there = Hardware("cuda", name, 80 << 30, bf16=True)
        monkeypatch.setattr("core.training.estimate.seen_hardware", lambda there=there: there)
        assert estimate(workspace, params).measured_by == measured_by


def test_a_run_by_another_method_does_not_tell_what_this_one_takes(workspace: Workspace) -> None:
    lora = _earlier_run(workspace, "SmolLM2-135M-Instruct", 50.0, 1800, method="lora")
    dataset = _dataset(workspace)
    full = estimate(workspace, sft_params(workspace, dataset, method="full"))
    assert (full.measured_by, full.memory_mb > GUESSED_MEMORY_MB) == ("", True)
    assert estimate(workspace, sft_params(workspace, dataset)).measured_by == lora


@pytest.mark.parametrize(
    ("before", "memory"),
    [
        ({}, 1800),
        ({"max_tokens": 640, "micro_batch": 1, "packing": False, "gradient_checkpointing": False}, 1800),
        ({"max_tokens": 256}, GUESSED_MEMORY_MB),
        ({"micro_batch": 4}, GUESSED_MEMORY_MB),
        ({"gradient_checkpointing": True}, GUESSED_MEMORY_MB),
    ],
)
def test_memory_of_a_run_that_held_other_samples_is_no_less_than_what_is_planned(
    workspace: Workspace, before: dict[str, Any], memory: int
) -> None:
    _earlier_run(workspace, "SmolLM2-135M-Instruct", 50.0, 1800, **before)
    assert estimate(workspace, sft_params(workspace, _dataset(workspace))).memory_mb == memory


def test_a_training_of_all_weights_is_guessed_with_their_gradients_and_moments(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.estimate.free_memory_mb", lambda: 16_000)
    dataset, base = _dataset(workspace), "some/Model-1.5B-Instruct"
    lora = estimate(workspace, sft_params(workspace, dataset, base))
    full = estimate(workspace, sft_params(workspace, dataset, base, method="full"))
    # Weights, gradients and two moments, 4 bytes each.
    assert full.memory_mb > 16 * 1_500_000_000 / 2**20 > lora.memory_mb
    assert full.tokens_per_second == pytest.approx(lora.tokens_per_second * 4 / 6)
    few = "only 15.6 GB of memory are free now"
    assert (few in full.warnings, few in lora.warnings) == (True, False)


def test_steps_of_several_processes_read_at_least_a_row_in_each(workspace: Workspace, tmp_path: Path) -> None:
    config = tmp_path / "eight.yaml"
    config.write_text("distributed_type: MULTI_CPU\nnum_processes: 8\n", "utf-8")
    dataset = _dataset(workspace, samples=29)
    told = estimate(workspace, sft_params(workspace, dataset, launch=str(config)))
    assert (told.preset, told.batch, told.steps) == ("small", 8, 6)
    assert told.tokens == 1.5 * 29 * TOKENS
    few = estimate(workspace, sft_params(workspace, dataset, launch=str(config), max_steps=3))
    assert (few.steps, few.tokens) == (3, 3 * 8 * TOKENS)


def test_so_many_processes_are_so_many_times_as_fast(workspace: Workspace, tmp_path: Path) -> None:
    config = tmp_path / "four.yaml"
    config.write_text("distributed_type: MULTI_CPU\nnum_processes: 4\n", "utf-8")
    dataset = _dataset(workspace)
    alone, four = sft_params(workspace, dataset), sft_params(workspace, dataset, launch=str(config))
    assert estimate(workspace, four).tokens_per_second == 4 * GUESSED_RATE
    _earlier_run(workspace, "SmolLM2-135M-Instruct", 100.0, 1800, processes=2)
    assert estimate(workspace, alone).tokens_per_second == 50.0
    assert estimate(workspace, four).tokens_per_second == 200.0


def test_what_does_not_seem_to_be_there_is_a_warning_and_no_refusal(workspace: Workspace) -> None:
    dataset = _dataset(workspace)
    for settings, why in (
        ({"liger": True}, "Liger kernels need a GPU"),
        ({"attention": "flash_attention_2"}, "FlashAttention needs a GPU"),
    ):
        found = estimate(workspace, sft_params(workspace, dataset, **settings))
        assert any(why in warning for warning in found.warnings)
        assert found.steps == 1.5 * SAMPLES


def test_a_run_tells_its_estimate_what_it_really_trains_on(workspace: Workspace) -> None:
    there = Hardware("cuda", "a GPU that nothing lists", 80 << 30, bf16=True)
    found = estimate(workspace, sft_params(workspace, _dataset(workspace)), there)
    assert found.hardware == there.name
    assert found.tokens_per_second > 100 * GUESSED_RATE


def test_a_run_that_another_machine_did_does_not_tell_how_fast_this_one_is(
    workspace: Workspace, tmp_path: Path
) -> None:
    dataset = _dataset(workspace)
    run = workspace.runs / _earlier_run(workspace, "SmolLM2-135M-Instruct", 30_000.0, 9999)
    (run / "state.json").write_text(json.dumps({"state": "done", "result": {}}), "utf-8")
    box = unpack(pack(workspace, tmp_path / "out.simulee").path, tmp_path / "box").workspace
    assert load_run(box.runs, run.name).state == "done"
    assert estimate(box, sft_params(box, dataset)).tokens_per_second == GUESSED_RATE
    box_run = box.runs / _earlier_run(box, "SmolLM2-135M-Instruct", 40_000.0, 9999)
    (box_run / "state.json").write_text(json.dumps({"state": "done", "result": {}}), "utf-8")
    assert estimate(box, sft_params(box, dataset)).measured_by == box_run.name
    merge(workspace, pack(box, tmp_path / "back.simulee").path)
    assert load_run(workspace.runs, box_run.name).state == "done"
    assert estimate(workspace, sft_params(workspace, dataset)).measured_by == run.name


def test_steps_follow_the_settings_the_preset_and_the_limit(workspace: Workspace) -> None:
    dataset = _dataset(workspace)
    assert estimate(workspace, sft_params(workspace, dataset, max_steps=3)).steps == 3
    assert estimate(workspace, sft_params(workspace, dataset, epochs=4)).steps == 4 * SAMPLES
    raft = estimate(workspace, sft_params(workspace, dataset, preset="raft"))
    assert (raft.preset, raft.batch, raft.steps) == ("raft", 8, 6)
    assert raft.tokens == 3 * SAMPLES * TOKENS
    assert estimate(workspace, sft_params(workspace, dataset, preset="raft", epochs=1)).epochs == 1
    with pytest.raises(UsageError, match="no preset 'huge'"):
        sft_params(workspace, dataset, preset="huge")


def test_general_text_that_is_mixed_in_counts(workspace: Workspace) -> None:
    dataset = _dataset(workspace)
    plain = estimate(workspace, sft_params(workspace, dataset))
    params = sft_params(workspace, dataset)
    params["settings"]["general_share"] = 0.5
    mixed = estimate(workspace, params)
    assert (mixed.samples, mixed.steps) == (2 * plain.samples, 2 * plain.steps)
    assert plain.tokens < mixed.tokens < 2 * plain.tokens


def test_a_larger_base_is_guessed_to_be_slower_and_larger(workspace: Workspace) -> None:
    dataset = _dataset(workspace)
    small = estimate(workspace, sft_params(workspace, dataset))
    large = estimate(workspace, sft_params(workspace, dataset, "some/Model-1.35B-Instruct", preset="small"))
    assert large.seconds > 9 * small.seconds
    assert large.memory_mb > small.memory_mb + 4000
    assert any("packed for SmolLM2" in warning for warning in large.warnings)


def test_the_size_of_a_base_is_read_from_its_weights_or_its_name(tmp_path: Path) -> None:
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "a": {"shape": [3, 5]}, "b": {"shape": [7]}}
    ).encode()  # fmt: skip
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 88)
    assert parameters_of(str(tmp_path)) == 22
    assert parameters_of("owner/Qwen3-0.6B") == 600_000_000
    assert parameters_of("owner/SmolLM2-360M-Instruct") == 360_000_000
    assert parameters_of("owner/nameless") == 0
    assert parameters_of("/nowhere/at/all") == 0


def test_what_a_run_would_refuse_is_refused_before_it(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no dataset"):
        find_dataset(workspace, None)
    with pytest.raises(TrainingError, match="no training samples"):
        estimate(workspace, sft_params(workspace, _dataset(workspace, samples=0)))


def test_the_command_says_it_and_starts_nothing(workspace: Workspace, simulee: Callable[..., Any]) -> None:
    _dataset(workspace)
    told = simulee("train", "sft", "--estimate", "--json", cwd=workspace.root)
    assert told.returncode == 0, told.stderr
    values = json.loads(told.stdout)["estimate"]
    assert (values["steps"], values["measured_by"]) == (1.5 * SAMPLES, "")
    plain = simulee("train", "sft", "--estimate", cwd=workspace.root).stdout
    assert "time     about" in plain
    assert "(a guess" in plain
    assert not list(workspace.runs.iterdir())


def test_estimating_imports_no_model_library() -> None:
    heavy = "[name for name in ('torch', 'transformers', 'sentence_transformers') if name in sys.modules]"
    code = f"import sys, core.training.estimate, core.fidelity.plan, core.fidelity.reading; print({heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
