"""Names of the training runs, for those who start them without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import UsageError
from core.settings import training_settings
from core.settings.models import placed_model
from core.settings.places import placed
from core.training.launch_file import read_launch
from core.training.means import SHARDED_QLORA
from core.training.presets import named_preset

if TYPE_CHECKING:
    from core.workspace import Workspace

SFT_KIND = "sft"
SFT_ENTRY = "core.training.sft:run"
SHARED_PATIENCE = (
    "patience keeps the best weights, which goes without FSDP and DeepSpeed",
    "set patience = 0, or launch with whole weights in each process, as docs/launch/one-node.yaml does",
)


def sft_params(
    workspace: Workspace,
    dataset_hash: str,
    base: str | None = None,
    max_steps: int | None = None,
    use: bool = True,
    preset: str | None = None,
    start_from: str | None = None,
    launch: str | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Everything that decides what a training run does, frozen: later changes of ``persona.toml`` do not reach it.

    ``settings`` overrule the workspace's training settings where they are not None; ``preset`` fills what both leave
    open, by default that of the base's size. ``start_from`` names an adapter to go on from, ``launch`` a configuration
    of ``accelerate launch``; it and ``base`` may be paths from the current folder on. Raises UsageError or
    SettingsError.
    """
    if preset is not None:
        named_preset(preset)
    overrules = {key: value for key, value in settings.items() if value is not None}
    params: dict[str, Any] = {
        "dataset": dataset_hash,
        "base": placed_model(base, Path.cwd()) if base else workspace.settings.models.base,
        "max_steps": max_steps,
        "settings": training_settings(workspace.settings.training, overrules).model_dump(mode="json"),
        "use": use,
    }
    named: dict[str, Any] = {"preset": preset, "start_from": start_from}
    if launch is not None:
        file = Path(placed(launch, Path.cwd()))
        told = read_launch(file)
        if told.sharded and params["settings"]["method"] == "qlora":
            raise UsageError(*SHARDED_QLORA)
        if told.library and params["settings"]["patience"]:
            raise UsageError(*SHARED_PATIENCE)
        named |= {"launch": str(file), "processes": told.processes, "sharded": told.sharded}
    return params | {key: value for key, value in named.items() if value}
