"""Conversations, their raw turns, the exchanges derived from them, and which of them are set aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from core.store.carrying import carry
from core.store.database import Database
from core.store.identity import bare_words, content_uid
from core.store.sources import content_of, inherit_use

_CONVERSATION = (
    "id, uid, source_id, position, title, link, date, date_precision, first_day, last_day, visibility, chat,"
    " content_hash"
)
_EXCHANGE = (
    "exchange.id, exchange.uid, conversation_id, exchange.position, segment, asker, question, answer,"
    " exchange.first_day, exchange.last_day, initiates"
)

_ASIDE = {"heldout": 2, "validation": 1, "train": 0}


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One stored dialogue. ``id`` is 0 before it is stored."""

    id: int
    uid: str
    source_id: int
    position: int
    title: str
    link: str
    date: str
    date_precision: str
    first_day: int
    last_day: int
    visibility: str
    chat: int
    content_hash: str


@dataclass(frozen=True, slots=True)
class TurnRow:
    """One utterance as its source holds it; ``time`` is ISO 8601 or empty."""

    position: int
    speaker: str
    text: str
    time: str
    reply_to: int | None
    kind: str


@dataclass(frozen=True, slots=True)
class ExchangeRow:
    """A question and the target's answer, derived from turns. ``id`` is 0 before it is stored."""

    id: int
    uid: str
    conversation_id: int
    position: int
    segment: int
    asker: str
    question: str
    answer: str
    first_day: int
    last_day: int
    initiates: int

    @property
    def said(self) -> str:
        """The same for one question and answer wherever they stand, case and punctuation aside."""
        return content_uid(bare_words(self.question), bare_words(self.answer))


def put_conversation(db: Database, conversation: ConversationRow, turns: Sequence[TurnRow]) -> str:
    """Insert or update by source and uid, turns included. Returns ``added``, ``changed`` or ``same``."""
    known = db.one(
        "SELECT id, content_hash FROM conversation WHERE source_id = ? AND uid = ?",
        (conversation.source_id, conversation.uid),
    )
    if known is not None and known[1] == conversation.content_hash:
        db.execute("UPDATE conversation SET position = ? WHERE id = ?", (conversation.position, known[0]))
        return "same"
    values = (
        conversation.position, conversation.title, conversation.link, conversation.date, conversation.date_precision,
        conversation.first_day, conversation.last_day, conversation.visibility, conversation.chat,
        conversation.content_hash,
    )  # fmt: skip
    if known is None:
        conversation_id = db.insert(
            "INSERT INTO conversation (position, title, link, date, date_precision, first_day, last_day, visibility,"
            " chat, content_hash, source_id, uid) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*values, conversation.source_id, conversation.uid),
        )
    else:
        conversation_id = known[0]
        db.execute("DELETE FROM turn WHERE conversation_id = ?", (conversation_id,))
        db.execute(
            "UPDATE conversation SET position = ?, title = ?, link = ?, date = ?, date_precision = ?, first_day = ?,"
            " last_day = ?, visibility = ?, chat = ?, content_hash = ? WHERE id = ?",
            (*values, conversation_id),
        )
    db.execute_many(
        "INSERT INTO turn (conversation_id, position, speaker, text, time, reply_to, kind)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (conversation_id, turn.position, turn.speaker, turn.text, turn.time, turn.reply_to, turn.kind)
            for turn in turns
        ),
    )
    return "added" if known is None else "changed"


def same_conversation_elsewhere(db: Database, conversation: ConversationRow) -> str:
    """The location of another source that holds the very same conversation, or an empty string."""
    found = db.value(
        "SELECT location FROM conversation JOIN source ON source.id = source_id"
        " WHERE conversation.content_hash = ? AND source_id <> ? ORDER BY source_id LIMIT 1",
        (conversation.content_hash, conversation.source_id),
    )
    return str(found or "")


@dataclass(frozen=True, slots=True)
class ChatElsewhere:
    """Another source's export of a chat."""

    id: int
    source_id: int
    location: str
    extent: tuple[str, int]
    """The time of its last turn, and how many turns it has: a later export of a chat goes further."""


