"""Zip archives from outside: nothing is ever unpacked to disk, and nothing declared in an archive is believed.

The directory of the archive is checked before anything is read; sizes and ratios are measured on the bytes that come
out, over all members together, so that overlapping entries count each time they are read.
"""

from __future__ import annotations

import lzma
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from core.corpus.decoding import decode
from core.corpus.limits import DEFAULT_LIMITS, PROBE_BYTES, Limits
from core.corpus.records import Probe
from core.errors import ImportFailed

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

_BLOCK = 64 << 10
_ENTRY_BYTES = 1024
"""A generous size of one entry of the directory, to refuse a huge directory before it is parsed."""
_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_DRIVE = re.compile(r"^[A-Za-z]:")
_HINT = "Export it again, or unpack it yourself and import the folder."
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
    OSError,
)


@dataclass(slots=True, eq=False)
class ZipSource:
    """A zip archive as a source; see ``open_zip``."""

    path: Path
    name: str
    limits: Limits
    _archive: zipfile.ZipFile
    _entries: dict[str, zipfile.ZipInfo]
    _unpacked: dict[str, int] = field(default_factory=dict)
    """Bytes that came out of each member so far."""
    _total: int = 0

    def read_bytes(self) -> bytes:
        """Always raises ``ImportFailed``: an archive is read by its members."""
        raise ImportFailed(f"{self.name}: is a zip archive, not a text", _HINT)

    def read_text(self) -> str:
        """Always raises ``ImportFailed``: an archive is read by its members."""
        raise ImportFailed(f"{self.name}: is a zip archive, not a text", _HINT)

    def members(self) -> list[str]:
        """Names of the files inside, sorted; hidden files left out."""
        return sorted(self._entries)

    def member_bytes(self, name: str) -> bytes:
        """One member, unpacked. Raises ``ImportFailed`` when it is missing, damaged, too large, or a zip itself."""
        entry = self._entries.get(name)
        if entry is None:
            raise ImportFailed(f"{self.name}: holds no {name}")
        packed = max(1, self.path.stat().st_size)
        others = self._total - self._unpacked.get(name, 0)
        blocks: list[bytes] = []
        count = 0
        try:
            with self._archive.open(entry) as stream:
                while block := stream.read(_BLOCK):
                    blocks.append(block)
                    count += len(block)
                    self._check_size(name, count, others + count, packed)
        except _DAMAGE as error:
            raise ImportFailed(f"{self.name}: {name} is damaged: {error}", _HINT) from None
        self._unpacked[name] = count
        self._total = others + count
        data = b"".join(blocks)
        if data.startswith(ZIP_MAGIC):
            raise ImportFailed(f"{self.name}: {name} is an archive inside an archive", _HINT)
        return data

    def member_text(self, name: str) -> str:
        """One member, decoded. Raises ``ImportFailed``."""
        return decode(self.member_bytes(name), f"{self.name}: {name}")

    def probe(self) -> Probe:
        """What a sniffer may look at."""
        with self.path.open("rb") as stream:
            head = stream.read(PROBE_BYTES)
        return Probe(self.name, head, tuple(self.members()))

    def _check_size(self, name: str, member: int, total: int, packed: int) -> None:
        limits = self.limits
        if member > limits.file_bytes:
            raise ImportFailed(f"{self.name}: {name} unpacks to more than {limits.file_bytes:,} bytes", _HINT)
        if total > limits.total_bytes:
            raise ImportFailed(f"{self.name}: unpacks to more than {limits.total_bytes:,} bytes", _HINT)
        if total > limits.ratio_from and total > limits.ratio * packed:
            raise ImportFailed(f"{self.name}: unpacks to more than {limits.ratio} times its size", _HINT)


def open_zip(path: Path, name: str, limits: Limits = DEFAULT_LIMITS) -> ZipSource:
    """Open an archive after checking its directory.

    Raises ``ImportFailed`` when it is damaged, locked or empty, has too many entries, or when an entry is a link or
    would lie outside a folder.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    try:
        if directory_bytes(path) > limits.members * _ENTRY_BYTES:
            raise ImportFailed(f"{name}: has more than {limits.members:,} entries", _HINT)
        # Kept open as long as the source lives: parsing the directory anew for every member is quadratic.
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise ImportFailed(f"{name}: not a readable zip archive: {error}", _HINT) from None
    infos = archive.infolist()
    if len(infos) > limits.members:
        raise ImportFailed(f"{name}: has more than {limits.members:,} entries", _HINT)
    for entry in infos:
        shown = _checked_name(entry, name)
        hidden = any(part.startswith(".") or part == "__MACOSX" for part in shown.split("/"))
        if not entry.is_dir() and not hidden:
            entries[shown] = entry
    if not entries:
        raise ImportFailed(f"{name}: an empty archive")
    return ZipSource(path, name, limits, archive, entries)


def _checked_name(entry: zipfile.ZipInfo, archive: str) -> str:
    name = entry.filename.replace("\\", "/")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    reason = ""
    if name.startswith("/"):
        reason = "has an absolute name"
    elif _DRIVE.match(name):
        reason = "names a drive"
    elif ".." in name.split("/"):
        reason = "points outside the archive"
    elif kind == stat.S_IFLNK:
        reason = "is a link"
    elif kind and not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        reason = "is not a file"
    elif entry.flag_bits & 1:
        reason = "is locked with a password"
    if reason:
        raise ImportFailed(f"{archive}: refused: the entry {entry.filename!r} {reason}", _HINT)
    return name


def directory_bytes(path: Path) -> int:
    """The size of the archive's directory as its end record says; 0 when there is none to be found."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        stream.seek(max(0, size - (64 << 10) - 128))
        tail = stream.read()
    end = tail.rfind(_END)
    if end < 0 or end + 16 > len(tail):
        return 0
    declared: int = struct.unpack_from("<L", tail, end + 12)[0]
    end64 = tail.rfind(_END64, 0, end)
    if declared == 0xFFFFFFFF and 0 <= end64 <= len(tail) - 48:
        declared = struct.unpack_from("<Q", tail, end64 + 40)[0]
    return declared
