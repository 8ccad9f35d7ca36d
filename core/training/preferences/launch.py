"""What decides a run on preferences, frozen when it starts. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from core.adapters.bases import base_of
from core.adapters.files import require_lora
from core.errors import TrainingError, UsageError
from core.settings import dpo_settings
from core.settings.models import placed_model
from core.settings.places import placed
from core.store.adapters import AdapterRow, active_adapter, find_adapter
from core.store.decisions import last_decision_id
from core.training.launch_file import Launch, read_launch
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import Gathered, Method, gathered
from core.training.preferences.presets import named_preset
from core.training.preferences.settings import NOT_DONE, SHARED
from core.workspace import Workspace

DPO_KIND, KTO_KIND = "dpo", "kto"
DPO_ENTRY = "core.training.preferences.work:run_dpo"
KTO_ENTRY = "core.training.preferences.work:run_kto"
ENTRIES = {DPO_KIND: DPO_ENTRY, KTO_KIND: KTO_ENTRY}
MAKE_KIND, MAKE_ENTRY = "pairs", "core.training.preferences.making:run"
BARE = "base"
"""The name that asks for the bare base instead of an adapter."""

WHOLE = "each process must train whole weights by itself, as with docs/launch/one-node.yaml or two-nodes.yaml"
"""What to do where a launcher would share a training out."""


def dpo_params(workspace: Workspace, **options: Any) -> dict[str, Any]:
    """Everything that decides a DPO run; ``options`` as in ``preference_params``."""
    return preference_params(workspace, "dpo", **options)


def kto_params(workspace: Workspace, **options: Any) -> dict[str, Any]:
    """The same of a KTO run."""
    return preference_params(workspace, "kto", **options)


def preference_params(
    workspace: Workspace,
    method: Method,
    file: Path | None = None,
    start_from: str | None = None,
    base: str | None = None,
    max_steps: int | None = None,
    use: bool = True,
    preset: str | None = None,
    seed: int | None = None,
    launch: str | None = None,
    settings: Mapping[str, object] | None = None,
) -> dict[str, Any]:
    """Everything that decides what a run does: later decisions and changes of ``persona.toml`` do not reach it.

    ``file`` is learned from in place of the workspace's own judgements. ``start_from`` names an adapter to go on from,
    by default the twin's; ``BARE`` none. ``launch`` is a configuration of ``accelerate launch``. ``settings`` overrule
    ``[training.dpo]`` where they are not None. Raises UsageError, SettingsError, ModelError, or TrainingError when
    there is nothing to learn from.
    """
    if preset is not None:
        named_preset(preset)
    base = placed_model(base, Path.cwd()) if base else None
    start = _start(workspace, start_from, base)
    overrules = {key: value for key, value in (settings or {}).items() if value is not None}
    own = dpo_settings(workspace.settings.training.dpo, overrules)
    found = gathered(workspace, method, file)
    _check(found, method, file)
    training = workspace.settings.training.model_dump(mode="json", exclude=set(NOT_DONE))
    training |= own.model_dump(mode="json", include=set(SHARED))
    return {
        "base": base_of(workspace, start) if start else base or workspace.settings.models.base,
        "start_from": start.name if start else None,
        "max_steps": max_steps,
        "preset": preset,
        "use": use,
        "day": date.today().isoformat(),
        "settings": training | ({"seed": seed} if seed is not None else {}),
        "dpo": own.model_dump(mode="json"),
        "file": str(file.resolve()) if file else None,
        "file_hash": file_hash(file) if file else None,
        "decision": last_decision_id(workspace.database),
        "preferences": [list(each.reference) for each in found.preferences],
        "origins": found.origins,
        "left_out": {
            "held_out": found.held_out, "not_cleared": found.not_cleared, "overruled": found.overruled,
            "refused": len(found.refused),
        },
    } | Framing.now(workspace).frozen() | (_launched(launch) if launch else {})  # fmt: skip


def _launched(launch: str) -> dict[str, Any]:
    launch = placed(launch, Path.cwd())
    told = check_launch(Path(launch))
    return {"launch": launch, "processes": told.processes}


def check_launch(file: Path) -> Launch:
    """Read a launcher's configuration. Raises UsageError for one under which the processes share a training out."""
    told = read_launch(file)
    if told.library:
        raise UsageError(f"a run on preferences goes without {told.library}, which {file.name} is for", WHOLE)
    return told


def file_hash(file: Path) -> str:
    """SHA-256 of a file. Raises UsageError when it cannot be read."""
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}", "name a file of JSON lines") from None


def _start(workspace: Workspace, name: str | None, base: str | None) -> AdapterRow | None:
    """The adapter to go on from. Raises UsageError for an unknown one or another base's, ModelError for no LoRA."""
    if name == BARE:
        return None
    start = active_adapter(workspace.database) if name is None else find_adapter(workspace.database, name)
    if start is None:
        if name is not None:
            raise UsageError(f"no adapter {name!r} here", "see `simulee adapters list`, or --from base")
        return None
    if base is not None and (own := base_of(workspace, start)) != base:
        if name is None:
            return None
        raise UsageError(f"{start.name} was trained on {own}, not on {base}", f"--base {own}")
    require_lora(start, "training on preferences", "name one to go on from: --from A, or --from base")
    return start


def _check(found: Gathered, method: Method, file: Path | None) -> None:
    """Raises TrainingError when there is nothing to learn from."""
    if method == "kto" and len(found.preferences) == 1:
        raise TrainingError("KTO compares judgements with each other, and there is one", "judge another answer")
    if found.preferences:
        return
    left_out = [
        f"{count} {words}"
        for count, words in (
            (found.held_out, "ask what is held out"),
            (found.not_cleared, "rest on words not cleared for training, or nobody can tell on which"),
            (len(found.refused), "are no pairs"),
        )
        if count
    ]
    why = f": {', '.join(left_out)}" if left_out else ""
    if file is not None:
        raise TrainingError(
            f"{file.name} has no pair to train on{why}", "a line is JSON with prompt, chosen and rejected"
        )
    what = "no decided pair" if method == "dpo" else "no judged answer"
    raise TrainingError(
        f"there is {what} to train on{why}",
        "`simulee pairs make` tells what pairs that it made earlier rest on; else make and decide others"
        if found.not_cleared
        else "correct or compare answers in Chat, decide pairs in Review, or name a file: --pairs F",
    )
