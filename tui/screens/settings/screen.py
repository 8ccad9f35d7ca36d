"""The settings: what holds here, where it was said, and what each engine needs."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textual.app import ComposeResult

from core.errors import NoWorkspaceError, SettingsError, SimuleeError
from tui.keys import keys_file
from tui.mouse import has_mouse, use_mouse
from tui.screens.settings.rows import Row, engine_rows, own_rows, setting_rows
from tui.screens.stage import Stage
from tui.widgets.boxes import ChoiceBox, ShowBox
from tui.widgets.editing import edit_outside
from tui.widgets.line_list import LineList
from tui.widgets.text import Part, Words

if TYPE_CHECKING:
    from core.workspace import Workspace

AGAIN, LATER = 0, 1
PRESENT, MINE = 0, 1


class SettingsScreen(Stage):
    """Settings by section; one's own editor changes them."""

    NAME = "settings"
    CSS_PATH = "settings.tcss"
    ALONE = frozenset({"edit", "theme", "motion", "mouse", "doctor"})

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[Row] = []
        self._checking = False

    def body(self) -> ComposeResult:
        yield Words(id="where")
        yield LineList(id="settings")

    def on_mount(self) -> None:
        self.query_one(LineList).focus()

    def without_workspace(self) -> None:
        self._show("no workspace is open", [])

    def needs_workspace(self, name: str) -> bool:
        nothing_to_edit = name == "edit" and isinstance(self.bench.trouble, NoWorkspaceError)
        return nothing_to_edit or super().needs_workspace(name)

    async def load(self, workspace: Workspace) -> None:
        from core.models.roles import role_states
        from core.reconfigure import draft_waits
        from core.settings import effective_settings
        from core.workspace import SETTINGS_FILE

        path = workspace.root / SETTINGS_FILE
        try:
            rows = [
                *engine_rows(await self.bench.read(lambda seen: role_states(seen.settings))),
                *setting_rows(await self.bench.read(lambda _: effective_settings(path))),
            ]
        except SettingsError as error:
            rows = [[("✗ ", "$error"), error.message], [f"  {error.hint}; {self.key('edit')} opens it"]]
        waiting = draft_waits(workspace)
        waits = f"a changed text waits: {self.key('edit')} opens it · " if waiting else ""
        self._show(f"{waits}{path}", rows)

    def _show(self, where: str, rows: list[Row]) -> None:
        bench = self.bench
        reduced = bench.animation_level == "none"
        kept = bench.workspace is not None
        self._rows = [*own_rows(bench.theme, reduced, has_mouse(bench._driver), str(keys_file()), kept), *rows]
        self.query_one("#where", Words).put((where, "$quiet"))
        self.query_one(LineList).fill(len(self._rows), lambda place: self._rows[place])

    def place(self) -> dict[str, Any]:
        return {"row": self.query_one(LineList).cursor}

    def come_back(self, place: dict[str, Any]) -> None:
        if isinstance(row := place.get("row"), int):
            self.query_one(LineList).cursor = max(0, row)

    async def action_edit(self) -> None:
        """Open persona.toml in one's own editor; it is checked before it is written."""
        from core.reconfigure import base_draft_on_present, draft_is_outdated, drop_draft

        workspace = self._reachable()
        if workspace is None:
            return
        if not draft_is_outdated(workspace):
            await self._edit(workspace)
            return

        async def then(choice: int | None) -> None:
            if choice == PRESENT:
                drop_draft(workspace)
            elif choice == MINE:
                base_draft_on_present(workspace)
            else:
                return
            await self._edit(workspace)

        choices = [
            "edit persona.toml as it is now: your text is dropped",
            "edit your text: once it is saved, what was changed since is lost",
        ]
        await self.bench.ask(ChoiceBox("persona.toml was changed since your text was made from it", choices), then)

    def _reachable(self) -> Workspace | None:
        """The open workspace, or the one that a mistake in its settings keeps closed."""
        from core.workspace import Workspace

        if self.bench.workspace is not None:
            return self.bench.workspace
        folder = self.bench.options.folder
        try:
            return Workspace.open(folder) if folder else Workspace.find(Path.cwd())
        except SimuleeError as error:
            self.bench.complain(error)
            return None

    async def _edit(self, workspace: Workspace) -> None:
        from core.reconfigure import draft_waits, drop_draft, open_draft, take_draft

        try:
            edit_outside(self.bench, open_draft(workspace))
        except SimuleeError:
            if not draft_waits(workspace):
                drop_draft(workspace)
            self.bench.refresh_stage()
            raise
        try:
            if self.bench.workspace is None:
                await asyncio.to_thread(take_draft, workspace)
                await self.bench.open_workspace(workspace.root)
            elif await self.bench.write(take_draft):
                await self._settings_changed(workspace)
            else:
                self.say("nothing was changed")
        except SettingsError as error:
            self.say(error.message, "error")

            async def then(choice: int | None) -> None:
                if choice == AGAIN:
                    await self.action_edit()
                elif choice == LATER or choice is None:
                    self.say(f"persona.toml is as it was; your text is kept: {self.key('edit')} opens it", "warning")
                    self.bench.refresh_stage()
                else:
                    self._drop_draft(workspace)

            question = ["mend it now", "later: your text is kept", "drop your text"]
            await self.bench.ask(ChoiceBox(f"{error.message}", question), then)

    async def _settings_changed(self, workspace: Workspace) -> None:
        """Every connection reads the settings again."""
        workspace.forget_settings()
        await self.bench.read(lambda seen: seen.forget_settings())
        self.bench.target = workspace.target
        self.say("persona.toml is saved", "good")
        self.bench.refresh_stage()

    def _drop_draft(self, workspace: Workspace) -> None:
        from core.reconfigure import drop_draft

        drop_draft(workspace)
        self.say("persona.toml is as it was; your text is dropped")
        self.bench.refresh_stage()

    async def action_theme(self) -> None:
        """Choose a theme; it is kept where a workspace is open."""
        names = sorted(self.bench.available_themes, key=lambda name: (not name.startswith("simulee"), name))
        names = names[: len(ChoiceBox.KEYS)]

        async def then(choice: int | None) -> None:
            if choice is not None:
                self.bench.theme = names[choice]
                self.bench.prefer(theme=names[choice])
                self._again(f"the theme is {names[choice]}")

        current = names.index(self.bench.theme) if self.bench.theme in names else 0
        await self.bench.ask(ChoiceBox("Theme", names, current), then)

    async def action_motion(self) -> None:
        """Animations on or off; kept as the theme is."""
        reduced = self.bench.animation_level != "none"
        self.bench.animation_level = "none" if reduced else "full"
        self.bench.prefer(reduced_motion=reduced)
        self._again("motion is reduced" if reduced else "motion is as usual")

    async def action_mouse(self) -> None:
        """Take the mouse, or leave it to the terminal; kept as the theme is."""
        on = not has_mouse(self.bench._driver)
        use_mouse(self.bench._driver, on)
        self.bench.prefer(mouse=on)
        self._again("the mouse is the workbench's" if on else "the mouse is the terminal's: mark and copy with it")

    def _again(self, said: str) -> None:
        """Draw the rows again, and say what changed."""
        self.say(said, "good")
        if self.bench.workspace is None:
            self.without_workspace()
        else:
            self.bench.refresh_stage()

    async def action_doctor(self) -> None:
        """Check everything, in a process of its own."""
        if self._checking:
            self.say("still checking…")
            return
        self._checking = True
        self.say("checking the machine, the models and the workspace…")
        self.bench.do(self._check())

    async def _check(self) -> None:
        await self.bench._opened.wait()
        try:
            checks = await _doctor(self.bench.workspace.root if self.bench.workspace else None)
        finally:
            self._checking = False
        without = self.bench.workspace is None
        if self.bench.options.folder and self.bench.trouble is not None:
            checks.append({"name": "workspace", "ok": False, "detail": self.bench.trouble.message})
        bad = sum(not check["ok"] for check in checks)
        told = f"{bad} of {len(checks)} checks failed" if bad else f"{len(checks)} checks, all ok"
        self.say(told + ("; no workspace is open" if without else ""), "error" if bad else "good")
        lines: list[list[Part]] = [
            [("✓ ok   ", "$success") if check["ok"] else ("✗ FAIL ", "$error"), f"{check['name']}  ",
             (str(check["detail"]), "$quiet" if check["ok"] else "")]
            for check in sorted(checks, key=lambda check: bool(check["ok"]))
        ]  # fmt: skip
        if without and not bad:
            lines.append(["– none ", "workspace  ", ("no workspace is open, so none was checked", "$quiet")])
        if self.bench.stage_now() is self:
            await self.bench.push_screen(ShowBox("Everything checked", lines))


async def _doctor(root: Path | None) -> list[dict[str, Any]]:
    """What `simulee doctor` finds. Raises SimuleeError when it cannot say."""
    place = ["-w", str(root)] if root else []
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "tui.cli", "doctor", "--json", *place,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    try:
        checks: list[dict[str, Any]] = json.loads(out)["checks"]
    except (ValueError, KeyError):
        last = err.decode("utf-8", "replace").strip().splitlines()
        raise SimuleeError(f"the check broke: {last[-1] if last else 'no word from it'}", "simulee doctor") from None
    return checks


def screen() -> Stage:
    """What the workbench installs."""
    return SettingsScreen()
