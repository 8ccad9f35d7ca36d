"""What an adapter says in PEFT it says again when its export is loaded by the program it was made for."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import tomllib
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.adapters.launch import EXPORT_ENTRY, EXPORT_KIND, export_params
from core.models.chat_tokenizer import load_tokenizer
from core.models.llamacpp import Adapter, LlamaServer, Sampling
from core.models.lora_gguf import convert_lora
from core.models.packaged import SMOLLM2, smollm2_folder, smollm2_gguf
from core.runs.control import run_to_end
from core.workspace import Workspace
from tests.adapters.conftest import NAME, Trained, next_token

pytestmark = pytest.mark.slow
LIKELY = np.log(1e-4)
"""Tokens less likely than this are left out where llama.cpp is compared: nothing would ever draw them."""


def exported(workspace: Workspace, to: str) -> Path:
    done = run_to_end(workspace, EXPORT_KIND, EXPORT_ENTRY, export_params(workspace, NAME, to))
    folder = Path(done["path"])
    assert folder == workspace.exports / f"{NAME}-{to}"
    assert sorted(done["files"]) == sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    assert done["bytes"] == sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert "README.md" in done["files"]
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert [path.name for path in workspace.exports.iterdir()] == [folder.name]
    return folder


def in_peft(folder: Path, trained: Trained) -> np.ndarray:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        base = AutoModelForCausalLM.from_pretrained(smollm2_folder(), attn_implementation="sdpa")
        return next_token(PeftModel.from_pretrained(base, folder).eval(), trained.prompts)


def test_the_adapter_does_something(trained: Trained) -> None:
    assert np.abs(trained.adapted - trained.base)[trained.base > LIKELY].mean() > 0.3


def test_safetensors_are_what_they_were_in_peft(copy: Workspace, trained: Trained) -> None:
    folder = exported(copy, "safetensors")
    assert np.array_equal(in_peft(folder, trained), trained.adapted)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_merged_it_needs_transformers_alone_and_keeps_the_tokens_and_turns_of_its_base(
    copy: Workspace, trained: Trained
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = exported(copy, "merged")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="auto").eval()
    assert str(model.dtype) == "torch.float32"
    difference = np.abs(next_token(model, trained.prompts) - trained.adapted)
    assert difference.max() < 1e-4
    assert load_tokenizer(str(folder)).fingerprint == load_tokenizer(SMOLLM2).fingerprint
    asked = [{"role": "user", "content": "Where did you grow up?"}]
    ours, theirs = (
        AutoTokenizer.from_pretrained(each).apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        for each in (folder, smollm2_folder())
    )
    assert ours == theirs


def test_in_llamacpp_it_says_the_same(copy: Workspace, trained: Trained, tmp_path: Path) -> None:
    folder = exported(copy, "gguf")
    model, lora = smollm2_gguf(), folder / f"{NAME}.gguf"
    assert model is not None
    assert lora.read_bytes() == convert_lora(copy.adapters / NAME, tmp_path / "again.gguf").read_bytes()
    said = np.full_like(trained.adapted, np.nan)
    with LlamaServer.start(model, adapters=[Adapter(lora)], context=256, threads=1) as server:
        for row, prompt in zip(said, trained.prompts, strict=True):
            answer = server.completion(prompt, Sampling(max_tokens=1, logprobs=4000))
            for token, logprob in answer.logprobs[0].likeliest:
                row[token] = logprob
    likely = (trained.base > LIKELY) & (trained.adapted > LIKELY)
    effect = (trained.adapted - trained.base)[likely]
    # As for every converted adapter: the packaged base is in 4 bits, which costs less than half of what a LoRA does.
    assert np.abs(said - trained.adapted)[likely].mean() < 0.5 * np.abs(effect).mean()


def test_for_vllm_lie_the_adapter_the_command_and_the_settings(
    copy: Workspace, trained: Trained, tmp_path: Path
) -> None:
    folder = exported(copy, "vllm")
    assert np.array_equal(in_peft(folder / NAME, trained), trained.adapted)
    # What serve.sh runs, seen by a vllm that only writes down what it was asked, from another folder.
    fake = tmp_path / "bin" / "vllm"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o700)
    done = subprocess.run(
        ["/bin/sh", str(folder / "serve.sh"), "--port", "8001"],
        cwd=tmp_path, env={"PATH": f"{fake.parent}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    where, *words = done.stdout.splitlines()
    assert Path(where) == folder
    assert words == [
        "serve", "HuggingFaceTB/SmolLM2-135M-Instruct", "--host", "127.0.0.1", "--enable-lora",
        "--lora-modules", f"{NAME}=./{NAME}", "--max-lora-rank", "16", "--port", "8001",
    ]  # fmt: skip
    role = tomllib.loads((folder / "persona.toml").read_text())["models"]["persona"]
    assert role == {
        "engine": "endpoint", "model": NAME, "base": "SmolLM2-135M-Instruct", "base_url": "http://127.0.0.1:8000/v1",
    }  # fmt: skip


def test_a_path_that_vllm_would_split_is_left_to_the_script(copy: Workspace, tmp_path: Path) -> None:
    params = export_params(copy, NAME, "vllm", tmp_path / "a=b, c")
    done = run_to_end(copy, EXPORT_KIND, EXPORT_ENTRY, params)
    assert shlex.split(done["loading"][0]) == ["sh", str(tmp_path / "a=b, c" / f"{NAME}-vllm" / "serve.sh")]


def test_the_command_tells_path_files_and_bytes_and_an_export_again_replaces(
    simulee: Callable[..., subprocess.CompletedProcess[str]], copy: Workspace, tmp_path: Path
) -> None:
    out = tmp_path / "shelf"
    for _ in range(2):
        done = simulee("adapters", "export", NAME, "--to", "vllm", "--out", "shelf", "--json", "-w", copy.root)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["path"] == str(out / f"{NAME}-vllm")
        assert [path.name for path in out.iterdir()] == [f"{NAME}-vllm"]
        (out / f"{NAME}-vllm" / "stale").write_text("from before")
    words = shlex.split(told["loading"][0])
    assert words[:2] == ["vllm", "serve"]
    assert f"{NAME}={out / f'{NAME}-vllm' / NAME}" in words
    assert sorted(told["files"]) == [
        "README.md", "persona.toml", "serve.sh", f"{NAME}/adapter_config.json", f"{NAME}/adapter_model.safetensors",
    ]  # fmt: skip
