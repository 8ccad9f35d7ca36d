"""Getting a workspace: the sample's, whose first stages run one after another, an empty one, or one that lies near."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import SimuleeError
from tui.screens.stage import Stage
from tui.widgets.boxes import AskBox, ChoiceBox

if TYPE_CHECKING:
    from core.beginning import Step
    from tui.app import Workbench

LOOK_SECONDS = 0.2


async def try_sample(bench: Workbench) -> None:
    """Make the sample's workspace, open it, and run its stages until memories wait to be reviewed."""
    from core.beginning import make_sample

    bench.stage_now().say("making the sample's workspace…")
    try:
        workspace = await asyncio.to_thread(make_sample, Path.cwd())
        await open_other(bench, workspace.root)
    except SimuleeError as error:
        bench.complain(error)
        return
    bench.do(_run_steps(bench, workspace.root))


async def make_one(bench: Workbench) -> None:
    """Ask for a name, make an empty workspace, and open it."""

    async def then(name: str | None) -> None:
        from core.beginning import make_empty

        if name is None:
            return
        try:
            workspace = await asyncio.to_thread(make_empty, name, Path.cwd())
            await open_other(bench, workspace.root)
        except SimuleeError as error:
            bench.complain(error)
            return
        bench.stage_now().say(f"{workspace.root} is ready for {name.strip()}", "good")

    note = f"A folder of that name is made in {Path.cwd()}."
    await bench.ask(AskBox("Who is the person or character to be modelled?", placeholder="Ada Marlow", note=note), then)


async def open_one(bench: Workbench) -> None:
    """Choose a workspace that lies here, or name a folder."""
    from core.beginning import workspaces_in

    found = workspaces_in(Path.cwd())[: len(ChoiceBox.KEYS) - 1]

    async def named(folder: str | None) -> None:
        if folder is None or not folder.strip():
            return
        try:
            await open_other(bench, Path(folder.strip()).expanduser())
        except SimuleeError as error:
            bench.complain(error)

    async def chosen(choice: int | None) -> None:
        if choice is not None and choice < len(found):
            await named(str(found[choice]))
        elif choice is not None:
            await bench.ask(AskBox("Which folder is the workspace?"), named)

    if not found:
        await chosen(0)
        return
    await bench.ask(ChoiceBox("Open a workspace", [*(each.name for each in found), "another folder…"]), chosen)


async def open_other(bench: Workbench, root: Path) -> None:
    """Open a workspace; what screens hold of another one is let go. Raises what opening raises."""
    from core.workspace import Workspace

    Workspace.open(root)
    if bench.workspace is not None and bench.workspace.root != root.resolve():
        bench.remember_place()
        front = bench.stage_now()
        for name, screen in list(bench._installed_screens.items()):
            if isinstance(screen, Stage) and screen is not front:
                bench.uninstall_screen(name)
                if screen.is_running:
                    await screen.remove()
    await bench.open_workspace(root)


async def _run_steps(bench: Workbench, root: Path) -> None:
    """Start what is not done yet, stage after stage, while this workspace is open; stop where a run was stopped."""
    from core.beginning import next_step

    while (step := await _step(bench, root)) is not None:
        _tell(bench, step.words)
        if step.run is None:
            run = await bench.start_run(step.kind, step.entry, step.params)
        elif step.run.state == "running":
            run = step.run
        else:
            run = await bench.resume_run(step.run.id)
        if run is None or not await _ended_well(bench, root, run.id):
            return
    if bench.workspace is not None and bench.workspace.root == root and await bench.read(next_step) is None:
        _tell(bench, "the sample's memories wait for you in the review", "good")


async def _step(bench: Workbench, root: Path) -> Step | None:
    from core.beginning import next_step

    if bench.workspace is None or bench.workspace.root != root:
        return None
    return await bench.read(next_step)


async def _ended_well(bench: Workbench, root: Path, run_id: str) -> bool:
    while bench.workspace is not None and bench.workspace.root == root:
        state = next((each.state for each in bench.pictures if each.id == run_id), "running")
        if state == "done":
            return True
        if state not in ("running", "queued"):
            _tell(bench, f"{run_id} is {state}; the runs say why", "warning")
            return False
        await asyncio.sleep(LOOK_SECONDS)
    return False


def _tell(bench: Workbench, words: str, kind: str = "") -> None:
    """On the overview only: elsewhere one is at something else."""
    overview = bench.stage("overview")
    if overview.is_attached:
        overview.say(f"the sample: {words}", kind)
