"""Several processes for one run, on the GPUs of one machine or of many: handed over to ``accelerate launch``.

The run's own process starts the launcher and passes on what the first of the launched processes tells; that is the run
that everybody sees. A stop is asked for by a file beside the run, since a launcher answers a signal by killing.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import torch

from core.errors import Interrupted, SimuleeError, TrainingError
from core.runs.job import Job
from core.runs.journal import STOP, load_run
from core.runs.worker import work_of
from core.workspace import Workspace

TELLS = "SIMULEE_TELLS"
"""Environment: the named pipe into which the first process tells its events, a JSON line each."""
POLL_SECONDS = 0.2


def is_launched() -> bool:
    """Whether this process is one of several that train together."""
    return TELLS in os.environ


def is_first() -> bool:
    """Whether this process is the one that tells and saves."""
    return int(os.environ.get("RANK", "0")) == 0


def processes() -> int:
    """How many processes train together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launched(job: Job, entry: str) -> dict[str, Any]:
    """Do the work of ``entry`` in processes of ``accelerate launch``. Returns the first one's result.

    Raises what the first one raised, TrainingError when the launcher fails, Interrupted when a stop was asked for.
    """
    config = Path(job.params["launch"])
    if not config.is_file():
        raise TrainingError(
            f"no accelerate configuration at {config}", "make one: accelerate config, or see docs/launch"
        )
    pipe, stop = job.folder / ".tells", job.folder / STOP
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe, 0o600)
    order = [
        sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config),
        "-m", "core.training.launching", str(job.workspace.root.resolve()), str(job.folder.resolve()), entry,
    ]  # fmt: skip
    # Opened for both, or opening would wait for a writer, and reading would end with the first that leaves.
    tells = os.fdopen(os.open(pipe, os.O_RDWR), "r", encoding="utf-8")
    process = subprocess.Popen(order, stdin=subprocess.DEVNULL, env={**os.environ, TELLS: str(pipe)})
    heard = _Heard(job, tells)
    thread = threading.Thread(target=heard.listen, daemon=True)
    thread.start()
    try:
        while process.poll() is None:
            if job.stop_requested and not stop.exists():
                stop.touch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
        with pipe.open("w", encoding="utf-8") as last:
            last.write(json.dumps({"kind": _END}) + "\n")
        thread.join()
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait()
        pipe.unlink(missing_ok=True)
    if heard.error:
        kind = Interrupted if heard.error["interrupted"] else TrainingError
        raise kind(heard.error["message"], heard.error["hint"])
    if heard.result is None:
        raise TrainingError(
            f"the launcher ended with {process.returncode} before the training was done",
            f"see {job.folder / 'output.log'}; `simulee runs resume ID` goes on from the last checkpoint",
        )
    return heard.result


_END, _RESULT, _ERROR = ".end", ".result", ".error"


class _Heard:
    """Listens to the first process, and passes its events on."""

    def __init__(self, job: Job, tells: IO[str]) -> None:
        self._job, self._tells = job, tells
        self.result: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None

    def listen(self) -> None:
        """Until the end is told."""
        for line in self._tells:
            told = json.loads(line)
            match told["kind"]:
                case kind if kind == _END:
                    return
                case kind if kind == _RESULT:
                    self.result = told["payload"]
                case kind if kind == _ERROR:
                    self.error = self.error or told["payload"]
                case kind:
                    self._job.event(kind, **told["payload"])


class _Teller:
    """An event log whose lines go to the run's own process; only the first process has one to write to."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "w", encoding="utf-8", buffering=1) if is_first() else None  # noqa: SIM115, PTH123

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps({"kind": kind, "payload": payload}) + "\n")


def main(root: Path, folder: Path, entry: str) -> None:
    """One of the processes: ``python -m core.training.launching ROOT RUN_FOLDER ENTRY``."""
    teller = _Teller(os.environ[TELLS])
    workspace = Workspace.open(root)
    run = load_run(folder.parent, folder.name)
    job = Job(workspace, folder, run.params, teller, folder / STOP)
    # Ctrl+C and a lost terminal are for the run's own process, which asks through the file.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    try:
        teller.append(_RESULT, work_of(entry)(job))
    except SimuleeError as error:
        teller.append(
            _ERROR,
            {"message": error.message, "hint": error.hint, "interrupted": isinstance(error, Interrupted)},
        )
        if not isinstance(error, Interrupted):
            raise
    finally:
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
