"""Bad input and bad luck: one clear line each, and the last state is kept."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.dataset.export import find_dataset
from core.errors import ModelError, RunError, SimuleeError, UsageError
from core.models.chat_tokenizer import model_folder
from core.models.packaged import revision
from core.runs.control import follow, result_of, resume, run_to_end, start
from core.runs.job import Job
from core.runs.journal import EventLog, create_run, holder
from core.settings import TrainingSettings
from core.store.adapters import AdapterRow, put_adapter
from core.store.datasets import ExampleRow, put_dataset
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.workspace import Workspace
from tests.training.tiny import tiny_base, tiny_dataset

BASE = "SmolLM2-135M-Instruct"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture
def copy(untrained: tuple[Path, str], tmp_path: Path) -> tuple[Workspace, str]:
    shutil.copytree(untrained[0], tmp_path / "ws")
    return Workspace.open(tmp_path / "ws"), untrained[1]


def _refused(workspace: Workspace, params: dict[str, Any]) -> str:
    """What the work says when it is done in this process."""
    from core.training.sft import run

    made = create_run(workspace.runs, SFT_KIND, SFT_ENTRY, params)
    with closing(EventLog(made.folder)) as log, pytest.raises(SimuleeError) as caught:
        run(Job(workspace, made.folder, params, log))
    assert caught.value.hint
    return caught.value.message


def _frozen(workspace: Workspace, messages: list[dict[str, Any]], split: str = "train", **changed: Any) -> str:
    """A dataset of one sample, its settings those of the workspace's own but for what is changed."""
    settings = find_dataset(workspace, None).settings | changed
    with workspace.database.write():
        put_dataset(
            workspace.database, "odd", settings, 0, "2027-01-01", [ExampleRow(0, 0, split, "c", messages, 9, 4, ())]
        )
    return "odd"


SHORT = [
    {"role": "user", "content": "Who?", "trained": False},
    {"role": "assistant", "content": "I.", "trained": True},
]


def test_a_sample_longer_than_the_base_reads(copy: tuple[Workspace, str]) -> None:
    workspace, _ = copy
    answer = {"role": "assistant", "content": "salt and rope " * 4_000, "trained": True}
    told = _refused(workspace, sft_params(workspace, _frozen(workspace, [SHORT[0], answer])))
    assert told.startswith(
        "1 samples are longer than the 8192 tokens that SmolLM2-135M-Instruct reads; the longest has 1"
    )


def test_an_empty_split(copy: tuple[Workspace, str]) -> None:
    workspace, _ = copy
    assert "has no training samples" in _refused(
        workspace, sft_params(workspace, _frozen(workspace, SHORT, split="validation"))
    )


def test_a_dataset_packed_with_another_tokenizer(copy: tuple[Workspace, str]) -> None:
    workspace, _ = copy
    odd = _frozen(workspace, SHORT, tokenizer="another", base="other/base-1B")
    assert "was packed for other/base-1B, not for SmolLM2" in _refused(workspace, sft_params(workspace, odd))


