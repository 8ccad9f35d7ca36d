"""By what means a base is trained on a machine: known cases of bases and GPUs come out as the field does them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from core.errors import TrainingError
from core.settings import TrainingSettings
from core.training import means
from core.training.means import GIB, Hardware, Shape, chosen, config_of, needed, seems_apart, this_hardware

B = 1_000_000_000


def gpu(gib: int) -> Hardware:
    return Hardware("cuda", f"a GPU of {gib} GiB", gib * GIB, bf16=True)


CPU = Hardware("cpu", "CPU", 16 * GIB)


@pytest.fixture(autouse=True)
def _libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where `simulee[gpu]` is installed."""
    monkeypatch.setattr(means, "installed", lambda module: module != "flash_attn")


@pytest.mark.parametrize(
    ("parameters", "gib", "method", "checkpointing"),
    [
        (7 * B, 8, "qlora", True),
        (7 * B, 16, "qlora", True),  # 14 GB of weights leave no room for the rest
        (7 * B, 24, "lora", True),
        (7 * B, 80, "lora", False),
        (13 * B, 40, "lora", True),
        (33 * B, 24, "qlora", True),  # QLoRA's paper: 33B on 24 GB
        (65 * B, 48, "qlora", True),  # and 65B on 48 GB
        (70 * B, 80, "qlora", True),
        (135_000_000, 8, "lora", False),
    ],
)
def test_the_method_that_fits_is_chosen(parameters: int, gib: int, method: str, checkpointing: bool) -> None:
    found = chosen(Shape.of(parameters, {"vocab_size": 32_000}), gpu(gib), TrainingSettings(), 2048, 8)
    assert (found.method, found.dtype) == (method, "bfloat16")
    assert found.gradient_checkpointing is checkpointing
    assert found.memory <= gib * GIB


def test_a_cpu_trains_a_lora_in_float32_one_row_at_a_time() -> None:
    found = chosen(Shape.of(135_000_000), CPU, TrainingSettings(), 640, 8)
    assert (found.method, found.dtype, found.micro_batch, found.gradient_checkpointing, found.liger) == (
        "lora", "float32", 1, False, False
    )  # fmt: skip
    assert found.packing
    assert not chosen(Shape.of(135_000_000), CPU, TrainingSettings(), 640, 1).packing


def test_rows_share_memory_where_there_is_room() -> None:
    assert chosen(Shape.of(135_000_000), gpu(80), TrainingSettings(), 640, 8).micro_batch == 8
    assert chosen(Shape.of(7 * B), gpu(24), TrainingSettings(), 8192, 8).micro_batch == 1
    assert chosen(Shape.of(135_000_000), gpu(80), TrainingSettings(), 640, 6).micro_batch == 2


@pytest.mark.parametrize(("rows", "micro"), [(1, 1), (2, 2), (3, 1), (4, 4), (8, 8)])
def test_no_more_packed_rows_are_read_at_once_than_a_step_has(rows: int, micro: int) -> None:
    """Eight samples of a step may be one row or two: with more at once a run would read its data again and again."""
    found = chosen(Shape.of(135_000_000), gpu(80), TrainingSettings(), 2048, 8, rows)
    assert found.micro_batch == micro
    assert found.packing


def test_flash_attention_is_for_weights_in_sixteen_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means, "installed", lambda module: True)
    small, old = Shape.of(135_000_000), replace(gpu(24), bf16=False)
    assert chosen(small, gpu(24), TrainingSettings(), 640, 8).attention == "flash_attention_2"
    assert chosen(small, gpu(24), TrainingSettings(method="full"), 640, 8).attention == "auto"
    assert chosen(small, old, TrainingSettings(), 640, 8).attention == "auto"


def test_what_is_set_is_taken() -> None:
    settings = TrainingSettings(
        method="full", packing=False, gradient_checkpointing=True, micro_batch=3, optimizer="adafactor", compile=True
    )
    found = chosen(Shape.of(135_000_000), gpu(80), settings, 640, 8)
    assert (found.method, found.packing, found.gradient_checkpointing, found.micro_batch) == ("full", False, True, 3)
    assert (found.optimizer, found.compile, found.liger) == ("adafactor", True, True)


