"""Whole texts by what they may be used for: for the guards that compare words."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.store.database import Database


def document_texts(db: Database) -> list[tuple[str, str]]:
    """(title, text) of every document that may be used for anything."""
    rows = db.rows(
        "SELECT title, text FROM document JOIN source ON source.id = source_id WHERE use <> 'none' ORDER BY document.id"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An answer that may be used for anything."""

    exchange_uid: str
    conversation_uid: str
    where: str
    answer: str


def every_answer(db: Database) -> list[AnswerRow]:
    """The held-out ones too."""
    rows = db.rows(
        "SELECT exchange.uid, conversation.uid, conversation.title || ', exchange ' || (exchange.position + 1), answer"
        " FROM exchange JOIN conversation ON conversation.id = conversation_id JOIN source ON source.id = source_id"
        " WHERE use <> 'none' ORDER BY exchange.id"
    )
    return [AnswerRow(*row) for row in rows]


def answers(db: Database) -> list[tuple[str, str, str]]:
    """(exchange uid, where, answer) of every answer that may be used, but the held-out ones."""
    held = {row[0] for row in db.rows("SELECT conversation_uid FROM conversation_split WHERE split = 'heldout'")}
    return [(row.exchange_uid, row.where, row.answer) for row in every_answer(db) if row.conversation_uid not in held]


@dataclass(frozen=True, slots=True)
class SpokenRow:
    """One turn of a conversation that may be trained on."""

    conversation_id: int
    conversation_uid: str
    title: str
    position: int
    speaker: str
    text: str


def trainable_turns(db: Database) -> list[SpokenRow]:
    """What anybody says in conversations that may be trained on, the held-out ones too, in their order."""
    rows = db.rows(
        "SELECT conversation.id, conversation.uid, title, turn.position, speaker, turn.text FROM turn"
        " JOIN conversation ON conversation.id = conversation_id JOIN source ON source.id = source_id"
        " WHERE use = 'train' AND kind = 'said' ORDER BY conversation.id, turn.position"
    )
    return [SpokenRow(*row) for row in rows]


def cleared_texts(db: Database) -> list[str]:
    """Texts whose words may be said: what is cleared for training, with titles, questions and who asks them."""
    rows = db.rows(
        "SELECT title || '\n' || text FROM document JOIN source ON source.id = source_id WHERE use = 'train'"
        " UNION ALL SELECT asker || '\n' || question || '\n' || answer FROM exchange JOIN conversation"
        " ON conversation.id = conversation_id JOIN source ON source.id = source_id WHERE use = 'train'"
    )
    return [str(row[0]) for row in rows]


def told_of_target(db: Database) -> list[str]:
    """What others wrote about the target and is for recall only: no secret, though not to be repeated at length."""
    rows = db.rows(
        "SELECT text FROM document JOIN source ON source.id = source_id WHERE use = 'recall' AND kind = 'profile'"
    )
    return [str(row[0]) for row in rows]


def use_key(db: Database) -> str:
    """Changes whenever a text that is used, or its use, does."""
    digest = hashlib.sha256()
    for row in db.rows("SELECT uid, content_hash, use FROM source ORDER BY uid"):
        digest.update(repr(row).encode("utf-8", "replace"))
    return digest.hexdigest()


def private_texts(db: Database) -> list[tuple[str, str]]:
    """(title, text) of what the target wrote or said and must not repeat: no page that others wrote about them.

    A source that is used for nothing any more counts: it may have been recalled, or trained on, before.
    """
    rows = db.rows(
        "SELECT title, text FROM document JOIN source ON source.id = source_id"
        " WHERE use IN ('recall', 'none') AND kind <> 'profile'"
        " UNION ALL SELECT title, answer FROM exchange JOIN conversation ON conversation.id = conversation_id"
        " JOIN source ON source.id = source_id WHERE use IN ('recall', 'none')"
    )
    return [(str(row[0]), str(row[1])) for row in rows]


def recall_only_texts(db: Database) -> list[str]:
    """Texts whose words the twin may know and must not repeat: whole documents, and the target's answers.

    Those of sources that are used for nothing are among them, as in ``private_texts``.
    """
    rows = db.rows(
        "SELECT text FROM document JOIN source ON source.id = source_id WHERE use IN ('recall', 'none')"
        " UNION ALL SELECT answer FROM exchange JOIN conversation ON conversation.id = conversation_id"
        " JOIN source ON source.id = source_id WHERE use IN ('recall', 'none')"
    )
    return [str(row[0]) for row in rows]
