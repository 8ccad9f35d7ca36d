"""The ``simulee`` entry point. The workbench opens without the command parser, a command without the workbench."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

WITH_VALUE = {"-w": "folder", "--workspace": "folder", "--screen": "screen", "--theme": "theme"}


def main() -> None:
    """Open the workbench or run a command, and leave with its exit code."""
    os.umask(0o077)
    arguments = sys.argv[1:]
    if arguments[:1] == ["journal"] and sys.stdin.isatty() and sys.stdout.isatty():
        from tui.journal_prompt import prompt

        code = prompt(arguments[1:])
        if code is not None:
            sys.exit(code)
    asked = _workbench_options(arguments)
    if asked is None or not (on_the_web() or (sys.stdin.isatty() and sys.stdout.isatty())):
        from tui.command_line import run

        sys.exit(run(arguments))
    gc.disable()  # Until the first paint: what is imported until then is kept, and looking through it costs a tenth.
    from core.errors import SimuleeError

    try:
        sys.exit(_open(asked))
    except SimuleeError as error:
        from tui.face import fail

        sys.exit(fail(error, as_json=False))


def on_the_web() -> bool:
    """Whether `simulee web` has started this process for a browser."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def _workbench_options(arguments: list[str]) -> dict[str, str] | None:
    """The options when these arguments ask for the workbench and nothing is odd about them, else None."""
    asked: dict[str, str] = {}
    left = list(arguments)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name == "--no-mouse" and not equals:
            asked["no_mouse"] = "yes"
        elif name in WITH_VALUE and (equals or left):
            asked[WITH_VALUE[name]] = value if equals else left.pop(0)
        else:
            return None
    return asked


def _open(asked: dict[str, str]) -> int:
    from core.errors import UsageError
    from tui.app import SCREENS, Options, open_workbench
    from tui.keys import load_keymap

    screen = asked.get("screen", "")
    if screen and screen not in SCREENS:
        raise UsageError(f"there is no screen {screen!r}", f"one of {', '.join(SCREENS)}")
    folder = Path(asked["folder"]) if "folder" in asked else None
    if folder is not None and not (folder / "persona.toml").is_file():
        from core.workspace import Workspace  # Only now: it is not needed for the first paint.

        Workspace.open(folder)
    mouse = False if "no_mouse" in asked else True if on_the_web() else None
    return open_workbench(Options(folder, screen, asked.get("theme", ""), mouse), load_keymap())


if __name__ == "__main__":
    main()
