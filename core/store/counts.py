"""How much of each noun there is, in one look."""

from __future__ import annotations

from core.store.database import Database

_TABLES = (
    "source", "document", "conversation", "turn", "exchange", "chunk", "memory", "decision", "dataset", "adapter",
    "scorecard", "session",
)  # fmt: skip


def count_all(db: Database) -> dict[str, int]:
    """Rows of every noun, by its table's name."""
    return {table: int(db.value(f"SELECT count(*) FROM {table}")) for table in _TABLES}


def writing_years(db: Database) -> tuple[str, str]:
    """The first and last dates of the documents, as written, or empty strings."""
    row = db.one(
        "SELECT (SELECT date FROM document WHERE first_day >= 0 ORDER BY first_day LIMIT 1),"
        " (SELECT date FROM document WHERE last_day >= 0 ORDER BY last_day DESC LIMIT 1)"
    )
    return (str(row[0] or ""), str(row[1] or "")) if row else ("", "")


def integrity_problems(db: Database) -> list[str]:
    """What SQLite's own checks and the foreign keys say; empty when all is well."""
    problems = [str(row[0]) for row in db.rows("PRAGMA integrity_check") if row[0] != "ok"]
    return problems + [
        f"{row[0]} row {row[1]} refers to a missing {row[2]}" for row in db.rows("PRAGMA foreign_key_check")
    ]
