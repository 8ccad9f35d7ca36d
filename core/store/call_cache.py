"""Model answers by the content that was asked, so that a finished call is never made twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.store.database import Database


def cached(db: Database, keys: Sequence[str]) -> dict[str, str]:
    """The known values among ``keys``."""
    found = {}
    for key in keys:
        row = db.one("SELECT value FROM call_cache WHERE key = ?", (key,))
        if row is not None:
            found[key] = row[0]
    return found


def remember(db: Database, values: Mapping[str, str]) -> None:
    """Keep values; one that is known stays. The caller holds the transaction."""
    db.execute_many("INSERT INTO call_cache (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING", values.items())


def replace(db: Database, key: str, value: str) -> None:
    """Keep a value in place of one that is no longer taken. The caller holds the transaction."""
    db.execute(
        "INSERT INTO call_cache (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
