"""Open the database safely, write in short transactions, and migrate with a backup first.

apsw rather than the standard library: it loads extensions and carries a SQLite without the WAL-reset bug.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import apsw
import sqlite_vec

from core.errors import StoreError

MINIMUM_SQLITE = (3, 51, 3)
"""Older versions can lose a WAL under two connections."""
BUSY_TIMEOUT_MS = 60_000
NETWORK_FILE_SYSTEMS = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "lustre", "gpfs", "beegfs", "9p", "fuse.sshfs", "afs",
    "ceph", "fuse.ceph", "fuse.ceph-fuse", "glusterfs", "fuse.glusterfs", "wekafs", "panfs", "juicefs", "fuse.juicefs",
    "orangefs", "pvfs2", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.blobfuse2",
}  # fmt: skip
"""Two hosts on one of these do not share memory, which is what WAL needs; a lock on some holds on one host alone.
virtiofs is none: it gives a folder of the host to one virtual machine, whose own kernel maps and locks it."""

Row = tuple[Any, ...]


class Database:
    """One connection to a workspace's database. Not shared between threads."""

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make a database file that only its owner can read. Raises StoreError when one is there already."""
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            raise StoreError(f"{path} is there already", "open it, or name another folder") from None
        except OSError as error:
            raise StoreError(f"cannot create {path}: {error.strerror}", "choose a folder you can write to") from None
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open and, when the schema is older, back up and migrate.

        Raises StoreError for a file that is not a database, a newer schema, or a network file system.
        """
        if tuple(int(part) for part in apsw.sqlite_lib_version().split(".")) < MINIMUM_SQLITE:
            raise StoreError(f"SQLite {apsw.sqlite_lib_version()} is too old", "pip install --upgrade apsw")
        kind = _file_system(path)
        if kind in NETWORK_FILE_SYSTEMS:
            raise StoreError(
                f"{path} lies on a network file system ({kind}), where SQLite can lose data",
                "keep the workspace on a local disk; `simulee pack` and `unpack` carry it between machines",
            )
        with _translated(path):
            connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
            connection.set_busy_timeout(BUSY_TIMEOUT_MS)
            for pragma in (
                "page_size = 8192",  # A vector of 384 floats fits a page; it counts only while the file is empty.
                "journal_mode = WAL",
                "synchronous = FULL",
                "foreign_keys = ON",
                "trusted_schema = OFF",
                "secure_delete = ON",
                "mmap_size = 1073741824",
                "cache_size = -65536",
            ):
                connection.execute(f"PRAGMA {pragma}")
            connection.enable_load_extension(True)
            connection.load_extension(sqlite_vec.loadable_path())
            connection.enable_load_extension(False)
            database = cls(connection, path)
            database._migrate()
        return database

    def close(self) -> None:
        self.connection.close()

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        with _translated(self.path):
            return list(self.connection.execute(sql, tuple(parameters)))

    def each(self, sql: str, parameters: Sequence[object] = ()) -> Iterator[Row]:
        """Row by row, for more text than should be held at once."""
        with _translated(self.path):
            yield from self.connection.execute(sql, tuple(parameters))

    def one(self, sql: str, parameters: Sequence[object] = ()) -> Row | None:
        """The first row, or None."""
        with _translated(self.path):
            return next(iter(self.connection.execute(sql, tuple(parameters))), None)

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.one(sql, parameters)
        return row[0] if row else None

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        with _translated(self.path):
            self.connection.execute(sql, tuple(parameters))

    def execute_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        with _translated(self.path):
            self.connection.executemany(sql, (tuple(row) for row in rows))

    def insert(self, sql: str, parameters: Sequence[object] = ()) -> int:
        """Run one INSERT and return its row id."""
        self.execute(sql, parameters)
        return self.connection.last_insert_rowid()

    @contextmanager
    def write(self) -> Iterator[None]:
        """One short write transaction. It takes the write lock at once, so that a second writer waits its turn."""
        with _translated(self.path):
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.connection.execute("COMMIT")
            except BaseException:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Several reads as of one moment: none of them sees what others write meanwhile. Nobody waits for it."""
        with _translated(self.path):
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                if self.connection.in_transaction:
                    self.connection.execute("ROLLBACK")

    def backup(self, target: Path) -> None:
        """An online copy: consistent while others write. The file is 0600."""
        os.close(os.open(target, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
        copy = apsw.Connection(str(target))
        try:
            with _translated(target), copy.backup("main", self.connection, "main") as backup:
                while not backup.done:
                    backup.step(1000)
        finally:
            copy.close()

    def schema_version(self) -> int:
        return int(self.value("PRAGMA user_version"))

    def _migrate(self) -> None:
        by_version = migrations()
        newest = max(by_version)
        current = self.schema_version()
        if current > newest:
            raise StoreError(
                f"{self.path} has schema {current}, this simulee knows up to {newest}",
                "upgrade simulee: pip install --upgrade simulee",
            )
        if current == newest:
            return
        if current > 0:
            self.backup(self.path.with_name(f"{self.path.name}.schema-{current}.backup"))
        # A table that is made anew is dropped first, and what hangs on its rows must not go with them.
        self.connection.execute("PRAGMA foreign_keys = OFF")
        with self.write():
            for version in range(self.schema_version() + 1, newest + 1):
                self.connection.execute(by_version[version])
                self.connection.execute(f"PRAGMA user_version = {version}")
        self.connection.execute("PRAGMA foreign_keys = ON")


def migrations() -> dict[int, str]:
    """Schema version → the SQL that leads to it from the version before."""
    folder = resources.files("core.store").joinpath("migrations")
    return {
        int(entry.name[:4]): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if re.fullmatch(r"\d{4}_\w+\.sql", entry.name)
    }


def _file_system(path: Path) -> str:
    """The type of the file system that holds ``path``, or '' where the system does not say."""
    mounts = Path("/proc/self/mounts")
    if not mounts.exists():
        return ""
    resolved = str(path.resolve())
    best, kind = "", ""
    for line in mounts.read_text("utf-8", "replace").splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fields[2]
    return kind


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except apsw.FullError:
        raise StoreError(
            f"the disk is full: {path} could not be written", "free some space and run the same command again"
        ) from None
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreError(f"{path} is not a readable database: {error}", "restore it from a backup") from None
    except apsw.CantOpenError:
        raise StoreError(f"cannot open {path}", "check that it exists and that you may read and write it") from None
    except apsw.ReadOnlyError:
        raise StoreError(f"{path} is read-only", "check the file's and its folder's permissions") from None
    except apsw.BusyError:
        raise StoreError(
            f"{path} is in use by another writer for over a minute", "see `simulee runs list`, then try again"
        ) from None
    except apsw.IOError as error:
        raise StoreError(f"reading or writing {path} failed: {error}", "check the disk, then try again") from None
