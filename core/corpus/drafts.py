"""Pages that were not saved yet: files of the workspace, mode 0600, each held by one writer at a time.

A writer that is killed lets go of its draft, and the next one who opens a page goes on with it. Two who write at once
have a draft each. Nothing heavy is imported here: a prompt must stand at once.
"""

from __future__ import annotations

import fcntl
import os
import threading
from contextlib import suppress
from pathlib import Path

from core.atomic import write_atomically
from core.corpus.decoding import decode, storable
from core.errors import ImportFailed

DRAFT_FILE = "journal-draft.txt"
MOST_DRAFTS = 64
"""Pages at once; whoever comes later shares the last one."""


class Draft:
    """One page on the disk. Any thread may write it."""

    def __init__(self, root: Path, slot: int = 1) -> None:
        self.root = root
        self.path = root / _name(slot)
        self._lock = threading.Lock()
        self._held: int | None = None
        self._written: str | None = None
        self.text = ""

    @classmethod
    def claim(cls, root: Path, *, empty: bool = False) -> Draft:
        """A draft that nobody else holds until ``release``: the first that was left, or, with ``empty``, a new one.

        Raises OSError where the workspace cannot be written to.
        """
        for left in (False,) if empty else (True, False):
            for slot in range(1, MOST_DRAFTS + 1):
                draft = cls(root, slot)
                if draft.path.exists() == left and draft._hold():
                    if draft.path.exists() == left:
                        return draft
                    draft.release()
        return cls(root, MOST_DRAFTS)

    def _hold(self) -> bool:
        lock = os.open(self.root / f".{self.path.name}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            return False
        self._held = lock
        return True

    def release(self) -> None:
        """Let others have it; what is on the page stays."""
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def peek(self) -> str:
        """What is on the page on the disk, in whatever encoding; empty where nothing can be read. The file stays as it
        is until the page is another."""
        try:
            data = self.path.read_bytes()
        except OSError:
            data = b""
        self.text = self._written = _text_of(data)
        return self.text

    def read_edited(self) -> str:
        """The page as an editor has left its file, which is ours again."""
        text = self.peek()
        with suppress(OSError):  # Where there is none, nothing was written.
            self.path.chmod(0o600)
        return text

    def keep(self, text: str) -> None:
        """Take the page as it is now, and write it."""
        self.text = text
        self.write()

    def write(self) -> None:
        """Write the newest ``text``, whoever set it; an empty page has no file."""
        with self._lock:
            text = self.text
            if text == self._written:
                return
            if text.strip():
                write_atomically(self.path, storable(text))
            else:
                self.path.unlink(missing_ok=True)
            self._written = text


def _text_of(data: bytes) -> str:
    try:
        return decode(data, DRAFT_FILE)
    except ImportFailed:  # No encoding fits: here every byte is a character, and none is lost.
        return storable(data.decode("latin-1"))


def _name(slot: int) -> str:
    return DRAFT_FILE if slot == 1 else DRAFT_FILE.replace(".txt", f"-{slot}.txt")
