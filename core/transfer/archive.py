"""The file itself: a zip, written whole or not at all, and read as if a stranger had made it.

Only names that a pack may hold are taken, each once; links, folders and locked entries are refused. What comes out of
a member is measured and hashed as it comes out, and never exceeds what the manifest says of it; the manifest in turn
may not promise more than a multiple of the file's own size.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from core.corpus.archives import directory_bytes
from core.errors import TransferError
from core.transfer.manifest import HINT, LARGEST_MANIFEST, MANIFEST, Manifest, Member, is_member, read_manifest

MOST_MEMBERS = 50_000
LARGEST_RATIO = 200
"""Unpacked bytes for each byte of the file; a database of prose stays under 10."""
RATIO_FROM = 16 << 20
"""Unpacked bytes below which the ratio does not matter."""
_ENTRY_BYTES = 1024
_BLOCK = 1 << 20
_STORED = (".safetensors", ".bin", ".pt", ".pth")
"""Weights do not get smaller."""
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OverflowError,
)  # fmt: skip


def write_pack(
    partial: Path, members: Iterable[tuple[str, Path | bytes]], finish: Callable[[dict[str, Member]], Manifest]
) -> None:
    """Write members, then the manifest that ``finish`` makes of their sizes and hashes. The file is 0600 and synced."""
    written: dict[str, Member] = {}
    with os.fdopen(os.open(partial, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600), "w+b") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True) as archive:
            for name, content in members:
                written[name] = _write_member(archive, name, content)
            data = finish(written).model_dump_json().encode()
            archive.writestr(_info(MANIFEST), data, zipfile.ZIP_DEFLATED)
        file.flush()
        os.fsync(file.fileno())


def _write_member(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> Member:
    digest, size = hashlib.sha256(), 0
    info = _info(name)
    info.compress_type = zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as out:
        for block in [content] if isinstance(content, bytes) else _blocks(content):
            out.write(block)
            digest.update(block)
            size += len(block)
    return Member(size=size, sha256=digest.hexdigest())


def _info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFREG | 0o600) << 16
    return info


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


class Pack:
    """An open pack; see ``open_pack``."""

    def __init__(self, name: str, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], manifest: Manifest):
        self.name = name
        self.manifest = manifest
        self._archive = archive
        self._entries = entries

    def extract(self, folder: Path, wanted: Callable[[str], bool] = lambda _: True) -> None:
        """Verify every member, and write the wanted ones under an empty folder, 0600 and synced.

        Raises TransferError for a member that is not what the manifest says, and when the disk has no room.
        """
        members = self.manifest.members
        needed = sum(member.size for name, member in members.items() if wanted(name))
        if needed > shutil.disk_usage(folder).free:
            raise TransferError(f"{self.name} needs {needed:,} bytes of disk, more than are free", "free some space")
        for name, member in members.items():
            if not wanted(name):
                self._copy(name, member, None)
                continue
            path = folder / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as out:
                self._copy(name, member, out)
                out.flush()
                os.fsync(out.fileno())

    def _copy(self, name: str, member: Member, out: IO[bytes] | None) -> None:
        digest, size = hashlib.sha256(), 0
        for block in self._read(name):
            size += len(block)
            if size > member.size:
                break
            digest.update(block)
            if out is not None:
                out.write(block)
        if size != member.size or digest.hexdigest() != member.sha256:
            raise TransferError(f"{self.name}: {name} is not what was packed", HINT)

    def _read(self, name: str) -> Iterator[bytes]:
        try:
            with self._archive.open(self._entries[name]) as stream:
                while block := stream.read(_BLOCK):
                    yield block
        except _DAMAGE as error:
            raise TransferError(f"{self.name}: {name} is damaged: {error}", HINT) from None


@contextmanager
def open_pack(path: Path) -> Iterator[Pack]:
    """Open a pack after checking its directory and its manifest.

    Raises TransferError for a file that is none, is of an unknown format, promises too much, or holds anything else.
    """
    try:
        if not path.is_file():
            raise TransferError(f"{path} is not a file", "name a file that `simulee pack` wrote")
        if directory_bytes(path) > MOST_MEMBERS * _ENTRY_BYTES:
            raise TransferError(f"{path.name} has more than {MOST_MEMBERS:,} entries", HINT)
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise TransferError(f"{path.name} is no pack: {error}", HINT) from None
    except OSError as error:
        raise TransferError(f"{path} cannot be read: {error.strerror or error}", HINT) from None
    with archive:
        entries = _entries(path.name, archive)
        pack = Pack(path.name, archive, entries, _manifest(path, archive, entries))
        yield pack


def _entries(pack: str, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    if len(infos) > MOST_MEMBERS:
        raise TransferError(f"{pack} has more than {MOST_MEMBERS:,} entries", HINT)
    entries: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for info in infos:
        name = info.orig_filename
        kind = stat.S_IFMT(info.external_attr >> 16)
        reason = ""
        if name != MANIFEST and not is_member(name):
            reason = "is none of a pack's files"
        elif kind not in (0, stat.S_IFREG):
            reason = "is not a file"
        elif info.flag_bits & 1:
            reason = "is locked with a password"
        elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            reason = "is compressed in a way that packs are not"
        elif name.casefold() in folded:
            reason = "is there twice"
        if reason:
            raise TransferError(f"{pack} refused: the entry {name[:100]!r} {reason}", HINT)
        entries[name] = info
        folded.add(name.casefold())
    inside = {str(parent) for name in folded for parent in Path(name).parents}
    if clash := sorted(inside & folded):
        raise TransferError(f"{pack} refused: the entry {clash[0]!r} is a file and a folder", HINT)
    return entries


def _manifest(path: Path, archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo]) -> Manifest:
    info = entries.get(MANIFEST)
    if info is None:
        raise TransferError(f"{path.name} is no pack: it has no manifest", HINT)
    try:
        with archive.open(info) as stream:
            data = stream.read(LARGEST_MANIFEST + 1)
    except _DAMAGE as error:
        raise TransferError(f"{path.name}: {MANIFEST} is damaged: {error}", HINT) from None
    if len(data) > LARGEST_MANIFEST:
        raise TransferError(f"{path.name} is no pack: its manifest has more than {LARGEST_MANIFEST:,} bytes", HINT)
    manifest = read_manifest(data, path.name)
    if manifest.members.keys() != entries.keys() - {MANIFEST}:
        raise TransferError(f"{path.name} refused: it does not hold what its manifest says", HINT)
    total = sum(member.size for member in manifest.members.values())
    if total > RATIO_FROM and total > LARGEST_RATIO * path.stat().st_size:
        raise TransferError(f"{path.name} refused: it unpacks to more than {LARGEST_RATIO} times its size", HINT)
    return manifest
