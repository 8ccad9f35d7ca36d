"""The workbench: it opens the workspace after its first paint, watches the runs, and moves between the screens.

Nothing heavy is imported in this process: what needs torch is a run of its own.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar, cast

from textual.app import App, SystemCommand
from textual.dom import DOMNode
from textual.events import CursorPosition
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen

from core.errors import NoWorkspaceError, SimuleeError, UsageError
from tui.keys import Action, Keymap
from tui.loop import ending
from tui.loop.aside import WorksAside
from tui.loop.terminal import PaintProof, ThriftyDriver
from tui.safe_text import safe
from tui.screens.stage import Stage, bindings_of
from tui.theme import DARK, THEMES
from tui.widgets.frame import STAGES, Banner, Tabs
from tui.widgets.text import PaintedText

if TYPE_CHECKING:
    from core.workspace import Workspace
    from tui.place import Places

P = ParamSpec("P")
Result = TypeVar("Result")
Answer = TypeVar("Answer")

SCREENS = (*STAGES, "runs", "settings", "help")


class Options(NamedTuple):
    """How the workbench was asked to open."""

    folder: Path | None = None
    """The workspace; None for the nearest parent of the working directory that is one."""
    screen: str = ""
    theme: str = ""
    mouse: bool | None = None
    """None: no mouse over SSH."""


class Workbench(WorksAside):
    """The one app. Screens ask it for the workspace, for reads off the event loop, and for runs."""

    TITLE = "simulee"
    ENABLE_COMMAND_PALETTE = True
    COMMAND_PALETTE_BINDING = "ctrl+p"
    AUTO_FOCUS = ""
    BINDINGS = bindings_of("app")  # type: ignore[assignment]

    def __init__(self, options: Options | None = None, keymap: Keymap | None = None) -> None:
        self.options = options or Options()
        self._first = self.options.screen or "overview"
        # The frame's style sheet with the first screen's, so that the first paint reads style sheets once.
        here = Path(__file__).parent
        first = here / "screens" / _folder(self._first) / f"{_folder(self._first)}.tcss"
        if os.environ.get("NO_COLOR") == "":  # The convention asks for a value; Textual takes none for one.
            del os.environ["NO_COLOR"]
        ours = os.name == "posix" and "TEXTUAL_DRIVER" not in os.environ
        super().__init__(driver_class=ThriftyDriver if ours else None, css_path=[here / "workbench.tcss", first])
        self.keymap = keymap or Keymap()
        # Textual paints in grays then; who asks for no color gets their terminal's own two.
        self._filters = [NoColor() if isinstance(each, Monochrome) else each for each in self._filters]
        self.target = ""
        self._places: Places | None = None
        self.proof = PaintProof(None, trusted=False)
        self._painted_text = PaintedText()
        self._history: list[str] = []
        self._led_to: Action | None = None
        """What was chosen in the palette of the screen that comes now."""
        self._opened = asyncio.Event()
        for theme in THEMES:
            self.register_theme(theme)
        wanted = self.options.theme if self.options.theme in self.available_themes else DARK
        # Set rather than changed: the style sheets, not read yet, are then read once and not twice.
        self.set_reactive(App.theme, wanted)
        self.stylesheet.set_variables(self.get_css_variables())
        if self.keymap.overrides:
            self.set_keymap(self.keymap.overrides)
        if os.environ.get("SIMULEE_REDUCED_MOTION"):
            self.animation_level = "none"

    # Opening and leaving

    def get_default_screen(self) -> Screen[Any]:
        stage = self.stage(self._first)
        stage._push_result_callback(stage, None)  # As a pushed screen has it: `switch_screen` takes it off.
        return cast(Screen[Any], stage)

    async def on_mount(self) -> None:
        if not self.is_headless:
            ending.listen(self._asked_to_end)
            self.set_interval(1.0, self._look_for_terminal)
        if not self.is_headless and self._driver is not None:
            self.proof = PaintProof(self._ask_terminal, trusted=False)
        self.call_after_refresh(self._painted_first)

    def _painted_first(self) -> None:
        if not gc.isenabled():  # The command leaves it off until now.
            gc.freeze()
            gc.enable()
        self.do(self._open)

    def _ask_terminal(self, question: str) -> None:
        if self._driver is not None:
            self._driver.write(question)
            self._driver.flush()

    def _asked_to_end(self, number: int) -> None:
        self.remember_place()
        self.exit(return_code=128 + number)

    def _look_for_terminal(self) -> None:
        if ending.is_gone(sys.__stdin__):
            self._asked_to_end(signal.SIGHUP)
            ending.insist(signal.SIGHUP)

    async def _open(self) -> None:
        try:
            root = await self._reader.open(self._find_workspace)
        except SimuleeError as error:
            self.trouble = error
            self._opened.set()
            self._tell_screen()
            return
        # Who went somewhere meanwhile stays there.
        await self.open_workspace(root, return_to_place=not self._history)

    def _find_workspace(self) -> Workspace:
        """On the reader's thread: the heavy imports too."""
        from core.runs.snapshot import RunsReader  # noqa: F401 - imported here, off the event loop
        from core.workspace import Workspace

        folder = self.options.folder
        return Workspace.open(folder) if folder else Workspace.find(Path.cwd())

    async def open_workspace(self, root: Path, return_to_place: bool = True) -> None:
        """Open a workspace, or another one than before, at the screen where one left. Raises what opening raises."""
        from core.runs.snapshot import RunsReader
        from core.workspace import Workspace
        from tui.place import Places

        workspace = Workspace.open(root.resolve())
        _ = workspace.database
        self.workspace = workspace
        self.trouble = None
        self.target = workspace.target
        self._runs_reader = RunsReader(workspace.runs)
        self._places = Places(workspace.root)
        preferences = self.places.of("app")
        if not self.options.theme and preferences.get("theme") in self.available_themes:
            self.theme = preferences["theme"]
        if preferences.get("reduced_motion"):
            self.animation_level = "none"
        if self.options.mouse is None and "mouse" in preferences:
            from tui.mouse import use_mouse

            use_mouse(self._driver, bool(preferences["mouse"]))
        self.proof.trusted = bool(preferences.get("trusts_link"))
        self._opened.set()
        wanted = preferences.get("screen")
        if return_to_place and not self.options.screen and wanted in SCREENS and wanted != self.stage_now().NAME:
            await self.switch_screen(cast(Any, self.stage(wanted)))
        else:
            self._tell_screen()
        self.do(self._watch_runs(), exclusive="watch")
        self.do(self._count())

    def _tell_screen(self) -> None:
        for banner in self.screen.query(Banner):
            banner.show_now()
        self.screen_shown(self.stage_now())

    @property
    def places(self) -> Places:
        """Where one was on every screen; nowhere before a workspace is open."""
        if self._places is None:
            from tui.place import Places

            self._places = Places(Path(os.devnull))
        return self._places

    def remember_place(self) -> None:
        """Write down where one is."""
        if self.workspace is None:
            return
        current = self.stage_now()
        if current.ready:
            self.places.values[current.NAME] = current.place()
        self.places.values["app"] = self.places.of("app") | {"screen": current.NAME}
        self.places.save()

    def prefer(self, **values: Any) -> None:
        """Keep a preference of this workspace's workbench."""
        self.places.values["app"] = self.places.of("app") | values
        self.places.save()

    # Screens

    def stage(self, name: str) -> Stage:
        """The screen of this name, made once."""
        if not self.is_screen_installed(name):
            module = importlib.import_module(f"tui.screens.{_folder(name)}.screen")
            self.install_screen(module.screen(), name)
        return cast(Stage, self._installed_screens[name])

    def stage_now(self) -> Stage:
        """The screen at the front, boxes aside."""
        return next(each for each in reversed(self.screen_stack) if isinstance(each, Stage))

    def go_to(self, name: str) -> None:
        """Bring a screen to the front."""
        current = self.stage_now()
        if name != current.NAME:
            self._history.append(current.NAME)
            self._bring(name)

    def _bring(self, name: str) -> None:
        self.remember_place()
        while not isinstance(self.screen, Stage):
            self.pop_screen()
        stage = self.stage(name)
        stage.due = True
        self.switch_screen(cast(Any, stage))

    def screen_shown(self, stage: Stage) -> None:
        """A screen came to the front: let it fill itself once the workspace is open."""
        for widget in (*stage.query(Banner), *stage.query(Tabs)):
            widget.show_now()
        self.do(partial(self._fill, stage), exclusive=f"fill {stage.NAME}")

    async def _fill(self, stage: Stage) -> None:
        await self._opened.wait()
        if self.trouble is not None and not isinstance(self.trouble, NoWorkspaceError):
            stage.say(f"{self.trouble.message}; {self.trouble.hint}", "warning")
        if self.workspace is None or not stage.is_attached:
            stage.without_workspace()
            stage.keys_changed()
            return
        if not stage.ready:
            stage.ready = True
            stage.come_back(self.places.of(stage.NAME))
        await stage.load(self.workspace)
        self._tell_key(stage)

    def refresh_stage(self) -> None:
        """What the screen at the front shows has changed in the store."""
        self.screen_shown(self.stage_now())
        self.do(self._count())

    # Painting

    async def on_event(self, event: Any) -> None:
        if isinstance(event, CursorPosition):
            self.proof.answer()
        else:
            await super().on_event(event)

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Colors of ours that a theme of Textual's does not have."""
        return {"quiet": "#8b8f94" if self.current_theme.dark else "#676b70"}

    def get_line_filters(self) -> list[LineFilter]:
        return [self._painted_text, *super().get_line_filters()]

    def copy_to_clipboard(self, text: str) -> None:
        """As Textual's, with marks for what could act on the terminal where it is pasted, as they are shown here."""
        super().copy_to_clipboard(safe(text))

    # Actions

    async def try_sample(self) -> None:
        """Make the sample's workspace here, open it, and run its first stages."""
        from tui.beginning import try_sample

        await try_sample(self)

    async def action_go(self) -> None:
        """The which-key box."""
        from tui.widgets.boxes import GoBox

        await self.push_screen(GoBox(), lambda name: self.go_to(name) if name else None)

    async def action_keys(self) -> None:
        from tui.widgets.boxes import KeysBox

        await self.push_screen(KeysBox(self, self.stage_now().NAME))

    def action_palette(self) -> None:
        self.action_command_palette()

    def action_command_palette(self) -> None:
        """Textual's own ctrl+p comes here too."""
        from tui.widgets.palette import Palette

        if not Palette.is_open(cast(Any, self)):
            self.push_screen(Palette(id="--command-palette"))

    async def action_back(self) -> None:
        """Out of the part that is open, else to the screen before."""
        stage = self.stage_now()
        if stage.part_open and stage.leave():
            return
        while self._history and self._history[-1] == stage.NAME:
            self._history.pop()  # Another workspace was opened at a screen that one had come from.
        if self._history:
            self._bring(self._history.pop())
        elif stage.NAME != "overview":
            self._bring("overview")
        else:
            stage.say(f"no screen came before this one; {self.keymap['app.quit'].shown_key} ends the workbench")

    def action_leave(self) -> None:
        self.stage_now().leave()

    async def action_quit(self) -> None:
        self.remember_place()
        self.exit(0)

    def action_overview(self) -> None:
        self.go_to("overview")

    def action_import(self) -> None:
        self.go_to("import")

    def action_review(self) -> None:
        self.go_to("review")

    def action_dataset(self) -> None:
        self.go_to("dataset")

    def action_train(self) -> None:
        self.go_to("train")

    def action_evaluate(self) -> None:
        self.go_to("evaluate")

    def action_chat(self) -> None:
        self.go_to("chat")

    def action_journal(self) -> None:
        self.go_to("journal")

    def action_runs(self) -> None:
        self.go_to("runs")

    def action_settings(self) -> None:
        self.go_to("settings")

    def action_help(self) -> None:
        self.go_to("help")

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """What the palette holds."""
        from tui.widgets.palette import every_action

        return every_action(self)

    def lead_to(self, action: Action) -> None:
        """Bring the screen of an action, and say its key there."""
        self.go_to(action.where)
        self._led_to = action

    def _tell_key(self, stage: Stage) -> None:
        action, self._led_to = self._led_to, None
        if action is not None and action.where == stage.NAME:
            stage.say(f"{action.shown_key}: {action.label}")

    @property
    def is_nowhere(self) -> bool:
        """Whether it is known that no workspace can be opened."""
        return self.workspace is None and self.trouble is not None

    async def _dispatch_action(self, namespace: DOMNode, action_name: str, params: Any) -> bool:
        """As Textual's, but what needs a workspace says so where none is open."""
        if self.is_nowhere and isinstance(namespace, Stage) and namespace.needs_workspace(action_name):
            namespace.say(f"this needs a workspace: {namespace.ways_in}", "warning")
            return True
        return await super()._dispatch_action(namespace, action_name, params)


def open_workbench(options: Options, keymap: Keymap) -> int:
    """Run the workbench until it is left. Returns the exit code. Raises UsageError for a theme that is none."""
    mouse = options.mouse if options.mouse is not None else not _over_ssh(os.environ)
    app = Workbench(options, keymap)
    if options.theme and options.theme not in app.available_themes:
        raise UsageError(f"there is no theme {options.theme!r}", f"one of {', '.join(sorted(app.available_themes))}")
    app.run(mouse=mouse)
    app.close_lanes()
    return app.return_code or 0


def _folder(screen: str) -> str:
    """The folder of a screen; ``import`` is a word of the language."""
    return "importing" if screen == "import" else screen


def _over_ssh(environment: Mapping[str, str]) -> bool:
    return "SSH_CONNECTION" in environment or "SSH_TTY" in environment
