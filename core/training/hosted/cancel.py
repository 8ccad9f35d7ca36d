"""End a run's job at its host, whether or not the run still watches it. Heavy: it brings the client."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from core.calls.patience import Waits
from core.errors import TrainingError, UsageError
from core.models.generation import CallFailed
from core.runs.journal import Run, load_run
from core.settings import HostedSettings
from core.training.hosted.accounts import settled
from core.training.hosted.host import Host
from core.training.hosted.launch import HOSTED_KIND
from core.training.hosted.protocol import RemoteJob
from core.training.hosted.record import OVER, Record, read_record, write_record
from core.workspace import Workspace

NO_JOB = "none"
"""In place of a status, where the host has no job of the run."""


@dataclass(frozen=True, slots=True)
class CancelledJob:
    """What a host said to it."""

    run: str
    host: str
    job: str
    """Empty where there is none."""
    status: str
    """As the host tells it; some take a while until it is ``cancelled``."""


def cancel_at_host(workspace: Workspace, run_id: str, waits: Waits | None = None) -> CancelledJob:
    """Cancel the job of a hosted run. It sends no words, so it needs no consent.

    Raises UsageError for a run without a job, TrainingError where the host fails or the job is over.
    """
    run = load_run(workspace.runs, run_id)
    record = read_record(run.folder) if run.kind == HOSTED_KIND else None
    if record is None or not record.may_have_job:
        raise UsageError(f"{run_id} has no job at a host", "see `simulee runs list`")
    settings = HostedSettings(**run.params["settings"])
    try:
        found = asyncio.run(_cancelled(settings, record, waits or Waits()))
    except CallFailed as failure:
        if record.job or failure.reason not in ("not found", "refused"):
            raise TrainingError(failure.message, "try it again, or cancel it on the host's own pages") from None
        _note(run, record.model_copy(update={"starting": False}))
        raise TrainingError(
            f"{record.host} lists no jobs: whether {run_id} started one can only be seen on its own pages",
            "here it counts as not started from now on",
        ) from None
    if found is None:
        _note(run, record.model_copy(update={"starting": False}))
        return CancelledJob(run_id, record.host, "", NO_JOB)
    _note(run, settled(workspace.database, settings, record, found))
    return CancelledJob(run_id, record.host, found.id, found.state)


async def _cancelled(settings: HostedSettings, record: Record, waits: Waits) -> RemoteJob | None:
    host = Host(settings, waits, lambda: None)
    try:
        name = record.job
        if not name:
            found = await host.persist(lambda: host.find_job(record.label, record.file))
            if found is None:
                return None
            name = found.id

        async def attempt() -> RemoteJob:
            # An attempt whose answer was lost may have succeeded, and what is over cannot be cancelled.
            seen = await host.job(name)
            return seen if seen.state in OVER else await host.cancel(name)

        return await host.persist(attempt)
    finally:
        await host.close()


def _note(run: Run, record: Record) -> None:
    # A run that watches writes its own record, and sees the end for itself.
    if run.state != "running":
        write_record(run.folder, record)
