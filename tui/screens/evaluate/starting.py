"""Before an evaluation starts: what it will measure and how long, with what a person may change."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.errors import SimuleeError
from tui.estimates import about, brief_plan
from tui.widgets.boxes import AskBox, ChoiceBox, ErrorBox

if TYPE_CHECKING:
    from core.fidelity.plan import Plan
    from core.workspace import Workspace
    from tui.app import Workbench
    from tui.screens.stage import Stage

QUICK = 3
"""Questions of each interview in a quick look."""


def plans(workspace: Workspace, params: dict[str, Any]) -> tuple[Plan, Plan, list[str]]:
    """The whole evaluation, a quick one, and the adapters that could be measured. On the reader's thread."""
    from core.fidelity.plan import plan
    from core.store.adapters import list_adapters

    adapters = [adapter.name for adapter in list_adapters(workspace.database) if adapter.memories]
    return plan(workspace, params), plan(workspace, params | {"limit": QUICK}), adapters


async def ask_what(stage: Stage) -> dict[str, Any] | None:
    """Ask until a person starts it or leaves. Returns the run's params, or None.

    While a plan is read a person may go on to something else: what is typed there answers no box of this stage.
    """
    from core.fidelity.launch import evaluate_params

    bench, params = stage.bench, evaluate_params()
    while True:
        try:
            whole, quick, adapters = await bench.read(plans, params)
        except SimuleeError as error:
            if bench.screen is stage:
                bench.complain(error)
            return None
        if bench.screen is not stage:
            return None
        chosen = await bench.push_screen_wait(ChoiceBox(_title(whole), [words for words, _ in _choices(whole, quick)]))
        if chosen is None:
            return None
        done = [act for _, act in _choices(whole, quick)][chosen]
        if done == "whole":
            return params
        if done == "quick":
            return params | {"limit": QUICK}
        changed = await _change(bench, done, params, whole, adapters)
        if changed is not None and await _is_possible(stage, changed):
            params = changed


def _title(plan: Plan) -> str:
    left_out = f"; without {', '.join(plan.missing)}: no adapter" if plan.missing else ""
    return f"Measure {plan.adapter or 'the base'}: {' '.join(plan.systems)}{left_out}"


def _choices(whole: Plan, quick: Plan) -> list[tuple[str, str]]:
    return [
        (f"all of it: {brief_plan(whole)}", "whole"),
        (f"a quick look: {QUICK} questions of each interview, about {about(quick.seconds)}", "quick"),
        ("choose the systems…", "systems"),
        ("another adapter…", "adapter"),
        ("beside another person's twin, as a control…", "control"),
    ]


async def _change(
    bench: Workbench, what: str, params: dict[str, Any], plan: Plan, adapters: list[str]
) -> dict[str, Any] | None:
    if what == "systems":
        named = await bench.push_screen_wait(AskBox("Which systems, by commas", ",".join(plan.systems)))
        return None if named is None else params | {"systems": _named(named)}
    if what == "adapter":
        place = await bench.push_screen_wait(ChoiceBox("Which adapter", adapters))
        return None if place is None else params | {"adapter": adapters[place]}
    folder = await bench.push_screen_wait(
        AskBox("The other person's workspace", str(params["control"] or ""), note="A folder with a trained adapter.")
    )
    if folder is None:
        return None
    return params | {"control": str(Path(folder.strip()).expanduser().absolute()) if folder.strip() else None}


def _named(text: str) -> list[str] | None:
    return [name.strip() for name in text.split(",") if name.strip()] or None


async def _is_possible(stage: Stage, params: dict[str, Any]) -> bool:
    bench = stage.bench
    try:
        await bench.read(plans, params)
    except SimuleeError as error:
        if bench.screen is stage:
            await bench.push_screen_wait(ErrorBox(error.message, error.hint))
        return False
    return True
