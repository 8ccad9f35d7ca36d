"""llama.cpp as an engine: a server in a process of its own, and completions of text that is already rendered.

The prompt goes to llama.cpp's ``/completion`` as it is, because ``core.prompts`` alone applies a chat template. The
client is ``http.client``: only with the socket in hand can one deadline bound a whole answer, drips included, and no
proxy of the environment is asked about loopback. Its url and key also serve the ``openai`` client.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn, Self
from urllib.parse import urlsplit

from core.errors import ModelError
from core.models.cores import usable_cores
from core.models.llamacpp_completion import (
    Completion,
    Sampling,
    TokenLogprob,
    finished,
    refusal,
    request_body,
    stream_events,
)
from core.models.llamacpp_process import LaunchPlan

__all__ = ["Adapter", "Completion", "LlamaServer", "Sampling", "TokenLogprob"]

READY_WITHIN = 300.0
"""Seconds for loading a model: SmolLM2 takes one, a large model on a cold disk takes minutes."""
ANSWER_WITHIN = 300.0
STOP_WITHIN = 5.0
STDERR_LINES = 6
STDERR_BYTES = 8192
LONGEST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter in GGUF form, and how strongly it counts.

    The scale holds for the server's life: llama.cpp can change it per request, but then answers from the prompts that
    it cached under another scale, without a word (ggml-org/llama.cpp issue 26207).
    """

    path: Path
    scale: float = 1.0


