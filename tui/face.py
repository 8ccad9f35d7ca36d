"""What every command shares: its four options, how it tells results and errors, and how it follows a run.

The parser of arguments needs this module, so nothing heavy is imported with it. Results go to stdout, progress and
diagnostics to stderr. With ``--json`` stdout holds one JSON object and nothing else.
"""

from __future__ import annotations

import functools
import inspect
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from core.errors import Interrupted, SimuleeError
from tui.safe_text import safe, safe_line

if TYPE_CHECKING:
    from core.runs.journal import Event, Run
    from core.workspace import Workspace

DONE_IN_PART = 3
"""Exit code when some records were refused; the summary counts them."""
LONGEST_CELL = 200
"""Characters of one cell of a table: every row is as wide as its widest cell."""


@dataclass(frozen=True, slots=True)
class Face:
    """The options that every command takes, and the ways to speak that follow from them."""

    folder: Path | None
    json: bool
    quiet: bool
    verbose: bool

    def workspace(self) -> Workspace:
        """The workspace that was named, or the nearest parent that is one. Raises WorkspaceError."""
        from core.workspace import Workspace

        return Workspace.open(self.folder) if self.folder else Workspace.find(Path.cwd())

    def result(self, values: Mapping[str, Any], lines: Iterable[str] = ()) -> None:
        """The command's result: JSON, or the lines for a person."""
        if self.json:
            sys.stdout.write(json.dumps(values, ensure_ascii=True, default=str) + "\n")
        else:
            for line in lines:
                sys.stdout.write(safe(line) + "\n")
        sys.stdout.flush()

    def note(self, line: str) -> None:
        """A diagnostic; ``-q`` silences it."""
        if not self.quiet:
            sys.stderr.write(safe(line) + "\n")
            sys.stderr.flush()

    def watcher(self) -> ProgressLine:
        return ProgressLine(self.quiet, self.verbose)

    def follow(self, workspace: Workspace, run: Run, from_start: bool = True) -> dict[str, Any]:
        """Attach to a run until it ends. Ctrl+C asks it to stop at its next safe point, a second one only detaches."""
        from core.runs import control

        line = self.watcher()
        asked = False

        def on_interrupt(_number: int, _frame: object) -> None:
            nonlocal asked
            if asked:
                raise Interrupted(f"detached: {run.id} goes on", f"simulee runs attach {run.id}")
            asked = True
            try:
                control.cancel(workspace, run.id)
            except SimuleeError:
                return
            line.say(f"asked {run.id} to stop; Ctrl+C again leaves it to finish")

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            for event in control.follow(workspace, run.id, from_start):
                line.show(run.id, event)
        finally:
            signal.signal(signal.SIGINT, before)
            line.clear()
        return control.result_of(workspace, run.id)

    def work(
        self, workspace: Workspace, kind: str, entry: str, params: dict[str, Any], detach: bool
    ) -> dict[str, Any] | None:
        """Start detached work and follow it; with ``detach`` print its id and return None."""
        from core.runs import control

        run = control.start(workspace, kind, entry, params)
        if detach:
            self.result({"run": run.id}, [f"{run.id} is running; simulee runs attach {run.id} follows it"])
            return None
        return self.follow(workspace, run)


