"""The twin's voice: each sentence of an answer goes to a command of the person's, as soon as it is finished.

One process for each sentence, one after another. The sentence stands on its standard input, in UTF-8, one line, and
then the input ends: what reads lines and what reads until the end both speak it, and a process that is over has said
its sentence. The command is started without a shell, so no word of an answer is ever read as a command or an option.
What it prints is not shown; where it fails, that is told in one line, and the rest of that answer is left unsaid.

All of it happens in a thread of its own: the words of the answer never wait for the voice.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unicodedata
from collections import deque
from contextlib import suppress
from itertools import zip_longest
from typing import IO

from core.corpus.sentences import sentences_of
from core.errors import UsageError

LONGEST_SENTENCE_SECONDS = 300.0
"""A process that speaks longer hangs: it is ended, and that counts as its failure."""
_LOOK_SECONDS = 0.3
"""Between two looks at a process; one that was asked to end and still runs at the next look is ended."""
_COMPLAINT_BYTES = 4096
_JOINERS = "\u200c\u200d"
"""Of Unicode's format characters those that Persian words and emoji are made with."""
_FIRST_WORD = re.compile(r"\S+\s")
_ENDS_ALONE = re.compile("[。！？｡]")
"""After these no space follows, and no abbreviation has them."""


def voice_command(text: str) -> tuple[str, ...]:
    """The words of a command line, read as a shell reads them but for what a shell would do with them.

    Raises UsageError where there are none, or the program is not there.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        hint = "quote it whole, such as --say 'espeak-ng -s 150'"
        raise UsageError(f"--say cannot be read: {str(error).lower()}", hint) from None
    if not words or not words[0]:
        raise UsageError("--say needs a command", "such as --say 'espeak-ng -s 150'")
    if "\0" in text or shutil.which(words[0]) is None:
        raise UsageError(f"there is no program {words[0]!r} to speak with", "install it, or write its path")
    return words


def spoken(sentence: str) -> str:
    """A sentence on one line, without anything that acts on a terminal or is not seen."""
    kept = []
    for character in sentence:
        category = unicodedata.category(character)
        if category in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif category not in ("Cf", "Cs", "Cn", "Co") or character in _JOINERS:
            kept.append(character)
    return " ".join("".join(kept).split())


class SentenceStream:
    """Cuts an answer into sentences while it streams."""

    def __init__(self) -> None:
        self._tail = ""

    def hear(self, piece: str) -> list[str]:
        """The sentences that these further words finish: what a line break ends, or the next sentence follows."""
        self._tail += piece
        found = sentences_of(self._tail)
        finished = []
        for sentence, following in zip_longest(found, found[1:]):
            between = self._tail[sentence.stop : following.start if following else len(self._tail)]
            # The first word of the next one must be whole: with half of it the cut may still be elsewhere.
            follows = following is not None and (
                _ENDS_ALONE.search(sentence.text[-2:]) or _FIRST_WORD.match(self._tail, following.start)
            )
            if not follows and "\n" not in between:
                break
            finished.append(sentence)
        if finished:
            self._tail = self._tail[finished[-1].stop :]
        return [each.text for each in finished]

    def rest(self) -> list[str]:
        """What is left at the end of the answer."""
        left, self._tail = self._tail, ""
        return [each.text for each in sentences_of(left)]


class Saying:
    """Says answers through a command. For one thread, which is never kept waiting but by ``wait``."""

    def __init__(self, command: tuple[str, ...], longest_seconds: float = LONGEST_SENTENCE_SECONDS) -> None:
        self._command = command
        self._longest = longest_seconds
        self._stream = SentenceStream()
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        """Guards everything below."""
        self._waiting: deque[tuple[int, str]] = deque()
        """Which answer, and a sentence of it."""
        self._answer = 0
        self._silent = -1
        """The answer of which no more is said, since the voice failed in it."""
        self._busy = False
        self._process: subprocess.Popen[bytes] | None = None
        self._stops = 0
        """How often everything was stopped: what was begun before the last time is to end."""
        self._troubles: list[str] = []

    def hear(self, piece: str) -> None:
        """Take further words of the answer under way."""
        self._say(self._stream.hear(piece))

    def finish(self) -> None:
        """The answer is whole: say the rest of it too."""
        self._say(self._stream.rest())
        with self._changed:
            self._answer += 1

    def stop(self) -> None:
        """Say nothing more, and end at once what is being said; ``wait`` then returns when it has ended."""
        self._stream.rest()
        with self._changed:
            self._waiting.clear()
            self._stops += 1
            self._answer += 1
            if self._process is not None:
                _signal(self._process, signal.SIGTERM)

    def wait(self) -> None:
        """Wait until everything is said."""
        with self._changed:
            while self._waiting or self._busy:
                self._changed.wait(_LOOK_SECONDS)  # In steps, so that an interrupt is heard.

    def troubles(self) -> list[str]:
        """What failed since this was asked last, each in one line."""
        with self._changed:
            told, self._troubles = self._troubles, []
        return told

    def _say(self, sentences: list[str]) -> None:
        lines = [line for line in map(spoken, sentences) if line]
        with self._changed:
            if not lines or self._silent == self._answer:
                return
            self._waiting.extend((self._answer, line) for line in lines)
            self._changed.notify_all()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="voice", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        """The thread: one sentence after another, for as long as the program runs."""
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                answer, line = self._waiting.popleft()
                stops = self._stops
                self._busy = True
            trouble = self._speak(line, stops)
            with self._changed:
                if trouble and stops == self._stops:
                    self._troubles.append(trouble)
                    self._silent = answer
                    self._waiting = deque(each for each in self._waiting if each[0] != answer)
                self._busy = False
                self._changed.notify_all()

    def _speak(self, line: str, stops: int) -> str:
        """Say one line. Returns what went wrong, or an empty text."""
        name = self._command[0]
        with tempfile.TemporaryFile() as complaints:
            try:
                process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                return f"the voice {name} cannot be started: {error.strerror}"
            with self._changed:
                self._process = process
                if stops != self._stops:
                    _signal(process, signal.SIGTERM)
            try:
                in_time = self._until_said(process, line, stops)
            finally:
                with self._changed:
                    self._process = None
            if not in_time:
                return f"the voice {name} was ended: one sentence took it over {self._longest:g} seconds"
            return f"the voice {name} failed: {_ending(process.returncode, complaints)}" if process.returncode else ""

    def _until_said(self, process: subprocess.Popen[bytes], line: str, stops: int) -> bool:
        """Hand a process its line and wait for its end. Whether it came in time, or was wished for."""
        deadline = time.monotonic() + self._longest
        given: bytes | None = line.encode() + b"\n"
        while True:
            try:
                process.communicate(given, timeout=min(_LOOK_SECONDS, self._longest))
            except subprocess.TimeoutExpired:
                given = None  # It is being written; it may be given only once.
                stopped = stops != self._stops
                if stopped or time.monotonic() >= deadline:
                    _signal(process, signal.SIGKILL)
                    process.wait()
                    return stopped
            else:
                return True


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Tell a process and all that it began."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _ending(code: int, complaints: IO[bytes]) -> str:
    """How a process ended, with the last line of what it complained of."""
    size = complaints.seek(0, os.SEEK_END)
    complaints.seek(max(0, size - _COMPLAINT_BYTES))
    lines = [spoken(line) for line in complaints.read().decode("utf-8", "replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    how = f"exit code {code}" if code > 0 else f"signal {-code}"
    return f"{how}: {last}" if last else how