def test_an_adapter_of_another_base_or_none_to_go_on_from(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    with workspace.database.write():
        put_adapter(
            workspace.database,
            AdapterRow(0, "sft-9", None, "sft-9", "other/base-1B", "r", 1, "adapters/sft-9", "h", {}, "2027-01-01"),
        )
    told = _refused(workspace, sft_params(workspace, dataset, start_from="sft-9"))
    assert told == f"sft-9 was trained on other/base-1B, not on {BASE}"
    assert _refused(workspace, sft_params(workspace, dataset, start_from="sft-8")) == "no adapter 'sft-8' here"


def test_an_adapter_to_go_on_from_that_is_damaged_or_learned_on_other_weights(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    folder = workspace.adapters / "sft-9"
    folder.mkdir()
    for name in ADAPTER_FILES:
        (folder / name).write_bytes(b"{}")
    row = AdapterRow(
        0, "sft-9", None, "sft-9", BASE, revision(model_folder(BASE)), 1, "adapters/sft-9",
        folder_hash(folder, ADAPTER_FILES), {}, "2027-01-01",
    )  # fmt: skip
    params = sft_params(workspace, dataset, start_from="sft-9")

    def refused(row: AdapterRow) -> tuple[str, str]:
        with workspace.database.write():
            put_adapter(workspace.database, row)
        from core.training.preferences.work import _start

        with pytest.raises(SimuleeError) as told:
            _start(workspace, "sft-9")
        return _refused(workspace, params), told.value.message

    for told in refused(replace(row, revision="another")):
        assert told.startswith("the adapter sft-9 was trained on other weights than those at ")
    for told in refused(replace(row, settings={"method": "full"})):
        assert told == "every weight of sft-9 was trained: it is no LoRA, and a training that goes on from it needs one"
    (folder / ADAPTER_FILES[1]).write_bytes(b"[}")
    for told in refused(row):
        assert told == "the files of the adapter sft-9 have changed since it was trained"


@pytest.mark.slow
def test_an_adapter_to_go_on_from_that_does_not_fit(copy: tuple[Workspace, str], tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    from core.training.base_model import load_base, trainable
    from tests.training.test_against_plain_trl import MEANS

    layer = "base_model.model.model.layers.0.self_attn.q_proj"
    save_file(
        {f"{layer}.lora_A.weight": np.zeros((2, 7), "f"), f"{layer}.lora_B.weight": np.zeros((7, 2), "f")},
        tmp_path / ADAPTER_FILES[1],
    )
    (tmp_path / ADAPTER_FILES[0]).write_text("{}")
    with pytest.raises(ModelError, match="q_proj has 576 inputs there, and the adapter is for 7"):
        trainable(load_base(BASE, MEANS), MEANS, TrainingSettings(), tmp_path)


@pytest.mark.slow
def test_a_run_does_not_go_on_upon_another_base(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(workspace, dataset, max_steps=2)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)
    folder = workspace.runs / done["run"]
    log = (folder / "events.jsonl").read_text("utf-8")
    known = revision(model_folder(BASE))
    assert f'"revision": "{known}"' in log
    (folder / "events.jsonl").write_text(log.replace(known, "another"), "utf-8")
    (folder / "state.json").unlink()
    with pytest.raises(RunError, match=f"the weights of {BASE} have changed since sft-1 began"):
        run_to_end(workspace, SFT_KIND, SFT_ENTRY, params, resume_id="sft-1")


def test_a_base_whose_tokenizer_has_no_chat_template(copy: tuple[Workspace, str], tmp_path: Path) -> None:
    from core.models.packaged import smollm2_folder

    folder = tmp_path / "bare"
    folder.mkdir()
    for file in smollm2_folder().iterdir():
        if file.name != "chat_template.jinja":
            (folder / file.name).symlink_to(file)
    config = folder / "tokenizer_config.json"
    values = json.loads(config.read_text("utf-8"))
    values.pop("chat_template", None)
    config.unlink()
    config.write_text(json.dumps(values), "utf-8")
    workspace, dataset = copy
    assert "chat template" in _refused(workspace, sft_params(workspace, dataset, base=str(folder)))


def test_what_this_machine_does_not_have(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    assert "Liger kernels need a GPU" in _refused(workspace, sft_params(workspace, dataset, liger=True))
    flash = sft_params(workspace, dataset, attention="flash_attention_2")
    assert "FlashAttention needs a GPU" in _refused(workspace, flash)
    with pytest.raises(UsageError, match="no accelerate configuration at"):
        sft_params(workspace, dataset, launch="nowhere.yaml")


def test_an_optimizer_that_nobody_knows(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    told = _refused(workspace, sft_params(workspace, dataset, optimizer="adamw_torched"))
    assert told == "transformers knows no optimizer 'adamw_torched'"


@pytest.mark.slow
def test_weights_that_are_no_numbers_are_never_kept_however_rarely_the_loss_is_told(
    copy: tuple[Workspace, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, dataset = copy
    monkeypatch.setattr("core.training.sft.MOST_POINTS", 1)  # As of a run of many steps: only some are told.
    base = tiny_base(tmp_path / "base")
    params = sft_params(workspace, dataset, base, max_steps=6, learning_rate=1e30, warmup=0.0, epochs=4)
    told = _refused(workspace, params)
    assert told == "the loss is not a number any more at step 2; the last checkpoint is kept"
    assert not list(workspace.runs.glob("*/checkpoints/checkpoint-*"))


def test_a_text_that_cannot_be_mixed_in(copy: tuple[Workspace, str], tmp_path: Path) -> None:
    workspace, dataset = copy
    text = tmp_path / "one.txt"
    text.write_text("Only one paragraph.", "utf-8")
    for path, why in ((text, "has 1 paragraphs"), (tmp_path / "none.txt", "cannot be read")):
        params = sft_params(workspace, dataset, general_share=0.5, general_text=str(path))
        assert why in _refused(workspace, params)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(workspace, dataset, max_steps=6, learning_rate=1e30, epochs=4)
    with pytest.raises(RunError, match=r"the loss is not a number any more at step \d; the last checkpoint is kept"):
        run_to_end(workspace, SFT_KIND, SFT_ENTRY, params)


def _limited(workspace: Workspace, params: dict[str, Any], limit: Callable[[int], None]) -> str:
    """Start a run, put a limit on its process as it begins its first step, and wait for its end. Returns its id."""
    run = start(workspace, SFT_KIND, SFT_ENTRY, params)
    pid = holder(run.folder / "lock")
    assert pid is not None
    for event in follow(workspace, run.id):
        if event.kind == "checkpoint" and event.payload["step"] == 2:
            limit(pid)
    return run.id


def _no_larger_files(pid: int) -> None:
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _no_more_memory(pid: int) -> None:
    pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
    # Enough to say what happened, and not enough for a step.
    limit = pages * resource.getpagesize() + (64 << 20)
    resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


@pytest.mark.slow
def test_a_full_disk_keeps_the_last_checkpoint_and_the_run_goes_on_when_there_is_room(
    copy: tuple[Workspace, str],
) -> None:
    workspace, dataset = copy
    run_id = _limited(workspace, sft_params(workspace, dataset, max_steps=6, epochs=4), _no_larger_files)
    with pytest.raises(RunError, match=r"the disk is full, or a file may not grow; the checkpoint of step 2 is kept"):
        result_of(workspace, run_id)
    resume(workspace, run_id)
    assert [event.payload for event in follow(workspace, run_id)][-1]["state"] == "done"


@pytest.mark.slow
def test_without_memory_the_last_checkpoint_is_kept_and_the_setting_is_named(copy: tuple[Workspace, str]) -> None:
    workspace, dataset = copy
    params = sft_params(workspace, dataset, max_steps=6, epochs=4)
    run_id = _limited(workspace, params, lambda pid: os.kill(pid, signal.SIGKILL))
    resume(workspace, run_id)
    pid = holder(workspace.runs / run_id / "lock")
    assert pid is not None
    # From the beginning of its first step, so that it must ask for more.
    for event in follow(workspace, run_id, from_start=False):
        if event.kind == "plan":
            _no_more_memory(pid)
    with pytest.raises(RunError, match=r"out of memory; the (checkpoint of step \d|last checkpoint) is kept") as caught:
        result_of(workspace, run_id)
    assert f"`simulee runs resume {run_id} --gradient-checkpointing`" in caught.value.hint
    assert "micro" not in caught.value.hint
