"""``simulee doctor``: check the workspace, the models, the machine."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from core.doctor import Check, check_machine, check_workspace
from core.errors import NoWorkspaceError, WorkspaceError
from tui.face import Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def doctor(
    face: Face,
    rebuild_index: Annotated[bool, typer.Option("--rebuild-index", help="Make the vector index anew.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Print a content hash of every stage.")] = False,
) -> None:
    """Check the machine and, where there is one, the workspace.

    Example: simulee doctor --verify
    """
    checks = list(check_machine())
    remarks = []
    try:
        workspace = face.workspace()
    except WorkspaceError as error:
        if face.folder or rebuild_index or verify:
            raise
        told = f"{error.message}; {error.hint}"
        if isinstance(error, NoWorkspaceError):
            remarks.append(f"– none  {'workspace':<28} {told}")
        else:
            checks.append(Check("workspace", False, told))
    else:
        checks += check_workspace(workspace, rebuild_index, verify)
    face.result(
        {"checks": [asdict(check) for check in checks]},
        [f"{'✓ ok  ' if check.ok else '✗ FAIL'}  {check.name:<28} {check.detail}" for check in checks] + remarks,
    )
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
