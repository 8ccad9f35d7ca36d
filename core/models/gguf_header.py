"""One text of a GGUF file's metadata, without reading the rest: the gguf library reads every token first (seconds).

The layout is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md: magic, version, two counts, then keys
with a type and a value each.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Type → bytes of its value, for those of a fixed size."""
_STRING, _ARRAY = 8, 9
MOST_KEYS = 10_000
LONGEST_TEXT = 1 << 16
"""Bytes; a key or a name is never longer."""


def gguf_text(path: Path, key: str) -> str | None:
    """The text under a key, or None where there is none. Raises OSError or ValueError for what is no GGUF."""
    with path.open("rb") as file:
        magic, _, _, keys = struct.unpack("<4sIQQ", _read(file, 24))
        if magic != b"GGUF" or keys > MOST_KEYS:
            raise ValueError(f"{path} is no GGUF file")
        for _ in range(keys):
            name = _text(file)
            (kind,) = struct.unpack("<I", _read(file, 4))
            if name == key:
                return _text(file) if kind == _STRING else None
            _skip(file, kind)
    return None


def _skip(file: BinaryIO, kind: int, count: int = 1) -> None:
    if kind in _SIZES:
        file.seek(_SIZES[kind] * count, 1)
    elif kind == _STRING:
        for _ in range(count):
            (length,) = struct.unpack("<Q", _read(file, 8))
            file.seek(length, 1)
    elif kind == _ARRAY:
        inner, length = struct.unpack("<IQ", _read(file, 12))
        if inner == _ARRAY:
            raise ValueError("an array of arrays")
        _skip(file, inner, length)
    else:
        raise ValueError(f"no type {kind}")


def _text(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", _read(file, 8))
    if length > LONGEST_TEXT:
        raise ValueError("a text too long")
    return _read(file, length).decode("utf-8", "replace")


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise ValueError("it ends too soon")
    return data