def extent_of(turns: Iterable[TurnRow]) -> tuple[str, int]:
    """As ``ChatElsewhere.extent``."""
    times = [turn.time for turn in turns]
    return max(times, default=""), len(times)


def chat_elsewhere(db: Database, conversation: ConversationRow, turns: Sequence[TurnRow]) -> list[ChatElsewhere]:
    """The other sources that hold this chat, whatever they are called, that of the strictest use first; none
    where it is no chat.

    One begins with the same message, and most of the shorter one's turns stand in the other: messages may since have
    been edited or deleted, but two chats that only begin with the same notice are two.
    """
    if not conversation.chat:
        return []
    rows = db.rows(
        "SELECT conversation.id, source_id, location FROM conversation JOIN source ON source.id = source_id"
        " WHERE conversation.uid = ? AND chat = 1 AND source_id <> ?"
        " ORDER BY use_chosen DESC, use <> 'none', use <> 'recall', conversation.id",
        (conversation.uid, conversation.source_id),
    )
    found = []
    spoken = _spoken(turns)
    for row in rows:
        theirs = turns_of(db, row[0])
        others = _spoken(theirs)
        if 2 * len(spoken & others) > min(len(spoken), len(others)):
            found.append(ChatElsewhere(row[0], row[1], row[2], extent_of(theirs)))
    return found


def _spoken(turns: Iterable[TurnRow]) -> set[tuple[str, str]]:
    return {(turn.time, turn.speaker) for turn in turns if turn.speaker}


def take_over(db: Database, chat: ChatElsewhere, source_id: int) -> None:
    """Give a chat to the source that goes on from it, so that what hangs on its exchanges stays, and with it what a
    person said it may be used for; where that source has the chat already, the other goes."""
    known = db.value(
        "SELECT 1 FROM conversation WHERE source_id = ? AND uid = (SELECT uid FROM conversation WHERE id = ?)",
        (source_id, chat.id),
    )
    if known:
        db.execute("DELETE FROM conversation WHERE id = ?", (chat.id,))
    else:
        db.execute("UPDATE conversation SET source_id = ? WHERE id = ?", (source_id, chat.id))
    inherit_use(db, source_id, chat.source_id)
    db.execute("UPDATE source SET content_hash = ? WHERE id = ?", (content_of(db, chat.source_id), chat.source_id))


def count_sources_of(db: Database, uid: str) -> int:
    """How many sources hold a conversation of this uid."""
    return int(db.value("SELECT count(*) FROM conversation WHERE uid = ?", (uid,)))


def conversation_id(db: Database, source_id: int, uid: str) -> int:
    return int(db.value("SELECT id FROM conversation WHERE source_id = ? AND uid = ?", (source_id, uid)))


def source_uid(db: Database, source_id: int) -> str:
    return str(db.value("SELECT uid FROM source WHERE id = ?", (source_id,)))


def list_conversations(db: Database) -> list[ConversationRow]:
    """Every conversation, oldest first, undated ones at the end."""
    rows = db.rows(f"SELECT {_CONVERSATION} FROM conversation ORDER BY first_day < 0, first_day, title, uid")
    return [ConversationRow(*row) for row in rows]


def conversations_of_source(db: Database, source_id: int) -> list[ConversationRow]:
    """One source's conversations, in its order."""
    rows = db.rows(f"SELECT {_CONVERSATION} FROM conversation WHERE source_id = ? ORDER BY position, id", (source_id,))
    return [ConversationRow(*row) for row in rows]


def get_conversation(db: Database, conversation_id: int) -> ConversationRow | None:
    row = db.one(f"SELECT {_CONVERSATION} FROM conversation WHERE id = ?", (conversation_id,))
    return ConversationRow(*row) if row else None


def remove_conversations_but(db: Database, source_id: int, uids: Collection[str]) -> int:
    """Remove what a source no longer holds. Returns how many."""
    gone = [
        row[0]
        for row in db.rows("SELECT id, uid FROM conversation WHERE source_id = ?", (source_id,))
        if row[1] not in uids
    ]
    db.execute_many("DELETE FROM conversation WHERE id = ?", ((conversation_id,) for conversation_id in gone))
    return len(gone)


