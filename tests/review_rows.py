"""Memories to review, as many as asked for, without a model: for tests and benches of the workbench."""

from __future__ import annotations

import random

from core.store.database import Database

PER_EXCHANGE = 5


def fill(database: Database, memories: int) -> None:
    """Rows as an import and a recall leave them, of made-up words: ``PER_EXCHANGE`` memories for each question."""
    chance = random.Random(7)
    stems = ("tide", "chart", "lamp", "stair", "salt", "rope", "key")
    vocabulary = [f"{stem}{ending}" for stem in stems for ending in ("", "s", "less")]

    def words(count: int) -> str:
        return " ".join(chance.choice(vocabulary) for _ in range(count)).capitalize() + "."

    exchanges = memories // PER_EXCHANGE
    with database.write():
        source = database.insert(
            "INSERT INTO source (uid, location, format, content_hash, use, use_chosen, imported_at)"
            " VALUES ('s', 'bench', 'raft', 'x', 'train', 0, '2024-01-01')"
        )
        database.execute_many(
            "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision, first_day,"
            " last_day, text, language, visibility, reply_to, tags, content_hash)"
            " VALUES (?, ?, ?, ?, 'writing', ?, '', '2014-05-02', 'day', 735355, 735355, '', 'en', 'public', '', '[]',"
            " ?)",
            ((n, f"d{n}", source, n, words(4), f"h{n}") for n in range(1, 501)),
        )
        database.execute_many(
            "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
            " VALUES (?, ?, ?, 0, 0, 900, ?, 200, ?)",
            ((n, f"c{n}", n % 500 + 1, words(120), 735355 + n % 999) for n in range(1, 5001)),
        )
        database.execute_many(
            "INSERT INTO conversation (id, uid, source_id, position, title, link, date, date_precision, first_day,"
            " last_day, visibility, chat, content_hash)"
            " VALUES (?, ?, ?, ?, ?, '', '2019-05-02', 'day', ?, 737000, 'public', 0, ?)",
            ((n, f"k{n}", source, n, words(4), 737000 + n, f"kh{n}") for n in range(1, exchanges // 20 + 2)),
        )
        database.execute_many(
            "INSERT INTO exchange (id, uid, conversation_id, position, segment, asker, question, answer, first_day,"
            " last_day, initiates) VALUES (?, ?, ?, ?, 0, 'Ines Calder', ?, ?, 737000, 737000, 0)",
            ((n, f"e{n}", n // 20 + 1, n, words(14), words(60)) for n in range(1, exchanges + 1)),
        )
        database.execute_many(
            "INSERT INTO memory (id, uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start,"
            " quote_stop) VALUES (?, ?, ?, ?, ?, ?, 'extractive', ?, 'q', 200, 260)",
            (
                (
                    n, f"m{n:06}", (n - 1) // PER_EXCHANGE + 1, n % 5000 + 1, (n - 1) % PER_EXCHANGE, chance.random(),
                    words(24),
                )
                for n in range(1, memories + 1)
            ),
        )  # fmt: skip
        database.execute_many(
            "INSERT INTO judgement (memory_id, kind, judge, value) VALUES (?, 'question', 'bench', ?)",
            ((n, chance.gauss(0.2, 0.5)) for n in range(1, memories + 1)),
        )
