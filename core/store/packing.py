"""The copy of a database that travels: consistent, compact, without its caches; and whether one that came is ours."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import apsw
import sqlite_vec

from core.errors import StoreError
from core.store.database import Database, migrations
from core.store.vector_index import VEC0_TABLES

_INDEX = re.compile(r"(vector|question)_index_[0-9a-f]{16}")


def packed_copy(db: Database, target: Path, adapters: Collection[int] | None) -> None:
    """Write a copy for a pack: one whole file without a log beside it, without indexes and free pages.

    Of the adapters only these ids stay in it, or all with None. What was made with another one stays and names none.
    """
    db.backup(target)
    copy = Database.open(target)
    try:
        with copy.write():
            drop_indexes(copy)
            if adapters is not None:
                _leave_out_adapters(copy, adapters)
        # Free pages may hold words that were removed; and they would be carried for nothing.
        copy.execute("VACUUM")
        copy.execute("PRAGMA journal_mode = DELETE")
    finally:
        copy.close()


def drop_indexes(db: Database) -> None:
    """Drop every vec0 table, damaged ones too: the next search makes them anew from the stored vectors."""
    for (name,) in db.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%'"):
        if _INDEX.fullmatch(name):
            for own in VEC0_TABLES:
                db.execute(f"CREATE TABLE IF NOT EXISTS {name}_{own} (lost)")
            db.execute(f"DROP TABLE {name}")


def check_packed(path: Path) -> int:
    """Look at a database that came from outside before anything in it is run. Returns its schema's version.

    Raises StoreError for a damaged file, a newer schema, and one that is not a schema of this program: a view or a
    trigger in it would act when it is read.
    """
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    except apsw.Error as error:
        raise _unreadable(str(error)) from None
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        version = int(connection.execute("PRAGMA user_version").get)
        newest = max(migrations())
        if version > newest:
            raise StoreError(
                f"its database has schema {version}, this simulee knows up to {newest}",
                "upgrade simulee: pip install --upgrade simulee",
            )
        if version < 1 or _schema(connection) != _expected(version):
            raise StoreError("its database is not one of simulee's", "take a file that `simulee pack` wrote")
        found = connection.execute("PRAGMA quick_check(1)").get
        if found != "ok":
            raise _unreadable(str(found))
        broken = connection.execute("SELECT count(*) FROM pragma_foreign_key_check").get
        if broken:
            raise _unreadable(f"{broken} references lead nowhere")
    except apsw.Error as error:
        raise _unreadable(str(error)) from None
    finally:
        connection.close()
    return version


def _unreadable(why: str) -> StoreError:
    return StoreError(f"its database is damaged: {why}", "pack it again")


def _leave_out_adapters(db: Database, kept: Collection[int]) -> None:
    for (adapter_id,) in db.rows("SELECT id FROM adapter"):
        if adapter_id not in kept:
            db.execute("UPDATE scorecard SET adapter_id = NULL WHERE adapter_id = ?", (adapter_id,))
            db.execute("UPDATE session SET adapter_id = NULL WHERE adapter_id = ?", (adapter_id,))
            db.execute("DELETE FROM adapter WHERE id = ?", (adapter_id,))


def _expected(version: int) -> set[tuple[str, ...]]:
    """The schema of a database of this version, as SQLite tells it."""
    connection = apsw.Connection(":memory:")
    try:
        connection.enable_load_extension(True)
        connection.load_extension(sqlite_vec.loadable_path())
        connection.enable_load_extension(False)
        for number, sql in sorted(migrations().items()):
            if number <= version:
                connection.execute(sql)
        return _schema(connection)
    finally:
        connection.close()


def _schema(connection: apsw.Connection) -> set[tuple[str, ...]]:
    rows = connection.execute(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    )
    return {tuple(str(value) for value in row) for row in rows}