def turns_of(db: Database, conversation_id: int) -> list[TurnRow]:
    rows = db.rows(
        "SELECT position, speaker, text, time, reply_to, kind FROM turn WHERE conversation_id = ? ORDER BY position",
        (conversation_id,),
    )
    return [TurnRow(*row) for row in rows]


def speaker_counts(db: Database) -> list[tuple[str, int]]:
    """Who speaks, and how many turns; the most talkative first."""
    return [
        (str(row[0]), int(row[1]))
        for row in db.rows("SELECT speaker, count(*) FROM turn WHERE kind = 'said' GROUP BY speaker ORDER BY 2 DESC, 1")
    ]


def sync_exchanges(db: Database, conversation_id: int, exchanges: Sequence[ExchangeRow]) -> bool:
    """Make the stored exchanges of a conversation these; rows that say the same keep their ids and uids, whichever
    source had the conversation when they came. Returns whether any changed.

    What was recalled for a question that is still asked, though its answer, its asker or the date changed, stays.
    """
    stored = exchanges_of(db, conversation_id)
    known = {said: exchange.id for said, exchange in zip(_told(stored), stored, strict=True)}
    wanted = dict(zip(_told(exchanges), exchanges, strict=True))
    gone = {row.uid: row for said, row in zip(_told(stored), stored, strict=True) if said not in wanted}
    fresh = [exchange for said, exchange in wanted.items() if said not in known]
    changed = [(exchange, gone.pop(exchange.uid).id) for exchange in fresh if exchange.uid in gone]
    added = {exchange.uid for exchange in fresh} - {exchange.uid for exchange, _ in changed}
    db.execute_many(
        "UPDATE exchange SET position = ?, segment = ?, asker = ?, question = ?, answer = ?, first_day = ?,"
        " last_day = ?, initiates = ? WHERE id = ?",
        (
            (e.position, e.segment, e.asker, e.question, e.answer, e.first_day, e.last_day, e.initiates, id_)
            for e, id_ in changed
        ),
    )
    db.execute_many(
        "INSERT INTO exchange (uid, conversation_id, position, segment, asker, question, answer, first_day, last_day,"
        " initiates) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (e.uid, conversation_id, e.position, e.segment, e.asker, e.question, e.answer, e.first_day, e.last_day,
             e.initiates)
            for e in fresh
            if e.uid in added
        ),
    )  # fmt: skip
    db.execute_many(
        "UPDATE exchange SET position = ?, segment = ?, initiates = ? WHERE id = ?",
        ((e.position, e.segment, e.initiates, known[said]) for said, e in wanted.items() if said in known),
    )
    if gone and added:
        now = exchanges_of(db, conversation_id)
        hand_on_memories(db, list(gone.values()), [row for row in now if row.uid in added])
    db.execute_many("DELETE FROM exchange WHERE id = ?", ((row.id,) for row in gone.values()))
    return bool(gone or fresh)


def _told(exchanges: Iterable[ExchangeRow]) -> Iterator[tuple[object, ...]]:
    """What tells each exchange from the others of its conversation: what is said, when, and for which time."""
    seen: Counter[tuple[object, ...]] = Counter()
    for e in exchanges:
        said = (e.asker, e.question, e.answer, e.first_day, e.last_day)
        seen[said] += 1
        yield (*said, seen[said])


def hand_on_memories(db: Database, gone: Sequence[ExchangeRow], fresh: Sequence[ExchangeRow]) -> None:
    """Move what was recalled for exchanges that are about to go, and what was recalled from their answers, to those
    that ask the same; with their uids, and so with what was decided on them. The caller holds the transaction.

    The same answer to the same question comes first; else the question must be the only one of its words.
    """
    for exchange, heir in _heirs(_with(db, gone, "SELECT 1 FROM memory WHERE exchange_id = ? LIMIT 1"), fresh):
        db.execute("UPDATE memory SET exchange_id = ? WHERE exchange_id = ?", (heir.id, exchange.id))
    for exchange, heir in _heirs(_with(db, gone, "SELECT 1 FROM chunk WHERE exchange_id = ? LIMIT 1"), fresh):
        db.execute("UPDATE chunk SET exchange_id = ? WHERE exchange_id = ?", (heir.id, exchange.id))
        carry(db, "exchange_id", heir.id, heir.question[:200], heir.answer, heir.last_day)


