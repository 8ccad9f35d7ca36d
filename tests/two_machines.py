"""A workspace at home and its copy on another machine: what happens on each, and all that a workspace holds by content.

Nothing here trains: an adapter is two small files with their real hash, a run is the files that a run leaves.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.runs.journal import EventLog, create_run
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.database import Database
from core.store.datasets import ExampleRow, PartRow, put_dataset
from core.store.decisions import last_decision_id
from core.store.memories import MemoryRow, put_memories
from core.store.pairs import put_pair
from core.store.proposals import put_proposal
from core.store.scorecards import put_scorecard
from core.store.sessions import add_memories, add_message, add_receipts, begin_session, rate_message, rests_on
from core.transfer.pack import pack
from core.transfer.unpack import unpack
from core.workspace import Workspace

BASE = "SmolLM2-135M-Instruct"

CONTENT = {
    "source": "SELECT uid, location, format, content_hash, use, use_chosen, imported_at FROM source",
    "document": "SELECT source.uid, document.uid, kind, title, date, text, tags, document.content_hash FROM document"
    " JOIN source ON source.id = source_id",
    "tiddler": "SELECT uid, fields FROM tiddler JOIN document ON document.id = document_id",
    "synced_tiddler": "SELECT * FROM synced_tiddler",
    "conversation": "SELECT source.uid, conversation.uid, title, date, conversation.content_hash FROM conversation"
    " JOIN source ON source.id = source_id",
    "conversation_split": "SELECT * FROM conversation_split",
    "turn": "SELECT uid, turn.position, speaker, text, time, kind FROM turn"
    " JOIN conversation ON conversation.id = conversation_id",
    "exchange": "SELECT exchange.uid, conversation.uid, exchange.position, asker, question, answer FROM exchange"
    " JOIN conversation ON conversation.id = conversation_id",
    "chunk": "SELECT chunk.uid, coalesce(document.uid, exchange.uid), chunk.position, start, stop, chunk.text, tokens,"
    " chunk.last_day FROM chunk LEFT JOIN document ON document.id = document_id"
    " LEFT JOIN exchange ON exchange.id = exchange_id",
    "chunked": "SELECT owner, coalesce(document.uid, exchange.uid), key FROM chunked"
    " LEFT JOIN document ON owner = 'document_id' AND document.id = owner_id"
    " LEFT JOIN exchange ON owner = 'exchange_id' AND exchange.id = owner_id",
    "chunk_text": "SELECT chunk.uid FROM chunk_text JOIN chunk ON chunk.id = chunk_text.rowid",
    "vector": "SELECT uid, model, revision, dimension, blob FROM vector JOIN chunk ON chunk.id = chunk_id",
    "mention": "SELECT name, mention.last_day, uid FROM mention JOIN chunk ON chunk.id = chunk_id",
    "question": "SELECT question.uid, chunk.uid, question.position, question.text, writer, judge, value, kept"
    " FROM question JOIN chunk ON chunk.id = chunk_id",
    "questioned": "SELECT uid, key FROM questioned JOIN chunk ON chunk.id = chunk_id",
    "question_vector": "SELECT uid, model, revision, blob FROM question_vector"
    " JOIN question ON question.id = question_id",
    "memory": "SELECT memory.uid, exchange.uid, chunk.uid, rank, score, writer, memory.text, quote, quote_start,"
    " quote_stop FROM memory JOIN exchange ON exchange.id = memory.exchange_id JOIN chunk ON chunk.id = chunk_id",
    "judgement": "SELECT uid, kind, judge, value FROM judgement JOIN memory ON memory.id = memory_id",
    "recalled": "SELECT uid, key FROM recalled JOIN exchange ON exchange.id = exchange_id",
    "decision": "SELECT * FROM decision",
    "second_look": "SELECT * FROM second_look",
    "foretold": "SELECT * FROM foretold",
    "card_state": "SELECT * FROM card_state",
    "blind_draw": "SELECT row_number() OVER (ORDER BY id), actor, memory_uid, drawn_at FROM blind_draw",
    "learned": "SELECT actor, last_decision FROM learned",
    "message_text": "SELECT text FROM message_text",
    "statement": "SELECT uid, kind, text, instead_of, date, last_day, actor, created_at FROM statement",
    "statement_end": "SELECT * FROM statement_end",
    "dataset": "SELECT hash, settings, decision, created_at, built_at FROM dataset",
    "example": "SELECT hash, position, split, messages FROM example JOIN dataset ON dataset.id = dataset_id",
    "example_part": "SELECT hash, example.position, part.position, exchange_uid, memory_uids, recall"
    " FROM example_part AS part JOIN example ON example.id = example_id JOIN dataset ON dataset.id = dataset_id",
    "adapter": "SELECT name, run_id, dataset.hash, base, revision, memories, path, adapter.hash, adapter.settings,"
    " adapter.created_at FROM adapter LEFT JOIN dataset ON dataset.id = dataset_id",
    "scorecard": "SELECT adapter.hash, dataset.hash, result, scorecard.created_at FROM scorecard"
    " LEFT JOIN adapter ON adapter.id = adapter_id LEFT JOIN dataset ON dataset.id = scorecard.dataset_id",
    "session": "SELECT adapter.hash, as_of, session.created_at FROM session"
    " LEFT JOIN adapter ON adapter.id = adapter_id",
    "message": "SELECT session.created_at, role, speaker, text, prompt, settings, message.created_at FROM message"
    " JOIN session ON session.id = session_id",
    "message_memory": "SELECT message.text, shown.position, uid, shown.text FROM message_memory AS shown"
    " JOIN message ON message.id = message_id LEFT JOIN chunk ON chunk.id = chunk_id",
    "receipt": "SELECT message.text, receipt.position, sentence, uid, score FROM receipt"
    " JOIN message ON message.id = message_id LEFT JOIN chunk ON chunk.id = chunk_id",
    "message_rating": "SELECT text, rating, rated_at FROM message_rating JOIN message ON message.id = message_id",
    "pair": "SELECT uid, question, pair.prompt, left_text, right_text, origin, message.text, pair.created_at, owners"
    " FROM pair"
    " LEFT JOIN message ON message.id = message_id",
    "proposal": "SELECT uid, kind, about, title, before, after, reason, score, created_at FROM proposal",
    "model_call": "SELECT started_at, ended_at, role, engine, host, model, purpose, bytes, about, key, outcome,"
    " prompt_tokens, answer_tokens, cost FROM model_call",
    "call_cache": "SELECT * FROM call_cache",
    "call_batch": "SELECT identity, name, remote, asks, created_at FROM call_batch",
    "active_adapter": "SELECT hash FROM active_adapter JOIN adapter ON adapter.id = adapter_id",
    "consent": "SELECT * FROM consent",
    "parked": "SELECT * FROM parked",
}
"""What each table holds, whatever the row ids; the log of review with its ids, which are its order."""
OWN = ("active_adapter", "consent", "parked", "synced_tiddler")
"""What each machine keeps to itself."""


def content(workspace: Workspace, *without: str) -> dict[str, list[Any]]:
    """Everything in the database by table, in an order of its own."""
    return {
        table: sorted(workspace.database.rows(sql), key=repr) for table, sql in CONTENT.items() if table not in without
    }


def packed(workspace: Workspace, path: Path, **options: Any) -> Path:
    """A pack of the workspace as it is now."""
    return pack(workspace, path, **options).path


def copied(workspace: Workspace, folder: Path, **options: Any) -> Workspace:
    """The workspace on another machine."""
    return unpack(packed(workspace, folder.with_suffix(".simulee"), **options), folder).workspace


def train(workspace: Workspace, weights: bytes, at: str = "2026-01-01T00:00:00+00:00", use: bool = False) -> str:
    """What a training run leaves: its folder with a curve, an adapter with its dataset. Returns the adapter's name."""
    database = workspace.database
    run = create_run(workspace.runs, "sft", "core.training.sft:run", {"dataset": "d", "seed": weights.hex()})
    log = EventLog(run.folder)
    log.append("started", {"kind": "sft", "pid": 1})
    for step in (1, 2):
        log.append("metrics", {"step": step, "loss": 3.0 / step})
    result = {"adapter": run.id, "steps": 2}
    (run.folder / "state.json").write_text(json.dumps({"state": "done", "result": result}), "utf-8")
    log.append("ended", {"state": "done", "result": result})
    log.close()
    folder = workspace.adapters / run.id
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"r": 16}', "utf-8")
    (folder / "adapter_model.safetensors").write_bytes(weights)
    with database.write():
        parts = (PartRow("e1", ("m000001",), "kept"),)
        messages = [{"role": "assistant", "content": weights.hex(), "trained": True}]
        dataset = put_dataset(
            database, f"data-{weights.hex()}", {"base": BASE}, last_decision_id(database), at,
            [ExampleRow(0, 0, "train", "k1", messages, 9, 4, parts)],
        )  # fmt: skip
        adapter = put_adapter(
            database,
            AdapterRow(
                0, run.id, dataset, run.id, BASE, "r1", 1, f"adapters/{run.id}", folder_hash(folder, ADAPTER_FILES),
                {"rank": 16}, at,
            ),
        )  # fmt: skip
        put_scorecard(database, adapter, dataset, {"systems": {"b4": weights.hex()}}, at)
        if use:
            use_adapter(database, adapter)
    return run.id


