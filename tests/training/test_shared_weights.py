"""Weights that are shared out among processes, and those that each has whole: who loads them, and who measures them."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from core.errors import ModelError
from core.models.lora_fit import check_fit
from core.runs.control import run_to_end
from core.runs.journal import create_run, read_events
from core.settings import TrainingSettings
from core.training.base_model import load_base, trainable
from core.training.launch import SFT_ENTRY, SFT_KIND, sft_params
from core.training.launching import TELLS
from core.training.means import Means
from core.training.sft import NOT_MEASURED
from core.workspace import Workspace
from tests.random_lora import random_lora
from tests.training.tiny import SMALL, tiny_base, tiny_dataset

pytestmark = pytest.mark.slow
SHORT: dict[str, Any] = {"max_steps": 1, "epochs": 1, "batch": 2, "packing": False, "evaluations": 1}
UP_TO_THE_WEIGHTS = """
import hashlib, json, sys
from pathlib import Path
import torch
from transformers.distributed.fsdp import is_fsdp_enabled
from core.runs.job import Job
from core.runs.journal import load_run
from core.settings import TrainingSettings
from core.training import sft
from core.training.base_model import trainable
from core.workspace import Workspace

workspace, base = Workspace.open(Path(sys.argv[1])), Path(sys.argv[2])
load = sft.load_base

def loaded(name, means, **how):
    lm = load(name, means, **how)
    own = lm.model.get_input_embeddings().weight
    told = {"fsdp": is_fsdp_enabled(), "tied": own is lm.model.get_output_embeddings().weight}
    from safetensors.torch import load_file
    told["has"] = torch.equal(own, load_file(base / "model.safetensors")["model.embed_tokens.weight"])
    torch.manual_seed(0)
    model = trainable(lm, means, TrainingSettings(rank=4, alpha=8), None)
    with torch.no_grad():
        for each in model.state_dict().values():  # As FSDP hands them out.
            torch.distributed.broadcast(each, 0)
        logits = model.eval()(input_ids=torch.tensor([[5, 900, 41]])).logits
    told["logits"] = hashlib.sha256(logits.numpy().tobytes()).hexdigest()
    print(json.dumps(told))
    sys.exit()

sft.load_base = loaded
run = load_run(workspace.runs, "sft-1")
sft.run(Job(workspace, run.folder, run.params, None))
"""


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return tiny_dataset(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_base(tmp_path_factory.mktemp("base"), transformers.LlamaConfig(**SMALL, tie_word_embeddings=True))


@pytest.fixture
def workspace(untrained: tuple[Path, str], tmp_path: Path) -> Workspace:
    shutil.copytree(untrained[0], tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")


def test_with_fsdp_one_process_of_a_machine_loads_the_base_and_hands_it_out(
    untrained: tuple[Path, str], base: str, workspace: Workspace
) -> None:
    params = sft_params(workspace, untrained[1], base, **SHORT) | {"launch": "a.yaml", "sharded": True, "processes": 2}
    create_run(workspace.runs, SFT_KIND, SFT_ENTRY, params)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ, TELLS: "nobody", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true", "ACCELERATE_USE_FSDP": "true",
        "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    }  # fmt: skip
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UP_TO_THE_WEIGHTS, str(workspace.root), base],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
        )
        for rank in range(2)
    ]
    first, second = (json.loads(each.communicate()[0].splitlines()[-1]) for each in processes)
    assert (first["fsdp"], second["fsdp"]) == (True, True)
    assert (first["has"], second["has"]) == (True, False)
    assert (first["tied"], second["tied"]) == (True, True)
    assert first["logits"] == second["logits"]


@pytest.mark.parametrize("sharded", [False, True])
def test_what_is_forgotten_is_measured_where_a_launched_process_has_whole_weights(
    untrained: tuple[Path, str], base: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, sharded: bool
) -> None:
    monkeypatch.setenv(TELLS, "nobody")  # The run's own process is then the one that was launched.
    params = sft_params(workspace, untrained[1], base, measure_forgetting=True, **SHORT)
    done = run_to_end(workspace, SFT_KIND, SFT_ENTRY, params | {"launch": "a.yaml", "sharded": sharded})
    problems = [event.payload["text"] for event in read_events(workspace.runs / "sft-1")[0] if event.kind == "problem"]
    assert ("general_bits_per_token" in done, problems) == ((False, [NOT_MEASURED]) if sharded else (True, []))


def test_an_adapter_that_is_gone_on_from_looks_for_its_base_on_this_machine(base: str, tmp_path: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    random_lora(model, tmp_path / "start", 4, 0.5)
    means = Means("lora", "float32", "auto", "adamw_torch", 1, False, False, False, False, 0)
    lm = load_base(base, means)
    onward = trainable(lm, means, TrainingSettings(), tmp_path / "start")
    assert onward.peft_config["default"].base_model_name_or_path == str(lm.folder)


def test_a_lora_fits_a_base_whose_weights_are_shared_out(base: str, tmp_path: Path) -> None:
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    random_lora(model, tmp_path / "start", 4, 0.5)
    bare = transformers.AutoModelForCausalLM.from_pretrained(base)
    for weight in bare.parameters():  # As DeepSpeed leaves them (ZeRO-3).
        weight.ds_shape = weight.shape
        weight.data = torch.empty(0)
    check_fit(bare, base, tmp_path / "start")
    bare.model.layers[0].mlp.up_proj.out_features += 1
    with pytest.raises(ModelError, match="outputs there, and the adapter is for"):
        check_fit(bare, base, tmp_path / "start")
