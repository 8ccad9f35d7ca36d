"""The ledger of calls and their answers: nothing that either side paid for is paid for again."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

from core.store.database import Database, Row
from core.store.merging.tables import Tally, changes

_LEAVING = "started_at, role, engine, host, model, purpose, bytes, about, key"
_ENDED = "ended_at, outcome, prompt_tokens, answer_tokens, cost"


def merge_calls(db: Database, run_here: Callable[[str], str], tally: Tally) -> None:
    """Bring the ledger, the cache and batches under way; ``run_here`` tells what a run of theirs is called here.

    A call that both sides know ended as was told last: a job's figures come long after its start. The caller holds the
    transaction.
    """
    own: defaultdict[Row, list[Row]] = defaultdict(list)
    for row in db.rows(f"SELECT {_LEAVING}, id, ended_at FROM main.model_call ORDER BY id"):
        own[row[:9]].append(row[9:])
    seen: Counter[Row] = Counter()
    for row in db.rows(f"SELECT {_LEAVING}, run, {_ENDED} FROM other.model_call ORDER BY id"):
        call, run, ended = row[:9], row[9], row[10:]
        same = own[call][seen[call]] if seen[call] < len(own[call]) else None
        seen[call] += 1
        if same is None:
            tally.added["calls"] += 1
            db.execute(
                f"INSERT INTO main.model_call ({_LEAVING}, run, {_ENDED})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*call, run_here(run), *ended),
            )
        elif ended[0] > same[1]:
            db.execute(
                f"UPDATE main.model_call SET ({_ENDED}) = (?, ?, ?, ?, ?) WHERE id = ?",
                (*ended, same[0]),
            )
    tally.added["answers"] += changes(
        db, "INSERT INTO main.call_cache (key, value) SELECT key, value FROM other.call_cache WHERE true"
        " ON CONFLICT DO NOTHING",
    )  # fmt: skip
    columns = "identity, name, remote, asks, created_at"
    tally.added["batches"] += changes(
        db, f"INSERT INTO main.call_batch ({columns}) SELECT {columns} FROM other.call_batch WHERE true"
        " ON CONFLICT DO NOTHING",
    )  # fmt: skip
