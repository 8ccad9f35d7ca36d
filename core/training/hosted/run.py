"""The work of a hosted run: clear, check, upload, start, watch; resumable by what it has written down.

Nothing leaves before consent, cost and file are checked. Each send is a row of the ledger. Once a job may be under way
a resumed run only looks for it and watches it: it neither uploads nor starts another. A run that was begun on another
machine, which may start the job itself, never does more than that. Heavy: it brings the client.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from core.calls.consent import check_host
from core.calls.hosts import TRAINING
from core.calls.ledger import moment
from core.calls.patience import Waits
from core.errors import Interrupted, RunError, TrainingError
from core.models.generation import CallFailed
from core.models.hosts import host_of
from core.runs.job import Job
from core.runs.journal import load_run, read_events
from core.settings import HostedSettings
from core.store.model_calls import ANSWERED, Leaving, open_call
from core.training.hosted.accounts import close_row, settled
from core.training.hosted.hint import persona_lines
from core.training.hosted.host import LABEL, NOT_BEGUN, Host
from core.training.hosted.launch import cancelling, refuse_beside_a_job
from core.training.hosted.plan import Prepared, check_plan, prepare
from core.training.hosted.protocol import LONGEST_TOLD, RemoteEvent, RemoteJob
from core.training.hosted.record import CANCELLED, FAILED, OVER, Record, read_record, write_record

MOST_SILENCES = 20
"""Looks at a job in a row that may fail before the run stops; the job goes on all the same."""
HOST_EVENT = "host"
"""Kind of the run's events that repeat what the host says of the job."""


def run(job: Job) -> dict[str, Any]:
    """The work of a ``hosted`` run; its params are those of ``hosted_params``.

    Raises ConsentError, BudgetError, DatasetError or RunError before anything has left, TrainingError where the host
    fails or gives up, and Interrupted when asked to stop, which leaves the job at the host alone.
    """
    return train_there(job, Waits())


def train_there(job: Job, waits: Waits) -> dict[str, Any]:
    """The same with these waits between attempts."""
    try:
        return asyncio.run(HostedWork(job, waits).all())
    except Interrupted:
        raise Interrupted(_stopped(job.folder.name, read_record(job.folder))) from None
    except CallFailed as failure:
        raise TrainingError(failure.message, _what_to_do(job.folder.name, failure)) from None


