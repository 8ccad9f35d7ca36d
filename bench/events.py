"""What a training's events cost: while it runs, and when a day of them is opened.

A day of steps that take 0.3 s each, as a small model's on a GPU do: what the training wrote down is read as the
workbench reads it, in a process of its own, three times. Run from the repository: ``python -m bench.events``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from core.runs.job import LATER_INTERVAL, Job
from core.runs.journal import EVENTS, EventLog, create_run, now
from core.training.sft import MOST_POINTS
from core.workspace import Workspace

STEP_SECONDS = 0.3
DAY = 24 * 3600
CHECKPOINT_STEPS = 20
EVALUATIONS = 200
TIMED = 20_000
OPEN = """
import sys, time
from pathlib import Path
from core.runs.journal import load_run
from core.runs.snapshot import RunReader
run = load_run(Path(sys.argv[1]), sys.argv[2])
began = time.perf_counter()
picture = RunReader(run).look()
print(time.perf_counter() - began, len(picture.metrics), len(picture.samples))
"""


def figures(step: int) -> dict[str, float]:
    return {
        "step": step, "tokens_per_second": 152.5, "memory_mb": 2712, "loss": 3.2178, "lr": 0.00073, "grad_norm": 1.873
    }  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace.create(Path(name) / "ws", "Ada Marlow")
        told = create_run(workspace.runs, "sft", "core.training.sft:run", {})
        job = Job(workspace, told.folder, {}, EventLog(told.folder))
        began = time.perf_counter()
        for step in range(1, TIMED + 1):
            job.progress(step, TIMED, "training")
            job.event("metrics", **figures(step))
        each = (time.perf_counter() - began) / TIMED
        print(
            f"| events of a step | {each * 1e6:.0f} us: {each / STEP_SECONDS:.4%} of a step of {STEP_SECONDS} s,"
            f" {each / 0.05:.3%} of one of 50 ms |"
        )
        run = create_run(workspace.runs, "sft", "core.training.sft:run", {})
        steps = round(DAY / STEP_SECONDS)
        with (run.folder / EVENTS).open("w", encoding="utf-8") as file:
            seq = 0

            def write(kind: str, payload: dict[str, object]) -> None:
                nonlocal seq
                seq += 1
                file.write(json.dumps({"seq": seq, "at": now(), "kind": kind, "payload": payload}) + "\n")

            write("started", {"pid": 1})
            for step in range(1, steps + 1):
                if step % round(LATER_INTERVAL / STEP_SECONDS) == 0:
                    write("progress", {"done": step, "total": steps, "rate": 3.3, "what": "training"})
                if step % (steps // MOST_POINTS) == 0:
                    write("metrics", dict(figures(step)))
                if step % CHECKPOINT_STEPS == 0:
                    write("checkpoint", {"step": step})
                if step % (steps // EVALUATIONS) == 0:
                    write("metrics", {"step": step, "eval_loss": 3.1})
                    said = {"question": "What came?", "twin": "Rain, I think.", "real": "Rain."}
                    write("samples", {"step": step, "samples": [said, said]})
        size = (run.folder / EVENTS).stat().st_size
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "-c", OPEN, str(workspace.runs), run.id], stdout=subprocess.PIPE, text=True, check=True
            )
            seconds, metrics, samples = done.stdout.split()
            print(
                f"| a day of {steps:,} steps, {seq:,} events, {size / 2**20:.0f} MiB, opened |"
                f" {float(seconds) * 1e3:.0f} ms: {metrics} points, {samples} evaluations |"
            )


if __name__ == "__main__":
    main()
