"""What could not be asked is kept with its reason until it has its answer."""

from __future__ import annotations

from core.store.parked import clear_parked, list_parked, park, parked_counts
from core.workspace import Workspace


def test_a_parked_item_is_counted_told_and_cleared(workspace: Workspace) -> None:
    database = workspace.database
    with database.write():
        park(database, "retell", "e1", "timeout", "2026-01-01T00:00:00Z")
        park(database, "retell", "e2", "rate limit", "2026-01-01T00:00:01Z")
        park(database, "judge", "e1", "rate limit", "2026-01-01T00:00:02Z")
        park(database, "retell", "e1", "rate limit", "2026-01-01T00:00:03Z")
    (again,) = [row for row in list_parked(database, "retell") if row.uid == "e1"]
    assert (again.reason, again.attempts, again.at) == ("rate limit", 2, "2026-01-01T00:00:03Z")
    assert [(row.kind, row.uid) for row in list_parked(database)] == [
        ("retell", "e2"),
        ("judge", "e1"),
        ("retell", "e1"),
    ]
    assert parked_counts(database) == {"judge": {"rate limit": 1}, "retell": {"rate limit": 2}}
    with database.write():
        clear_parked(database, "retell", ["e1", "e2", "e3"])
    assert parked_counts(database) == {"judge": {"rate limit": 1}}