class ProgressLine:
    """One line on the terminal that says how far the work is; off a terminal only what ends is told."""

    def __init__(self, quiet: bool, verbose: bool) -> None:
        self._drawn = not quiet and sys.stderr.isatty()
        self._quiet = quiet
        self._verbose = verbose
        self._shown = False
        self._last = 0.0

    def show(self, name: str, event: Event) -> None:
        """Draw an event of a run or a stage."""
        payload = event.payload
        if event.kind == "progress":
            self._draw(name, payload)
        elif event.kind == "stage_done":
            self.say(f"  {payload['name']:<24} {payload['seconds']:>6.1f} s  {payload['detail']}")
            for issue in payload.get("issues", []) if self._verbose else []:
                self.say(f"      {issue['locator']}: {issue['reason']}")
        elif event.kind == "metrics" and self._verbose:
            figures = " ".join(f"{key} {value:.4g}" for key, value in payload.items() if key != "step")
            self.say(f"  {name} step {payload['step']}: {figures}")
        elif event.kind == "problem":
            self.say(f"  {payload['text']}")
        elif event.kind == "plan" and payload.get("damaged"):
            self.say(f"  damaged checkpoints set aside: {', '.join(payload['damaged'])}")
        elif event.kind == "plan" and payload.get("outdated"):
            self.say("  what it learns from has changed since it stopped: it begins anew")

    def say(self, line: str) -> None:
        """A line that stays."""
        self.clear()
        if not self._quiet:
            sys.stderr.write(safe(line) + "\n")
            sys.stderr.flush()

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False

    def _draw(self, name: str, payload: Mapping[str, Any]) -> None:
        moment = time.monotonic()
        if not self._drawn or (moment - self._last < 0.1 and payload["done"] < payload["total"]):
            return
        self._last = moment
        left = (payload["total"] - payload["done"]) / payload["rate"] if payload["rate"] else 0
        ahead = f" · {_duration(left)} left" if left >= 1 else ""
        line = f"  {name} {payload['done']}/{payload['total']}{ahead} · {payload['what']}"
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r\x1b[K" + safe_line(line)[:width])
        sys.stderr.flush()
        self._shown = True


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


_WORKSPACE = Annotated[
    Path | None,
    typer.Option("--workspace", "-w", metavar="DIR", help="The workspace; default: the nearest parent that is one."),
]
_JSON = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
_QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no remarks.")]
_VERBOSE = Annotated[bool, typer.Option("--verbose", "-v", help="More remarks.")]


def command(
    app: typer.Typer, name: str | None = None, bare: bool = False
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function whose first parameter is a ``Face``; the four shared options are added to its own.

    ``bare`` makes it what a group does when none of its commands is named; it then takes a ``typer.Context`` second.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        own = list(signature.parameters.values())[1:]

        @functools.wraps(function)
        def wrapped(**values: Any) -> None:
            face = Face(
                values.pop("workspace_folder"), values.pop("as_json"), values.pop("quiet"), values.pop("verbose")
            )
            function(face, **values)

        shared: Sequence[tuple[str, Any, object]] = (
            ("workspace_folder", _WORKSPACE, None),
            ("as_json", _JSON, False),
            ("quiet", _QUIET, False),
            ("verbose", _VERBOSE, False),
        )
        keyword = inspect.Parameter.KEYWORD_ONLY
        parameters = [parameter.replace(kind=keyword) for parameter in own] + [
            inspect.Parameter(key, keyword, default=default, annotation=kind) for key, kind, default in shared
        ]
        wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        settings = {"help_option_names": ["-h", "--help"]}
        if bare:
            app.callback(invoke_without_command=True, context_settings=settings)(wrapped)
        else:
            app.command(name, context_settings=settings)(wrapped)
        return function

    return register


def group(help_text: str, bare: bool = False) -> typer.Typer:
    """A command with commands of its own; ``bare`` when it does something without them too."""
    return typer.Typer(
        help=help_text, invoke_without_command=bare, add_completion=False, rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]}, pretty_exceptions_enable=False,
    )  # fmt: skip


def table(rows: Sequence[Sequence[str]], heads: Sequence[str] = ()) -> list[str]:
    """Columns aligned to their widest cell; figures to the right. A cell that is too long is cut."""
    every = [list(heads), *map(list, rows)] if heads else list(map(list, rows))
    if not every:
        return []
    cleaned = [[_cut(safe_line(cell)) for cell in row] for row in every]
    widths = [max(len(row[column]) for row in cleaned) for column in range(len(cleaned[0]))]
    numeric = [
        all(cell[:1] in "-+0123456789" for cell in (row[column] for row in cleaned[bool(heads) :]) if cell)
        for column in range(len(widths))
    ]
    lines = []
    for row in cleaned:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return lines


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"


def fail(error: SimuleeError, as_json: bool) -> int:
    """Tell an error in one line and a hint, and return its exit code."""
    if as_json:
        sys.stdout.write(json.dumps({"error": error.message, "hint": error.hint}) + "\n")
    sys.stderr.write(safe_line(f"simulee: {error.message}") + "\n")
    if error.hint:
        sys.stderr.write(f"  {safe_line(error.hint)}\n")
    return error.exit_code


def detach_stdout() -> None:
    """After a reader has gone (``| head``), keep Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
