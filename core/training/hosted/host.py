"""One host that fine-tunes: upload, start, watch, cancel, and look for what was done before.

The wire is the endpoint engine's: no redirect is followed, every request has one deadline, what is read is bounded.
Requests here are single attempts; ``persist`` makes one again as the calls of a role are. Heavy: import it late.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import openai

from core.calls.patience import Patience, Waits
from core.models.api_keys import key_from
from core.models.endpoint import EndpointEngine
from core.models.generation import CallFailed
from core.settings import HostedSettings
from core.training.hosted.protocol import EventPage, FilePage, JobPage, RemoteEvent, RemoteFile, RemoteJob, read

LABEL = "simulee"
"""Key of the job's metadata, and the beginning of the file's name."""
PAGE = 100
"""Rows of one page of a list."""
MOST_PAGES = 200
"""Of one list: a host that never says it was the last is not believed."""
LOOKS = 5
"""At a list, before what is not in it counts as not there: a host may list what it made some seconds later."""
STOP_POLL = 0.1
"""Seconds in which a request to stop is heard."""
NOT_BEGUN = frozenset(
    (
        "rate limit", "quota", "connection", "redirect", "not authorized", "not found", "refused", "parameter refused",
        "prompt too long",
    )
)  # fmt: skip
"""Failures after which a host has certainly begun nothing; after any other it is asked before the next attempt."""

T = TypeVar("T")
Page = TypeVar("Page", FilePage, JobPage, EventPage)


class Host:
    """OpenAI's fine-tuning interface at one address."""

    def __init__(self, settings: HostedSettings, waits: Waits, stop: Callable[[], None]) -> None:
        """``stop`` raises where the work is to end. Raises ModelError when the key's variable holds none."""
        self._settings = settings
        self._waits = waits
        self._stop = stop
        key = key_from(settings.key_variable, os.environ)
        self._engine = EndpointEngine(settings.address, settings.model, key, slots=2)

    @property
    def name(self) -> str:
        """``name:port``."""
        return self._engine.host

    async def close(self) -> None:
        await self._engine.close()

    async def persist(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Make an attempt until it succeeds or nothing speaks for another. Raises its last CallFailed."""
        patience = Patience(self._settings.attempts, self._waits)

        async def once() -> T:
            return await attempt()  # What is called must be seen to be a coroutine function.

        return await patience.retrying().copy(sleep=self.sleep)(once)

    async def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until a stop is asked for, which is raised."""
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            self._stop()
            left = ends - asyncio.get_running_loop().time()
            if left <= 0:
                return
            await asyncio.sleep(min(left, STOP_POLL))

    async def upload(self, name: str, content: bytes) -> RemoteFile:
        """Send a file under this name."""
        files = self._engine.client.files.with_raw_response

        async def send() -> bytes:
            return (await files.create(file=(name, content), purpose="fine-tune")).content

        return read(await self._request(send(), {}), RemoteFile, self.name)

    async def find_file(self, name: str, size: int) -> RemoteFile | None:
        """The file of this name, if it has come whole and a job can be started on it."""

        async def look() -> RemoteFile | None:
            async for page in self._pages("/files", FilePage, {"purpose": "fine-tune"}):
                for file in page.data or ():
                    if file.filename == name and (not file.bytes or file.bytes == size) and not file.is_gone:
                        return file
            return None

        return await self._looked_for(look)

    async def file(self, file: str) -> RemoteFile:
        """A file as it stands."""
        return read(await self._get(f"/files/{_in_path(file)}", {}), RemoteFile, self.name)

    def job_body(self, label: str, file: str) -> dict[str, Any]:
        """The fields of a request for a job, without those that this host refused."""
        body: dict[str, Any] = {"model": self._settings.model, "training_file": file}
        epochs = {"n_epochs": self._settings.epochs}
        if "hyperparameters" in self._engine.refused_parameters:
            # OpenAI's own interface has moved them; what imitates it knows the older place.
            body["method"] = {"type": "supervised", "supervised": {"hyperparameters": epochs}}
        else:
            body["hyperparameters"] = epochs
        if "metadata" not in self._engine.refused_parameters:
            body["metadata"] = {LABEL: label}
        if self._settings.suffix:
            body["suffix"] = self._settings.suffix
        return body

    async def start(self, body: dict[str, Any]) -> RemoteJob:
        """Start a job that ``job_body`` describes."""
        return read(await self._post("/fine_tuning/jobs", body), RemoteJob, self.name)

    async def find_job(self, label: str, file: str) -> RemoteJob | None:
        """The job that was started with this label or on this file, which no other job has."""

        async def look() -> RemoteJob | None:
            async for page in self._pages("/fine_tuning/jobs", JobPage, {}):
                for job in page.data or ():
                    if job.metadata.get(LABEL) == label or (file and job.training_file == file):
                        return job
            return None

        return await self._looked_for(look)

    async def job(self, job: str) -> RemoteJob:
        """A job as it stands."""
        return read(await self._get(f"/fine_tuning/jobs/{_in_path(job)}", {}), RemoteJob, self.name)

    async def cancel(self, job: str) -> RemoteJob:
        """Ask for a job's end."""
        return read(await self._post(f"/fine_tuning/jobs/{_in_path(job)}/cancel", {}), RemoteJob, self.name)

    async def events_but(self, job: str, known: set[str]) -> list[RemoteEvent]:
        """The events of a job that are not known yet, oldest first."""
        fresh: dict[str, RemoteEvent] = {}
        async for page in self._pages(f"/fine_tuning/jobs/{_in_path(job)}/events", EventPage, {}):
            found = {event.id: event for event in page.data or () if event.id not in known and event.id not in fresh}
            fresh |= found
            times = [event.created_at for event in page.data or ()]
            if not found and times == sorted(times, reverse=True):
                break  # Newest first: what follows is known too.
        # Pages come newest first, and events of one second in the order of their page.
        oldest_first = list(fresh.values())[::-1]
        oldest_first.sort(key=lambda event: event.created_at)
        return oldest_first

    async def _looked_for(self, look: Callable[[], Awaitable[T | None]]) -> T | None:
        """What a look at a list finds. Where it finds nothing, the list is read again a few times, ever later."""
        for number in range(LOOKS):
            if number:
                await self.sleep(self._waits.first * 2 ** (number - 1))
            found = await look()
            if found is not None:
                return found
        return None

    async def _pages(self, path: str, what: type[Page], query: dict[str, Any]) -> AsyncIterator[Page]:
        after = ""
        seen: set[str] = set()
        for _ in range(MOST_PAGES):
            asked = {**query, "limit": PAGE, **({"after": after} if after else {})}
            page = read(await self._get(path, asked), what, self.name)
            ids = [row.id for row in page.data or ()]
            yield page
            # A host that leaves ``after`` unread gives the first page for ever.
            if not page.has_more or not ids or seen.issuperset(ids):
                return
            seen.update(ids)
            after = ids[-1]

    async def _get(self, path: str, query: dict[str, Any]) -> bytes:
        async def send() -> bytes:
            answer = await self._engine.client.get(path, cast_to=httpx2.Response, options={"params": query})
            return answer.content

        return await self._request(send(), {})

    async def _post(self, path: str, body: dict[str, Any]) -> bytes:
        async def send() -> bytes:
            return (await self._engine.client.post(path, cast_to=httpx2.Response, body=body)).content

        return await self._request(send(), body)

    async def _request(self, sending: Awaitable[bytes], body: dict[str, Any]) -> bytes:
        """One request within its deadline. Raises CallFailed, or what ``stop`` raises: then it is given up."""
        within = self._settings.timeout
        task = asyncio.ensure_future(sending)
        try:
            async with asyncio.timeout(within):
                while not task.done():
                    await asyncio.wait({task}, timeout=STOP_POLL)
                    if not task.done():
                        self._stop()
                return await task
        except (TimeoutError, openai.APIError) as error:
            raise self._engine.failure(error, body, within) from None
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _in_path(name: str) -> str:
    """A host's own name for a job or a file, as a piece of an address. Raises CallFailed for one that leads away."""
    if not name.replace("-", "").replace("_", "").replace(".", "").replace(":", "").isalnum() or set(name) <= {"."}:
        raise CallFailed("refused", f"{name[:60]!r} cannot be the name of a job or a file", retryable=False)
    return name
