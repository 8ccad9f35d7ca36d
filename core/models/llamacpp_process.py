"""The process that llama.cpp runs in: ``python -m core.models.llamacpp_process``, started by ``llamacpp``.

It reads one line of JSON (a ``LaunchPlan``) from its standard input, loads the model, answers with one line of JSON
on its standard output (the url), and serves until that input closes. A crash in native code ends this process and not
its parent; a parent killed with -9 ends this process too, even in the middle of loading.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

ERRORS_ONLY = 1
"""llama.cpp's verbosity: 0 nothing, 1 errors, 2 warnings, 3 everything."""
PROMPT_CACHE_MIB = 1024
"""Memory for the prompts of earlier requests; llama.cpp's own default is 8192, a laptop's whole memory."""
PARENT_CHECK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What the server is to load and how; travels through a pipe, so that the key is on no command line."""

    model: str
    adapters: tuple[tuple[str, float], ...]
    """GGUF adapters and their scales."""
    context: int
    """Tokens of prompt and answer together, for each slot."""
    slots: int
    """Requests answered at once."""
    threads: int
    key: str
    parent: int
    """The process whose end is this one's end."""

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> LaunchPlan:
        """The plan that ``to_line`` wrote."""
        fields = json.loads(line)
        return cls(**(fields | {"adapters": tuple((path, scale) for path, scale in fields["adapters"])}))


def serve(standard_input: int, answer: int) -> None:
    """Loads the model that the plan names, writes its url to ``answer``, and serves until the parent is gone."""
    plan = LaunchPlan.from_line(_read_line(standard_input))
    _end_with_parent(standard_input, plan.parent)
    server = _load(plan)
    os.write(answer, json.dumps({"url": server.listening_address}).encode() + b"\n")
    os.close(answer)
    while True:
        signal.pause()


def _load(plan: LaunchPlan) -> Any:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = plan.model
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, scale) for path, scale in plan.adapters]
    params.n_ctx = plan.context * plan.slots
    params.n_parallel = plan.slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = plan.threads
    params.cache_ram_mib = PROMPT_CACHE_MIB
    params.verbosity = ERRORS_ONLY
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [plan.key]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        # llama.cpp has logged why by now; a traceback would push that out of the last lines.
        sys.exit(str(error))


def _end_with_parent(standard_input: int, parent: int) -> None:
    """Arranges that this process ends when ``standard_input`` closes or ``parent`` is no longer its parent.

    xllamacpp holds the GIL while it loads, and no thread of Python runs for as long; so Linux is asked to send a
    signal when the input closes, whose default action ends the process. The thread covers other systems, and an input
    that a fork of the parent still holds open.
    """
    fcntl.fcntl(standard_input, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(standard_input, fcntl.F_SETFL, fcntl.fcntl(standard_input, fcntl.F_GETFL) | os.O_ASYNC)

    def parent_is_gone() -> bool:
        return bool(select.select([standard_input], [], [], 0)[0]) or os.getppid() != parent

    def watch() -> None:
        while not parent_is_gone():
            time.sleep(PARENT_CHECK_SECONDS)
        os._exit(0)

    if parent_is_gone():
        os._exit(0)
    threading.Thread(target=watch, daemon=True).start()


def _read_line(descriptor: int) -> bytes:
    """Everything up to the first newline; unbuffered, since the closing of the input is awaited afterwards."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(descriptor, 1)
        if not byte:
            sys.exit("The input closed before the plan was read.")
        line += byte
    return line


if __name__ == "__main__":
    # Whatever native code writes to the standard output goes to the log; the answer has a descriptor of its own.
    answer = os.dup(1)
    os.dup2(2, 1)
    serve(0, answer)
