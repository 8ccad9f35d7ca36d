"""How fast the workbench paints and answers on a real terminal, with 100,000 memories waiting.

First paint is measured beside a bare Textual app, in turns; a key's answer from the key to the moment at which the
program asks the terminal whether the next card was painted. Run from the repository: ``python -m bench.workbench``.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from core.store.database import Database
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal

MEMORIES = 100_000
PER_EXCHANGE = 5
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


def fill(database: Database, memories: int) -> None:
    """Rows as an import and a recall would leave them, of made-up words."""
    chance = random.Random(7)
    vocabulary = [f"{a}{b}" for a in ("tide", "chart", "lamp", "stair", "salt", "rope", "key") for b in ("", "s", "less")]

    def words(count: int) -> str:
        return " ".join(chance.choice(vocabulary) for _ in range(count)).capitalize() + "."

    exchanges = memories // PER_EXCHANGE
    with database.write():
        source = database.insert(
            "INSERT INTO source (uid, location, format, content_hash, use, use_chosen, imported_at)"
            " VALUES ('s', 'bench', 'raft', 'x', 'train', 0, '2024-01-01')"
        )
        database.execute_many(
            "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision, first_day,"
            " last_day, text, language, visibility, reply_to, tags, content_hash)"
            " VALUES (?, ?, ?, ?, 'writing', ?, '', '2014-05-02', 'day', 735355, 735355, '', 'en', 'public', '', '[]', ?)",
            ((n, f"d{n}", source, n, words(4), f"h{n}") for n in range(1, 501)),
        )
        database.execute_many(
            "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
            " VALUES (?, ?, ?, 0, 0, 900, ?, 200, ?)",
            ((n, f"c{n}", n % 500 + 1, words(120), 735355 + n % 999) for n in range(1, 5001)),
        )
        database.execute_many(
            "INSERT INTO conversation (id, uid, source_id, position, title, link, date, date_precision, first_day,"
            " last_day, visibility, chat, content_hash)"
            " VALUES (?, ?, ?, ?, ?, '', '2019-05-02', 'day', ?, 737000, 'public', 0, ?)",
            ((n, f"k{n}", source, n, words(4), 737000 + n, f"kh{n}") for n in range(1, exchanges // 20 + 2)),
        )
        database.execute_many(
            "INSERT INTO exchange (id, uid, conversation_id, position, segment, asker, question, answer, first_day,"
            " last_day, initiates) VALUES (?, ?, ?, ?, 0, 'Ines Calder', ?, ?, 737000, 737000, 0)",
            ((n, f"e{n}", n // 20 + 1, n, words(14), words(60)) for n in range(1, exchanges + 1)),
        )
        database.execute_many(
            "INSERT INTO memory (id, uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start, quote_stop)"
            " VALUES (?, ?, ?, ?, ?, ?, 'extractive', ?, 'q', 200, 260)",
            (
                (n, f"m{n:06}", (n - 1) // PER_EXCHANGE + 1, n % 5000 + 1, n % PER_EXCHANGE, chance.random(), words(24))
                for n in range(1, memories + 1)
            ),
        )
        database.execute_many(
            "INSERT INTO judgement (memory_id, kind, judge, value) VALUES (?, 'question', 'bench', ?)",
            ((n, chance.gauss(0.2, 0.5)) for n in range(1, memories + 1)),
        )


def first_paint(command: list[str]) -> float:
    """Seconds from the start of the process to the frame's first words on the terminal."""
    began = time.perf_counter()
    terminal = Terminal(command)
    while b"Overview" not in terminal.output:
        terminal.read(0.005)
    took = time.perf_counter() - began
    terminal.close()
    return took


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def review(root: Path) -> None:
    terminal = Terminal([*COMMAND, "-w", str(root), "--screen", "review"])
    terminal.wait_for("of 100,000", 60)
    terminal.settle()
    times, sizes = [], []
    for number in range(KEYS):
        asked, sent = terminal.queries, len(terminal.output)
        began = time.perf_counter()
        terminal.type("ax"[number % 2])
        while terminal.queries == asked and time.perf_counter() - began < 5:
            terminal.read(0.001)
        times.append(time.perf_counter() - began)
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
        asked = terminal.queries
        began = time.perf_counter()
        terminal.type("\x1bOS")
        while terminal.queries == asked:
            terminal.read(0.001)
        opened.append(time.perf_counter() - began)
        terminal.settle(0.3)
    print(f"| from the overview to the queue of {MEMORIES:,}, read anew | p50 {statistics.median(opened) * 1e3:.0f} ms | |")
    terminal.type("\x11")
    terminal.wait()
    terminal.close()


def stalls(root: Path, folder: Path) -> None:
    """The event loop's lateness while a run works: an import with its many short writes, on the same two cores."""
    from core.runs import control

    workspace = Workspace.open(root)
    for number in range(3000):
        (folder / f"note-{number}.md").write_text(f"# Note {number}\n\n" + "The tide keeps its own hours. " * 40, "utf-8")
    from dataclasses import asdict

    from core.corpus import importing

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
        print(
            f"| first paint | {statistics.median(ours) * 1e3:.0f} ms, bare Textual {statistics.median(bare) * 1e3:.0f} ms:"
            f" {statistics.median(ours) / statistics.median(bare):.2f}x | |"
        )
        review(root)
        notes = Path(name) / "notes"
        notes.mkdir()
        stalls(root, notes)


if __name__ == "__main__":
    main()