class HostedWork:
    """One attempt at one hosted run."""

    def __init__(self, job: Job, waits: Waits) -> None:
        self._job = job
        self._waits = waits
        self._settings = HostedSettings(**job.params["settings"])
        self._host = Host(self._settings, waits, job.stop_point)

    async def all(self) -> dict[str, Any]:
        """From where the record says it stands to the new model's name."""
        try:
            record = read_record(self._job.folder)
            if record is not None and record.starting:
                record = await self._looked_for(record)
            if record is None or not record.job:
                self._refuse_elsewhere()
                refuse_beside_a_job(self._job.workspace, self._job.folder.name)
                record = await self._uploaded(record)
                record = await self._started(record)
            ended = await self._watched(record)
            return self._result(read_record(self._job.folder) or record, ended)
        finally:
            await self._host.close()

    def _refuse_elsewhere(self) -> None:
        run = load_run(self._job.workspace.runs, self._job.folder.name)
        if run.brought:
            raise RunError(
                f"{run.id} was begun on another machine, and no job of it is known here",
                "resume it there, or start a new one: simulee train hosted",
            )

    def _save(self, record: Record, **changes: Any) -> Record:
        changed = record.model_copy(update=changes)
        write_record(self._job.folder, changed)
        return changed

    async def _uploaded(self, record: Record | None) -> Record:
        """The record with the host's name for the file, which is sent unless it is there."""
        prepared = prepare(self._job.workspace, self._job.params)
        plan = prepared.plan
        for problem in plan.problems:
            self._job.event("problem", text=problem)
        check_plan(plan)
        self._job.event(
            "plan", host=plan.host, base=plan.model, dataset=plan.dataset, samples=plan.samples, tokens=plan.tokens,
            epochs=plan.epochs, cost=plan.cost, left_out=plan.left_out,
        )  # fmt: skip
        digest = hashlib.sha256(prepared.content).hexdigest()
        if record is None or record.digest != digest:
            # Other words than those that were sent: something was taken back since, and must not be trained on.
            record = Record(label=secrets.token_hex(16), host=self._host.name)
        record = self._save(
            record, digest=digest, samples=plan.samples, tokens=plan.tokens, cost=plan.cost, left_out=plan.left_out
        )
        sent = record.file
        if sent and bool(await self._host.persist(lambda: self._is_there(sent))):
            return record
        self._job.progress(0, 1, f"uploading {plan.samples} samples to {plan.host}")
        name = f"{LABEL}-{record.label}.jsonl"
        # Some hosts list files and tell of none: what is in the list still need not go there twice.
        looked_for = record.uploading or bool(sent)

        async def attempt() -> str:
            nonlocal looked_for
            found = await self._file_there(name, len(prepared.content)) if looked_for else ""
            if not found:
                looked_for = True
                found = await self._send(name, prepared)
            return found

        record = self._save(record, file="", uploading=True)
        file = await self._host.persist(attempt)
        self._job.event("uploaded", file=file, bytes=len(prepared.content))
        return self._save(record, file=file, uploading=False)

    async def _is_there(self, file: str) -> bool:
        """Whether a job can be started on a file that an earlier attempt sent."""
        try:
            return not (await self._host.file(file)).is_gone
        except CallFailed as failure:
            if failure.reason in ("not found", "refused"):
                return False
            raise

    async def _file_there(self, name: str, size: int) -> str:
        """The host's name for a file that an earlier attempt may have sent, or an empty string."""
        try:
            found = await self._host.find_file(name, size)
        except CallFailed as failure:
            if failure.reason in ("not found", "refused"):
                return ""  # It keeps no list. To send a file twice costs nothing but the way.
            raise
        return found.id if found else ""

    async def _send(self, name: str, prepared: Prepared) -> str:
        workspace = self._job.workspace
        workspace.forget_settings()
        check_host(self._host.name, workspace.settings.privacy, workspace.database)
        with self._ledger("fine-tuning file", len(prepared.content), prepared.about):
            uploaded = await self._host.upload(name, prepared.content)
        if uploaded.is_gone:
            said = " ".join((uploaded.status_details or "no reason given").split())[:LONGEST_TOLD]
            raise CallFailed("refused", f"{self._host.name} refused the file: {said}", retryable=False)
        return uploaded.id

    async def _started(self, record: Record) -> Record:
        """The record with the host's name for the job, which is started unless it may have been."""
        workspace = self._job.workspace
        self._job.progress(0, 1, f"starting a job at {self._host.name}")

        async def attempt() -> RemoteJob:
            nonlocal record
            found = await self._job_there(record) if record.starting else None
            if found is not None:
                return found
            workspace.forget_settings()
            check_host(self._host.name, workspace.settings.privacy, workspace.database)
            body = self._host.job_body(record.label, record.file)
            with self._ledger("fine-tuning job", len(json.dumps(body).encode()), (), record) as row:
                record = self._save(record, starting=True, row=row)
                try:
                    return await self._host.start(body)
                except CallFailed as failure:
                    if failure.reason in NOT_BEGUN:
                        record = self._save(record, starting=False)
                    raise

        found = await self._host.persist(attempt)
        return self._named(record, found)

    async def _looked_for(self, record: Record) -> Record:
        """The record with the job that an earlier attempt may have started, or without one where there is none."""
        found = await self._host.persist(lambda: self._job_there(record))
        return self._named(record, found) if found else self._save(record, starting=False)

    def _named(self, record: Record, found: RemoteJob) -> Record:
        self._job.event("job", job=found.id, status=found.state)
        return self._save(record, job=found.id, starting=False, status=found.state)

    async def _job_there(self, record: Record) -> RemoteJob | None:
        """The job that was started, if it was; its row of the ledger may have been left open."""
        try:
            found = await self._host.find_job(record.label, record.file)
            if found is not None:
                used = record.tokens * self._settings.epochs
                close_row(self._job.workspace.database, record.row, ANSWERED, used, record.cost or 0.0)
            return found
        except CallFailed as failure:
            if failure.reason not in ("not found", "refused"):
                raise
            # Without a list there is no telling, and a second job would be paid for.
            raise TrainingError(
                f"{self._host.name} may have started a job on {record.file}, and lists none to tell by",
                f"look at its own pages; {cancelling(self._job.folder.name)} lets go of it",
            ) from None

    async def _watched(self, record: Record) -> RemoteJob:
        """Look at the job until it is over. Raises TrainingError where it did not succeed."""
        events, _ = read_events(self._job.folder)
        known = {str(event.payload["id"]) for event in events if event.kind == HOST_EVENT}
        silences = 0
        while True:
            wait = self._settings.poll
            try:
                seen = await self._host.job(record.job)
                await self._tell_events(record.job, known)
                if seen.state in OVER:
                    return self._over(record, seen)
                silences = 0
            except CallFailed as failure:
                silences += 1
                if not failure.retryable or silences >= MOST_SILENCES:
                    raise
                wait = max(wait, min(failure.retry_after or 0.0, self._waits.longest_pause))
            else:
                if seen.state != record.status:
                    self._job.event("job", job=record.job, status=seen.state)
                    record = self._save(record, status=seen.state)
                    self._job.progress(0, 1, f"{record.job} is {seen.state} at {self._host.name}")
            await self._host.sleep(wait)

    def _over(self, record: Record, seen: RemoteJob) -> RemoteJob:
        model = seen.fine_tuned_model
        if seen.state not in FAILED | CANCELLED and not model:
            raise CallFailed("not an answer", f"{self._host.name} names no model for {record.job}", retryable=True)
        write_record(self._job.folder, settled(self._job.workspace.database, self._settings, record, seen))
        again = "simulee train hosted starts another one"
        if seen.state in FAILED:
            raise TrainingError(
                f"{record.job} failed at {self._host.name}: {seen.told_error or 'it gives no reason'}", again
            )
        if seen.state in CANCELLED:
            raise TrainingError(f"{record.job} was cancelled at {self._host.name}", again)
        return seen

    async def _tell_events(self, job: str, known: set[str]) -> None:
        try:
            fresh = await self._host.events_but(job, known)
        except CallFailed:
            return  # They are news, and nothing rests on them: the next look brings them, or none does.
        for event in fresh:
            known.add(event.id)
            self._tell(event)

    def _tell(self, event: RemoteEvent) -> None:
        message = " ".join((event.message or "").split())[:LONGEST_TOLD]
        self._job.event(HOST_EVENT, id=event.id, message=message)
        figures = event.figures
        if "step" not in figures:
            return
        told = {
            ours: figures[theirs]
            for ours, theirs in (("loss", "train_loss"), ("eval_loss", "valid_loss"))
            if theirs in figures
        }
        if told:
            self._job.event("metrics", step=int(figures["step"]), **told)
        total = int(figures.get("total_steps", 0))
        if total:
            self._job.progress(int(figures["step"]), total, f"training at {self._host.name}")

    @contextmanager
    def _ledger(self, purpose: str, size: int, about: tuple[str, ...], job: Record | None = None) -> Iterator[int]:
        """A row of the ledger around one send; for the start of a ``job`` it holds what the job will use."""
        database = self._job.workspace.database
        leaving = Leaving(
            moment(), self._job.folder.name, TRAINING, "endpoint", self._host.name, self._settings.model, purpose, size,
            about, "",
        )  # fmt: skip
        with database.write():
            row = open_call(database, leaving)
        outcome = "cancelled"
        try:
            yield row
            outcome = ANSWERED
        except CallFailed as failure:
            outcome = failure.reason
            raise
        finally:
            used = job if outcome == ANSWERED else None
            tokens = used.tokens * self._settings.epochs if used else 0
            close_row(database, row, outcome, tokens, (used.cost or 0.0) if used else 0.0)

    def _result(self, record: Record, ended: RemoteJob) -> dict[str, Any]:
        self._job.progress(1, 1, f"{record.job} {ended.state}")
        settings = self._settings.model_copy(update={"model": ended.fine_tuned_model})
        return {
            "model": ended.fine_tuned_model,
            "base": self._settings.model,
            "host": host_of(self._settings.address),
            "job": record.job,
            "file": record.file,
            "dataset": self._job.params["dataset"],
            "samples": record.samples,
            "left_out": record.left_out,
            "epochs": self._settings.epochs,
            "trained_tokens": ended.trained_tokens or record.tokens * self._settings.epochs,
            "cost": record.cost,
            "persona": persona_lines(settings, self._job.workspace.settings.models.base),
        }


def _stopped(run_id: str, record: Record | None) -> str:
    """What becomes of the job, in one line."""
    if record is None or not record.under_way:
        return "stopped before a job was started at the host"
    return f"stopped watching: {record.told_job} goes on at {record.host}; {cancelling(run_id)} stops it there"


def _what_to_do(run_id: str, failure: CallFailed) -> str:
    if failure.reason == "not authorized":
        return "check the key in the variable that [training.hosted] api_key_env names"
    if failure.reason == "redirect":
        return "no redirect is followed: set [training.hosted] base_url to where the host answers"
    return f"simulee runs resume {run_id} goes on where it stopped"
