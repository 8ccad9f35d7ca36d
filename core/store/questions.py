"""Questions that passages answer: who wrote them, what the judge made of them, and which are searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.store.chunks import PASSAGE, Passage, passage_of
from core.store.database import Database
from core.store.identity import content_uid


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """One question about a passage. ``id`` is 0 before it is stored."""

    id: int
    uid: str
    chunk_id: int
    position: int
    text: str
    writer: str
    judge: str
    value: float
    """The judge's probability that the passage answers it, or the cosine of the two where no model judges."""
    kept: bool
    """Whether it is searched."""


def passages_to_ask_about(db: Database, kind: str = "") -> list[Passage]:
    """Every passage that may be used at all, in the order of their ids; of all, or of documents of one kind."""
    rows = db.rows(
        f"{PASSAGE} WHERE source.use <> 'none' AND (? = '' OR document.kind = ?) ORDER BY chunk.id", (kind, kind)
    )
    return [passage_of(row) for row in rows]


def asked_keys(db: Database) -> dict[int, str]:
    """Chunk id → the key under which it was last asked about."""
    return {int(row[0]): str(row[1]) for row in db.rows("SELECT chunk_id, key FROM questioned")}


def put_questions(db: Database, chunk_id: int, key: str, questions: Sequence[QuestionRow]) -> bool:
    """Make the questions of a passage these, and remember under which key. Whether the passage is still there.

    The caller holds the transaction; the index of the questions that are gone is the caller's.
    """
    if db.value("SELECT 1 FROM chunk WHERE id = ?", (chunk_id,)) is None:
        return False
    wanted = {question.uid for question in questions}
    for question_id, uid in db.rows("SELECT id, uid FROM question WHERE chunk_id = ?", (chunk_id,)):
        if uid not in wanted:
            db.execute("DELETE FROM question WHERE id = ?", (question_id,))
    db.execute_many(
        "INSERT INTO question (uid, chunk_id, position, text, writer, judge, value, kept)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (uid) DO UPDATE SET position = excluded.position,"
        " judge = excluded.judge, value = excluded.value, kept = excluded.kept",
        (
            (each.uid, chunk_id, each.position, each.text, each.writer, each.judge, each.value, int(each.kept))
            for each in questions
        ),
    )
    db.execute(
        "DELETE FROM question_vector WHERE question_id IN (SELECT id FROM question WHERE chunk_id = ? AND NOT kept)",
        (chunk_id,),
    )
    db.execute(
        "INSERT INTO questioned (chunk_id, key) VALUES (?, ?) ON CONFLICT (chunk_id) DO UPDATE SET key = excluded.key",
        (chunk_id, key),
    )
    return True


def questions_of(db: Database, chunk_id: int) -> list[QuestionRow]:
    """The questions of one passage, kept or not, in their order."""
    rows = db.rows(
        "SELECT id, uid, chunk_id, position, text, writer, judge, value, kept FROM question WHERE chunk_id = ?"
        " ORDER BY position, id",
        (chunk_id,),
    )
    return [QuestionRow(*row) for row in rows]


def question_counts(db: Database) -> tuple[int, int]:
    """How many questions there are, and how many of them are searched."""
    row = db.one("SELECT count(*), coalesce(sum(kept), 0) FROM question")
    return (int(row[0]), int(row[1])) if row else (0, 0)


def questions_without_vector(db: Database, model: str, revision: str) -> list[tuple[int, str, int, int]]:
    """(id, text, last day, conversation or 0) of each kept question that this model has not embedded, by id."""
    rows = db.rows(
        "SELECT question.id, question.text, chunk.last_day, coalesce(exchange.conversation_id, 0) FROM question"
        " JOIN chunk ON chunk.id = chunk_id LEFT JOIN exchange ON exchange.id = exchange_id WHERE kept AND NOT EXISTS"
        " (SELECT 1 FROM question_vector WHERE question_id = question.id AND model = ? AND revision = ?)"
        " ORDER BY question.id",
        (model, revision),
    )
    return [(int(row[0]), str(row[1]), int(row[2]), int(row[3])) for row in rows]


def kept_questions(db: Database, ids: Sequence[int]) -> set[int]:
    """Those of the ids that are there and are searched."""
    return {each for each in ids if db.value("SELECT 1 FROM question WHERE id = ? AND kept", (each,))}


def question_metadata(db: Database) -> list[tuple[int, int, int]]:
    """For every kept question: id, its passage's last day, and its conversation's id or 0."""
    rows = db.rows(
        "SELECT question.id, chunk.last_day, coalesce(exchange.conversation_id, 0) FROM question"
        " JOIN chunk ON chunk.id = chunk_id LEFT JOIN exchange ON exchange.id = exchange_id WHERE kept"
        " ORDER BY question.id"
    )
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows]


def has_question_vectors(db: Database, model: str, revision: str) -> bool:
    found = db.value(
        "SELECT EXISTS (SELECT 1 FROM question_vector WHERE model = ? AND revision = ?)", (model, revision)
    )
    return bool(found)


def chunks_of_questions(db: Database, ids: Sequence[int]) -> dict[int, int]:
    """Question id → chunk id."""
    found = {}
    for question_id in ids:
        chunk_id = db.value("SELECT chunk_id FROM question WHERE id = ?", (question_id,))
        if chunk_id is not None:
            found[question_id] = int(chunk_id)
    return found


def questions_fingerprint(db: Database) -> str:
    """A hash of every question that is searched, whatever the row ids."""
    return content_uid([row[0] for row in db.rows("SELECT uid FROM question WHERE kept ORDER BY uid")])
