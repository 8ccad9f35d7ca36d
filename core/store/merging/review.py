"""Two logs of review become one, the same from either side, so that the state of every card is too.

The log is append-only, and its order is the order of its row ids. A decision of the other side that was made before one
of ours therefore takes its place among ours, and the rows after it get new numbers; no decision is changed or lost.
What names a row of the log follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from core.errors import StoreError
from core.store.database import Database
from core.store.merging.order import folded
from core.store.merging.tables import Tally

_DECISION = "at, batch, card_kind, card_uid, verb, reason, text, actor_kind, actor, target_batch"
_LOOK = "at, batch, card_uid, verb, reason, text, actor"
_TRIGGERS = ("decision_is_append_only_update", "second_look_is_append_only_update")


@dataclass(slots=True)
class Entry:
    """One row of the log: a decision, or a second look with the decision that it names."""

    id: int
    values: tuple[Any, ...]
    first: tuple[str, int] | None = None
    """Of a second look: the batch, and the place in it, of the first decision."""
    foretold: tuple[float | None, float | None] | None = None


@dataclass(slots=True)
class Log:
    """One side's log by batches, in their order."""

    batches: dict[str, list[Entry]] = field(default_factory=dict)

    def decisions(self, batch: str) -> Iterator[Entry]:
        return (entry for entry in self.batches[batch] if entry.first is None)


@dataclass(frozen=True, slots=True)
class Places:
    """Where each side's decisions stand in the merged log: old id → new id."""

    own: dict[int, int]
    other: dict[int, int]
    changed: bool
    """Whether anything came."""

    def known_until(self, last: int, side: dict[int, int]) -> int:
        """The last decision that, with all before it, is among a side's decisions up to ``last``."""
        known = sorted(new for old, new in side.items() if old <= last)
        return next((place for place, new in enumerate(known) if new != place + 1), len(known))


def merge_log(db: Database, tally: Tally) -> Places:
    """Fold the other side's decisions and second looks into the log. The caller holds the transaction.

    The states of the cards are the caller's to fold anew. Raises StoreError when the two sides tell the same batch
    differently.
    """
    own, other = _read(db, "main"), _read(db, "other")
    for batch in own.batches.keys() & other.batches.keys():
        if [_told(entry) for entry in own.batches[batch]] != [_told(entry) for entry in other.batches[batch]]:
            raise StoreError(
                f"the pack tells the decisions of {own.batches[batch][0].values[0]} otherwise than this workspace does",
                "one of the two was changed by other means than simulee's: nothing was merged",
            )
    fresh = other.batches.keys() - own.batches.keys()
    known = other.batches | own.batches
    order = folded(list(own.batches), list(other.batches), lambda batch: (*_when(known[batch][0]), batch))
    new_ids = _numbered(order, known)
    places = Places(_moved(own, new_ids), _moved(other, new_ids), bool(fresh))
    if fresh:
        entries = [entry for batch in fresh for entry in known[batch]]
        tally.added["decisions"] += sum(entry.first is None for entry in entries)
        tally.added["second looks"] += sum(entry.first is not None for entry in entries)
        _rewrite(db, order, known, fresh, new_ids, places.own)
    return places


def _read(db: Database, schema: str) -> Log:
    foretold = {row[0]: (row[1], row[2]) for row in db.rows(f"SELECT decision_id, chance, bits FROM {schema}.foretold")}
    rows: list[tuple[tuple[int, int, int], str, Entry]] = []
    place: dict[int, tuple[str, int]] = {}
    sizes: dict[str, int] = {}
    for row in db.rows(f"SELECT id, {_DECISION} FROM {schema}.decision ORDER BY id"):
        batch = row[2]
        place[row[0]] = (batch, sizes.get(batch, 0))
        sizes[batch] = sizes.get(batch, 0) + 1
        rows.append(((row[0], 0, 0), batch, Entry(row[0], row[1:], foretold=foretold.get(row[0]))))
    looks = f"SELECT id, {_LOOK}, after_decision, first_decision FROM {schema}.second_look ORDER BY id"
    for row in db.rows(looks):
        rows.append(((row[8], 1, row[0]), row[2], Entry(row[0], row[1:8], first=place[row[9]])))
    log = Log()
    for _, batch, entry in sorted(rows, key=itemgetter(0)):
        log.batches.setdefault(batch, []).append(entry)
    return log


def _told(entry: Entry) -> tuple[object, ...]:
    return entry.values, entry.first


def _when(entry: Entry) -> tuple[str, str]:
    """When, and by whom: what orders decisions that were made on different sides."""
    return entry.values[0], entry.values[8] if entry.first is None else entry.values[6]


def _numbered(order: Iterable[str], known: dict[str, list[Entry]]) -> dict[tuple[str, int], int]:
    """(batch, place in it) → row id, of decisions."""
    numbers: dict[tuple[str, int], int] = {}
    for batch in order:
        for place in range(sum(entry.first is None for entry in known[batch])):
            numbers[batch, place] = len(numbers) + 1
    return numbers


