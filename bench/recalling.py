"""A whole recall run against a server of fixed pace: retrieval, three asks for each candidate, storing, all of it.

The sample's corpus is recalled for questions made of two of its own, with writer and judge on one server that answers
after 200 ms and works on 32 asks at once, in a process of its own. Whatever the client does, the run cannot end before
asks * latency / slots; what it takes more is embedding the questions, searching, checking, and writing to the disk.
Run from the repository: ``python -m bench.recalling [candidates] [rounds]``.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from core.corpus import importing
from core.corpus.importing import Request
from core.journey import RECALL
from core.runs.control import run_to_end
from core.sample import TARGET
from core.store.conversations import exchanges_of, trainable_conversations
from core.workspace import SETTINGS_FILE, Workspace
from tests.embedded_sample import embedded_sample
from tests.fault_server import FaultServer
from tests.recall.answering import answer

CANDIDATES = 2000
ROUNDS = 3
LATENCY = 0.2
SLOTS = 32


@dataclass(frozen=True, slots=True)
class Served:
    """What the server saw: asks, and seconds from the first to the last that came."""

    asks: int
    seconds: float


def serve(told: Connection) -> None:
    """The process of the server: tells its port, and after each run what it saw, until it is told to end."""
    with FaultServer(answer, latency=LATENCY, slots=SLOTS, logprobs_supported=False) as server:
        told.send(server.url)
        while told.recv():
            times = [each.at for each in server.received if "logprobs" not in each.body]
            server.received.clear()
            server.prompts.clear()
            told.send(Served(len(times), times[-1] - times[0] if times else 0.0))


def prepared(root: Path, url: str, candidates: int) -> Workspace:
    """The sample, embedded, with enough questions for so many candidates and nothing recalled."""
    journey = embedded_sample(root)
    workspace = journey.workspace
    asked = [
        each.question
        for conversation in trainable_conversations(workspace.database)
        for each in exchanges_of(workspace.database, conversation.id)
        if each.question
    ]
    known = len(asked)
    pairs = random.Random(1).sample(list(itertools.permutations(asked, 2)), candidates)
    per_question = workspace.settings.recall.candidates
    exchanges = [
        [f"{first} {second}", "I have told you that before."] for first, second in pairs[: candidates // per_question]
    ]
    told = root / "asked.json"
    told.write_text(
        json.dumps({"participants": {"q": "Ines Calder", "a": TARGET}, "date": "2023-01-01", "exchanges": exchanges})
    )
    choices, _ = importing.plan([told], "raft-transcript")
    chosen = [Request(str(each.source.path), each.importer.name, each.match.confidence) for each in choices]
    journey.import_files(workspace, "import", chosen, use="train")
    journey.embed(workspace)
    lines = [f'name = "{TARGET}"']
    for role in ("writer", "judge"):
        lines += [f"[models.{role}]", 'engine = "endpoint"', 'model = "m"', f'base_url = "{url}"']
    (root / SETTINGS_FILE).write_text("\n".join(lines) + "\n", "utf-8")
    workspace.forget_settings()
    print(f"{known + len(exchanges):,} questions, {per_question} candidates each")
    return workspace


def forget_recalled(workspace: Workspace) -> None:
    """As before recall, so that a further round asks everything again."""
    with workspace.database.write():
        for table in ("memory", "recalled", "call_cache"):
            workspace.database.execute(f"DELETE FROM {table}")


def main(candidates: str = str(CANDIDATES), rounds: str = str(ROUNDS)) -> None:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    url = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        workspace = prepared(Path(folder) / "ada", url, int(candidates))
        print(f"{'candidates':>10} {'asks':>7} {'bound s':>8} {'run s':>7} {'of bound':>9} {'first to last ask':>18}")
        for _ in range(int(rounds)):
            forget_recalled(workspace)
            began = time.monotonic()
            done = run_to_end(workspace, *RECALL, {})
            wall = time.monotonic() - began
            ours.send(True)
            served: Served = ours.recv()
            bound = served.asks * LATENCY / SLOTS
            print(
                f"{done['candidates']:10,} {served.asks:7,} {bound:8.1f} {wall:7.1f} {wall / bound:9.2f}"
                f" {served.seconds / bound:18.2f}",
                flush=True,
            )
    ours.send(False)
    server.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
