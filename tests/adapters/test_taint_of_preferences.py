"""What speaks against handing on an adapter that was trained on preferences: they are in its weights too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.adapters.card import card_text
from core.adapters.facts import facts_of
from core.adapters.taint import Taint, taint_of
from core.dataset.build import build
from core.review.decisions import Actor, Decision, decide
from core.runs.job import Job
from core.runs.journal import EventLog, create_run
from core.store.adapters import find_adapter
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow, chunk_ids_of
from core.store.documents import list_documents
from core.store.pairs import Origin, put_pair
from core.store.sessions import add_memories, add_message, begin_session, rate_message, remove_session
from core.training.preferences.launch import preference_params
from core.training.saving import save_adapter
from core.workspace import Workspace
from tests.adapters.test_taint import Weights

AT = "2026-01-02T03:04:05+00:00"
NELL, RULE = Actor("person", "Nell"), Actor("rule", "what was really said")
LETTER = "The harbor was sold twice that year, and nobody who bought it had ever seen it at low water."


@pytest.fixture
def letter(workspace: Workspace, import_paths: Callable[..., Any], tmp_path: Path) -> str:
    """The uid of a document that is for training."""
    path = tmp_path / "letter.md"
    path.write_text(LETTER)
    import_paths(workspace, [path], None, use="train", target="Ada Marlow")
    return list_documents(workspace.database)[-1].uid


def _pair(
    workspace: Workspace, question: str, owners: list[str] | None, origin: Origin = "comparison", by: Actor = NELL
) -> None:
    with workspace.database.write():
        row = (question, "", f"good, {question}", f"bad, {question}")
        uid = put_pair(workspace.database, *row, origin, None, AT, owners)
    decide(workspace.database, by, [Decision(uid, "accept", text="left", card_kind="pair")])


def _trained(workspace: Workspace, method: str, start: str | None = None, file: Path | None = None) -> str:
    """What a run on the preferences of now leaves. Returns the adapter's name."""
    params = preference_params(workspace, method, file, start or "base", "b")  # type: ignore[arg-type]
    return _saved(workspace, {"method": method, **{key: params[key] for key in ("preferences", "file")}}, start)


def _saved(workspace: Workspace, settings: dict[str, Any], start: str | None, dataset: int | None = None) -> str:
    run = create_run(workspace.runs, "dpo", "core.nowhere:run", {})
    log = EventLog(run.folder)
    job = Job(workspace, run.folder, {}, log)
    name, _ = save_adapter(
        job, Weights(), dataset_id=dataset, memories=False, base="b", revision="r",
        settings={"start_from": start} | settings,
    )  # fmt: skip
    log.close()
    return name


def _taint(workspace: Workspace, name: str) -> Taint:
    adapter = find_adapter(workspace.database, name)
    assert adapter is not None
    return taint_of(workspace, adapter)


def _card(workspace: Workspace, name: str) -> str:
    adapter = find_adapter(workspace.database, name)
    assert adapter is not None
    return card_text(facts_of(workspace, adapter), "safetensors", [])


def _give(workspace: Workspace, use: str) -> None:
    with workspace.database.write():
        workspace.database.execute("UPDATE source SET use = ? WHERE location LIKE '%letter.md'", (use,))


def test_a_source_behind_a_pair_taints_once_it_is_cleared_for_less_or_gone(workspace: Workspace, letter: str) -> None:
    _pair(workspace, "Why maps?", [letter])
    _pair(workspace, "Why ink?", [])
    name = _trained(workspace, "dpo")
    found = _taint(workspace, name)
    assert (found.known, found.reasons()) == (True, [])
    assert [(each.name, each.preferences, each.exchanges) for each in found.origins] == [("letter.md", 1, 0)]
    _give(workspace, "recall")
    assert _taint(workspace, name).reasons() == ["letter.md went in and is not cleared for training any more: recall"]
    with workspace.database.write():
        workspace.database.execute("DELETE FROM source")
    assert _taint(workspace, name).reasons() == [
        "1 preference that it was trained on rests on what is not in the workspace any more"
    ]


def test_recall_only_words_in_a_judged_answer_are_found(workspace: Workspace, letter: str) -> None:
    assert letter
    with workspace.database.write():
        uid = put_pair(workspace.database, "And the harbor?", "", "Nothing.", f"Well. {LETTER}", "import", None, AT, [])
    decide(workspace.database, NELL, [Decision(uid, "accept", text="left", card_kind="pair")])
    name = _trained(workspace, "dpo")
    assert _taint(workspace, name).private_runs == 0
    _give(workspace, "recall")
    found = _taint(workspace, name)
    assert found.private_runs == len(LETTER.split()) - found.run_words + 1
    assert "recall-only material: none went in" not in _card(workspace, name)


