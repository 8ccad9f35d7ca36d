"""Work beside the event loop: reads and writes on threads of their own, detached runs, and the watch over them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from textual.worker import Worker

from core.errors import SimuleeError, WorkspaceError
from tui.loop.lanes import Lane
from tui.loop.typed_ahead import KeysInOrder
from tui.widgets.frame import Banner, Tabs

if TYPE_CHECKING:
    from core.runs.control import Asked
    from core.runs.journal import Run
    from core.runs.snapshot import RunPicture, RunsReader
    from core.workspace import Workspace
    from tui.screens.stage import Stage

Result = TypeVar("Result")
WATCH_SECONDS = 0.5
"""Between two looks at the runs: curves and log lines repaint at most twice a second."""


class WorksAside(KeysInOrder):
    """What screens ask for when something takes longer than a frame."""

    def __init__(self, *arguments: Any, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self.pictures: tuple[RunPicture, ...] = ()
        """Every run, newest first."""
        self.tab_counts: dict[str, str] = {}
        self.trouble: SimuleeError | None = None
        """Why no workspace is open."""
        self._reader = Lane("reader")
        self._writer = Lane("writer")
        self._thinker = Lane("thinker")
        self._runs_reader: RunsReader | None = None

    def stage_now(self) -> Stage:
        """The screen at the front, boxes aside."""
        raise NotImplementedError

    def refresh_stage(self) -> None:
        """What the screen at the front shows has changed in the store."""
        raise NotImplementedError

    def remember_place(self) -> None:
        """Write down where one is."""
        raise NotImplementedError

    async def read(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call ``function(workspace, …)`` on the reader's thread, with a connection of its own."""
        assert self.workspace is not None
        return await self._reader.call(self.workspace.root, function, *arguments)

    async def write(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The same on the writer's thread: a write waits its turn there, not on the event loop, and keeps its order."""
        assert self.workspace is not None
        return await self._writer.call(self.workspace.root, function, *arguments)

    async def think(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """The same on a third thread, for what takes longer and nobody waits for."""
        assert self.workspace is not None
        return await self._thinker.call(self.workspace.root, function, *arguments)

    def do(
        self, work: Coroutine[Any, Any, None] | Callable[[], Coroutine[Any, Any, None]], exclusive: str = ""
    ) -> Worker[None]:
        """Run something beside the event loop's own work; what it raises is shown, and the app lives.

        Work of an ``exclusive`` name takes the place of what still runs under it; it is given as a function.
        """
        return self.run_worker(work, group=exclusive or "work", exclusive=bool(exclusive), exit_on_error=False)

    async def start_run(self, kind: str, entry: str, params: dict[str, Any]) -> Run | None:
        """Start a detached run. What refuses is shown, and None comes back."""
        return await self._of_run(lambda workspace, control: control.start(workspace, kind, entry, params))

    async def cancel_run(self, run_id: str) -> Asked | None:
        """Ask a run to stop at its next safe point."""
        return await self._of_run(lambda workspace, control: control.cancel(workspace, run_id))

    async def resume_run(self, run_id: str) -> Run | None:
        """Let a run go on where it stopped."""
        return await self._of_run(lambda workspace, control: control.resume(workspace, run_id))

    async def _of_run(self, act: Callable[[Workspace, Any], Result]) -> Result | None:
        def call() -> Result:
            from core.runs import control

            assert self.workspace is not None
            return act(self.workspace, control)

        if self.workspace is None:
            self.complain(self.trouble or WorkspaceError("no workspace is open", self.stage_now().ways_in))
            return None
        try:
            done = await asyncio.to_thread(call)
        except SimuleeError as error:
            self.complain(error)
            return None
        self._look_at_runs()
        return done

    async def _watch_runs(self) -> None:
        if self._runs_reader is not None:
            await asyncio.to_thread(self._runs_reader.look)  # The first look reads every log from its start.
        while self.workspace is not None:
            self._look_at_runs()
            await asyncio.sleep(WATCH_SECONDS)
            self.remember_place()

    def _look_at_runs(self) -> None:
        if self._runs_reader is None:
            return
        before, self.pictures = self.pictures, self._runs_reader.look()
        if before == self.pictures:
            return
        for banner in self.screen.query(Banner):
            banner.show_now()
        stage = self.stage_now()
        if stage.ready:
            stage.runs_changed()
        states = {each.id: each.state for each in before}
        if any(states.get(each.id) == "running" and each.state != "running" for each in self.pictures):
            self.refresh_stage()

    async def _count(self) -> None:
        from core.overview import stage_counts

        self.tab_counts = await self.read(stage_counts)
        for tabs in self.screen.query(Tabs):
            tabs.show_now()

    def close_lanes(self) -> None:
        """Let the threads go."""
        for lane in (self._reader, self._writer, self._thinker):
            lane.close()
