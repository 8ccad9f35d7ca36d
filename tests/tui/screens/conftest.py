"""The workbench under a pilot: open a screen, do something there, read what it shows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from core.runs.journal import EventLog, Run, create_run, load_run
from core.workspace import Workspace
from tui.app import Options, Workbench
from tui.keys import Keymap
from tui.widgets.block_chart import BlockChart
from tui.widgets.frame import StatusLine
from tui.widgets.line_list import LineList
from tui.widgets.text import Words


class Seat:
    """Someone at the workbench."""

    def __init__(self, bench: Workbench, pilot: Pilot[int]) -> None:
        self.bench = bench
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        """Press keys, and let everything that follows from them happen."""
        await self.pilot.press(*keys)
        await self.settle()

    async def settle(self) -> None:
        """Wait until the keys pressed so far have done what they do: each is taken up after the one before is done."""
        for _ in range(3):
            await self.pilot.pause()
            done = asyncio.Event()
            self.bench.call_later(done.set)
            await asyncio.wait_for(done.wait(), 60)
        await self.pilot.pause()

    async def until(self, true: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for something to become true. Fails when it does not."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not true():
            assert asyncio.get_running_loop().time() < deadline, f"it did not come; the screen says:\n{self.shown}"
            await self.pilot.pause(0.02)

    @asynccontextmanager
    async def reads_wait(self) -> AsyncIterator[None]:
        """What is read meanwhile is known only after this, and what follows from it has happened then."""
        go_on = threading.Event()
        held = asyncio.ensure_future(self.bench.read(lambda _: go_on.wait(60)))
        try:
            yield
        finally:
            go_on.set()
        await held
        for _ in range(3):  # What was read may lead to another read.
            await self.bench.read(lambda _: None)
            await self.settle()

    @property
    def said(self) -> str:
        """The line above the keys."""
        return self.bench.stage_now().query_one(StatusLine).shown

    @property
    def shown(self) -> str:
        """All words of the screen at the front, a box over it included."""
        return "\n".join(words_of(widget) for widget in self.bench.screen.query("*"))

    @property
    def painted(self) -> list[str]:
        """The lines as the terminal gets them."""
        return ["".join(segment.text for segment in strip) for strip in self.bench.screen._compositor.render_strips()]


def words_of(widget: Widget) -> str:
    """What one widget says."""
    if isinstance(widget, (Words, BlockChart)):
        return widget.shown
    if isinstance(widget, LineList):
        parts = [widget._row(place) for place in range(widget.count)]
        return "\n".join("".join(part if isinstance(part, str) else str(part[0]) for part in row) for row in parts)
    return ""


Sit = Callable[..., None]


@pytest.fixture
def sit() -> Sit:
    """``sit(folder, screen, work)``: open a workspace at a screen and do ``await work(seat)`` there.

    ``keys`` are a person's own, by action.
    """

    def do(
        folder: Path | None,
        screen: str,
        work: Callable[[Seat], Awaitable[Any]],
        size: tuple[int, int] = (80, 24),
        keys: dict[str, str] | None = None,
    ) -> None:
        async def run() -> None:
            bench = Workbench(Options(folder=folder, screen=screen), Keymap(keys))
            async with bench.run_test(size=size) as pilot:
                seat = Seat(bench, pilot)
                await seat.until(lambda: bench.trouble is not None or bench.stage_now().ready)
                # It is ready before it has all that it shows.
                await seat.until(
                    lambda: all(each.is_finished for each in bench.workers if each.group.startswith("fill "))
                )
                await seat.settle()
                await work(seat)
            bench.close_lanes()

        asyncio.run(run())

    return do


Told = Sequence[tuple[str, dict[str, Any]]]


@pytest.fixture
def history() -> Callable[..., Run]:
    """``history(workspace, kind, [(event, payload), …])``: a run that ended so, in the format that runs write.

    Without a state it was lost.
    """

    def do(
        workspace: Workspace,
        kind: str,
        told: Told = (),
        state: str = "",
        result: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
    ) -> Run:
        run = create_run(workspace.runs, kind, "core.nowhere:run", params or {})
        tell(run, [("started", {"kind": kind, "pid": 1}), *told])
        if state:
            (run.folder / "state.json").write_text(json.dumps({"state": state, "result": result or {}}), "utf-8")
            tell(run, [("ended", {"state": state, "result": result or {}})])
        return load_run(workspace.runs, run.id)

    return do


def tell(run: Run, told: Told) -> None:
    """Append events to a run's log, as its worker does."""
    log = EventLog(run.folder)
    for kind, payload in told:
        log.append(kind, payload)
    log.close()


AT_WORK = """
import json, pathlib, signal, sys
from core.runs.journal import EventLog, holding
folder = pathlib.Path(sys.argv[1])
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
with holding(folder / "lock"):
    (folder / "state.json").unlink(missing_ok=True)
    print("at work", flush=True)
    signal.sigwait([signal.SIGTERM])
    result = {"error": "stopped as asked", "hint": "simulee runs resume ID", "exit_code": 130}
    log = EventLog(folder)
    (folder / "state.json").write_text(json.dumps({"state": "cancelled", "result": result}))
    log.append("ended", {"state": "cancelled", "result": result})
    log.close()
"""


@pytest.fixture
def at_work() -> Iterator[Callable[[Run], None]]:
    """``at_work(run)``: a process that holds the run as its worker does, until it is asked to stop."""
    processes = []

    def do(run: Run) -> None:
        process = subprocess.Popen([sys.executable, "-c", AT_WORK, str(run.folder)], stdout=subprocess.PIPE)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"at work"

    yield do
    for process in processes:
        process.terminate()
        process.communicate(timeout=20)
