"""Files, folders and archives as sources: opened safely, probed for sniffing, and never trusted.

Whatever cannot be a source is refused here, in one line that names it, before any importer sees it. Links are not
followed out of a folder, hidden files are not looked at, and no file is read past its limit.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from core.corpus.archives import ZIP_MAGIC, ZipSource, open_zip
from core.corpus.decoding import byte_order, decode
from core.corpus.json_values import top_level_keys
from core.corpus.limits import DEFAULT_LIMITS, PROBE_BYTES, Limits
from core.corpus.records import Issue, Probe
from core.errors import ImportFailed

NOTE_SUFFIXES = (".md", ".markdown")
TIDDLER_SUFFIXES = (".tid", ".meta", "tiddlywiki.info")
"""What tells a folder of tiddlers; JSON in it belongs to it."""

_BINARY = (b"%PDF-", b"SQLite format 3\x00", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!", b"\x89PNG", b"\xff\xd8\xff", b"GIF8")
_ATTACHMENTS = frozenset(
    ".png .jpg .jpeg .gif .webp .svg .heic .bmp .pdf .mp3 .m4a .wav .ogg .mp4 .mov .webm .canvas .css .zip".split()  # noqa: SIM905
)
"""Suffixes that say nothing about what a folder of notes is."""
_TEXT_HINT = "`simulee formats` lists what can be imported."


@dataclass(slots=True, eq=False)
class FileSource:
    """One text file."""

    path: Path
    name: str
    limits: Limits = DEFAULT_LIMITS

    def read_bytes(self) -> bytes:
        """The whole file. Raises ``ImportFailed`` when it is unreadable or over the size limit."""
        return _read_whole(self.path, self.name, self.limits.file_bytes)

    def read_text(self) -> str:
        """The whole file decoded. Raises ``ImportFailed``."""
        return decode(self.read_bytes(), self.name)

    def members(self) -> list[str]:
        """Always empty: a file has no members."""
        return []

    def member_bytes(self, name: str) -> bytes:
        """Always raises ``ImportFailed``: a file has no members."""
        raise ImportFailed(f"{self.name}: holds no {name}; it is neither a folder nor an archive")

    def member_text(self, name: str) -> str:
        """Always raises ``ImportFailed``: a file has no members."""
        return decode(self.member_bytes(name), name)

    def probe(self) -> Probe:
        """What a sniffer may look at; a UTF-16 or UTF-32 head is shown as UTF-8. Raises ``ImportFailed``."""
        head = _read_head(self.path, self.name)
        mark = byte_order(head)
        if mark:
            bom, codec = mark
            head = head[len(bom) :].decode(codec, "ignore").encode("utf-8", "replace")
        return Probe(self.name, head, json_keys=top_level_keys(head.decode("utf-8", "replace")))


@dataclass(slots=True, eq=False)
class FolderSource:
    """A folder whose files make one source, such as a vault of notes."""

    path: Path
    name: str
    files: Mapping[str, Path]
    """The files inside, by their relative, ``/``-separated name."""
    limits: Limits = DEFAULT_LIMITS

    def read_bytes(self) -> bytes:
        """Always raises ``ImportFailed``: a folder is read by its members."""
        raise ImportFailed(f"{self.name}: is a folder, not a file", "Name a file inside it.")

    def read_text(self) -> str:
        """Always raises ``ImportFailed``: a folder is read by its members."""
        return decode(self.read_bytes(), self.name)

    def members(self) -> list[str]:
        """Names of the files inside, sorted; hidden files and links left out."""
        return sorted(self.files)

    def member_bytes(self, name: str) -> bytes:
        """One file of the folder. Raises ``ImportFailed``."""
        path = self.files.get(name)
        if path is None:
            raise ImportFailed(f"{self.name}: holds no {name}")
        return _read_whole(path, f"{self.name}/{name}", self.limits.file_bytes, follow=False)

    def member_text(self, name: str) -> str:
        """One file of the folder, decoded. Raises ``ImportFailed``."""
        return decode(self.member_bytes(name), f"{self.name}/{name}")

    def probe(self) -> Probe:
        """What a sniffer may look at."""
        return Probe(self.name, b"", tuple(self.members()), is_folder=True)


Source = FileSource | FolderSource | ZipSource


@dataclass(frozen=True, slots=True)
class Expansion:
    """The sources that a path stands for, and what in it cannot be one."""

    sources: tuple[Source, ...]
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class _Listing:
    files: dict[str, Path]
    vaults: frozenset[str]
    """Folders marked as Obsidian vaults, by relative name; the folder itself is an empty string."""
    issues: list[Issue]


def open_source(path: Path, limits: Limits = DEFAULT_LIMITS) -> Source:
    """Open a file, a folder or a zip archive.

    Raises ``ImportFailed`` when it is missing, unreadable, empty, not text, or a hostile archive.
    """
    name = _shown_name(path)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        files = _walk(path, limits).files
        if not files:
            raise ImportFailed(f"{name}: an empty folder", "Name a folder with files in it.")
        return FolderSource(path, name, files, limits)
    if not stat.S_ISREG(mode):
        raise ImportFailed(f"{name}: not a regular file", "Name a file, a folder or a zip archive.")
    head = _read_head(path, name)
    if head.startswith(ZIP_MAGIC):
        return open_zip(path, name, limits)
    mark = byte_order(head)
    if not head[len(mark[0]) if mark else 0 :].strip():
        raise ImportFailed(f"{name}: an empty file", "There is nothing in it to import.")
    if head.startswith(_BINARY) or (b"\x00" in head and not mark):
        raise ImportFailed(f"{name}: a binary file, not text", _TEXT_HINT)
    if path.stat().st_size > limits.file_bytes:
        raise ImportFailed(f"{name}: larger than {limits.file_bytes:,} bytes", "Split it into smaller files.")
    return FileSource(path, name, limits)


def expand(path: Path, limits: Limits = DEFAULT_LIMITS) -> Expansion:
    """The sources that a path stands for: a file is one; a folder of notes or an unpacked export is one; in any
    other folder each file is one. Files that cannot be a source become issues.

    Raises ``ImportFailed`` when the path itself cannot be read, or a folder holds nothing to import.
    """
    if not stat.S_ISDIR(_mode(path)):
        return Expansion((open_source(path, limits),))
    listing = _walk(path, limits)
    sources: list[Source] = []
    issues = list(listing.issues)
    rest: list[str] = []
    pending: list[tuple[str, list[str]]] = [("", sorted(listing.files))]
    while pending:
        folder, inside = pending.pop()
        kept, left, folders = _divide(folder, inside, listing.vaults)
        if kept:
            root = path / folder if folder else path
            files = {name[len(folder) + 1 if folder else 0 :]: listing.files[name] for name in kept}
            sources.append(FolderSource(root, _shown_name(root), files, limits))
        rest += left
        pending += sorted(folders.items(), reverse=True)
    for name in sorted(rest):
        try:
            sources.append(open_source(listing.files[name], limits))
        except ImportFailed as error:
            issues.append(Issue(name, error.message.removeprefix(f"{Path(name).name}: ")))
    if not sources and not issues:
        raise ImportFailed(f"{_shown_name(path)}: an empty folder", "Name a folder with files in it.")
    return Expansion(tuple(sources), tuple(issues))


def _divide(
    folder: str, inside: list[str], vaults: frozenset[str]
) -> tuple[list[str], list[str], dict[str, list[str]]]:
    """Part the files of a folder into those of one source, files of their own, and folders to look into."""
    start = len(folder) + 1 if folder else 0
    here = [name for name in inside if "/" not in name[start:]]
    if f"{folder}/posts.csv".lstrip("/") in here:
        return inside, [], {}
    if any(name.lower().endswith(".tid") for name in inside) and _mostly(inside, TIDDLER_SUFFIXES):
        tiddlers = [name for name in inside if name.lower().endswith((*TIDDLER_SUFFIXES, ".json"))]
        return tiddlers, [name for name in inside if name not in tiddlers], {}
    notes = [name for name in inside if name.lower().endswith(NOTE_SUFFIXES)]
    if notes and (folder in vaults or (_mostly(here, NOTE_SUFFIXES) and _mostly(inside, NOTE_SUFFIXES))):
        return notes, [name for name in inside if not name.lower().endswith(NOTE_SUFFIXES)], {}
    folders: dict[str, list[str]] = {}
    for name in inside:
        first, slash, _ = name[start:].partition("/")
        if slash:
            folders.setdefault(name[: start + len(first)], []).append(name)
    return [], here, folders


def _mostly(names: Iterable[str], suffixes: tuple[str, ...]) -> bool:
    telling = [name for name in names if Path(name).suffix.lower() not in _ATTACHMENTS]
    such = sum(name.lower().endswith(suffixes) for name in telling)
    return 2 * such > len(telling) or not telling


def _walk(folder: Path, limits: Limits) -> _Listing:
    files: dict[str, Path] = {}
    vaults: set[str] = set()
    issues: list[Issue] = []
    pending: list[tuple[str, Path]] = [("", folder)]
    while pending:
        prefix, place = pending.pop()
        try:
            entries = sorted(_entries(place), key=lambda entry: entry.name)
        except OSError as error:
            if place == folder:
                raise ImportFailed(
                    f"{_shown_name(folder)}: cannot be read: {error.strerror}", "Check its permissions."
                ) from None
            issues.append(Issue(prefix.rstrip("/"), f"cannot be read: {error.strerror}"))
            continue
        for entry in entries:
            name = prefix + _printable(entry.name)
            if entry.name == ".obsidian":
                vaults.add(prefix.rstrip("/"))
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                issues.append(Issue(name, "a link, not followed"))
            elif entry.is_dir(follow_symlinks=False):
                pending.append((f"{name}/", Path(entry.path)))
            elif entry.is_file(follow_symlinks=False):
                files[name] = Path(entry.path)
            else:
                issues.append(Issue(name, "not a regular file"))
        if len(files) > limits.members:
            raise ImportFailed(
                f"{_shown_name(folder)}: holds more than {limits.members:,} files", "Import its folders one by one."
            )
    return _Listing(files, frozenset(vaults), issues)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries


def _mode(path: Path) -> int:
    name = _shown_name(path)
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise ImportFailed(f"{name}: no such file or folder", "Check the path.") from None
    except (OSError, ValueError) as error:
        raise ImportFailed(f"{name}: cannot be read: {error}", "Check the path and its permissions.") from None


def _read_head(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(PROBE_BYTES)
    except OSError as error:
        raise ImportFailed(f"{name}: cannot be read: {error.strerror}", "Check its permissions.") from None


def _read_whole(path: Path, name: str, limit: int, follow: bool = True) -> bytes:
    # Between listing and reading a file may have become a link or a pipe; neither may be followed or waited for.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    if not follow:
        flags |= getattr(os, "O_NOFOLLOW", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as stream:
            data = stream.read(limit + 1)
    except OSError as error:
        raise ImportFailed(f"{name}: cannot be read: {error.strerror}", "Check its permissions.") from None
    if len(data) > limit:
        raise ImportFailed(f"{name}: larger than {limit:,} bytes", "Split it into smaller files.")
    return data


def _shown_name(path: Path) -> str:
    return _printable(path.name or path.resolve().name or str(path))


def _printable(name: str) -> str:
    """A file name as text that can be stored: bytes that are no UTF-8 become U+FFFD."""
    return os.fsencode(name).decode("utf-8", "replace")
