"""What a retriever learns from: never a held-out question, never a passage of the question's day or later."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.corpus import importing
from core.corpus.holdout import assigned_splits, hold_out
from core.journey import EMBED
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.retrieval.search import Searcher
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.settings import RetrieverSettings
from core.store.chunks import index_metadata, passages
from core.store.conversations import trainable_conversations
from core.store.memories import MemoryRow, put_memories
from core.training.retriever.examples import Gathered, gather, gather_once, sight_of
from core.training.retriever.figures import read_space
from core.training.retriever.lessons import lessons_of
from core.training.retriever.losses import contrasts
from core.workspace import Workspace
from tests.training.retriever.harbor import PERSON, TOPICS, entry, gossip, make_harbor

SETTINGS = RetrieverSettings(candidates=10)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = make_harbor(tmp_path_factory.mktemp("examples"))
    workspace.database.close()
    return workspace.root


@pytest.fixture
def harbor(made: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(made, tmp_path / "ws")
    return Workspace.open(tmp_path / "ws")


def _gathered(workspace: Workspace, embedder: Embedder, kept: Path | None = None) -> Gathered:
    searcher = Searcher(workspace, lambda: embedder)
    return gather_once(workspace, searcher, SETTINGS, kept) if kept else gather(workspace, searcher, SETTINGS)


def test_no_held_out_question_is_learned_from(harbor: Workspace, embedder: Embedder) -> None:
    splits = {row.id: assigned_splits(harbor)[row.uid] for row in trainable_conversations(harbor.database)}
    assert sorted(splits.values()) == ["heldout"] * 2 + ["train"] * 5 + ["validation"]
    examples = _gathered(harbor, embedder).examples
    assert len(examples) == 6 * 4
    assert all(splits[each.exchange.conversation_id] == each.split != "heldout" for each in examples)
    # One that a person holds out later is gone as well, though memories for it were decided on.
    first = trainable_conversations(harbor.database)[0]
    hold_out(harbor, [first.uid])
    assert first.id not in {each.exchange.conversation_id for each in _gathered(harbor, embedder).examples}


def test_no_passage_of_the_day_or_later_or_of_the_same_conversation_is_among_them(
    harbor: Workspace, embedder: Embedder
) -> None:
    database = harbor.database
    # A person accepted what they were shown before the dates were mended: an answer of a later interview.
    last = max(_gathered(harbor, embedder).of("train"), key=lambda each: each.exchange.first_day)
    first = min(_gathered(harbor, embedder).of("train"), key=lambda each: each.exchange.first_day)
    rows = passages(database, [row[0] for row in index_metadata(database)])
    later = next(key for key, each in rows.items() if each.conversation_id == last.exchange.conversation_id)
    with database.write():
        row = MemoryRow(0, "from-later", first.exchange.id, later, 1, 0.5, "extractive", "x", "x", 0, 1)
        put_memories(database, first.exchange.id, [(row, {})], remove_others=False)
    decide(database, PERSON, [Decision("from-later", "accept")])
    gathered = _gathered(harbor, embedder)
    for example in gathered.examples:
        for chunk_id in example.candidates:
            assert rows[chunk_id].chunk.last_day < example.exchange.first_day
            assert rows[chunk_id].conversation_id != example.exchange.conversation_id
        assert set(example.accepted) | set(example.rejected) <= set(example.candidates)
    assert all(later not in each.candidates for each in gathered.examples if each.exchange.id == first.exchange.id)
    # Answers of earlier interviews are found, so that the test could fail.
    assert any(rows[chunk_id].conversation_id for each in gathered.examples for chunk_id in each.candidates)


def test_what_others_accepted_is_no_negative_for_a_question_from_before_its_day(
    harbor: Workspace, embedder: Embedder
) -> None:
    database = harbor.database
    first, last = (
        choose(_gathered(harbor, embedder).of("train"), key=lambda each: each.exchange.first_day)
        for choose in (min, max)
    )
    rows = passages(database, [row[0] for row in index_metadata(database)])
    middle = next(
        key
        for key, each in rows.items()
        if each.conversation_id and first.exchange.first_day < each.chunk.last_day < last.exchange.first_day
    )
    with database.write():
        row = MemoryRow(0, "between", last.exchange.id, middle, 1, 0.5, "extractive", "x", "x", 0, 1)
        put_memories(database, last.exchange.id, [(row, {})], remove_others=False)
    decide(database, PERSON, [Decision("between", "accept")])
    examples = _gathered(harbor, embedder).of("train")
    space = read_space(database, embedder.spec, lambda _: True)
    sights = [sight_of(harbor, each.exchange) for each in examples]
    lessons = lessons_of(space, examples, sights, [], SETTINGS, "cpu")
    places, positive, negative = contrasts(lessons, range(len(examples)))
    days = lessons.last_days[places]
    for row_of, example in enumerate(examples):
        assert (days[negative[row_of]] < example.exchange.first_day).all()
        assert (days[positive[row_of]] < example.exchange.first_day).all()
        assert not (positive[row_of] & negative[row_of]).any()
    # It is a negative for those who could have found it, and for nobody else.
    sees_it = np.array([each.exchange.first_day > rows[middle].chunk.last_day for each in examples])
    column = int(np.flatnonzero(days == rows[middle].chunk.last_day)[0])
    assert negative[:, column].any()
    assert not negative[~sees_it, column].any()


def test_what_may_be_right_for_a_question_too_is_no_negative_of_it(tmp_path: Path, embedder: Embedder) -> None:
    workspace = make_harbor(tmp_path)
    notes = tmp_path / "more"
    notes.mkdir()
    told = [f"In the year {1900 + year} the pilot's boat number {year} came home late and empty." for year in range(40)]
    (notes / "2003-01-01 Long.md").write_text(" ".join(told), "utf-8")
    for day, name in (("2003-02-01", "First"), ("2003-03-01", "Again")):
        (notes / f"{day} {name}.md").write_text(f"{gossip('the lamp')} That was all, they said.", "utf-8")
    choices, _ = importing.plan([notes], None)
    sources = [{"path": str(each.source.path), "format": each.importer.name} for each in choices]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    run_to_end(workspace, *EMBED, {})
    rows = passages(workspace.database, [row[0] for row in index_metadata(workspace.database)])

    def titled(name: str) -> list[int]:
        found = [each.chunk for each in rows.values() if name in each.title]
        return [chunk.id for chunk in sorted(found, key=lambda chunk: chunk.start)]

    long = titled("Long")
    assert rows[long[1]].chunk.start < rows[long[0]].chunk.stop
    assert rows[long[2]].chunk.start > rows[long[0]].chunk.stop
    exchanges = [each.exchange for each in _gathered(workspace, embedder).of("train")][:3]
    accepted = [(0, long[0]), (1, long[1]), (1, long[2]), (0, titled("First")[0]), (2, titled("Again")[0])]
    for number, (question, chunk_id) in enumerate(accepted):
        row = MemoryRow(0, f"more-{number}", exchanges[question].id, chunk_id, 1, 0.5, "extractive", "x", "x", 0, 1)
        with workspace.database.write():
            put_memories(workspace.database, exchanges[question].id, [(row, {})], remove_others=False)
    decide(workspace.database, PERSON, [Decision(f"more-{number}", "accept") for number in range(len(accepted))])
    # The third question was shown the long note's last part too, and nobody has decided on that yet.
    row = MemoryRow(0, "open", exchanges[2].id, long[2], 1, 0.5, "extractive", "x", "x", 0, 1)
    with workspace.database.write():
        put_memories(workspace.database, exchanges[2].id, [(row, {})], remove_others=False)

    kept = tmp_path / "examples.json"
    examples = _gathered(workspace, embedder, kept).of("train")
    assert _gathered(workspace, embedder, kept).of("train") == examples
    sights = [sight_of(workspace, each.exchange) for each in examples]
    lessons = lessons_of(
        read_space(workspace.database, embedder.spec, lambda _: True), examples, sights, [], SETTINGS, "cpu"
    )
    places, _, negative = contrasts(lessons, range(len(examples)))
    ids = sorted({each for example in examples for each in example.candidates})
    against = [{ids[place] for place in places[row]} for row in negative]
    row_of = [next(at for at, each in enumerate(examples) if each.exchange.id == asked.id) for asked in exchanges]
    first, second, third = (against[at] for at in row_of)
    # Words that the cut gave to both parts, a text told twice, and what is still to be decided on.
    assert long[1] not in first
    assert long[0] not in second
    assert titled("Again")[0] not in first
    assert titled("First")[0] not in third
    assert long[2] not in third
    # What shares nothing, and what another topic's entry of the same form says, stay negatives.
    assert long[2] in first
    assert {long[0], long[1]} <= third
    assert sum(rows[each].chunk.text.startswith("Ledger") for each in first) == 19


def test_people_and_rules_are_told_apart_and_imports_left_out(harbor: Workspace, embedder: Embedder) -> None:
    decide(harbor.database, Actor("rule", "bits>=0"), [Decision("accept-0", "accept")])
    decide(harbor.database, Actor("import", "theirs.jsonl"), [Decision("reject-1", "reject")])
    gathered = _gathered(harbor, embedder)
    assert gathered.decided_by == {"person: Ines": 48 - 2, "rule: bits>=0": 1}
    second = next(each for each in gathered.examples if TOPICS[1] in each.exchange.question)
    assert (len(second.accepted), len(second.rejected)) == (1, 0)


def test_accepted_and_rejected_are_the_passages_of_the_memories(harbor: Workspace, embedder: Embedder) -> None:
    example = _gathered(harbor, embedder).examples[0]
    rows = passages(harbor.database, [*example.accepted, *example.rejected])
    assert [rows[each].chunk.text for each in example.accepted] == [entry(TOPICS[0], 0)]
    assert [rows[each].chunk.text for each in example.rejected] == [gossip(TOPICS[0])]


def test_a_resumed_run_keeps_its_examples_unless_one_of_them_may_no_longer_be_used(
    harbor: Workspace, embedder: Embedder, tmp_path: Path
) -> None:
    kept = tmp_path / "examples.json"
    before = _gathered(harbor, embedder, kept)
    decide(harbor.database, PERSON, [Decision("accept-0", "reject")])
    assert _gathered(harbor, embedder, kept) == before
    hold_out(harbor, [trainable_conversations(harbor.database)[1].uid])
    after = _gathered(harbor, embedder, kept)
    assert {each.exchange.conversation_id for each in after.examples}.isdisjoint(
        {row.id for row in trainable_conversations(harbor.database) if assigned_splits(harbor)[row.uid] == "heldout"}
    )
    assert not after.examples[0].accepted
    assert len(json.loads(kept.read_text("utf-8"))["examples"]) == len(after.examples)
