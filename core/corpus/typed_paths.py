"""What a person types or pastes where a file, a folder or an address is asked for: settled, refused, completed."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from core.errors import ImportFailed, UsageError

ENTRIES = 5_000
"""Entries of a folder that a completion looks at."""
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+(?=[^/])", re.IGNORECASE)

_UNTYPED = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What nobody can type: a name that holds it is reached through its folder."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A path completed as far as it is clear, and the names that it could go on with."""

    text: str
    names: tuple[str, ...] = ()


def refuse_addresses(paths: Iterable[Path]) -> None:
    """Raises ImportFailed for what is an address and no file: ``https://…``, also as a path has shortened it."""
    for path in paths:
        address = _ADDRESS.match(str(path))
        if address and not path.exists():
            shown = f"{address[1]}://{str(path)[address.end() :]}"
            raise ImportFailed(
                f"{shown}: an address, and only files and folders can be imported",
                "save it as a file first, then import the file",
            )


def typed_paths(text: str) -> list[Path]:
    """The paths that a typed or pasted line names: one with spaces as it stands, or several in a shell's spelling.

    Raises UsageError for an empty line.
    """
    line = text.strip()
    if not line:
        raise UsageError("no file or folder is named", "type or paste its path")
    whole = _path(line)
    if _exists(whole) or _ADDRESS.match(line):
        return [whole]
    try:
        parts = [_path(part) for part in shlex.split(line)]
    except ValueError:
        return [whole]
    return parts if len(parts) == 1 or all(map(_exists, parts)) else [whole]


def complete(text: str) -> Completion:
    """Complete the last part of a path from the file system; hidden names only when their dot is typed."""
    if text == "~":
        return Completion("~/")
    folder_text, _, start = text.rpartition("/")
    folder_text += "/" if "/" in text else ""
    names = []
    try:
        with os.scandir(Path(folder_text or ".").expanduser()) as entries:
            for entry in islice(entries, ENTRIES):
                hidden = entry.name.startswith(".") and not start.startswith(".")
                if entry.name.startswith(start) and not hidden and not _UNTYPED.search(entry.name):
                    names.append(entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, RuntimeError, ValueError):
        return Completion(text)
    if not names:
        return Completion(text)
    names.sort()
    same = 0
    while same < min(len(names[0]), len(names[-1])) and names[0][same] == names[-1][same]:
        same += 1
    return Completion(folder_text + names[0][:same], tuple(names) if len(names) > 1 else ())


def _path(text: str) -> Path:
    if text.lower().startswith("file://"):
        text = unquote(urlsplit(text).path)
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return False