class LlamaServer:
    """A running llama.cpp server; leave the ``with`` block, or let this process die, and it stops."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes], url: str, api_key: str) -> None:
        """For ``start``, which is how a server is made."""
        self.url = url
        self.api_key = api_key
        self._process = process
        self._log = log

    @classmethod
    def start(
        cls,
        model: Path,
        *,
        adapters: Sequence[Adapter] = (),
        context: int = 4096,
        slots: int = 1,
        threads: int | None = None,
        ready_within: float = READY_WITHIN,
    ) -> Self:
        """Loads a GGUF model with its adapters and serves it on a free loopback port, behind a random key.

        ``context`` counts tokens per slot, ``ready_within`` seconds. Raises ``ModelError`` with llama.cpp's last words
        when it does not become ready.
        """
        for path in (model, *(adapter.path for adapter in adapters)):
            if not path.is_file():
                raise ModelError(f"There is no GGUF file at {path}.", "llama.cpp reads GGUF files only.")
        key = secrets.token_urlsafe(32)
        plan = LaunchPlan(
            model=str(model.absolute()),
            adapters=tuple((str(adapter.path.absolute()), adapter.scale) for adapter in adapters),
            context=context,
            slots=slots,
            threads=threads or usable_cores(),
            key=key,
            parent=os.getpid(),
        )
        log = tempfile.TemporaryFile()  # noqa: SIM115 (the server owns it until it stops)
        process = subprocess.Popen(
            [sys.executable, "-m", "core.models.llamacpp_process"],
            cwd=Path(__file__).parents[2],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # Ctrl+C asks the run to stop at a safe point; it must not reach the model in the middle of an answer.
            start_new_session=True,
        )
        server = cls(process, log, "", key)
        try:
            server.url = server._launch(plan, ready_within)
        except BaseException:
            server.stop()
            raise
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Whether the server's process is running."""
        return self._process.poll() is None

    def stop(self) -> None:
        """Ends the server; a second call does nothing."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def complete(
        self, prompt: str | Sequence[int], sampling: Sampling | None = None, *, within: float = ANSWER_WITHIN
    ) -> Generator[str, None, Completion]:
        """Streams an answer piece by piece; the generator's return value is the whole ``Completion``.

        In a ``str`` the markers of a chat template count as such, and llama.cpp adds the model's BOS where it has one;
        token ids are taken as they are. Closing the generator stops the answer. ``within`` is seconds for all of it.
        Raises ``ModelError`` when the server dies, refuses, runs late, or breaks off without a finish reason.
        """
        body = request_body(prompt, sampling or Sampling()) | {"stream": True}
        pieces: list[str] = []
        tokens: list[int] = []
        steps: list[Mapping[str, Any]] = []
        with self._request("/completion", body, within) as lines:
            for event in stream_events(lines):
                pieces.append(event["content"])
                tokens.extend(event["tokens"])
                steps.extend(event.get("completion_probabilities", ()))
                if event["content"]:
                    yield event["content"]
                if event["stop"]:
                    return finished("".join(pieces), tokens, steps, event)
            self._raise_broken_off()

    def completion(
        self, prompt: str | Sequence[int], sampling: Sampling | None = None, *, within: float = ANSWER_WITHIN
    ) -> Completion:
        """A whole answer at once, with every token; otherwise as ``complete``."""
        body = request_body(prompt, sampling or Sampling()) | {"return_tokens": True}
        with self._request("/completion", body, within) as lines:
            answer = json.loads(b"".join(lines))
            steps = answer.get("completion_probabilities", ())
            return finished(answer["content"], answer["tokens"], steps, answer)

    def tokenize(self, text: str) -> list[int]:
        """The token ids of a text, the markers of a chat template among them; no BOS is added."""
        body = {"content": text, "add_special": False, "parse_special": True}
        with self._request("/tokenize", body, ANSWER_WITHIN) as lines:
            return [int(token) for token in json.loads(b"".join(lines))["tokens"]]

    def _launch(self, plan: LaunchPlan, within: float) -> str:
        """Hands the plan over and waits for the url."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        deadline = time.monotonic() + within
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            try:
                stdin.write(plan.to_line())
                stdin.flush()
                while not line.endswith(b"\n"):
                    if not selector.select(max(0.0, deadline - time.monotonic())):
                        raise ModelError(
                            f"llama.cpp did not load {plan.model} within {within:.0f} s.{self._last_words()}",
                            "Give it more time, or choose a smaller model.",
                        )
                    part = os.read(stdout.fileno(), 4096)
                    if not part:
                        raise BrokenPipeError
                    line += part
            except BrokenPipeError as error:
                self._process.wait()
                raise ModelError(
                    f"llama.cpp could not load {plan.model}.{self._last_words()}",
                    "Check that the file is a whole GGUF model, that its adapters fit it, and that memory suffices.",
                ) from error
        return str(json.loads(line)["url"])

    @contextmanager
    def _request(self, path: str, body: Mapping[str, Any], within: float) -> Iterator[Iterator[bytes]]:
        """The lines of the response to one POST, all of them before the deadline; other ends raise ``ModelError``."""
        deadline = time.monotonic() + within
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=within)
        headers = {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"}
        try:
            connection.request("POST", path, json.dumps(body).encode(), headers)
            socket = connection.sock
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    raise refusal(response.read())

                def lines() -> Iterator[bytes]:
                    while True:
                        socket.settimeout(max(0.001, deadline - time.monotonic()))
                        line = response.readline(LONGEST_LINE)
                        if not line:
                            return
                        yield line

                yield lines()
        except TimeoutError as error:
            raise ModelError(
                f"llama.cpp did not finish its answer within {within:g} s.",
                "Ask for fewer tokens, give it more time, or choose a smaller model.",
            ) from error
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
            self._raise_broken_off(error)
        finally:
            connection.close()

    def _raise_broken_off(self, cause: Exception | None = None) -> NoReturn:
        try:
            self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            raise ModelError(
                "llama.cpp broke off its answer, or gave one that cannot be read.", "Ask again."
            ) from cause
        raise ModelError(
            f"The llama.cpp server has stopped (exit code {self._process.returncode}).{self._last_words()}",
            "Start it again; if it stops at once, try a smaller context or a smaller model.",
        ) from cause

    def _last_words(self) -> str:
        """The end of the server's log, to follow a message; empty when it said nothing."""
        if self._log.closed:
            return ""
        size = os.fstat(self._log.fileno()).st_size
        # pread: the server shares this file's position, and a seek here would move where it writes.
        tail = os.pread(self._log.fileno(), STDERR_BYTES, max(0, size - STDERR_BYTES))
        lines = tail.decode("utf-8", "replace").strip().splitlines()[-STDERR_LINES:]
        return "".join(f"\n  {line}" for line in lines)
