"""A workspace in which every field that outside text reaches holds hostile text, each row another one."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

from core.corpus.journal import DRAFT_FILE
from core.review.decisions import Actor, Decision, decide
from core.runs.journal import EventLog
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.database import Database
from core.store.datasets import ExampleRow, PartRow, put_dataset
from core.store.pairs import put_pair
from core.store.proposals import put_proposal
from core.store.scorecards import put_scorecard
from core.store.sessions import add_memories, add_message, add_receipts, begin_session
from core.workspace import Workspace
from tests.hostile_strings import HEBREW, INTACT, STORED, SURROGATES, at

BASE = "SmolLM2-135M-Instruct"
HALVES = " ".join(each.field for each in SURROGATES)
"""JSON carries them past every encoder, as ``\\ud800``."""
SHORT = [each.field for each in STORED if len(each.text) <= 200]
"""Where a field holds many of them at once."""
ROWS = range(1, len(STORED) + 1)
DAY = "2019-05-02"


def fields(number: int, how_many: int) -> list[str]:
    """What the fields of one row hold, each another text; every tenth row is to be read intact."""
    if number % 10 == 0:
        return [INTACT] * how_many
    return [at(number + 7 * place) for place in range(how_many)]


def fill(root: Path) -> Workspace:
    """Make the workspace."""
    words = " ".join([INTACT, *SHORT])
    workspace = Workspace.create(
        root, words, tuple(SHORT),
        {
            "models": {"writer": {"engine": "extractive", "model": words}},
            "speakers": {field: {"relation": other} for field, other in zip(SHORT, SHORT[5:], strict=False)},
        },
    )  # fmt: skip
    database = workspace.database
    with database.write():
        _corpus(database)
        _memories(database)
        _cards(database)
        _datasets(database)
        _sessions(database)
    _decisions(database)
    _runs(workspace)
    (root / DRAFT_FILE).write_text("\n".join([INTACT, *SHORT]), "utf-8")
    return workspace


def _corpus(database: Database) -> None:
    rows = [(number, *fields(number, 9)) for number in ROWS]
    database.execute_many(
        "INSERT INTO source (id, uid, location, format, content_hash, use, use_chosen, imported_at)"
        " VALUES (?, 's' || ?1, ?, ?, 'x', 'train', 0, ?)",
        ((number, each[0], each[1], each[2] if number % 2 else DAY) for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision, first_day,"
        " last_day, text, language, visibility, reply_to, tags, content_hash)"
        " VALUES (?, 'd' || ?1, ?1, 0, 'writing', ?, ?, ?, 'unknown', -1, -1, ?, ?, 'public', ?, ?, 'd' || ?1)",
        (
            (number, each[0], each[1], each[2] if number % 2 else DAY, each[3], each[4], each[5], json.dumps(each[6:8]))
            for number, *each in rows
        ),
    )
    database.execute_many(
        "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
        " VALUES (?, 'c' || ?1, ?1, 0, 0, 900, ?, 20, -1)",
        ((number, f"harbor {each[3]}") for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO chunk_text (rowid, title, text) VALUES (?, ?, ?)",
        ((number, each[0], f"harbor {each[3]}") for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO conversation (id, uid, source_id, position, title, link, date, date_precision, first_day,"
        " last_day, visibility, chat, content_hash)"
        " VALUES (?, 'k' || ?1, ?1, 0, ?, ?, ?, 'unknown', ?, -1, 'public', 0, 'k' || ?1)",
        ((number, each[4], each[5], each[6] if number % 2 else DAY, number) for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO turn (conversation_id, position, speaker, text, time, reply_to, kind)"
        " VALUES (?, ?, ?, ?, ?, NULL, 'said')",
        ((number, place, *fields(number + place, 3)) for number in ROWS for place in range(2)),
    )
    database.execute_many(
        "INSERT INTO exchange (id, uid, conversation_id, position, segment, asker, question, answer, first_day,"
        " last_day, initiates) VALUES (?, 'e' || ?1, ?1, 0, 0, ?, ?, ?, -1, -1, 0)",
        ((number, *each[:3]) for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO conversation_split (conversation_uid, split, chosen_by) VALUES (?, ?, 'person')",
        ((f"k{number}", "heldout" if number % 4 == 0 else "train") for number in ROWS),
    )


def _memories(database: Database) -> None:
    rows = [(number, *fields(number + 1 if number % 10 else number, 4)) for number in ROWS]
    database.execute_many(
        "INSERT INTO memory (id, uid, exchange_id, chunk_id, rank, score, writer, text, quote, quote_start,"
        " quote_stop) VALUES (?, 'm' || ?1, ?1, ?1, 1, 0.5, ?, ?, ?, 0, 12)",
        ((number, *each[:3]) for number, *each in rows),
    )
    database.execute_many(
        "INSERT INTO judgement (memory_id, kind, judge, value) VALUES (?, 'question', ?, ?)",
        ((number, each[3], number / 50 - 1) for number, *each in rows),
    )


def _cards(database: Database) -> None:
    kinds = ("cleaning", "scene", "prompt", "statement")
    for number in ROWS:
        question, prompt, left, right, *rest = fields(number, 9)
        put_pair(database, question, prompt, left, right, "import", None, rest[0] if number % 2 else DAY)
        put_proposal(database, kinds[number % 4], f"d{number}", *rest[1:5], 0.5, DAY)  # type: ignore[arg-type]


def _decisions(database: Database) -> None:
    """A tenth of the memories is decided, by hostile people for hostile reasons."""
    verbs = ("accept", "reject", "edit", "defer", "flag")
    for number in ROWS[::10]:
        reason, text, actor = fields(number, 3)
        decide(database, Actor("person", actor), [Decision(f"m{number}", verbs[number % 5], reason, text)])  # type: ignore[arg-type]


def _datasets(database: Database) -> None:
    examples = []
    for number in ROWS:
        system, question, answer = fields(number, 3)
        messages = [
            {"role": "system", "content": system, "trained": False},
            {"role": "user", "content": question, "trained": False},
            {"role": "assistant", "content": answer, "trained": True},
        ]
        part = PartRow(f"e{number}", (f"m{number}",), "kept")
        split = "validation" if number % 5 == 0 else "train"
        examples.append(ExampleRow(0, number - 1, split, f"k{number}", messages, 100 + number, 40, (part,)))
    settings = {"failed_recall": 0.0, "heldout": {at(2): [at(3)]}, "max_tokens": 640, "memories": True,
                "prompts": at(4), "tokenizer": at(5)}  # fmt: skip
    put_dataset(database, at(0), settings | {"base": at(1)}, 0, f"1999 {at(6)}", examples[:3])
    dataset = put_dataset(database, at(22), settings | {"base": BASE}, 0, DAY, examples)
    for number in ROWS:
        name, base, revision, path, digest, setting = (each.replace("\x00", "") for each in fields(number, 6))
        put_adapter(database, AdapterRow(
            0, f"{name} {number}" if number % 10 == 0 else name, dataset, f"sft-{number}", base, revision, number % 2,
            f"adapters/{path[:60]}", digest, {"steps": f"{setting} {HALVES}", setting: 1},
            at(number) if number % 2 else DAY,
        ))  # fmt: skip
    use_adapter(database, 24)
    for number in range(2):
        put_scorecard(database, 24, dataset, _scorecard(number), at(24) if number else DAY)
    database.execute("UPDATE scorecard SET result = replace(result, 's-half', ?)", (json.dumps(HALVES)[1:-1],))


def _scorecard(shift: int) -> dict[str, Any]:
    """In the shape that an evaluation gives it."""
    figure = {"value": 3.0, "low": 2.0, "high": 4.0}
    names = [*SHORT[shift:40:2], "b0", "b4"]
    asked = [number for number in ROWS if number % 4 == 0]
    metrics = {"bits_per_token": figure, "mrr": figure, "verbatim_overlap": figure, "words": figure}
    systems = {
        name: {
            "title": at(place), "metrics": metrics,
            "per_interview": {"bits_per_token": [3.0 for _ in asked]},
            "per_question": {"rank": [4 for _ in asked], "likeness": [0.5 for _ in asked]},
            "answers": [at(place + number) for number in asked],
        }
        for place, name in enumerate(names)
    }  # fmt: skip
    return {
        "base": at(8), "adapter": f"{INTACT} {at(9)}", "not_run": SHORT[:20],
        "interviews": [dict(zip(("title", "date"), fields(number, 2), strict=True), exchanges=1) for number in asked],
        "questions": [{"exchange": f"e{number}", "interview": place} for place, number in enumerate(asked)],
        "systems": systems,
        "controls": {at(30): {"title": at(31), "metrics": metrics, "per_interview": {}}},
        "differences": {name: figure | {"per_interview": [0.0 for _ in asked]} for name in names},
        "notes": [INTACT, "s-half", *SHORT], "seconds": 1.0,
    }  # fmt: skip


def _sessions(database: Database) -> None:
    for number in ROWS:
        speaker, question, answer, prompt, sentence, memory, as_of, made, extra = fields(number, 9)
        session = begin_session(database, 24, as_of if number % 2 else "", DAY)
        add_message(database, session, "user", speaker, question, "", {}, DAY)
        settings = {"finish": made, "engine": extra}
        said = f"{sentence} {answer}"
        message = add_message(database, session, "assistant", "twin", said, prompt, settings, made)
        add_receipts(database, message, [(sentence, number, 0.5, "supported"), (answer, None, 0.1, "unsupported")])
        add_memories(database, message, [(number, memory)])
    session = begin_session(database, 24, INTACT, DAY)
    for number in ROWS:
        speaker, question, answer = fields(number, 3)
        if len(question) + len(answer) < 1000:
            add_message(database, session, "user", speaker, question, "", {}, DAY)
            message = add_message(database, session, "assistant", "twin", answer, "", {}, DAY)
            add_receipts(database, message, [(answer, number, 0.5, "supported")])


def _runs(workspace: Workspace) -> None:
    numbers = count(1)

    def write(kind: str, state: str, result: dict[str, Any], told: Iterable[tuple[str, dict[str, Any]]], minute: int,
              params: dict[str, Any]) -> None:  # fmt: skip
        folder = workspace.runs / f"{kind}-{next(numbers)}"
        folder.mkdir()
        request = {"kind": kind, "entry": "core.nowhere:run", "params": params,
                   "created": f"2024-01-01T00:{minute:02}:00+00:00"}  # fmt: skip
        (folder / "run.json").write_text(json.dumps(request), "utf-8")
        log = EventLog(folder)
        log.append("started", {"kind": kind, "pid": 1})
        for event, payload in told:
            log.append(event, payload)
        if state:
            (folder / "state.json").write_text(json.dumps({"state": state, "result": result}), "utf-8")
            log.append("ended", {"state": state, "result": result})
        log.close()
        (folder / "output.log").write_bytes("\n".join(SHORT).encode() + b"\n\xff\xfe\x9b5;31m\xed\xa0\x80\n")

    def progress(what: str) -> tuple[str, dict[str, Any]]:
        return "progress", {"done": 1, "total": 2, "rate": 0.5, "what": f"{what} {HALVES}"}

    states = ("done", "failed", "cancelled", "")
    for number in ROWS:
        error, hint, value, what, name, detail, key = fields(number, 7)
        result = {key: value} if number % 4 == 0 else {"error": f"{error} {HALVES}", "hint": hint, "exit_code": 1}
        stage = {"name": name, "seconds": 1.0, "detail": detail, "issues": [{"locator": value, "reason": error}]}
        odd = {"step": 1, "loss": 2.0, key: 1.0}
        write(f"recall{file_name(key)}", states[number % 4], result,
              [progress(what), ("stage_done", stage), ("metrics", odd), (name, {key: value})], number % 60,
              {key: value, "inner": {name: [what]}})  # fmt: skip
    issues = [{"locator": each.field, "reason": at(place + 3), "hint": at(place + 5)}
              for place, each in enumerate(STORED)]  # fmt: skip
    report = {"location": f"/{INTACT} {at(8)}", "format": at(9), "confidence": 1.0, "documents": 1, "conversations": 0,
              "turns": 0, "exchanges": 0, "profiles": 0, "added": 1, "changed": 0, "removed": 0, "skipped": len(issues),
              "use": at(10), "issues": issues, "speakers": SHORT}  # fmt: skip
    write("import", "done", {"sources": [report]}, [progress(" ".join(SHORT))], 58, {"sources": [{"path": at(1)}]})
    samples = [{"question": question, "twin": twin, "real": real} for question, twin, real in
               (fields(number, 3) for number in ROWS)]  # fmt: skip
    plan = {"base": at(12), "dataset": at(13), "steps": 10, "damaged": SHORT}
    metrics = [("metrics", {"step": step, "loss": 3.0 / step, "eval_loss": 3.0}) for step in range(1, 10)]
    settings = {"rank": at(16), "preset": at(17)}
    for minute, state in ((57, "done"), (58, "failed"), (59, "cancelled")):
        write("sft", state, {"adapter": at(24), "error": " ".join([HALVES, *SHORT]), "hint": " ".join(SHORT[9:])},
              [("plan", plan), progress(at(14)), *metrics, ("samples", {"step": 5, "samples": samples})], minute,
              {"base": at(15), "settings": settings, "dataset": at(22)})  # fmt: skip
    write("evaluate", "failed", {"error": " ".join(SHORT), "hint": INTACT}, [progress(at(18))], 59, {"systems": SHORT})


def file_name(text: str) -> str:
    """As much of a text as a file can be called."""
    return text.replace("/", "").replace("\x00", "").encode()[:100].decode("utf-8", "ignore")


def hostile_files(folder: Path) -> Path:
    """A folder to import: hostile names, front matter, speakers, words, bytes that are no text, an archive."""
    folder.mkdir()
    quoted = {each.tag: json.dumps(each.field) for each in STORED}
    for each in STORED:
        name = file_name(each.field)
        if each.text.strip():
            front = f"---\ntitle: {quoted[each.tag]}\ndate: {quoted[each.tag]}\ntags: [{quoted[each.tag]}]\n---\n"
            (folder / f"{name}.md").write_text(front + each.field, "utf-8")
    (folder / f"{INTACT}.md").write_text(f"---\ntitle: {INTACT}\ndate: {HEBREW}\n---\n{INTACT}", "utf-8")
    exchanges = [*(fields(number, 2) for number in ROWS), [HALVES, HALVES]]
    for number in (1, 2):
        words = {"participants": {"q": at(number + 10), "a": at(number + 20)}, "date": at(number), "title": at(number),
                 "url": at(number + 1), "exchanges": exchanges}  # fmt: skip
        (folder / f"{file_name(at(number))}.json").write_text(json.dumps(words), "utf-8")
    chat = "".join(f"0{1 + n % 9}/02/2019, 18:1{n % 10} - {' '.join(each.split())}: {' '.join(each.split())}\n"
                   for n, each in enumerate(SHORT))  # fmt: skip
    (folder / f"{file_name(at(0))} chat.txt").write_text(chat, "utf-8")
    told = "".join(f"{' '.join(each.split()[:4])}: {' '.join(each.split())}\n\n" for each in SHORT)
    (folder / f"{file_name(at(24))} talk.txt").write_text(told, "utf-8")
    (folder / f"{file_name(at(2))}.bin").write_bytes(b"\x89PNG\x1b[5;31m" + bytes(50))
    (folder / f"{file_name(at(3))}.xml").write_text(
        "<rss version='2.0'><channel><title>x</title>" + "".join(
            f"<item><title><![CDATA[{_xml(each)}]]></title><link>{_xml(each).replace('&', '').replace('<', '')}</link>"
            f"<description><![CDATA[{_xml(each)}]]></description></item>" for each in SHORT
        ) + "</channel></rss>", "utf-8",
    )  # fmt: skip
    (folder / os.fsdecode(b"h03 \xff\x9b5;31m.md")).write_text("a name that is no text", "utf-8")
    with zipfile.ZipFile(folder / f"{file_name(at(4))}.zip", "w") as archive:
        for each in SHORT:
            archive.writestr(f"{file_name(each)}.md", each)
    return folder


def _xml(text: str) -> str:
    """What XML can hold of a text."""
    return "".join(c for c in text if c in "\n\t" or (c >= " " and c not in "\ufffe\uffff")).replace("]]>", "")