def talk(workspace: Workspace, words: str, at: str) -> None:
    """A chat of one question, its answer rated, corrected and rested on a passage."""
    database = workspace.database
    with database.write():
        adapter = database.value("SELECT max(id) FROM adapter")
        session = begin_session(database, adapter, "2019-05-02", at)
        add_message(database, session, "user", "Nell", f"{words}?", "", {}, at)
        answer = add_message(database, session, "assistant", "Ada", words, f"prompt {words}", {"seed": 1}, at)
        add_receipts(database, answer, [(words, 3, 0.5, "supported"), ("Nobody knows.", None, 0.0, "unsupported")])
        add_memories(database, answer, [(3, f"I recall {words}.")])
        rate_message(database, answer, 1, at)
        row = (f"{words}?", f"prompt {words}", words, f"not {words}")
        put_pair(database, *row, "correction", answer, at, rests_on(database, answer))
        put_proposal(database, "statement", "", words, "", f"Ada says {words}.", "in chat", 0.5, at)


def recall(workspace: Workspace, uid: str, exchange: str = "e2", chunk: str = "c9") -> None:
    """One more memory of an exchange."""
    database = workspace.database
    with database.write():
        places = [database.value(f"SELECT id FROM {noun} WHERE uid = ?", (each,)) for noun, each in
                  (("exchange", exchange), ("chunk", chunk))]  # fmt: skip
        row = MemoryRow(0, uid, *places, 9, 0.25, "a writer", f"I recall {uid}.", "q", 0, 1)
        put_memories(database, places[0], [(row, {("question", "a judge"): 0.5})], remove_others=False)


