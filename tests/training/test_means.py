"""By what means a base is trained on a machine: known cases of bases and GPUs come out as the field does them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.errors import TrainingError
from core.settings import TrainingSettings
from core.training import means
from core.training.means import GIB, Hardware, Shape, chosen, needed

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
        (7 * B, 16, "qlora", False),  # 14 GB of weights leave no room for the rest
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
    found = chosen(Shape.of(parameters), gpu(gib), TrainingSettings(), 2048, 8)
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
