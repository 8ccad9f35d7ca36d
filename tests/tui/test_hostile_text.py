"""No byte of outside text acts on the terminal: every screen and every command, on a real one, over hostile rows."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.workspace import Workspace
from tests.hostile_rows import fill, hostile_files
from tests.hostile_strings import EVERY, FAMILY, HEBREW, PERSIAN, STORED, SURROGATES, Hostile, at
from tests.pty_terminal import COMMAND, Terminal
from tui.app import SCREENS
from tui.face import DONE_IN_PART
from tui.loop.defects import LOG_FILE

_SGR = r"(?:[34]8;2;\d{1,3};\d{1,3};\d{1,3}|[0123479]|2[2-579]|39|49)"
PAINTING = re.compile("|".join((
    r"\x1b\[(?:1?\d|2[0-4]);(?:[1-7]?\d|80)H",  # the cursor to a cell of 80 by 24
    rf"\x1b\[{_SGR}(?:;{_SGR})*m",  # the styles of our themes, all of them in true color
    r"\x1b\]22;(?:default|pointer|text)\x07",  # the shape of the pointer
    r"\x1b\[\?(?:1049h|25[hl]|1004h|2004h|7l)",  # the other screen, the cursor, focus and paste are told, no wrapping
    r"\x1b\[>25u", r"\x1b\[\?(?:2026|2048)\$p",  # what the terminal can do
    r"\x1b\[6n",  # the question whether a card was painted
    r"\r\n",
)))  # fmt: skip
"""All that the workbench itself writes but words, as a workspace without outside text has it."""
PROGRESS = re.compile(r"\r\x1b\[K|\r\n|\t")
"""The same of a command: the line of its progress is drawn anew."""
LENT = re.compile(r"\x1b\[\?2004l\x1b\[\?7h(?:\x1b\[[\d;]+m)?\x1b\[<u\x1b\[\?1049l\x1b\[\?25h\x1b\[\?1004l")
"""The terminal is given back, for as long as the person's editor has it."""
COPY = re.compile(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
SEEN_FORMATS = {"\u200c", "\u200d", *map(chr, range(0x600, 0x606)), "\u06dd", "\u070f", "\u0890", "\u0891", "\u08e2",
                "\U000110bd", "\U000110cd", *map(chr, range(0x13430, 0x13440))}  # fmt: skip
"""Of Unicode's format characters, the joiners, and those that are drawn as a sign."""
DOWN, UP, PAGE_DOWN, PAGE_UP, HOME, ESCAPE = "\x1b[B", "\x1b[A", "\x1b[6~", "\x1b[5~", "\x1b[H", "\x1b"
PASTED = "".join(each.text.replace("\x1b[201~", "") for each in STORED if len(each.text) < 200)


def acts(character: str) -> bool:
    """Whether a terminal, or a reader's eye, would take it for something else than a sign."""
    code = ord(character)
    if code == 0x2065 or 0xFFF0 <= code < 0xFFFC or (0xE0000 <= code < 0xE1000 and not 0xE0100 <= code < 0xE01F0):
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in SEEN_FORMATS


_ACTING = [code for code in range(0x110000) if acts(chr(code))]
_BEGINS = [code for code in _ACTING if code == 0 or not acts(chr(code - 1))]
_ENDS = [code for code in _ACTING if not acts(chr(code + 1))]
_RANGES = "".join(f"\\U{begin:08x}-\\U{end:08x}" for begin, end in zip(_BEGINS, _ENDS, strict=True))
ACTING = re.compile(f"[{_RANGES}]")


def leaks(text: str, own: re.Pattern[str]) -> list[str]:
    """What acts beside the program's own sequences, with what stands around it."""
    left = own.sub("", text)
    return sorted({repr(left[max(0, each.start() - 12) : each.end() + 8]) for each in ACTING.finditer(left)})


class Line(Terminal):
    """A terminal that keeps every byte and draws none: an emulator is no judge of marks stacked by the thousand."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._stream = SimpleNamespace(feed=lambda _: None)

    @property
    def written(self) -> str:
        """Everything so far. Raises UnicodeDecodeError for what is no UTF-8."""
        return self.output.decode()

    @property
    def tags(self) -> set[str]:
        """Which of the strings were shown."""
        return set(re.findall(r"\b[hs]\d\d?(?= )", PAINTING.sub("", self.written)))

    def press(self, keys: str) -> None:
        """Send one key, or one paste, and wait for what it paints; no key at all waits for work to end."""
        before = len(self.output)
        self.type(keys)
        for _ in range(10):
            self.read(0.02)
            if len(self.output) > before:
                break
        # After an escape the workbench waits too, for the rest of a sequence.
        self.settle({ESCAPE: 0.2, "": 0.8}.get(keys, 0.04), 20)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of hostile rows, to read only."""
    return fill(tmp_path_factory.mktemp("hostile") / "rows").root


@pytest.fixture
def own_rows(rows: Path, tmp_path: Path) -> Path:
    """The same to write into."""
    return Path(shutil.copytree(rows, tmp_path / "rows"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of hostile files."""
    return hostile_files(tmp_path_factory.mktemp("hostile") / "files")


@pytest.fixture
def on_line(tmp_path: Path) -> Iterator[Callable[..., Line]]:
    opened: list[Line] = []

    def do(*arguments: str | bytes, **options: Any) -> Line:
        opened.append(Line([*COMMAND, *arguments], cwd=tmp_path, EDITOR="true", SIMULEE_KEYS="/nowhere", **options))
        return opened[-1]

    yield do
    for each in opened:
        each.close()


# The check itself


@pytest.mark.parametrize("hostile", EVERY, ids=lambda each: each.tag)
def test_every_string_has_its_reason_and_what_acts_in_it_would_be_seen(hostile: Hostile) -> None:
    assert len(EVERY) >= 60
    assert [each.text for each in EVERY].count(hostile.text) == 1
    assert hostile.reason
    if any(map(acts, hostile.text)):
        assert leaks(f"\x1b[1;1H{hostile.text}", PAINTING)


# Screens

PAGES = [PAGE_DOWN] * 6
STEPS = ["j"] * len(STORED)
KEYS: dict[str, list[str]] = {
    "overview": ["r", "?", ESCAPE, "g", ESCAPE, ":", f"\x1b[200~{PASTED}\x1b[201~", ESCAPE, "\x1bOQ"],
    "import": [*PAGES, "e", *PAGES, "\r", ESCAPE, ESCAPE, ESCAPE, *[PAGE_DOWN] * 6, HOME, "j", "\r", "", *"jjj", ESCAPE,
               "/", "\x15", "FOLDER/", "\t", "\r", "", HOME, *PAGES, "t", PAGE_DOWN, ESCAPE, "e", *"jj", "\r", ESCAPE,
               ESCAPE, HOME, "jj", "f", ESCAPE, "jjj", "\r", ESCAPE, f"\x1b[200~{PASTED}\x1b[201~"],
    "review": ["o", *STEPS, "l", *PAGES, ESCAPE, "y", "a", "x", "3", "u", "e", ESCAPE, "E",
               "/", f"\x1b[200~{PASTED}\x1b[201~", "\r", "/", "\x15", "\r",
               "m", "2", *STEPS, "l", *PAGES, ESCAPE, "1", "y", "m", "3", *STEPS, "l", *PAGES, ESCAPE, "a"],
    "dataset": ["c", *PAGES, ESCAPE, "d", ESCAPE, "b", "3", *PAGES, ESCAPE, *PAGES, HOME, "\r", *("]" for _ in STORED),
                ESCAPE, "x", ESCAPE],
    "train": ["l", PAGE_UP, "l", "a", *[PAGE_DOWN] * 16, ESCAPE, "n", "2", "n", "3", "o", "2", "u", *"jjjj", ESCAPE,
              "s", "d", ESCAPE, "p", ESCAPE, "b", ESCAPE],
    "evaluate": [*["j"] * 24, "i", *["j"] * 24, "i", "d", ESCAPE, "b", "1", "\r", *["j"] * 24, "\r", *PAGES,
                 *("]" for _ in range(24)), ESCAPE],
    "chat": [ESCAPE, "s", *PAGES, "\r", ESCAPE, *["k"] * 20, PAGE_UP, "\r", ESCAPE, "y", "+", "c", ESCAPE, "n",
             *(key for _ in range(6) for key in (ESCAPE, "s", DOWN + DOWN, "\r", ESCAPE, "k", "\r", ESCAPE)),
             "i", "/who \x1b[200~\u202e\x9b5mEve\x1b[201~\r", "/as-of \x1b[200~\u202e\x07\x1b[201~\r",
             f"\x1b[200~{PASTED}\x1b[201~"],
    "journal": [*[PAGE_UP] * 6, f"\x1b[200~{PASTED}\x1b[201~", *[UP] * 4, "\x0f", "\x13"],
    "runs": [*PAGES, HOME, *(key for _ in range(7) for key in ("j", "\r", PAGE_UP, PAGE_UP, ESCAPE)), "y", "c"],
    "settings": [*[PAGE_DOWN] * 26, "t", ESCAPE, "m", "m", "e", "c", "", "", *PAGES, ESCAPE],
    "help": ["]"] * 8,
}  # fmt: skip
SHOWN = {"overview": 4, "import": 40, "review": len(STORED), "dataset": len(STORED), "train": len(STORED) - 10,
         "evaluate": 60, "chat": 30, "journal": 60, "runs": 60, "settings": 70, "help": 1}  # fmt: skip
"""Of how many strings each screen has to have shown at least the tag: else nothing is proved."""


@pytest.mark.slow
@pytest.mark.parametrize("screen", SCREENS)
def test_a_screen_shows_everything_and_obeys_nothing(
    screen: str, own_rows: Path, files: Path, on_line: Callable[..., Line]
) -> None:
    runs = set((own_rows / "runs").iterdir())
    line = on_line("-w", str(own_rows), "--screen", screen, "--no-mouse")
    line.wait_until(lambda: line.tags, "outside text", 60)
    line.settle(0.3, 3)
    for key in KEYS[screen]:
        line.press(key.replace("FOLDER", str(files)))
    line.settle(0.3, 3)
    assert os.waitpid(line.pid, os.WNOHANG) == (0, 0), "the process has ended"
    written = line.written
    for copied in COPY.findall(written):
        assert not any(acts(each) and each not in "\n\t" for each in base64.b64decode(copied).decode())
    assert leaks(LENT.sub("", COPY.sub("", written)), PAINTING) == []
    assert [word for word in (FAMILY, PERSIAN, HEBREW) if word not in written] == []
    assert len(line.tags) >= SHOWN[screen], sorted({each.tag for each in STORED} - line.tags)
    assert set((own_rows / "runs").iterdir()) == runs, "something that was pasted has pressed a key"
    assert not (own_rows / LOG_FILE).exists(), (own_rows / LOG_FILE).read_text("utf-8")
    line.type("\x11")
    assert line.wait() == 0


def test_the_same_screens_are_listed_here_as_in_the_workbench() -> None:
    assert set(KEYS) == set(SHOWN) == set(SCREENS)


def test_a_workspace_without_outside_text_needs_nothing_but_the_list(
    workspace: Workspace, on_line: Callable[..., Line]
) -> None:
    line = on_line("-w", str(workspace.root), "--no-mouse")
    line.wait_until(lambda: "Corpus" in line.written, "the overview")
    for key in ("g", "r", "?", ESCAPE, ":", ESCAPE, "g", "c", ESCAPE, "g", "j", "words", "g", "s"):
        line.press(key)
    assert leaks(line.written, PAINTING) == []


# Commands

WRONG = "\x1b[5;31m\x9b2J\u202e[/nope]\r\n\x07"
READING: list[list[str]] = [
    [],
    ["corpus", "list"], *(["corpus", "show", each] for each in ("d1", "d10", "d87", "c1", "c10", "c78")),
    ["corpus", "stats"],
    ["search", "harbor", "--mode", "lexical", "-k", "100"],
    ["review", "--next", "100"], ["review", "--stats"],
    ["dataset", "list"], ["dataset", "stats"], ["dataset", "stats", "1"],
    ["adapters", "list"], ["adapters", "show", at(24)],
    ["train", "sft", "--estimate"], ["evaluate", "--estimate"], ["evaluate", "show"],
    ["pairs", "list"],
    ["sessions", "list"], ["sessions", "search", "a"], ["sessions", "search", WRONG],
    *(["sessions", "show", each] for each in ("s2", "10", "s92")),
    ["trace", "m3"], ["trace", "ds2", "-v"], ["trace", "msg2"], ["trace", at(24)],
    ["runs", "list"], ["runs", "show", "import-92"], ["runs", "show", "sft-94"],
    ["runs", "attach", "import-92"], ["runs", "attach", "sft-94", "-v"],
    ["models", "list"], ["consent", "list"], ["ledger", "--all"], ["formats"], ["keys"], ["doctor"],
    ["import", "--preview", "FOLDER"],
]  # fmt: skip
REFUSED: list[list[str | bytes]] = [
    [WRONG], [f"--{WRONG}"], ["corpus", WRONG], ["corpus", "show", WRONG], ["trace", WRONG],
    ["search", "harbor", "--as-of", WRONG], ["search", "harbor", "--mode", WRONG], ["search", "harbor", "-k", WRONG],
    ["review", "--decide", WRONG, "accept"], ["dataset", "show", WRONG], ["dataset", "export", "--to", WRONG],
    ["adapters", "use", WRONG], ["adapters", "export", WRONG], ["adapters", "export", at(24), "--to", WRONG],
    ["adapters", "export", at(24)], ["consent", "grant", WRONG], ["consent", "revoke", WRONG],
    ["evaluate", "show", WRONG], ["evaluate", "--systems", WRONG],
    ["runs", "show", WRONG], ["import", WRONG], ["import", "FOLDER", "--format", WRONG], ["import", "x" * 10_000],
    ["sessions", "show", WRONG], ["sessions", "export", "1", "--to", WRONG], ["chat", "--once", "x", "--say", WRONG],
    ["sessions", "search", b"\xff\x9b5m"], ["pairs", "import", WRONG], ["journal", "--import", WRONG],
    ["new", "Ada", "--dir", "."],
    *([command, "show", each] for command in ("corpus", "runs") for each in (b"\xff\x9b5m", b"\xed\xa0\x80")),
    ["search", b"\xff\x9b5m", "--mode", "lexical"], ["new", b"\xff\x9b5m"], ["journal", "--export", "x/" + WRONG],
]  # fmt: skip
"""Arguments that no command can take; in the last ones, bytes that are no text, which Python hands on as surrogates."""

ONE_AFTER_ANOTHER = """
import json, os, sys
from tui.command_line import run
for place, arguments in enumerate(json.loads(sys.argv[1])):
    code = run([os.fsdecode(bytes.fromhex(each)) for each in arguments])
    sys.stderr.flush()
    print(f"\\n@@{place} {code}", flush=True)
"""


def as_bytes(words: list[Any], folder: Path) -> list[bytes]:
    """Arguments as a shell hands them over."""
    return [os.fsencode(str(folder) if each == "FOLDER" else each) for each in words]


def run_all(commands: list[list[Any]], root: Path, files: Path, cwd: Path, *more: str) -> dict[int, tuple[int, str]]:
    """Commands one after another on one terminal; for each its exit code and what it wrote."""
    words = [
        [each.hex() for each in (*as_bytes(command, files), b"-w", os.fsencode(root), *map(os.fsencode, more))]
        for command in commands
    ]
    line = Line([sys.executable, "-c", ONE_AFTER_ANOTHER, json.dumps(words)], cwd=cwd)
    try:
        assert line.wait(300) == 0, line.written[-2000:]
    finally:
        line.close()
    told = {}
    before = 0
    for end in re.finditer(r"\r\n@@(\d+) (\w+)\r\n", line.written):
        told[int(end[1])] = (int(end[2]), line.written[before : end.start()])
        before = end.end()
    assert len(told) == len(commands)
    return told


@pytest.mark.slow
def test_no_command_lets_a_row_act(own_rows: Path, files: Path, tmp_path: Path) -> None:
    everything = ""
    for place, (code, written) in run_all(READING, own_rows, files, tmp_path).items():
        words = " ".join(READING[place])
        failing = words == "doctor" or words.startswith("runs attach sft")
        in_part = words.startswith("import --preview")  # Some of the files are none that can be read.
        assert code == (DONE_IN_PART if in_part else int(failing)), (words, written[-2000:])
        assert leaks(written, PROGRESS) == [], words
        everything += written
        assert len(written) < 700_000, f"{words}: {len(written)} characters"
    assert all(word in everything for word in (FAMILY, PERSIAN, HEBREW))
    assert [each.tag for each in STORED if f"{each.tag} " not in everything] == []
    # The two halves of the last one are one emoji again once JSON is read.
    assert all(f"{each.tag} {'�' * len(each.text)}" in everything for each in SURROGATES[:-1])


@pytest.mark.slow
def test_json_is_one_line_of_ascii(own_rows: Path, files: Path, tmp_path: Path) -> None:
    found: list[Any] = []
    for place, (_, written) in run_all(READING[1:], own_rows, files, tmp_path, "--json").items():
        words = " ".join(READING[1:][place])
        assert leaks(written, PROGRESS) == [], words
        *_, last = (each for each in PROGRESS.sub("\n", written).split("\n") if each.startswith("{"))
        assert last.isascii(), words
        found.append(json.loads(last))
    everything = json.dumps(found, ensure_ascii=False)
    assert [each.tag for each in STORED if json.dumps(each.text, ensure_ascii=False)[1:-1] not in everything] == []


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_what_no_command_can_take_is_refused_in_one_line(
    workspace: Workspace, files: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    for place, (code, written) in run_all(REFUSED, workspace.root, files, tmp_path, *more).items():
        words = repr(REFUSED[place])[:80]
        assert code in (1, 2), (words, written)
        assert "Traceback" not in written, (words, written)
        assert leaks(written, PROGRESS) == [], words
        lines = written.strip("\r\n").split("\r\n")
        if more:
            assert json.loads(lines.pop(0))["error"], words
        assert lines[0].startswith("simulee: "), (words, lines)
        assert len(lines) <= 2, (words, lines)


def test_bytes_that_are_no_text_are_refused_or_replaced(workspace: Workspace, on_line: Callable[..., Line]) -> None:
    line = on_line("journal", b"half \xed\xa0\x80 a word \x9b5m", "-w", str(workspace.root))
    assert line.wait() == 0
    assert leaks(line.written, PROGRESS) == []
    [entry] = workspace.database.rows("SELECT text FROM document")
    assert not any(map(acts, entry[0].replace("\x9b", "")))
    for arguments in ((b"-w", b"\xff\x9b5m"), (b"-w", os.fsencode(workspace.root), b"--screen", b"\xff\x9b5m")):
        line = on_line(*arguments)
        line.wait_until(lambda at_line=line: "\\udc9b" in at_line.written or "��" in at_line.written, "an answer")
        line.type("\x11")
        line.wait()
        assert "Traceback" not in line.written
        assert not [each for each in leaks(line.written, PAINTING) if "5m" in each]


@pytest.mark.slow
def test_hostile_files_are_imported_or_refused_and_told_of(
    workspace: Workspace, files: Path, on_line: Callable[..., Line]
) -> None:
    line = on_line("import", str(files), "-v", "-w", str(workspace.root))
    assert line.wait(200) == 3
    assert "Traceback" not in line.written
    assert leaks(line.written, PROGRESS) == []
    assert len(line.tags) > 40
    assert FAMILY in line.written
    held = workspace.database.rows("SELECT title || text FROM document UNION ALL SELECT question FROM exchange")
    assert len(held) > 150
    for each in held:
        each[0].encode()


def test_a_new_workspace_of_a_hostile_name(on_line: Callable[..., Line], tmp_path: Path) -> None:
    name = f"{FAMILY} \x1b]0;owned\x07\x9b5m\u202e[/nope]"
    line = on_line("new", name)
    assert line.wait() == 0
    assert leaks(line.written, PROGRESS) == []
    assert FAMILY in line.written
    line = on_line("-w", str(tmp_path / name.replace("/", "-")), "--no-mouse")
    line.wait_until(lambda: "[/nope]" in line.written, "its name")
    line.type("\x11")
    assert line.wait() == 0


# What breaks

BROKEN = {
    "a command": """
import sys
from tui import command_line
from core import doctor
def broken(*_):
    raise RuntimeError("odd \\x1b]0;owned\\x07 [nope]")
doctor.check_machine = broken
sys.exit(command_line.run(["doctor"]))
""",
    "a screen": """
import sys
from pathlib import Path
from tui.app import Options, open_workbench
from tui.keys import Keymap
from tui.widgets.card_view import CardView
whole = CardView.render_line
def broken(self, y):
    if self.app.workspace is None:
        return whole(self, y)
    raise RuntimeError("odd \\x1b]0;owned\\x07 [nope]")
CardView.render_line = broken
sys.exit(open_workbench(Options(folder=Path(sys.argv[1]), screen="review"), Keymap()))
""",
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_breaks_tells_of_it_and_nothing_acts(what: str, tmp_path: Path) -> None:
    root = Workspace.create(tmp_path / "odd \x1b]0;owned\x07 [nope]", "Ada Marlow").root
    line = Line([sys.executable, "-c", BROKEN[what], str(root)], cwd=Path(__file__).parents[2])
    try:
        assert line.wait(60) == 1
        assert "RuntimeError" in line.written
        assert "[nope]" in line.written
        assert not re.search(r"\x1b\]0|owned\x07", line.written)
    finally:
        line.close()
