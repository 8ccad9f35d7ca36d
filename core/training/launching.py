"""Several processes for one run, on the GPUs of one machine or of many: handed over to ``accelerate launch``.

The run's own process starts the launcher and passes on what the first of the launched processes tells; that is the run
that everybody sees. A stop is asked for by a file beside the run, since a launcher answers a signal by killing.

Of several machines each has its own copy of the workspace and its own run, started by the same command; they find each
other by the launcher's configuration, and only the first one makes an adapter.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from enum import StrEnum
from pathlib import Path
from typing import IO, Any

import torch
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.utils import DistributedType

from core.errors import Interrupted, SimuleeError, TrainingError
from core.runs.job import Job
from core.runs.journal import STOP, load_run
from core.runs.worker import work_of
from core.training.failures import DISK, no_room
from core.training.launch_file import deepspeeds_own
from core.training.together import is_first_here, wait_for_all
from core.workspace import Workspace

TELLS = "SIMULEE_TELLS"
"""Environment: the named pipe into which the launched processes tell their events, a JSON line each."""
POLL_SECONDS = 0.2
PATIENCE = 45.0
"""Seconds for a launcher that was told to end: it gives its processes 30."""
UNPATIENCE = 3.0
"""The same for one that has no process yet: it may wait for another machine, and hears nothing then."""
LONGEST = 400
"""Characters of an error that nobody wrote for a person."""


def is_launched() -> bool:
    """Whether this process is one of several that train together."""
    return TELLS in os.environ


def is_first() -> bool:
    """Whether this process is the one that saves what was trained."""
    return int(os.environ.get("RANK", "0")) == 0


def launched(job: Job, entry: str) -> dict[str, Any]:
    """Do the work of ``entry`` in processes of ``accelerate launch``. Returns the result of this machine's first one,
    and of a machine that only helped its ``machine_rank``.

    Raises what a process raised, TrainingError when the launcher fails, Interrupted when a stop was asked for.
    """
    path = Path(job.params["launch"])
    config = _read(path)
    order, environment = _order(config, path)
    order += ["-m", "core.training.launching", str(job.workspace.root.resolve()), str(job.folder.resolve()), entry]
    pipe, stop = job.folder / ".tells", job.folder / STOP
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe, 0o600)
    if config.num_machines > 1:
        job.progress(0, 1, f"waiting for the other {config.num_machines - 1} of {config.num_machines} machines")
    # Opened for both, or opening would wait for a writer, and reading would end with the first that leaves.
    tells = os.fdopen(os.open(pipe, os.O_RDWR), "r", encoding="utf-8")
    process = subprocess.Popen(
        order, stdin=subprocess.DEVNULL, env={**os.environ, **environment, TELLS: str(pipe)}, process_group=0
    )
    heard = _Heard(job, tells)
    thread = threading.Thread(target=heard.listen, daemon=True)
    thread.start()
    cut = False
    try:
        while process.poll() is None and not cut:
            if job.stop_requested or heard.unheard:
                cut = not heard.begun
                stop.touch()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(POLL_SECONDS)
    finally:
        _end(process, PATIENCE if heard.begun else UNPATIENCE)
        _Teller(pipe).say(_Word.END)
        thread.join()
        pipe.unlink()
        # A process that is left over finds nobody to tell, and ends.
        tells.close()
    if cut:
        raise Interrupted("stopped before the training began", "`simulee runs resume ID` begins it")
    return heard.outcome(config, process.returncode)


def _read(path: Path) -> ClusterConfig:
    if not path.is_file():
        raise TrainingError(f"no accelerate configuration at {path}", "make one: accelerate config, or see docs/launch")
    try:
        config = load_config_from_file(str(path))
    except Exception as error:  # Whatever a reader of YAML and of dataclasses raises.
        raise TrainingError(
            f"{path} is no configuration of accelerate: {str(error).splitlines()[0]}",
            "make one: accelerate config, or see docs/launch",
        ) from None
    if not isinstance(config, ClusterConfig):
        raise TrainingError(f"{path} is for SageMaker", "compute_environment: LOCAL_MACHINE, as in docs/launch")
    return config


def _order(config: ClusterConfig, path: Path) -> tuple[list[str], dict[str, str]]:
    """The launcher's command line, and what its environment holds besides ours."""
    order = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(path)]
    environment = {}
    if config.distributed_type == DistributedType.MULTI_CPU and not config.mpirun_config:
        # Without MPI it would start one process, whatever their number.
        order.append("--multi_gpu")
        environment["ACCELERATE_USE_CPU"] = "true"
    if own := deepspeeds_own(config.deepspeed_config or {}, path.parent):
        order += ["--deepspeed_config_file", str(own)]
    if config.num_machines > 1:  # Each machine starts its own processes; none logs in to another.
        order += ["--deepspeed_multinode_launcher", "standard"]
    return order, environment