def _with(db: Database, exchanges: Sequence[ExchangeRow], question: str) -> list[ExchangeRow]:
    """Those that something was asked in, and for which a query by their id finds a row."""
    return [each for each in exchanges if each.question and db.value(question, (each.id,))]


def _heirs(gone: Sequence[ExchangeRow], fresh: Sequence[ExchangeRow]) -> Iterator[tuple[ExchangeRow, ExchangeRow]]:
    answered: dict[tuple[str, str], list[ExchangeRow]] = {}
    asked: dict[str, list[ExchangeRow]] = {}
    for exchange in fresh:
        answered.setdefault((exchange.question, exchange.answer), []).append(exchange)
        asked.setdefault(exchange.question, []).append(exchange)
    asking = Counter(exchange.question for exchange in gone)
    for exchange in gone:
        same = answered.get((exchange.question, exchange.answer), [])
        alike = asked.get(exchange.question, [])
        alone = len(alike) == 1 and asking[exchange.question] == 1
        heir = same.pop(0) if same else alike[0] if alone else None
        if heir is not None:
            yield exchange, heir


def exchanges_of(db: Database, conversation_id: int) -> list[ExchangeRow]:
    rows = db.rows(f"SELECT {_EXCHANGE} FROM exchange WHERE conversation_id = ? ORDER BY position", (conversation_id,))
    return [ExchangeRow(*row) for row in rows]


def get_exchange(db: Database, exchange_id: int) -> ExchangeRow | None:
    row = db.one(f"SELECT {_EXCHANGE} FROM exchange WHERE id = ?", (exchange_id,))
    return ExchangeRow(*row) if row else None


def exchanges_named(db: Database, uids: Collection[str]) -> dict[str, ExchangeRow]:
    """The exchanges with these uids, by uid; one that is gone is left out."""
    found: dict[str, ExchangeRow] = {}
    for uid in uids:
        row = db.one(f"SELECT {_EXCHANGE} FROM exchange WHERE uid = ?", (uid,))
        if row is not None:
            found[uid] = ExchangeRow(*row)
    return found


def trainable_conversations(db: Database) -> list[ConversationRow]:
    """Conversations with exchanges whose source may be trained on, oldest first, undated ones at the end."""
    columns = ", ".join(f"conversation.{name}" for name in _CONVERSATION.split(", "))
    rows = db.rows(
        f"SELECT {columns} FROM conversation JOIN source ON source.id = source_id"
        " WHERE use = 'train' AND EXISTS"
        " (SELECT 1 FROM exchange WHERE conversation_id = conversation.id AND question <> '')"
        " ORDER BY conversation.first_day < 0, conversation.first_day, conversation.title, conversation.uid"
    )
    return [ConversationRow(*row) for row in rows]


def splits(db: Database) -> dict[str, tuple[str, str]]:
    """Conversation uid → (split, chosen_by), for those that were assigned."""
    return {
        row[0]: (row[1], row[2]) for row in db.rows("SELECT conversation_uid, split, chosen_by FROM conversation_split")
    }


def split_of(db: Database, conversation_uid: str) -> tuple[str, str] | None:
    """(split, chosen_by) of one conversation; None where it was not assigned."""
    row = db.one("SELECT split, chosen_by FROM conversation_split WHERE conversation_uid = ?", (conversation_uid,))
    return (row[0], row[1]) if row else None


def weight_of_split(split: tuple[str, str]) -> tuple[bool, int]:
    """Of (split, chosen_by): a person's word outweighs a rule's, then what is further set aside does."""
    return split[1] == "person", _ASIDE[split[0]]


def forget_split(db: Database, conversation_uid: str) -> None:
    db.execute("DELETE FROM conversation_split WHERE conversation_uid = ?", (conversation_uid,))


def assign_split(db: Database, conversation_uid: str, split: str, chosen_by: str) -> None:
    db.execute(
        "INSERT INTO conversation_split (conversation_uid, split, chosen_by) VALUES (?, ?, ?)"
        " ON CONFLICT (conversation_uid) DO UPDATE SET split = excluded.split, chosen_by = excluded.chosen_by",
        (conversation_uid, split, chosen_by),
    )
