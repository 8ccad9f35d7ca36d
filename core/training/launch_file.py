"""What a configuration of ``accelerate launch`` says that a run must know beforehand. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from core.errors import UsageError
from core.settings.places import placed

LIBRARIES = {"FSDP": "FSDP", "DEEPSPEED": "DeepSpeed"}
"""What shares a training out among processes, by accelerate's name of it."""


@dataclass(frozen=True, slots=True)
class Launch:
    """How many processes train together, and whether the weights are shared out among them."""

    processes: int = 1
    sharded: bool = False
    library: str = ""
    """What shares out the training, be it the optimizer alone; empty where each process trains whole weights itself."""


def read_launch(file: Path) -> Launch:
    """Read a configuration; what it leaves open is as accelerate has it.

    Raises UsageError for a file that is not there, and for one under which the weights could not be saved at the end.
    """
    if not file.is_file():
        raise UsageError(f"no accelerate configuration at {file}", "make one: accelerate config, or see docs/launch")
    told = _mapping(file)
    processes = told.get("num_processes")
    kind, sharded = str(told.get("distributed_type", "")).upper(), False
    if kind == "DEEPSPEED":
        own = told.get("deepspeed_config")
        stage, saves = _zero(own if isinstance(own, dict) else {}, file.parent)
        sharded = stage == 3
        if sharded and not saves:
            raise UsageError(
                f"under {file.name} the weights stay shared out among processes (ZeRO-3): none could be saved",
                "set zero3_save_16bit_model: true there, or in DeepSpeed's own file"
                " stage3_gather_16bit_weights_on_model_save",
            )
    several = processes if isinstance(processes, int) and processes > 0 else 1
    return Launch(several, sharded or kind == "FSDP", LIBRARIES.get(kind, ""))


def deepspeeds_own(told: Mapping[str, Any], folder: Path) -> Path | None:
    """The file of DeepSpeed's own that accelerate's configuration in ``folder`` names, if it names one."""
    named = told.get("deepspeed_config_file")
    return Path(placed(str(named), folder)) if named else None


def _zero(told: dict[str, Any], folder: Path) -> tuple[int, bool]:
    """DeepSpeed's stage, and whether whole weights are gathered to be saved. Its own file outranks accelerate's."""
    if file := deepspeeds_own(told, folder):
        own = _mapping(file).get("zero_optimization")
        zero = own if isinstance(own, dict) else {}
        gathers = zero.get("stage3_gather_16bit_weights_on_model_save")
        # "auto" is what accelerate's configuration says, which is off where it is silent.
        return _number(zero.get("stage")), gathers is True or (gathers == "auto" and _saves(told))
    return _number(told.get("zero_stage", 2)), _saves(told)


def _saves(told: dict[str, Any]) -> bool:
    return str(told.get("zero3_save_16bit_model", False)).lower() == "true"


def _number(value: object) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdecimal() else 0


def _mapping(file: Path) -> dict[str, Any]:
    """Of YAML or JSON; empty where there is none to read: the launcher says what is wrong with it."""
    try:
        text = file.read_text("utf-8")
        values = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return values if isinstance(values, dict) else {}
