"""How much a step reads: in one process or in several, what the run says of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import TrainingSettings
from core.training.amounts import steps_of
from core.training.means import Hardware, Shape
from core.training.preferences.gathering import Method
from core.training.preferences.means import means_for
from core.training.preferences.trainers import common_settings

SHAPE = Shape(1_500_000_000, 28, 1536, 150_000, True)
GPU = Hardware("cuda", "A GPU with room", 80 * 2**30, 8, True)
CPU = Hardware("cpu", "A CPU", 8 * 2**30)


@pytest.mark.parametrize("processes", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("hardware", [GPU, CPU])
@pytest.mark.parametrize("method", ["dpo", "kto"])
@pytest.mark.parametrize("micro_batch", [None, 2])
def test_all_processes_read_together_what_a_step_is_said_to_read(
    method: Method, hardware: Hardware, processes: int, micro_batch: int | None, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("WORLD_SIZE", str(processes))
    asked = TrainingSettings(learning_rate=1e-4, epochs=10, batch=8, micro_batch=micro_batch)
    means, at_once, settings = means_for(method, SHAPE, hardware, asked, 200, processes)
    assert settings.batch is not None
    steps = steps_of(100, settings)
    config = common_settings(tmp_path, settings, means, steps, 1, at_once, False)
    read = config["per_device_train_batch_size"] * config["gradient_accumulation_steps"] * processes
    assert read == settings.batch
    assert 8 <= read <= 8 + processes or read == at_once * processes
    assert steps * read == pytest.approx(10 * 100, abs=10 * read)
