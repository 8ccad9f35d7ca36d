"""What was recalled from a text, and decided on, stays with its words when the text is corrected or cut anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.models.embedder import Embedder
from core.retrieval.embedding import cut_corpus
from core.review.decisions import Actor, Decision, decide
from core.runs.job import Job
from core.store.conversations import exchanges_of, list_conversations
from core.store.memories import MemoryRow, put_memories, review_rows
from core.workspace import SETTINGS_FILE, Workspace

Cut = Callable[..., Workspace]
Importing = Callable[..., dict[str, Any]]

THINGS = (
    *("roof", "boat", "ferry", "kettle", "ledger", "fence", "bell", "lamp", "stove", "clock", "door", "pump"),
    *("sail", "net", "oar", "gate", "wheel", "chair", "bucket", "rope", "ladder", "saddle", "plough", "barn"),
)
SENTENCES = [
    f"In {1970 + place} I mended the {thing} and lost count of what it cost me." for place, thing in enumerate(THINGS)
]
KEPT = "In 1984 I mended the oar and lost count of what it cost me."
"""Far from both ends."""
INTERVIEW = """Title: The harbor
Date: 2015-05-01
Interviewer: Ines Calder
Interviewee: Ada Marlow

Q: {question}
A: I kept ledgers for the ferry. {answer}

