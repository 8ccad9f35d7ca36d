"""How long the journal keeps a person waiting: to its prompt, to the shell's again, and until an entry is found.

Whole processes on a real terminal, in turns with ``cat`` and with an interpreter that does nothing; then one entry,
from the end of its last line to the end of the command, to its first find by words and by likeness.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from core.models.roles import embedder_of
from core.retrieval.search import Query, Searcher
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal

STARTS = 25
ENTRIES = 8
BARE = [sys.executable, "-c", "print('> ')"]


def to_words(command: list[str], words: bytes, root: Path, typed: str = "") -> float:
    """Seconds from the start of a process to words of it on the terminal."""
    began = time.perf_counter()
    terminal = Terminal(command, cwd=root, EDITOR="", VISUAL="")
    terminal.type(typed)
    while words not in terminal.output:
        terminal.read(0.002)
    took = time.perf_counter() - began
    terminal.close()
    return took


def one_entry(
    root: Path, text: str, pause: float, found: Callable[[str], bool], likely: Callable[[str], bool]
) -> list[float]:
    """Seconds from the end of an entry to the end of the command, and to its first find by words and by likeness."""
    terminal = Terminal([*COMMAND, "journal"], cwd=root, EDITOR="", VISUAL="")
    while b"> " not in terminal.output:
        terminal.read(0.002)
    terminal.type(text)
    end = time.perf_counter() + pause
    while time.perf_counter() < end:
        terminal.read(0.01)
    terminal.type("\n")
    terminal.read(0.05)
    began = time.perf_counter()
    terminal.type("\x04")
    terminal.wait()
    times = [time.perf_counter() - began]
    for finds in (found, likely):
        while not finds(text):
            time.sleep(0.005)
        times.append(time.perf_counter() - began)
    terminal.close()
    return times


def line(what: str, times: list[float]) -> None:
    late = sorted(times)[int(0.95 * (len(times) - 1))]
    print(f"| {what} | {statistics.median(times) * 1e3:.0f} ms | {late * 1e3:.0f} ms |", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace.create(Path(name) / "ws", "Ada Marlow")
        root = workspace.root
        waits: dict[str, list[float]] = {"cat": [], "bare": [], "prompt": [], "quick": []}
        for _ in range(STARTS):
            waits["cat"].append(to_words(["cat"], b"x\r\nx", root, "x\n"))
            waits["bare"].append(to_words(BARE, b"> ", root))
            waits["prompt"].append(to_words([*COMMAND, "journal"], b"> ", root))
            waits["quick"].append(to_words([*COMMAND, "journal", "-"], b"journal> ", root))
        print("| what | median | p95 |\n| --- | --- | --- |")
        line("`cat`, to its first answer", waits["cat"])
        line("`python -c`, to its first words", waits["bare"])
        line("`simulee journal`, to its prompt", waits["prompt"])
        line("`simulee journal -`, to its prompt", waits["quick"])
        embedder = embedder_of(workspace.settings)
        searcher = Searcher(workspace, lambda: embedder)

        def found_by(mode: str) -> Callable[[str], bool]:
            return lambda text: any(
                each.passage.chunk.text == text
                for each in searcher.search(Query(text, k=50, mode=mode))  # type: ignore[arg-type]
            )

        for pause, who in ((2.0, "two seconds of typing"), (0.0, "pasted at once")):
            entries = [
                one_entry(
                    root,
                    f"Entry {number} {who}: the tide came over the wall.",
                    pause,
                    found_by("lexical"),
                    found_by("vector"),
                )
                for number in range(ENTRIES)
            ]
            for place, what in enumerate(("the shell's prompt", "found by words", "found by likeness")):
                line(f"{who}: from the end of the entry to {what}", [each[place] for each in entries])


if __name__ == "__main__":
    main()
