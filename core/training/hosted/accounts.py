"""What the ledger's row of a job says it used: reckoned at its start, and the host's own figures once it is over."""

from __future__ import annotations

from core.calls.ledger import moment
from core.settings import HostedSettings
from core.store.database import Database
from core.store.model_calls import ANSWERED, Ended, close_call
from core.training.hosted.plan import cost_of
from core.training.hosted.protocol import RemoteJob
from core.training.hosted.record import OVER, SUCCEEDED, Record


def settled(database: Database, settings: HostedSettings, record: Record, seen: RemoteJob) -> Record:
    """The record of a job as the host tells it now, with its row of the ledger closed once the job is over.

    One that failed or was cancelled has used what the host says it trained, and nothing where it says nothing. One
    that succeeded without a figure has used what was reckoned.
    """
    record = record.model_copy(update={"job": seen.id, "starting": False, "status": seen.state})
    if seen.state not in OVER or (seen.state in SUCCEEDED and not seen.trained_tokens):
        return record
    tokens = seen.trained_tokens or 0
    cost = cost_of(tokens, settings)
    close_row(database, record.row, ANSWERED, tokens, cost or 0.0)
    return record.model_copy(update={"cost": cost})


def close_row(database: Database, row: int, outcome: str, tokens: int, cost: float) -> None:
    """Write down how a send ended, and what it used."""
    with database.write():
        close_call(database, row, Ended(moment(), outcome, tokens, 0, cost))