def test_without_its_library_qlora_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(means, "installed", lambda module: False)
    with pytest.raises(TrainingError, match="bitsandbytes") as caught:
        chosen(Shape.of(7 * B), gpu(8), TrainingSettings(method="qlora"), 640, 8)
    assert "simulee[gpu]" in caught.value.hint


def test_more_tokens_and_more_weights_need_more() -> None:
    small, large = Shape.of(B), Shape.of(7 * B)
    for method in ("lora", "qlora", "full"):
        assert needed(small, gpu(80), method, 1024, False) < needed(large, gpu(80), method, 1024, False)
        assert needed(small, gpu(80), method, 1024, True) < needed(small, gpu(80), method, 1024, False)
        assert needed(small, gpu(80), method, 1024, False) < needed(small, gpu(80), method, 4096, False)


def test_what_no_quantization_reaches_counts_in_full() -> None:
    tied = {"num_hidden_layers": 24, "hidden_size": 1024, "vocab_size": 250_000, "tie_word_embeddings": True}
    shape = Shape.of(600_000_000, tied)
    assert shape.outside == 256_000_000
    assert Shape.of(900_000_000, tied | {"tie_word_embeddings": False}).outside == 512_000_000
    # Of 600M parameters 256M stay in float32: a gigabyte.
    assert needed(shape, gpu(80), "qlora", 1, True) > 256_000_000 * 4 + 344_000_000 * 0.5


def test_rows_in_memory_leave_room_for_the_rank_that_is_set() -> None:
    for rank in (16, 512, 2048):
        found = chosen(Shape.of(B), gpu(80), TrainingSettings(rank=rank), 4096, 16)
        assert found.memory <= 80 * GIB * means.ROOM


def test_samples_of_a_base_that_keeps_them_apart_in_no_row_are_read_one_by_one() -> None:
    small = Shape.of(135_000_000)
    for settings in (TrainingSettings(), TrainingSettings(micro_batch=4)):
        found = chosen(small, gpu(80), settings, 640, 8, apart=False)
        assert (found.samples_alone, found.packing, found.micro_batch) == (True, False, 1)
    with pytest.raises(TrainingError, match="samples of this base cannot share rows"):
        chosen(small, gpu(80), TrainingSettings(packing=True), 640, 8, apart=False)


def test_weights_that_are_shared_out_need_not_fit_one_device() -> None:
    assert chosen(Shape.of(70 * B), gpu(80), TrainingSettings(), 2048, 8, sharded=True).method == "lora"
    with pytest.raises(TrainingError, match="cannot be shared out"):
        chosen(Shape.of(70 * B), gpu(80), TrainingSettings(method="qlora"), 2048, 8, sharded=True)


@pytest.mark.parametrize(
    ("told", "apart"),
    [
        ({"model_type": "llama", "num_hidden_layers": 2}, True),
        ({"layer_types": ["sliding_attention", "full_attention"]}, True),
        ({"layer_types": ["attention", "attention"], "mamba_d_conv": 4}, True),
        ({"layer_types": ["mamba", "attention"], "mamba_d_conv": 4}, False),
        ({"linear_conv_kernel_dim": 4}, False),
        ({"attn_layer_period": 8, "mamba_d_state": 16}, False),
    ],
)
def test_a_configuration_tells_whether_layers_hand_a_state_on(told: dict[str, object], apart: bool) -> None:
    assert seems_apart(told) is apart


def test_what_a_base_that_sees_says_of_its_text_part_is_read(tmp_path: Path) -> None:
    text = {"hidden_size": 2560, "num_hidden_layers": 34, "vocab_size": 262_208}
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3", "text_config": text}), "utf-8")
    shape = Shape.of(4 * B, config_of(tmp_path))
    assert (shape.hidden, shape.layers, shape.vocabulary) == (2560, 34, 262_208)


@pytest.mark.parametrize(("major", "native"), [(7, False), (8, True), (9, True)])
def test_bfloat16_that_is_emulated_is_not_taken_for_native(
    major: int, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As torch tells it of a T4 or V100, whose emulation it counts as support unless it is asked not to."""
    card = SimpleNamespace(name="a GPU", total_memory=16 * GIB, major=major)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert torch.cuda.is_bf16_supported()
    assert this_hardware().bf16 is native
