"""What the twin says in a room elsewhere are words that leave: consent for the host, a row of the ledger for each line.

An answer draws on the passages that its prompt showed, so it stands as they stand: where one of them may not leave this
machine (a journal, words for recall only), the answer does not, in whatever words it tells them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from core.calls.consent import OF_NOTHING_KNOWN, check_host, leaves_the_machine, objection
from core.calls.ledger import moment
from core.store.chunks import passages
from core.store.consents import standing_of
from core.store.model_calls import Ended, Leaving, close_call, open_call
from core.twin.protocol import TWIN_MODEL
from core.workspace import Workspace

ROOM = "room"
"""What stands for a role in the ledger."""
SENT = "sent"
BROKEN = "connection"


class Egress:
    """The way out to one host."""

    def __init__(self, workspace: Workspace, run_id: str, host: str, engine: str) -> None:
        """``host`` is ``name:port``, or empty where words stay in this process."""
        self._workspace = workspace
        self._run_id = run_id
        self._host = host
        self._engine = engine

    def check(self) -> None:
        """Raises ConsentError where the host may not receive words, by what settings and consents say now."""
        if self._host:
            self._workspace.forget_settings()
            check_host(self._host, self._workspace.settings.privacy, self._workspace.database)

    def objection(self, chunks: Sequence[int]) -> str:
        """Why an answer that rests on these passages stays here; empty where it may be said."""
        away = leaves_the_machine(self._host)
        database = self._workspace.database
        owners = self._owners(chunks)
        if away and len(passages(database, list(chunks))) < len(set(chunks)):
            return OF_NOTHING_KNOWN
        why = (objection(each, away, self._workspace.settings.privacy) for each in standing_of(database, owners))
        return next(filter(None, why), "")

    @contextmanager
    def row(self, text: str, chunks: Sequence[int]) -> Iterator[None]:
        """A row of the ledger around one line: open before it leaves, closed with its outcome."""
        if not self._host:
            yield
            return
        database = self._workspace.database
        leaving = Leaving(
            moment(), self._run_id, ROOM, self._engine, self._host, TWIN_MODEL, "said in a room", len(text.encode()),
            self._owners(chunks), "",
        )  # fmt: skip
        with database.write():
            row = open_call(database, leaving)
        outcome = "cancelled"
        try:
            yield
            outcome = SENT
        except (OSError, TimeoutError):
            # It may have gone out in part: nobody can say.
            outcome = BROKEN
            raise
        finally:
            with database.write():
                close_call(database, row, Ended(moment(), outcome, 0, 0, 0.0))

    def _owners(self, chunks: Sequence[int]) -> tuple[str, ...]:
        found = passages(self._workspace.database, list(dict.fromkeys(chunks)))
        return tuple(dict.fromkeys(each.owner_uid for each in found.values()))