def call(database: Database, key: str, run: str, outcome: str = "answered") -> None:
    """A call that was paid for, and its answer."""
    with database.write():
        database.execute(
            "INSERT INTO model_call (started_at, ended_at, run, role, engine, host, model, purpose, bytes, about, key,"
            " outcome, prompt_tokens, answer_tokens, cost) VALUES ('2026-01-01T00:00:00.000Z', ?, ?, 'writer',"
            " 'endpoint', 'api.example.org:443', 'm', 'retell', 9, '[]', ?, ?, 5, 6, 0.25)",
            ("2026-01-01T00:00:01.000Z" if outcome else "", run, key, outcome),
        )
        if outcome:
            database.execute("INSERT INTO call_cache (key, value) VALUES (?, ?)", (key, f"answer {key}"))


def rewritten(path: Path, to: Path, changed: Mapping[str, bytes], **manifest: Any) -> Path:
    """A pack with other members, and a manifest that agrees with them: what a stranger could send."""
    with zipfile.ZipFile(path) as source:
        members = {name: source.read(name) for name in source.namelist()} | dict(changed)
    told = json.loads(members.pop("manifest.json"))
    told["members"] = {
        name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()} for name, data in members.items()
    }
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as target:
        for name, data in members.items():
            target.writestr(name, data)
        target.writestr("manifest.json", json.dumps(told | manifest))
    return to
