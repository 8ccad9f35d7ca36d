"""``simulee serve``: the twin over loopback, for any program that speaks OpenAI's protocol."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Annotated, Any

import typer

from core.errors import Interrupted, SimuleeError, UsageError
from core.runs import control
from core.runs.journal import Event, Run
from core.twin.client import running_server, serving_of
from core.twin.launch import SERVE_ENTRY, SERVE_KIND, slots_of
from core.workspace import Workspace
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def serve(
    face: Face,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    idle_minutes: Annotated[
        float | None,
        typer.Option("--idle-minutes", min=0, help="Stop after so long without a question; 0 never, the default."),
    ] = None,
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, max=64, help="Answers at once; by default [twin] slots.")
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once it is ready; it goes on.")] = False,
) -> None:
    """Serve the twin on 127.0.0.1, behind a token. Ctrl+C stops it. Where it is served already, its place is named.

    The url is the base url of any OpenAI client, the token its API key, and the model's name is twin. With more than
    one slot, the same question with the same seed need not give the same words.

    Example: simulee serve --port 8765
    """
    workspace = face.workspace()
    known = running_server(workspace)
    if known is not None:
        _refuse_other_port(known, port)
        _refuse_other_slots(workspace, known, slots)
        _wait(face, workspace, known, lambda: None)
        face.note(f"{known.id} serves already; simulee runs cancel {known.id} stops it")
        return
    params: dict[str, Any] = {"port": port, "idle_minutes": idle_minutes or 0.0, "slots": slots}
    run = control.start(workspace, SERVE_KIND, SERVE_ENTRY, params)
    if detach:
        _wait(face, workspace, run, lambda: None)
        return
    asked = False

    def stop(_number: int, _frame: object) -> None:
        nonlocal asked
        if not asked:
            asked = True
            control.cancel(workspace, run.id)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        _wait(face, workspace, run, lambda: face.note("Ctrl+C stops it"))
        for _ in control.follow(workspace, run.id, from_start=False):
            pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise typer.Exit(Interrupted.exit_code)
    control.result_of(workspace, run.id)


def _wait(face: Face, workspace: Workspace, run: Run, when_ready: Callable[[], None]) -> None:
    """Until it is ready, then print where it is. Raises what stopped it."""
    line = face.watcher()
    for event in control.follow(workspace, run.id):
        line.show(run.id, event)
        if event.kind == "ready":
            line.clear()
            if serving_of(run) is not None:
                _print(face, event)
                when_ready()
                return
    control.result_of(workspace, run.id)
    raise SimuleeError(f"{run.id} has ended", "simulee serve starts another one")


def _print(face: Face, event: Event) -> None:
    url, token_file = event.payload["url"], event.payload["token_file"]
    face.result({"url": url, "token_file": token_file}, [f"url         {url}", f"token file  {token_file}"])


def _refuse_other_port(run: Run, port: int) -> None:
    serving = serving_of(run)
    if port and serving is not None and f":{port}/" not in serving.url:
        raise UsageError(f"{run.id} serves already, at {serving.url}", f"simulee runs cancel {run.id} stops it")


def _refuse_other_slots(workspace: Workspace, run: Run, slots: int | None) -> None:
    serving = serving_of(run)
    if slots and serving is not None and slots_of(workspace.settings, slots) != serving.slots:
        raise UsageError(
            f"{run.id} serves already, with {serving.slots} slots", f"simulee runs cancel {run.id} stops it"
        )