Q: Who taught you to count?
A: My aunt did, with buttons.
"""
QUESTION = "What did you keep all those years?"
ANSWER = "The third ledger was lost in the flood, and I never wrote another."


@pytest.fixture
def cut(workspace: Workspace, tmp_path: Path, import_paths: Importing, embedder: Embedder) -> Cut:
    """Write notes ``{file name: text}``, import them and other files, and cut them as an ``embed`` run does."""

    def do(notes: Mapping[str, str], *files: Path) -> Workspace:
        folder = tmp_path / "notes"
        folder.mkdir(exist_ok=True)
        for name, text in notes.items():
            (folder / name).write_text(text, "utf-8")
        import_paths(workspace, [folder, *files] if notes else list(files))
        _cut(workspace, embedder)
        return workspace

    return do


def _cut(workspace: Workspace, embedder: Embedder) -> None:
    job = SimpleNamespace(workspace=workspace, progress=lambda *_: None, stop_point=lambda: None)
    cut_corpus(cast(Job, job), embedder)


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., Path]:
    def do(question: str = QUESTION, answer: str = ANSWER) -> Path:
        path = tmp_path / "talk.txt"
        path.write_text(INTERVIEW.format(question=question, answer=answer), "utf-8")
        return path

    return do


def _accept(workspace: Workspace, quote: str, asked: str) -> str:
    """Recall a quote from the first passage that holds it, for the exchange that asks, and accept it. Its uid."""
    database = workspace.database
    chunk_id, text = database.rows("SELECT id, text FROM chunk WHERE instr(text, ?) ORDER BY id", (quote,))[0]
    (exchange,) = (
        each
        for row in list_conversations(database)
        for each in exchanges_of(database, row.id)
        if each.question == asked
    )
    start = text.index(quote)
    memory = MemoryRow(0, f"memory of {quote}", exchange.id, chunk_id, 1, 0.5, "extractive", quote, quote, start,
                       start + len(quote))  # fmt: skip
    with database.write():
        put_memories(database, exchange.id, [(memory, {})])
    decide(database, Actor("person", "ada"), [Decision(memory.uid, "accept")])
    return memory.uid


def _standing(workspace: Workspace) -> dict[str, str]:
    """Uid → state, of memories whose quote stands where they say."""
    for row in review_rows(workspace.database):
        words = workspace.database.value("SELECT text FROM chunk WHERE id = ?", (row.memory.chunk_id,))
        assert words[row.memory.quote_start : row.memory.quote_stop] == row.memory.quote
    return {row.memory.uid: row.state for row in review_rows(workspace.database)}


@pytest.mark.parametrize(
    "corrected",
    [
        ["Well, then. ", *SENTENCES],
        ["Back " + SENTENCES[0], *SENTENCES[1:]],
        [*SENTENCES[3:]],
        [SENTENCES[-1], *SENTENCES],
        [*SENTENCES[:13], "That was a bad year. ", *SENTENCES[13:15], *SENTENCES[16:]],
        [KEPT],
    ],
    ids=["a line before it", "a word before it", "lines taken out", "a line moved", "around it", "all else"],
)
def test_a_decision_stays_with_its_words_in_a_corrected_document(
    cut: Cut, talk: Callable[..., Path], corrected: list[str]
) -> None:
    workspace = cut({"essay.md": " ".join(SENTENCES)}, talk())
    uid = _accept(workspace, KEPT, QUESTION)
    cut({"essay.md": " ".join(corrected)})
    assert _standing(workspace) == {uid: "accepted"}
    assert workspace.database.value("SELECT count(*) FROM chunk WHERE text <> ''") > 0


def test_words_that_are_gone_take_what_was_recalled_from_them(cut: Cut, talk: Callable[..., Path]) -> None:
    workspace = cut({"essay.md": " ".join(SENTENCES)}, talk())
    _accept(workspace, KEPT, QUESTION)
    cut({"essay.md": " ".join(each for each in SENTENCES if each != KEPT)})
    assert _standing(workspace) == {}


def test_between_a_correction_and_the_next_cut_only_words_that_are_there_can_be_found(
    cut: Cut, talk: Callable[..., Path], import_paths: Importing, tmp_path: Path
) -> None:
    workspace = cut({"essay.md": " ".join(SENTENCES)}, talk())
    uid = _accept(workspace, KEPT, QUESTION)
    corrected = " ".join(each.replace("1983 I mended", "1983 Hob mended") for each in SENTENCES)
    (tmp_path / "notes" / "essay.md").write_text(corrected, "utf-8")
    import_paths(workspace, [tmp_path / "notes"])
    database = workspace.database
    owned = database.rows("SELECT start, stop, text FROM chunk WHERE document_id IS NOT NULL")
    assert owned
    assert all(corrected[start:stop] == text for start, stop, text in owned)
    assert not database.value("SELECT count(*) FROM chunk WHERE instr(text, '1983 I mended')")
    assert database.value("SELECT count(*) FROM chunk_text WHERE chunk_text MATCH 'oar'")
    assert _standing(workspace) == {uid: "accepted"}


def test_a_decision_stays_when_passages_are_cut_to_another_length(
    cut: Cut, embedder: Embedder, talk: Callable[..., Path]
) -> None:
    workspace = cut({"essay.md": " ".join(SENTENCES)}, talk())
    uid = _accept(workspace, KEPT, QUESTION)
    before = workspace.database.value("SELECT count(*) FROM chunk")
    settings = workspace.root / SETTINGS_FILE
    settings.write_text(settings.read_text("utf-8") + "\n[retrieval]\nchunk_tokens = 48\noverlap = 8\n", "utf-8")
    again = Workspace.open(workspace.root)
    _cut(again, embedder)
    assert again.database.value("SELECT count(*) FROM chunk") > before
    assert _standing(again) == {uid: "accepted"}


def test_a_decision_stays_with_its_words_in_a_corrected_answer(cut: Cut, talk: Callable[..., Path]) -> None:
    workspace = cut({}, talk())
    uid = _accept(workspace, ANSWER, "Who taught you to count?")
    cut({}, talk(answer=f"Twice over. {ANSWER}"))
    assert _standing(workspace) == {uid: "accepted"}
    cut({}, talk(answer="The third ledger is on the shelf."))
    assert _standing(workspace) == {}


def test_a_memory_that_comes_again_after_a_correction_is_the_same_one(cut: Cut, talk: Callable[..., Path]) -> None:
    workspace = cut({"essay.md": " ".join(SENTENCES)}, talk())
    uid = _accept(workspace, KEPT, QUESTION)
    cut({"essay.md": "Well. " + " ".join(SENTENCES)})
    (row,) = review_rows(workspace.database)
    with workspace.database.write():
        put_memories(workspace.database, row.memory.exchange_id, [(replace(row.memory, uid="recalled again"), {})])
    assert _standing(workspace) == {uid: "accepted"}