def _moved(log: Log, new_ids: dict[tuple[str, int], int]) -> dict[int, int]:
    return {
        entry.id: new_ids[batch, place] for batch in log.batches for place, entry in enumerate(log.decisions(batch))
    }


def _rewrite(
    db: Database,
    order: list[str],
    known: dict[str, list[Entry]],
    fresh: set[str],
    new_ids: dict[tuple[str, int], int],
    own: dict[int, int],
) -> None:
    triggers = {name: db.value("SELECT sql FROM main.sqlite_schema WHERE name = ?", (name,)) for name in _TRIGGERS}
    db.execute("PRAGMA defer_foreign_keys = ON")
    for name in triggers:
        db.execute(f"DROP TRIGGER main.{name}")
    # The states are folded anew by the caller; until then they would name rows that have moved.
    db.execute("DELETE FROM main.card_state")
    moved = [(new, old) for old, new in own.items() if new != old]
    # By way of negative numbers, so that no row meets another on its way.
    for table, column in (("decision", "id"), ("foretold", "decision_id")):
        db.execute_many(f"UPDATE main.{table} SET {column} = -? WHERE {column} = ?", moved)
        db.execute(f"UPDATE main.{table} SET {column} = -{column} WHERE {column} < 0")
    db.execute("UPDATE main.second_look SET id = -id")
    last = looks = 0
    for batch in order:
        place = 0
        for entry in known[batch]:
            if entry.first is not None:
                looks += 1
                first = new_ids[entry.first]
                if batch in fresh:
                    db.execute(
                        f"INSERT INTO main.second_look (id, {_LOOK}, after_decision, first_decision)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                        (looks, *entry.values, last, first),
                    )
                else:
                    db.execute(
                        "UPDATE main.second_look SET id = ?, after_decision = ?, first_decision = ? WHERE id = ?",
                        (looks, last, first, -entry.id),
                    )
                continue
            last = new_ids[batch, place]
            place += 1
            if batch in fresh:
                db.execute(
                    f"INSERT INTO main.decision (id, {_DECISION}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (last, *entry.values),
                )
                if entry.foretold is not None:
                    db.execute(
                        "INSERT INTO main.foretold (decision_id, chance, bits) VALUES (?, ?, ?)",
                        (last, *entry.foretold),
                    )
    for table in ("decision", "second_look"):
        db.execute(
            f"UPDATE main.sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM main.{table}) WHERE name = ?",
            (table,),
        )
    for sql in triggers.values():
        db.execute(sql)


def forget_learned(db: Database) -> None:
    """There is something else to learn from: the next review learns again."""
    db.execute("DELETE FROM main.learned")


def replace_states(db: Database, states: dict[tuple[str, str], tuple[str, str, int]]) -> None:
    """Make the cached states these: (card kind, card uid) → (state, edited text, decision id)."""
    db.execute("DELETE FROM main.card_state")
    db.execute_many(
        "INSERT INTO main.card_state (card_kind, card_uid, state, text, decision_id) VALUES (?, ?, ?, ?, ?)",
        ((*card, *state) for card, state in states.items()),
    )


def count_waiting(db: Database) -> int:
    """Cards that were decided on and are not here."""
    return int(
        db.value(
            "SELECT count(*) FROM main.card_state WHERE card_kind IN ('memory', 'pair', 'proposal') AND card_uid NOT IN"
            " (SELECT uid FROM main.memory UNION ALL SELECT uid FROM main.pair UNION ALL SELECT uid FROM main.proposal)"
        )
    )


def merge_draws(db: Database, tally: Tally) -> None:
    """Bring blind draws, in the order of all. The memories are there already; the caller holds the transaction."""
    sides = [
        {
            f"{row[0]}\0{row[1]}": row
            for row in db.rows(
                f"SELECT actor, memory_uid, newest_memory, drawn_at FROM {schema}.blind_draw ORDER BY id"
            )
        }
        for schema in ("main", "other")
    ]
    own, other = sides
    tally.added["blind draws"] += len(other.keys() - own.keys())
    known = dict(own)
    for name, (actor, uid, newest, at) in other.items():
        if name not in own or at < own[name][3]:  # Drawn on both sides: it was drawn when it was first.
            known[name] = (actor, uid, _newest_here(db, newest), at)
    if known == own:
        return
    order = folded(list(own), list(other), lambda name: (known[name][3], name))
    db.execute("DELETE FROM main.blind_draw")
    db.execute_many(
        "INSERT INTO main.blind_draw (actor, memory_uid, newest_memory, drawn_at) VALUES (?, ?, ?, ?)",
        (known[name] for name in order),
    )


def _newest_here(db: Database, newest: int) -> int:
    """The largest id here up to which every memory was there when the other side drew."""
    first_later = db.value(
        "SELECT min(own.id) FROM main.memory AS own WHERE NOT EXISTS"
        " (SELECT 1 FROM other.memory AS theirs WHERE theirs.uid = own.uid AND theirs.id <= ?)",
        (newest,),
    )
    return (
        int(db.value("SELECT coalesce(max(id), 0) FROM main.memory")) if first_later is None else int(first_later) - 1
    )
