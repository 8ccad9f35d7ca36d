"""Calls to a text model: how near 2,000 of them come to the server's own bound, beside a plain loop.

The server answers after a fixed 200 ms and works on 32 asks at once, in a process of its own: no client can finish
before asks * latency / slots. simulee's caller finds the 32 by itself, writes each call down before it leaves and after
it has ended, checks and caches the answer. Beside it stands what the published implementations do: one call after
another with the ``openai`` client, measured on fewer calls and scaled. Processor seconds and memory are the client's.
Run from the repository: ``python -m bench.calls [asks] [rounds]``.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from core.calls.caller import open_caller
from core.workspace import Workspace
from tests.asking import ask_each, use_server
from tests.fault_server import FaultServer

ASKS = 2000
ROUNDS = 3
LATENCY = 0.2
SLOTS = 32
SEQUENTIAL = 40
PASSAGE = "The tide came in over the east wall and took the lamp with it; we counted eleven strokes. " * 12


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds on the clock and of the processor, the most memory in MB, and what of it came after the first quarter."""

    wall: float
    processor: float
    most_memory: float
    grown: float


def serve(told: Connection) -> None:
    """The process of the server: tells its port, and serves until it is told to end."""
    with FaultServer(latency=LATENCY, slots=SLOTS) as server:
        told.send(server.url)
        told.recv()


def apart(work: Callable[[str, int], Figures], url: str, asks: int) -> Figures:
    """One measurement in a process of its own, so that nothing of the one before is in it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_measure, args=(work, url, asks, theirs))
    process.start()
    figures: Figures = ours.recv()
    process.join()
    return figures


def simulee(url: str, asks: int) -> Figures:
    """Every ask through a caller, all of them waiting at once."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.create(Path(folder) / "ws", "Ada Marlow")
        use_server(workspace, url)

        async def work() -> Figures:
            async with open_caller(workspace, "writer", "bench") as caller:
                began, used = time.monotonic(), _processor()
                quarter = asyncio.create_task(_memory_after(lambda: caller.stats().answered >= asks // 4))
                answers = await ask_each(caller, [f"{PASSAGE} {number}" for number in range(asks)])
                wall, processor = time.monotonic() - began, _processor() - used
                failed = [each for each in answers if not isinstance(each, str)]
                assert not failed, failed[0]
                return Figures(wall, processor, _most_memory(), _memory() - await quarter)

        return asyncio.run(work())


def one_after_another(url: str, asks: int) -> Figures:
    """The loop of the published implementations."""
    import openai

    client = openai.OpenAI(base_url=url, api_key="none")
    before = _memory()
    began, used = time.monotonic(), _processor()
    for number in range(asks):
        client.chat.completions.create(
            model="m", max_tokens=50, messages=[{"role": "user", "content": f"{PASSAGE} {number}"}]
        )
    return Figures(time.monotonic() - began, _processor() - used, _most_memory(), _memory() - before)


def main(asks: str = str(ASKS), rounds: str = str(ROUNDS)) -> None:
    number = int(asks)
    bound = number * LATENCY / SLOTS
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    url = ours.recv()
    print(f"{number:,} asks, {SLOTS} slots, {LATENCY * 1000:.0f} ms: the server's bound is {bound:.1f} s")
    print(f"{'client':22} {'seconds':>9} {'of bound':>9} {'cpu ms/ask':>11} {'most MB':>8} {'grown MB':>9}")
    for _ in range(int(rounds)):
        _print("simulee", apart(simulee, url, number), number, 1.0, bound)
    some = min(SEQUENTIAL, number)
    _print(f"loop ({some}, scaled)", apart(one_after_another, url, some), some, number / some, bound)
    ours.send(None)
    server.join()


def _measure(work: Callable[[str, int], Figures], url: str, asks: int, told: Connection) -> None:
    told.send(work(url, asks))


def _print(name: str, found: Figures, asks: int, scale: float, bound: float) -> None:
    wall = found.wall * scale
    print(
        f"{name:22} {wall:9.1f} {wall / bound:9.2f} {1000 * found.processor / asks:11.1f}"
        f" {found.most_memory:8.0f} {found.grown:9.1f}",
        flush=True,
    )


async def _memory_after(holds: Callable[[], bool]) -> float:
    while not holds():
        await asyncio.sleep(0.05)
    return _memory()


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _memory() -> float:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def _most_memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main(*sys.argv[1:])
