"""A session becomes a stored conversation when a person says so, and never by itself.

A twin's words are not the target's. They are kept as remarks that no stage reads, unless a person has made them the
target's: an answer that was corrected, in the corrected words, or one that was called good. Then those exchanges are
all that the conversation holds, since a question without its answer would run into the next one.

What is trained on may not hold what is only for recall. So with the use ``train`` an answer that was called good is
left out once such a passage was recalled in its session, and any answer that repeats its words.

A talk is dated by its days, and words that were corrected later by the day on which they were written. No rule holds it
out: a twin is never measured on what it said itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from core.corpus.exchanges import is_named
from core.corpus.holdout import keep_in_training
from core.corpus.identity import uid_of
from core.corpus.importing import import_conversation
from core.corpus.records import Conversation, Turn, Use
from core.dates import DateSpan
from core.errors import UsageError
from core.store.chunks import passages
from core.store.conversations import exchanges_of, list_conversations
from core.store.database import Database
from core.store.identity import content_uid
from core.store.sessions import memories_of_message
from core.store.sources import find_source
from core.store.texts import recall_only_texts
from core.twin.guard import Withheld
from core.twin.transcript import Asking, Said, Transcript, load_transcript
from core.workspace import Workspace

FORMAT = "session"
SOMEBODY = "Visitor"
"""Who asks where nobody said who they are, or where whoever corrects the twin asks as the target too."""

Answers = Literal["none", "corrected"]
Why = Literal["not judged", "recall only"]
LEFT_OUT: dict[Why, str] = {
    "not judged": "neither corrected nor called good",
    "recall only": "may hold what is for recall only (--use recall takes it)",
}


@dataclass(frozen=True, slots=True)
class ImportedSession:
    """What an import of a session did."""

    location: str
    conversation: int | None
    """The row id; None where nothing of it is left."""
    outcome: Literal["added", "changed", "same", "removed"]
    turns: int
    exchanges: int
    """In which the target answers."""
    left_out: dict[Why, int]
    """Questions that are left out, by why."""
    first_day: str
    last_day: str


def import_session(workspace: Workspace, session_id: int, use: Use, answers: Answers = "none") -> ImportedSession:
    """Store a session as a conversation, or make the stored one what the session and its judgements are now.

    Raises UsageError when there is no such session, or nothing in it that could be stored.
    """
    transcript = load_transcript(workspace, session_id)
    location = _location(transcript)
    left_out: Counter[Why] = Counter()
    if answers == "corrected":
        turns = _theirs(workspace, transcript, use, left_out)
    else:
        turns = _remarks(transcript, workspace.target)
    if not turns and find_source(workspace.database, content_uid("source", location)) is None:
        told = ", ".join(f"{count} {LEFT_OUT[why]}" for why, count in left_out.items())
        raise UsageError(
            f"session {session_id} holds no answer that is {workspace.target}'s: {told}",
            "in Chat, c corrects an answer and + calls it good",
        )
    conversation = None
    if turns:
        days = sorted(turn.time.date() for turn in turns if turn.time)
        title = f"A talk with the twin, session {session_id}"
        uid = uid_of(FORMAT, location)
        conversation = Conversation(uid, title, DateSpan.of_day(days[0]), tuple(turns), visibility="private", chat=True)
        keep_in_training(workspace, uid)
    report = import_conversation(workspace, location, FORMAT, conversation, use)
    row = _stored(workspace.database, location)
    return ImportedSession(
        location=location,
        conversation=row,
        outcome="added" if report.added else "changed" if report.changed else "removed" if report.removed else "same",
        turns=len(turns),
        exchanges=len(exchanges_of(workspace.database, row)) if row is not None else 0,
        left_out=dict(left_out),
        first_day=days[0].isoformat() if turns else "",
        last_day=days[-1].isoformat() if turns else "",
    )


def _location(transcript: Transcript) -> str:
    """Another workspace's session can have the same id: the moment of its beginning tells both apart."""
    return f"session:{transcript.session.id}@{transcript.session.created_at}"


def _remarks(transcript: Transcript, target: str) -> list[Turn]:
    """What was said to the twin, and what it said as remarks, which no name can ever make somebody's words."""
    turns = []
    for asking in transcript.asked:
        turns.append(Turn(asking.asker or SOMEBODY, asking.question, _moment(asking.at)))
        if asking.answer and asking.answer.text:
            remark = Turn(f"{target} (twin)", asking.answer.text, _moment(asking.at), kind="system")
            turns.append(remark)
    return turns


def _theirs(workspace: Workspace, transcript: Transcript, use: Use, left_out: Counter[Why]) -> list[Turn]:
    """The questions whose answers a person has made the target's, each with the answer."""
    names = workspace.settings.target_names
    private = _private_words(workspace, transcript) if use == "train" else None
    turns = []
    for asking, guarded in _guarded(workspace, transcript):
        said = _judged(asking)
        if said is None:
            left_out["not judged"] += 1
            continue
        words = said.correction or said.text
        if private and ((guarded and not said.correction) or private.redact(words) != words):
            left_out["recall only"] += 1
            continue
        at = _moment(asking.at)
        if said.correction and (corrected := _moment(said.corrected_at)).date() > at.date():
            at = corrected
        asker = SOMEBODY if not asking.asker or is_named(asking.asker, names) else asking.asker
        # One moment for both: an answer that was tried again hours later would seem to answer nothing.
        turns += [Turn(asker, asking.question, at), Turn(workspace.target, words, at)]
    return turns


def _judged(asking: Asking) -> Said | None:
    """The answer that a person has made the target's: the one that stands, else the newest that they did."""
    standing = [asking.answer] if asking.answer else []
    for said in [*standing, *reversed(asking.answers)]:
        if said.correction or (said.rating > 0 and said.text):
            return said
    return None


def _guarded(workspace: Workspace, transcript: Transcript) -> Iterator[tuple[Asking, bool]]:
    """Each question, and whether a passage for recall only was in sight when it was answered.

    What was recalled for one question stands in the prompts of those after it.
    """
    guarded = False
    for asking in transcript.asked:
        for said in asking.answers:
            shown = memories_of_message(workspace.database, said.message_id)
            found = passages(workspace.database, [each.chunk_id for each in shown if each.chunk_id is not None])
            # A passage that is gone may have been one that must not be repeated.
            guarded = guarded or any(
                each.chunk_id not in found or found[each.chunk_id].use != "train" for each in shown
            )
        yield asking, guarded


def _private_words(workspace: Workspace, transcript: Transcript) -> Withheld:
    """What may not be trained on, beside what an earlier import of this very session was for."""
    database = workspace.database
    texts = Counter(recall_only_texts(database))
    location = _location(transcript)
    source, row = find_source(database, content_uid("source", location)), _stored(database, location)
    if source is not None and source.use != "train" and row is not None:
        texts -= Counter(exchange.answer for exchange in exchanges_of(database, row))
    return Withheld(list(texts), workspace.settings.privacy.verbatim_words)


def _stored(database: Database, location: str) -> int | None:
    """The row id of the conversation that this source holds."""
    source = find_source(database, content_uid("source", location))
    held = (row.id for row in list_conversations(database) if source is not None and row.source_id == source.id)
    return next(held, None)


def _moment(at: str) -> datetime:
    """In the zone of this machine, whose days are those of the talk."""
    return datetime.fromisoformat(at).astimezone()