def test_a_judged_answer_whose_chat_is_removed_cannot_be_looked_at_any_more(workspace: Workspace, letter: str) -> None:
    database = workspace.database
    document = list_documents(database)[-1]
    chunk = ChunkRow(0, "c", document.id, None, 0, 0, 20, document.text, 20, -1)
    with database.write():
        sync_chunks(database, "document_id", document.id, "k", [chunk])
        session = begin_session(database, None, "2026", AT)
        add_message(database, session, "user", "Nell", "And the harbor?", "", {}, AT)
        for text, rating in (("It was sold.", 1), ("As an AI, I cannot know.", -1)):
            answer = add_message(database, session, "assistant", "Ada", text, "the prompt", {}, AT)
            add_memories(database, answer, [(chunk_ids_of(database, "document_id", document.id)[0], "I recall")])
            rate_message(database, answer, rating, AT)
    name = _trained(workspace, "kto")
    found = _taint(workspace, name)
    assert (found.reasons(), [each.preferences for each in found.origins]) == ([], [2])
    assert "- preferences: 2 (2 called good or bad), decided 2 by a person" in _card(workspace, name)
    with database.write():
        database.execute("DELETE FROM message_rating")
    assert _taint(workspace, name).known, "a thumb that is taken back leaves the answer"
    with database.write():
        remove_session(database, session)
    found = _taint(workspace, name)
    assert not found.known
    assert found.reasons() == ["of 2 preferences that it was trained on nobody can tell what they rest on"]
    assert letter


def test_from_the_bare_base_it_has_no_dataset_to_miss_and_its_card_counts_its_pairs(
    workspace: Workspace, letter: str
) -> None:
    _pair(workspace, "Why maps?", [letter])
    _pair(workspace, "Why tides?", [letter], "generated", RULE)
    _pair(workspace, "Why ink?", [], "import", Actor("import", "pairs.jsonl"))
    text = _card(workspace, _trained(workspace, "dpo"))
    assert (
        "- preferences: 3 (1 comparison, 1 generated, 1 import), decided 1 by a person, 1 by a rule, 1 by an import"
    ) in text
    assert "dataset" not in text
    assert "Do not hand this on" not in text
    assert "`letter.md`: went in as `train`, is now `train`; 0 answers, 0 memories, 2 preferences" in text
    assert "all of them are still there and still cleared" in text


def test_a_pair_of_which_nobody_can_tell_is_said_and_not_called_cleared(workspace: Workspace) -> None:
    _pair(workspace, "Why maps?", [])
    name = _trained(workspace, "dpo")
    assert "none: its preferences rest on no source" in _card(workspace, name)
    with workspace.database.write():
        workspace.database.execute("UPDATE pair SET owners = NULL")
    found = _taint(workspace, name)
    assert (found.known, found.reasons()) == (
        False, ["of 1 preference that it was trained on nobody can tell what it rests on"],
    )  # fmt: skip
    text = _card(workspace, name)
    assert "Do not hand this on" in text
    assert "still cleared" not in text
    assert "recall-only material: none went in" not in text


def test_a_file_of_pairs_is_looked_at_while_it_is_there_and_its_path_is_nobodys_business(
    workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps({"prompt": "Why maps?", "chosen": "They argue.", "rejected": "They lie."}))
    name = _trained(workspace, "dpo", file=file)
    assert _taint(workspace, name).known
    text = _card(workspace, name)
    assert "- preferences: 1 (1 of a file), decided 1 by an import" in text
    assert "- `file`: `pairs.jsonl`" in text
    assert str(tmp_path) not in text
    file.unlink()
    assert not _taint(workspace, name).known


def test_an_adapter_bears_the_preferences_of_those_before_it(
    workspace: Workspace, letter: str, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> None:
    import_paths(workspace, [write_interview(f"{year}-05-01", [("Rain?", f"{year}.")]) for year in range(2010, 2015)])
    _pair(workspace, "Why maps?", [letter])
    first = _trained(workspace, "dpo")
    later = _saved(workspace, {}, first, build(workspace).id)
    last = _trained(workspace, "dpo", later)
    alone = _saved(workspace, {}, None, build(workspace).id)
    assert [_taint(workspace, name).reasons() for name in (first, later, last, alone)] == [[]] * 4
    assert all(_taint(workspace, name).known for name in (first, later, last, alone))
    _give(workspace, "none")
    reason = "letter.md went in and is not cleared for training any more: none"
    assert [_taint(workspace, name).reasons() for name in (first, later, last)] == [[reason]] * 3
    assert _taint(workspace, alone).reasons() == []


def test_a_dataset_that_nobody_knows_is_still_said_of_what_goes_on_from_it(workspace: Workspace) -> None:
    unknown = _saved(workspace, {}, None)
    _pair(workspace, "Why maps?", [])
    last = _trained(workspace, "dpo", unknown)
    assert "the dataset it was trained on is not in the workspace" in _taint(workspace, last).reasons()[0]
