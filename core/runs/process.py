"""Which process it is that holds a lock: a number alone may be another's, in a container, on another host, or later."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_START = 19
"""Place of a process's start time in its ``stat``, counted after the name, which may hold anything."""


def mark() -> str:
    """This process, as ``is_marked`` knows it again: its number, its host, its namespace and when it began."""
    return " ".join((str(os.getpid()), *_where(), _started(os.getpid())))


def number_of(text: str) -> int | None:
    """The number of a marked process, or None where nothing is marked."""
    number = text.split(" ", 1)[0]
    return int(number) if number.isdecimal() else None


def is_marked(text: str) -> bool:
    """Whether the process that was marked is one that this process may signal by that number, and still the same."""
    number = number_of(text)
    started = _started(number) if number is not None else ""
    return bool(started) and text == " ".join((str(number), *_where(), started))


def _where() -> tuple[str, str]:
    """The host since it was booted, and the namespace that process numbers are of; the latter empty without /proc."""
    try:
        return _BOOT.read_text("ascii").strip(), str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return socket.gethostname(), ""


def _started(pid: int) -> str:
    """When a process began, in ticks since the boot; empty where there is none, or nobody says."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[_START]
    except (OSError, IndexError):
        return ""
