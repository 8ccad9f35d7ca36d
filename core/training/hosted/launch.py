"""Names and parameters of hosted runs, for those who start them without importing the client."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from core.errors import RunError, SettingsError
from core.models.hosts import host_of
from core.runs.journal import Run, list_runs
from core.settings import hosted_settings
from core.settings.section import is_base_url
from core.training.hosted.record import read_record
from core.workspace import Workspace

HOSTED_KIND = "hosted"
HOSTED_ENTRY = "core.training.hosted.run:run"


def hosted_params(
    workspace: Workspace,
    dataset_hash: str,
    *,
    base_url: str | None = None,
    api_key_env: str | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Everything that decides what a hosted run does, frozen; ``settings`` overrule the file's where they are not None.

    Raises SettingsError for values that cannot be, or where neither names a host and a model.
    """
    said = workspace.settings.training.hosted
    values = said.model_dump(mode="json") | {name: value for name, value in settings.items() if value is not None}
    if base_url is not None:
        asked = hosted_settings({"base_url": base_url}).address
        # A key was made out to one server: another one does not get it unasked.
        values |= {
            "provider": "",
            "base_url": base_url,
            "api_key_env": _key_for(asked, said.address, said.key_variable),
        }
    if api_key_env is not None:
        values["api_key_env"] = api_key_env
    chosen = hosted_settings(values)
    if not chosen.address or not chosen.model:
        raise SettingsError(
            f"no {'model' if chosen.address else 'host'} is named for hosted fine-tuning",
            "set [training.hosted] base_url and model in persona.toml, or pass --base-url and --model",
        )
    return {"dataset": dataset_hash, "settings": chosen.model_dump(mode="json")}


def refuse_beside_a_job(workspace: Workspace, except_run: str = "") -> None:
    """Raises RunError while the job of an earlier run may be under way at its host: a second one is paid for too."""
    for run in list_runs(workspace.runs):
        record = read_record(run.folder) if run.kind == HOSTED_KIND and run.id != except_run else None
        if record is not None and record.under_way:
            watcher = "the machine that began it" if run.merged else f"simulee runs resume {run.id}"
            raise RunError(
                f"{run.id} has {record.told_job} at {record.host}, which is not over",
                f"{watcher} follows it, {cancelling(run.id)} stops it there",
            )


def left_at_host(run: Run) -> str:
    """What goes on at a host when a run only stops watching it, in one line; empty for a run without such a job."""
    record = read_record(run.folder) if run.kind == HOSTED_KIND else None
    if record is None or not record.under_way:
        return ""
    return f"{record.told_job} goes on at {record.host}: {cancelling(run.id)} stops it there"


def cancelling(run_id: str) -> str:
    """The command that cancels a run's job at its host."""
    return f"simulee train hosted --cancel {run_id}"


def _key_for(asked: str, said: str, variable: str) -> str:
    def place(address: str) -> tuple[str, str]:
        return urlsplit(address).scheme, host_of(address)

    return variable if said and is_base_url(asked) and place(asked) == place(said) else ""