def _end(process: subprocess.Popen[bytes], patience: float) -> None:
    """End the launcher where it is still at work, with what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _Word(StrEnum):
    """What is told besides events."""

    BEGUN = ".begun"
    RESULT = ".result"
    ERROR = ".error"
    """One with a message for the person."""
    BROKEN = ".broken"
    """Any other."""
    END = ".end"
    """Nobody is left who could tell more."""


class _Heard:
    """Listens to this machine's processes, and passes events on."""

    def __init__(self, job: Job, tells: IO[str]) -> None:
        self._job, self._tells = job, tells
        self.begun = False
        """Whether there are processes that see the file which asks for a stop."""
        self.unheard: Exception | None = None
        """Why events cannot be passed on any more."""
        self._result: dict[str, Any] | None = None
        self._error: dict[str, Any] | None = None
        self._broken = ""

    def listen(self) -> None:
        """Until the end is told, whatever else happens: with a full pipe every process would wait for ever."""
        for line in self._tells:
            try:
                told = json.loads(line)
            except ValueError:  # Empty, or of a process that was killed while it told.
                continue
            match told:
                case {"kind": _Word.END}:
                    return
                case {"kind": _Word.BEGUN}:
                    self.begun = True
                case {"kind": _Word.RESULT, "payload": payload}:
                    self._result = payload
                case {"kind": _Word.ERROR, "payload": payload}:
                    self._error = self._error or payload
                case {"kind": _Word.BROKEN, "payload": payload}:
                    self._broken = self._broken or payload["text"]
                case {"kind": kind, "payload": payload} if self.unheard is None:
                    try:
                        self._job.event(kind, **payload)
                    except Exception as error:
                        self.unheard = error

    def outcome(self, config: ClusterConfig, code: int) -> dict[str, Any]:
        """The result, once the launcher has ended with a ``code``. Raises what kept the processes from one."""
        if isinstance(self.unheard, OSError) and self.unheard.errno in DISK:
            raise no_room(self._job.folder / "checkpoints")
        if self.unheard is not None:
            raise self.unheard
        if self._error:
            kind = Interrupted if self._error["interrupted"] else TrainingError
            raise kind(self._error["message"], self._error["hint"])
        if self._result is not None:
            return self._result | ({"machine_rank": config.machine_rank} if config.machine_rank else {})
        log, again = (
            f"see {self._job.folder / 'output.log'}",
            "`simulee runs resume ID` goes on from the last checkpoint",
        )
        several = config.num_machines > 1
        if not self.begun and several:
            raise TrainingError(
                f"the launcher ended with {code} before all {config.num_machines} machines were there",
                f"start the run on each, with its own machine_rank and the first one's main_process_ip; {log}",
            )
        if self._broken and several:
            raise TrainingError(
                f"this machine's part broke off: {self._broken}",
                f"see how the run ended on the others, and {log[4:]}; then resume it on each",
            )
        what = self._broken or f"the launcher ended with {code} before the training was done"
        raise TrainingError(what, f"{log}; {again}")


class _Teller:
    """An event log whose lines go to the run's own process: the events of one process, and the end of any."""

    def __init__(self, pipe: Path) -> None:
        # Nothing is made where the run's own process is gone, and nothing waited for.
        self._pipe = os.open(pipe, os.O_WRONLY | os.O_CLOEXEC)

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        if is_first_here():
            self.say(kind, payload)

    def say(self, kind: str, payload: dict[str, Any] | None = None) -> None:
        """Tell it whichever process this is.

        Lines of two processes are mixed up only beyond PIPE_BUF bytes, which no error has; each begins anew, so that
        one that was left unfinished spoils no other.
        """
        line = f"\n{json.dumps({'kind': kind, 'payload': payload or {}})}\n".encode()
        while line:
            line = line[os.write(self._pipe, line) :]


def main(root: Path, folder: Path, entry: str) -> None:
    """One of the processes: ``python -m core.training.launching ROOT RUN_FOLDER ENTRY``."""
    teller = _Teller(Path(os.environ[TELLS]))
    # Ctrl+C and a lost terminal are for the run's own process, which asks through the file.
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    teller.say(_Word.BEGUN)
    try:
        workspace = Workspace.open(root)
        run = load_run(folder.parent, folder.name)
        job = Job(workspace, folder, run.params, teller, folder / STOP)
        result = work_of(entry)(job)
        job.last_progress()
        wait_for_all()  # What the first one saves last may fail yet, and then no machine has done its part.
        teller.append(_Word.RESULT, result)
    except Interrupted as error:
        teller.say(_Word.ERROR, {"message": error.message, "hint": error.hint, "interrupted": True})
    except Exception as error:
        with contextlib.suppress(OSError):  # The disk of the log may be full.
            if isinstance(error, SimuleeError):
                teller.say(_Word.ERROR, {"message": error.message, "hint": error.hint, "interrupted": False})
            else:
                text = f"{type(error).__name__}: {error}".splitlines()[0][:LONGEST]
                teller.say(_Word.BROKEN, {"text": text})
            traceback.print_exc()
            sys.stderr.flush()
        # Not by way of what the processes do together, which would wait for the others; the launcher ends them.
        os._exit(1)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
