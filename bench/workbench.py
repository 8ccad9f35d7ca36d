"""How fast the workbench paints and answers on a real terminal, with 100,000 memories waiting.

First paint is measured beside a bare Textual app, in turns; a key's answer from the key to the moment at which the
program asks the terminal whether the next card was painted. Run from the repository: ``python -m bench.workbench``.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from core.corpus import importing
from core.runs import control
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal
from tests.review_rows import fill

MEMORIES = 100_000
STARTS = 15
KEYS = 200
BARE = """
from textual.app import App
from textual.widgets import Static
class Bare(App):
    def compose(self):
        yield Static("Overview")
Bare().run()
"""
HEARTBEAT = """
import asyncio, json, sys, time
from dataclasses import asdict
from pathlib import Path
from tui.app import Options, Workbench
from tui.keys import Keymap
class Watched(Workbench):
    lags = []
    async def on_mount(self):
        await super().on_mount()
        self.do(self.beat())
    async def beat(self):
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            self.lags.append(time.perf_counter() - before - 0.01)
app = Watched(Options(folder=Path(sys.argv[1]), screen="overview"), Keymap())
app.run()
Path(sys.argv[2]).write_text(json.dumps(app.lags))
"""


def first_paint(command: list[str]) -> float:
    """Seconds from the start of the process to the frame's first words on the terminal."""
    began = time.perf_counter()
    terminal = Terminal(command)
    while b"Overview" not in terminal.output:
        terminal.read(0.005)
    took = time.perf_counter() - began
    terminal.close()
    return took


def jitter() -> None:
    """The machine alone: one loop of the interpreter, again and again, as long as a key takes."""
    times = []
    for _ in range(KEYS):
        time.sleep(0.03)
        began = time.perf_counter()
        sum(place * place for place in range(200_000))
        times.append(time.perf_counter() - began)
    print(
        f"| for comparison: one loop without any screen | p50 {percentile(times, 0.5) * 1e3:.1f} ms,"
        f" p95 {percentile(times, 0.95) * 1e3:.1f} ms | |"
    )


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def review(root: Path) -> None:
    terminal = Terminal([*COMMAND, "-w", str(root), "--screen", "review"])
    terminal.wait_for("of 100,000", 60)
    terminal.settle()
    times, sizes = [], []
    for number in range(KEYS):
        sent = len(terminal.output)
        times.append(terminal.seconds_to_query("ax"[number % 2]))
        terminal.settle(0.03)
        sizes.append(len(terminal.output) - sent)
    print(
        f"| key to the next card, {MEMORIES:,} waiting | p50 {percentile(times, 0.5) * 1e3:.1f} ms,"
        f" p95 {percentile(times, 0.95) * 1e3:.1f} ms | p50 {percentile(sizes, 0.5):,.0f} bytes,"
        f" p95 {percentile(sizes, 0.95):,.0f} bytes, terminal's own question included |"
    )
    opened = []
    for _ in range(10):
        began = time.perf_counter()
        terminal.type("l")
        mark = len(terminal.output)
        while b"pending" not in terminal.output[mark:]:
            terminal.read(0.001)
        opened.append(time.perf_counter() - began)
        terminal.settle(0.2)
        terminal.type("\x1b")
        terminal.settle(0.3)
    print(f"| opening the list of {MEMORIES:,} | p50 {statistics.median(opened) * 1e3:.0f} ms | |")
    opened = []
    for _ in range(10):
        terminal.type("\x1bOQ")
        terminal.wait_for("Corpus")
        terminal.settle(0.3)
        opened.append(terminal.seconds_to_query("\x1bOS"))
        terminal.settle(0.3)
    median = statistics.median(opened) * 1e3
    print(f"| from the overview to the queue of {MEMORIES:,}, read anew | p50 {median:.0f} ms | |")
    terminal.type("\x11")
    terminal.wait()
    terminal.close()


def stalls(root: Path, folder: Path) -> None:
    """The event loop's lateness while a run works: an import with its many short writes, on the same two cores."""
    workspace = Workspace.open(root)
    for number in range(3000):
        text = f"# Note {number}\n\n" + "The tide keeps its own hours. " * 40
        (folder / f"note-{number}.md").write_text(text, "utf-8")
    choices, _ = importing.plan([folder], None)
    requests = [
        asdict(importing.Request(str(choice.source.path), choice.importer.name, choice.match.confidence))
        for choice in choices
    ]
    terminal = Terminal([sys.executable, "-c", HEARTBEAT, str(root), str(folder / "lags.json")])
    terminal.wait_for("Corpus")
    run = control.start(workspace, importing.KIND, importing.ENTRY, {"sources": requests})
    began = time.monotonic()
    for event in control.follow(workspace, run.id):
        terminal.read(0)
        if event.kind == "ended":
            break
    worked = time.monotonic() - began
    terminal.settle(0.5)
    terminal.type("\x11")
    terminal.wait()
    lags = json.loads((folder / "lags.json").read_text("utf-8"))[200:]
    print(
        f"| event loop late while an import works ({worked:.0f} s) | p50 {percentile(lags, 0.5) * 1e3:.1f} ms,"
        f" p99 {percentile(lags, 0.99) * 1e3:.1f} ms, worst {max(lags) * 1e3:.0f} ms | |"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "ws"
        fill(Workspace.create(root, "Ada Marlow").database, MEMORIES)
        bare, ours = [], []
        for _ in range(STARTS):
            bare.append(first_paint([sys.executable, "-c", BARE]))
            ours.append(first_paint([*COMMAND, "-w", str(root)]))
        print("| what | time | bytes |\n| --- | --- | --- |")
        own, plain = statistics.median(ours) * 1e3, statistics.median(bare) * 1e3
        print(f"| first paint | {own:.0f} ms, bare Textual {plain:.0f} ms: {own / plain:.2f}x | |")
        jitter()
        review(root)
        notes = Path(name) / "notes"
        notes.mkdir()
        stalls(root, notes)


if __name__ == "__main__":
    main()
