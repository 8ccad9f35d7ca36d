"""An adapter that cannot be had is refused in one clear line, by export, chat and evaluation alike."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.adapters.choice import adapter_named
from core.adapters.files import ADAPTER_FILES, check_base, folder_hash, whole_folder
from core.adapters.gguf import gguf_of
from core.adapters.launch import EXPORT_ENTRY, EXPORT_KIND, FORMATS, export_params
from core.adapters.vllm import max_rank
from core.errors import ModelError, RunError, UsageError
from core.models.chat_tokenizer import model_folder
from core.models.packaged import SMOLLM2
from core.runs.control import run_to_end
from core.workspace import Workspace
from tests.adapters.conftest import NAME, Trained

Simulee = Callable[..., subprocess.CompletedProcess[str]]
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "one bit": flip,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_file_is_named(copy: Workspace, name: str) -> None:
    (copy.adapters / NAME / name).unlink()
    adapter = adapter_named(copy, NAME)
    for load in (whole_folder, gguf_of):
        with pytest.raises(ModelError, match=f"sft-1 has no readable {name} any more") as refused:
            load(copy, adapter)
        assert "train it again" in refused.value.hint


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_damaged_file_is_refused(copy: Workspace, name: str, damage: str) -> None:
    DAMAGES[damage](copy.adapters / NAME / name)
    adapter = adapter_named(copy, NAME)
    for load in (whole_folder, gguf_of):
        with pytest.raises(ModelError, match="the files of the adapter sft-1 have changed"):
            load(copy, adapter)


@pytest.mark.slow
def test_chat_refuses_a_damaged_adapter_with_either_engine(copy: Workspace) -> None:
    from core.models.causal_lm import CausalLM
    from core.twin.speech import LlamaVoice, TransformersVoice

    flip(copy.adapters / NAME / WEIGHTS)
    adapter = adapter_named(copy, NAME)
    with pytest.raises(ModelError, match="have changed"):
        LlamaVoice(copy, SMOLLM2, adapter, 512)
    with pytest.raises(ModelError, match="have changed"):
        TransformersVoice(copy, CausalLM(SMOLLM2), adapter)


@pytest.mark.slow
@pytest.mark.parametrize("to", FORMATS)
def test_no_form_of_a_damaged_adapter_is_written(copy: Workspace, to: str) -> None:
    flip(copy.adapters / NAME / WEIGHTS)
    with pytest.raises(RunError, match="have changed"):
        run_to_end(copy, EXPORT_KIND, EXPORT_ENTRY, export_params(copy, NAME, to))
    assert list(copy.exports.iterdir()) == []


@pytest.mark.slow
def test_a_base_of_other_weights_or_another_tokenizer_is_refused(copy: Workspace) -> None:
    adapter, base = adapter_named(copy, NAME), model_folder(SMOLLM2)
    check_base(copy, adapter, base)
    with pytest.raises(ModelError, match="trained on other weights than those at"):
        check_base(copy, replace(adapter, revision="0" * 12), base)
    with copy.database.write():
        copy.database.execute("UPDATE dataset SET settings = json_set(settings, '$.tokenizer', 'another')")
    with pytest.raises(ModelError, match="another tokenizer or chat template"):
        check_base(copy, adapter, base)
    with pytest.raises(ModelError, match="another tokenizer or chat template"):
        gguf_of(copy, adapter)
    with pytest.raises(RunError, match="another tokenizer or chat template"):
        run_to_end(copy, EXPORT_KIND, EXPORT_ENTRY, export_params(copy, NAME, "merged"))
    assert list(copy.exports.iterdir()) == []


def small_llama(layers: int, hidden: int) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=64, hidden_size=hidden, intermediate_size=2 * hidden, num_hidden_layers=layers,
            num_attention_heads=2, num_key_value_heads=1,
        )
    )  # fmt: skip


def lora_of(model: Any, folder: Path) -> Path:
    from peft import LoraConfig, get_peft_model

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        get_peft_model(model, LoraConfig(r=2, target_modules="all-linear")).save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_lora_of_another_model_is_refused_before_peft_takes_half_of_it(tmp_path: Path) -> None:
    from core.models.lora_fit import check_fit

    lora = lora_of(small_llama(2, 16), tmp_path / "lora")
    check_fit(small_llama(2, 16), "own", lora)
    with pytest.raises(
        ModelError, match=r"does not fit wide: model.layers.0.\S+ has 64 inputs there, and \S+ adapter is for 32"
    ):
        check_fit(small_llama(2, 32), "wide", lora)
    with pytest.raises(ModelError, match=r"adapts model.layers.1.\S+, which short does not have"):
        check_fit(small_llama(1, 16), "short", lora)
    with pytest.raises(ModelError, match=r"has no weights for model.layers.2.\S+ and 6 more layers"):
        check_fit(small_llama(3, 16), "long", lora)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:fan_in_fan_out")
def test_a_lora_of_layers_that_keep_their_weights_turned_around_fits_its_model_and_no_other(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from core.models.lora_fit import check_fit

    def small(layers: int, hidden: int) -> Any:
        return GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=hidden, n_layer=layers, n_head=2))

    lora = lora_of(small(2, 16), tmp_path / "lora")
    check_fit(small(2, 16), "own", lora)
    with pytest.raises(ModelError, match="does not fit wide"):
        check_fit(small(2, 32), "wide", lora)
    with pytest.raises(ModelError, match=r"has no weights for transformer.h.2.\S+ and 3 more layers"):
        check_fit(small(3, 16), "long", lora)


@pytest.mark.slow
def test_a_model_takes_the_lora_that_fits_and_no_other(trained: Trained, tmp_path: Path) -> None:
    from core.models.causal_lm import CausalLM

    other = lora_of(small_llama(2, 16), tmp_path / "other")
    lm = CausalLM(SMOLLM2)
    for _ in range(2):
        with pytest.raises(ModelError, match=rf"does not fit {SMOLLM2}: \S+ has \d+ \S+ there, and the adapter is for"):
            lm.load_adapter("other", other, "hash")
        # A second adapter is held against the base, not against the first one's layers.
        lm.load_adapter("own", trained.root / "adapters" / NAME, "hash")
    (other / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=f"has no {WEIGHTS}"):
        lm.load_adapter("other", other, "hash")
    (other / WEIGHTS).write_bytes(b"\xff" * 99)
    with pytest.raises(ModelError, match="is damaged"):
        lm.load_adapter("other", other, "hash")


@pytest.mark.parametrize(
    ("rank", "least"), [(1, 8), (8, 8), (9, 16), (16, 16), (100, 128), (257, 320), (321, 512), (512, 512)]
)
def test_vllm_is_given_a_rank_that_it_takes(rank: int, least: int) -> None:
    assert max_rank({"r": rank}) == least


@pytest.mark.parametrize(
    ("config", "named"),
    [({"r": 513}, "rank 513"), ({"r": 8, "rank_pattern": {"q_proj": 16}}, "rank_pattern"),
     ({"r": 8, "use_dora": True}, "use_dora"), ({"r": 8, "bias": "all"}, "bias"),
     ({"r": 8, "lora_bias": True}, "lora_bias"), ({"r": 8, "trainable_token_indices": [1]}, "trainable_token_indices"),
     ({"r": 8, "target_parameters": ["x"]}, "target_parameters"),
     ({"r": 8, "init_lora_weights": "pissa"}, "init_lora_weights=pissa")],
)  # fmt: skip
def test_what_vllm_cannot_run_is_refused(config: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelError, match=named) as refused:
        max_rank(config)
    assert "merged" in refused.value.hint


def told(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    lines = [line for line in done.stderr.splitlines() if line.startswith("simulee: ")]
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in words), lines


@pytest.mark.slow
def test_the_command_refuses_in_one_line(simulee: Simulee, copy: Workspace, tmp_path: Path) -> None:
    told(simulee("adapters", "export", "sft-9", "-w", copy.root), 2, "no adapter 'sft-9'")
    told(simulee("adapters", "export", NAME, "--to", "onnx", "-w", copy.root), 2, "no adapter format 'onnx'")
    (tmp_path / "file").write_text("x")
    told(simulee("adapters", "export", NAME, "--out", "file", "-w", copy.root), 2, "is not a folder")
    told(simulee("adapters", "export", NAME, "--out", "~nobody-here/x", "-w", copy.root), 2, "nobody's folder")
    thesis = copy.exports / f"{NAME}-safetensors" / "thesis"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    told(simulee("adapters", "export", NAME, "-w", copy.root), 2, "is no export of this adapter")
    assert thesis.read_text() == "precious"
    with pytest.raises(UsageError, match="sft-9"):
        export_params(copy, "sft-9", "gguf")


@pytest.mark.slow
def test_another_twins_export_of_the_same_name_is_not_replaced(copy: Workspace, tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"

    def export() -> dict[str, Any]:
        return run_to_end(copy, EXPORT_KIND, EXPORT_ENTRY, export_params(copy, NAME, "safetensors", shelf))

    export()
    export()
    weights = (shelf / f"{NAME}-safetensors" / WEIGHTS).read_bytes()
    # What another workspace has under the name: other weights.
    flip(copy.adapters / NAME / WEIGHTS)
    with copy.database.write():
        other = folder_hash(copy.adapters / NAME, ADAPTER_FILES)
        copy.database.execute("UPDATE adapter SET hash = ?", (other,))
    with pytest.raises(RunError, match="is no export of this adapter"):
        export()
    assert (shelf / f"{NAME}-safetensors" / WEIGHTS).read_bytes() == weights


@pytest.mark.slow
def test_a_base_in_a_folder_is_exported_by_its_name_alone(copy: Workspace) -> None:
    with copy.database.write():
        copy.database.execute("UPDATE adapter SET base = '/home/ada/private/a-base'")
    run_to_end(copy, EXPORT_KIND, EXPORT_ENTRY, export_params(copy, NAME, "safetensors"))
    for path in (copy.exports / f"{NAME}-safetensors").iterdir():
        assert b"/home/ada" not in path.read_bytes()
    config = json.loads((copy.exports / f"{NAME}-safetensors" / CONFIG).read_text())
    assert config["base_model_name_or_path"] == "a-base"


@pytest.mark.slow
def test_a_tainted_adapter_is_exported_with_a_warning(simulee: Simulee, copy: Workspace) -> None:
    with copy.database.write():
        copy.database.execute("UPDATE source SET use = 'none' WHERE location LIKE '%letter.md'")
    done = simulee("adapters", "export", NAME, "--json", "-w", copy.root)
    reason = "letter.md went in and is not cleared for training any more: none"
    assert done.returncode == 0
    assert json.loads(done.stdout)["tainted"] == [reason]
    assert f"do not hand it on: {reason}" in done.stderr
    shown = simulee("adapters", "show", NAME, "--json", "-w", copy.root)
    assert json.loads(shown.stdout)["tainted"] == [reason]
    assert "Do not hand this on" in (copy.exports / f"{NAME}-safetensors" / "README.md").read_text()


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from tui.command_line import run
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("to", "limit"), [("safetensors", 4_000_000), ("gguf", 4_000_000), ("merged", 60_000_000)])
def test_a_full_disk_is_told_and_leaves_nothing_half(copy: Workspace, to: str, limit: int) -> None:
    """The size limit of a file stands for the disk: both are a write that falls short."""
    before = sorted(path.name for path in (copy.adapters / NAME).iterdir())
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), "adapters", "export", NAME, "--to", to, "-w", str(copy.root)],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    told(done, 1, f"{NAME}-{to} could not be written: the disk is full")
    assert list(copy.exports.iterdir()) == []
    assert sorted(path.name for path in (copy.adapters / NAME).iterdir()) == before
