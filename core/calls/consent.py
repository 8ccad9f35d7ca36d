"""Whether words may leave this machine: the host by a person's consent, the words by the use of their source."""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import ConsentError
from core.models.generation import CallFailed
from core.models.hosts import as_written, is_loopback, spellings
from core.settings import PrivacySettings
from core.store.consents import Standing, has_consent, standing_of
from core.store.database import Database

NOT_CLEARED = "not cleared for sending"
FOR_NOTHING = "used for nothing"
OF_NOTHING_KNOWN = "nothing is known of it"
FOR_RECALL = "for recall only"


def leaves_the_machine(host: str) -> bool:
    """Whether words sent to ``name:port`` leave; an engine on this machine has no host."""
    return bool(host) and not is_loopback(host)


def allowed(host: str, privacy: PrivacySettings, database: Database) -> bool:
    """Whether a person has allowed ``name:port`` to receive text."""
    written = spellings(host)
    return any(as_written(each) in written for each in privacy.consent) or has_consent(database, written)


def check_host(host: str, privacy: PrivacySettings, database: Database) -> None:
    """Raises ConsentError for a host beside this machine that nobody has allowed to receive text."""
    if leaves_the_machine(host) and not allowed(host, privacy, database):
        raise ConsentError(
            f"words would leave this machine for {host}, which nobody has allowed",
            f"simulee consent grant {spellings(host)[1]}",
        )


def objection(standing: Standing, away: bool, privacy: PrivacySettings) -> str:
    """Why words that stand so may not go where they would go, as a short stable phrase; empty where they may.

    ``away`` says whether they would leave this machine. A source whose use is none is in no call at all. Journals and
    recall-only words leave only where the settings say so, and words of which nothing is known do not leave.
    """
    if "none" in standing.uses:
        return FOR_NOTHING
    if away and not standing.uses:
        return OF_NOTHING_KNOWN
    if away and not privacy.send_recall_only and ("recall" in standing.uses or "journal" in standing.kinds):
        return FOR_RECALL
    return ""


def check_words(about: Sequence[str], away: bool, privacy: PrivacySettings, database: Database) -> None:
    """Raises CallFailed where the words that an ask is made of may not be in it; see ``objection``."""
    for standing in standing_of(database, about):
        why = objection(standing, away, privacy)
        if why:
            raise CallFailed(NOT_CLEARED, _TOLD[why].format(standing.uid), retryable=False)


_TOLD = {
    FOR_NOTHING: "the source of {} is used for nothing",
    OF_NOTHING_KNOWN: "nothing is known of {}",
    FOR_RECALL: "{} is for recall only: [privacy] send_recall_only would let it go",
}
