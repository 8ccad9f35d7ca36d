"""``simulee go``: the whole journey on one's own words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import UsageError
from core.journey import STAGES
from core.journey import go as journey_go
from core.workspace import SETTINGS_FILE, Workspace, folder_for
from tui.face import DONE_IN_PART, Face, command
from tui.scorecard import scorecard_lines

app = typer.Typer(rich_markup_mode=None)


@command(app)
def go(
    face: Face,
    sources: Annotated[list[Path], typer.Argument(metavar="SOURCE…", help="Files, archives, folders.")],
    target: Annotated[str | None, typer.Option("--target", metavar="NAME", help="Whose words these are.")] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="STAGE", help=f"Stop after: {', '.join(STAGES)}.")
    ] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Let a rule review, instead of stopping for you.")] = False,
) -> None:
    """The whole journey, as far as your material carries it. It stops for your review unless --auto is given.

    Outside a workspace, one is made for --target. Called again, it goes on where it stopped.

    Example: simulee go letters/ interviews/ --target "Ada Marlow" --auto
    """
    workspace = _workspace(face, target)
    line = face.watcher()
    try:
        told = journey_go(workspace, sources, until, auto, line.show)
    finally:
        line.clear()
    for issue in told["issues"]:
        face.note(f"  {issue['locator']}: {issue['reason']}")
    face.result(told, _lines(told))
    if told["issues"]:
        raise typer.Exit(DONE_IN_PART)


def _workspace(face: Face, target: str | None) -> Workspace:
    here = Path.cwd()
    if face.folder or any((folder / SETTINGS_FILE).is_file() for folder in (here, *here.parents)):
        workspace = face.workspace()
        if target and target != workspace.target:
            raise UsageError(
                f"this is {workspace.target}'s workspace, not {target}'s", "pass -w DIR, or call it elsewhere"
            )
        return workspace
    if not target:
        raise UsageError("no workspace here, and nobody was named", 'add --target "NAME" to make one')
    root = folder_for(target, here)
    return Workspace.open(root) if root.exists() else Workspace.create(root, target)


def _lines(told: dict[str, Any]) -> list[str]:
    lines = ["", *scorecard_lines(told["scorecard"])] if "scorecard" in told else []
    lines += [f"Missing: {each}" for each in told["missing"]]
    return [*lines, f"Workspace: {told['workspace']}", "Next: cd there and call simulee"]
