"""What a prompt may hold that goes to a persona on another machine."""

from __future__ import annotations

from collections.abc import Sequence

from core.calls.consent import check_words, leaves_the_machine, objection
from core.errors import ConsentError
from core.models.generation import CallFailed
from core.recall.recollect import Recollection
from core.store.consents import standing_of
from core.twin.speech import Voice
from core.twin.transcript import PastTurns
from core.workspace import Workspace

KEPT_HERE = "kept on this machine: what was recalled is not to be sent"


def sendable(
    workspace: Workspace, voice: Voice, recollections: Sequence[Recollection]
) -> tuple[list[Recollection], tuple[str, ...]]:
    """The memories that a prompt for this voice may show, and a line for each that it may not."""
    if not leaves_the_machine(voice.host):
        return list(recollections), ()
    privacy = workspace.privacy
    kept = [
        each
        for each in recollections
        if not any(
            objection(standing, True, privacy)
            for standing in standing_of(workspace.database, [each.found.passage.owner_uid])
        )
    ]
    return kept, (KEPT_HERE,) * (len(recollections) - len(kept))


def check_sendable(workspace: Workspace, voice: Voice, past: PastTurns, about: Sequence[str]) -> None:
    """Raises ConsentError where what a session recalled before may not be sent to the voice's host."""
    if not voice.host:
        return
    away = leaves_the_machine(voice.host)
    privacy = workspace.privacy if away else workspace.settings.privacy
    if away and past.guarded and not privacy.send_recall_only:
        raise ConsentError(
            f"this session recalled words that may not leave this machine for {voice.host}",
            "begin a new session, or set [privacy] send_recall_only",
        )
    try:
        check_words(about, away, privacy, workspace.database)
    except CallFailed as failed:
        raise ConsentError(failed.message, "begin a new session") from None
