"""The journal on a terminal: a prompt that stands before anything heavy is imported, and never shows an entry.

The prompt is the terminal's own line editing (readline). What is typed is a draft on the disk all along: each line when
it ends, the one being typed a quarter of a second later. While the person types, another thread loads what saving
takes, so that the end of the entry is the end of the command.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from core.corpus.drafts import Draft
from core.errors import Interrupted, SimuleeError, UsageError
from tui.safe_text import is_hidden, safe

if TYPE_CHECKING:
    from core.retrieval.entries import Kept

DRAFT_SECONDS = 0.25
"""From a key to the draft on the disk, at most twice this."""
HEAD = "ctrl+d on an empty line saves it · ctrl+c keeps it as a draft"
LEFT = "this is the draft you left; go on"
MARK = "> "
QUICK_MARK = "journal> "


class Page:
    """One page that is being written, its draft, and what is loaded meanwhile to save it."""

    def __init__(self, root: Path, quick: bool) -> None:
        """Raises UsageError where the workspace cannot be written to."""
        self.quick = quick
        self._root = root
        self._ready: dict[str, Any] = {}
        self._loading = threading.Thread(target=self._load)
        self._left = ""
        try:
            self._draft = Draft.claim(root, empty=quick)
        except OSError as error:
            raise UsageError(f"{root} cannot be written to: {error.strerror}", "check its permissions") from None

    def write(self) -> str:
        """What the person writes, at the prompt or in their editor.

        Raises UsageError for an empty page, Interrupted where they left it; what there was stays as the draft.
        """
        self._left = self._draft.peek()
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
        text = self._edited(editor) if editor and not self.quick else self._typed()
        if not text.strip():
            self._draft.keep("")
            raise UsageError("the entry is empty", "write something first")
        return text

    def keep(self, text: str) -> Kept:
        """Save it as an entry; the draft has gone then. Raises SimuleeError; then it is still there."""
        if self._loading.ident is None:
            self._load()
        else:
            self._loading.join()
        from core.corpus.journal import left_draft
        from core.retrieval.entries import keep_entry
        from core.workspace import Workspace

        workspace = Workspace.open(self._root)
        if text.strip() == self._left.strip() and not left_draft(self._draft, workspace):
            raise UsageError("this entry was saved before", "nothing was written since")
        kept = keep_entry(workspace, text, embedder=self._ready.get("embedder"))
        self._draft.keep("")
        self._draft.release()
        return kept

    def _load(self) -> None:
        """Import and load what ``keep`` needs. What fails here fails again there, where it is told."""
        with suppress(Exception):
            time.sleep(DRAFT_SECONDS / 5)  # The prompt comes first.
            import core.retrieval.entries
            from core.models.roles import embedder_of
            from core.retrieval import embedding
            from core.workspace import Workspace

            self._ready["modules"] = core.retrieval.entries, embedding
            self._ready["embedder"] = embedder_of(Workspace.open(self._root).settings)

    def _edited(self, editor: str) -> str:
        """The draft's file in the person's editor: what they saved there outlives whatever ends."""
        command = shlex.split(editor) or ["vi"]
        try:
            process = subprocess.Popen([*command, str(self._draft.path)])
        except OSError as error:
            raise UsageError(
                f"cannot start {command[0]}: {error.strerror}", "set EDITOR to one that is installed, or unset it"
            ) from None
        self._loading.start()
        with suppress(KeyboardInterrupt):
            process.wait()
        code = process.wait()
        text = self._draft.peek()
        if code != 0:
            raise SimuleeError(f"{command[0]} ended with {code}: nothing was saved", "what was written is the draft")
        if text and text == self._left:
            raise Interrupted("nothing was changed", "the draft stays for the next time")
        return text

    def _typed(self) -> str:
        """Lines from the terminal up to ctrl+d, or one line of a quick entry."""
        try:
            import readline
        except ImportError:  # Some builds of Python have none: the terminal's own editing does.
            line_now: Callable[[], str] = str
            insert: Callable[[str], object] = len
        else:
            readline.set_auto_history(False)
            line_now, insert = readline.get_line_buffer, readline.insert_text
        lines, begun = self._taken_up()
        if begun and "readline" in sys.modules:
            sys.modules["readline"].set_startup_hook(lambda: insert(begun))
        elif begun:
            lines.append(begun)
        typing = False

        def note(_number: int = 0, _frame: FrameType | None = None) -> None:
            """Between two keys: what stands on the line is part of the draft."""
            if typing:
                with suppress(OSError):
                    self._draft.keep("\n".join([*lines, line_now()]))

        def leave(_number: int, _frame: FrameType | None) -> None:
            note()
            raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            signal.signal(number, leave)
        signal.signal(signal.SIGALRM, note)
        self._loading.start()
        before = termios.tcgetattr(sys.stdin) if "readline" in sys.modules else None
        try:
            if before is not None:
                # Between two lines, too, keys come as they are: the terminal's own line mode would swallow a ctrl+d.
                raw = [*before[:3], before[3] & ~termios.ICANON, *before[4:6], [*before[6]]]
                raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
                termios.tcsetattr(sys.stdin, termios.TCSANOW, raw)
            while True:
                typing = True
                signal.setitimer(signal.ITIMER_REAL, DRAFT_SECONDS, DRAFT_SECONDS)
                line = input(QUICK_MARK if self.quick else MARK)
                typing = False
                if "readline" in sys.modules:
                    sys.modules["readline"].set_startup_hook(None)
                lines.append(line)
                self._draft.keep("\n".join(lines) + "\n")
                if self.quick:
                    return line
        except EOFError:
            sys.stdout.write("\n")
            return "\n".join(lines)
        except KeyboardInterrupt:
            with suppress(OSError):  # The terminal may be the one that has gone.
                sys.stdout.write("\n")
                sys.stdout.flush()
            raise Interrupted("not saved", "the draft comes again with the next `simulee journal`") from None
        finally:
            typing = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            if before is not None:
                with suppress(termios.error):
                    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def _taken_up(self) -> tuple[list[str], str]:
        """The lines of the draft that was left, shown, and the last of them, to go on with."""
        if self.quick:
            return [], ""
        sys.stdout.write(f"{LEFT if self._left else HEAD}\n")
        lines = self._left.split("\n") if self._left else []
        begun = lines.pop() if lines and not is_hidden(lines[-1]) else ""
        for line in lines:
            sys.stdout.write(f"{MARK}{safe(line)}\n")
        sys.stdout.flush()
        return lines, begun


def prompt(arguments: list[str]) -> int | None:
    """``simulee journal`` on a terminal: the exit code, or None where these arguments ask for something else."""
    asked = _options(arguments)
    if asked is None:
        return None
    root = _workspace_at(asked[0])
    if root is None:
        return None
    try:
        page = Page(root, asked[1])
        kept = page.keep(page.write())
    except SimuleeError as error:
        from tui.face import fail

        return fail(error, as_json=False)
    return told(kept, asked[1])


def told(kept: Kept, quick: bool) -> int:
    """Say what was kept, a quick entry only where something is amiss. The exit code: the entry is stored."""
    if not quick:
        sys.stdout.write(f"{line_of(kept)}\n")
        sys.stdout.flush()
    if kept.trouble:
        sys.stderr.write(f"the entry is saved, but {safe(kept.trouble)}\n")
    return 0


def line_of(kept: Kept) -> str:
    saved = kept.saved
    return f"saved as d{saved.id}, {saved.words} words, {saved.date}"


def _options(arguments: list[str]) -> tuple[str, bool] | None:
    """(folder, quick), or None for anything that the command line's own parser should read."""
    folder, quick = "", False
    left = list(arguments)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name in ("-", "--quick") and not equals:
            quick = True
        elif name in ("-w", "--workspace") and (equals or left):
            folder = value if equals else left.pop(0)
        else:
            return None
    return folder, quick


def _workspace_at(folder: str) -> Path | None:
    """The workspace that is meant, by its files alone; None where the parser should say what is wrong."""
    start = Path(folder) if folder else Path.cwd()
    for root in (start,) if folder else (start, *start.parents):
        if (root / "persona.toml").is_file():
            return root if (root / "persona.db").is_file() else None
    return None
