"""The memories that a sample shows: none that was recalled for what is measured on, and none that repeats it."""

from __future__ import annotations

import pytest

from core.corpus.holdout import assign_splits
from core.dataset.build import build
from core.dataset.export import find_dataset
from core.dataset.verify import verify
from core.errors import DatasetError
from core.review.decisions import Actor, Decision, decide
from core.settings import DatasetSettings
from core.store.datasets import examples_of
from core.store.memories import review_rows
from core.workspace import Workspace
from tests.review_rows import fill

NELL = Actor("person", "Nell")
OFTEN_WRONG = DatasetSettings(failed_recall=0.9)


@pytest.fixture
def reviewed(workspace: Workspace) -> Workspace:
    """Six conversations, every memory accepted: the last two are held out, the one before validates."""
    fill(workspace.database, 500)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, NELL, [Decision(uid, "accept") for uid in uids])
    assign_splits(workspace)
    return workspace


def _memories_by_split(workspace: Workspace) -> dict[str, set[str]]:
    """Split → uids of the memories that were recalled for its questions."""
    rows = workspace.database.rows(
        "SELECT split, memory.uid FROM memory JOIN exchange ON exchange.id = exchange_id"
        " JOIN conversation ON conversation.id = conversation_id"
        " JOIN conversation_split ON conversation_uid = conversation.uid"
    )
    return {split: {uid for each, uid in rows if each == split} for split in ("train", "validation", "heldout")}


def _held_out_answer(workspace: Workspace) -> str:
    held = _memories_by_split(workspace)["heldout"]
    return next(row.answer for row in review_rows(workspace.database) if row.memory.uid in held)


def test_no_memory_of_a_question_that_is_set_aside_stands_in_a_training_sample(reviewed: Workspace) -> None:
    memories = _memories_by_split(reviewed)
    aside = memories["validation"] | memories["heldout"]
    rows = [row for row in review_rows(reviewed.database) if row.memory.uid in aside]
    decide(reviewed.database, NELL, [Decision(row.memory.uid, "edit", text=row.answer) for row in rows])
    built = build(reviewed, how=OFTEN_WRONG)
    assert built.recall["wrong"] > 20
    trained = examples_of(reviewed.database, built.id, "train")
    shown = {uid for row in trained for part in row.parts for uid in part.memory_uids}
    assert shown
    assert shown <= memories["train"]
    validating = examples_of(reviewed.database, built.id, "validation")
    assert {uid for row in validating for part in row.parts for uid in part.memory_uids} <= memories["validation"]


def test_a_memory_that_repeats_a_held_out_answer_blocks_the_dataset(reviewed: Workspace) -> None:
    uid = min(_memories_by_split(reviewed)["train"])
    decide(reviewed.database, NELL, [Decision(uid, "edit", text=_held_out_answer(reviewed))])
    with pytest.raises(DatasetError, match=f"in memory m{int(uid[1:])}: 100%") as refused:
        build(reviewed)
    assert "review --decide ID reject" in refused.value.hint
    assert build(reviewed, memories=False).examples > 0


def test_a_check_finds_a_held_out_answer_in_a_memory_that_a_sample_shows(reviewed: Workspace) -> None:
    dataset = find_dataset(reviewed, str(build(reviewed, how=DatasetSettings(failed_recall=0.0)).id))
    uid = min(_memories_by_split(reviewed)["train"])
    assert verify(reviewed, dataset).leaks == []
    decide(reviewed.database, NELL, [Decision(uid, "edit", text=_held_out_answer(reviewed))])
    assert [leak.where for leak in verify(reviewed, dataset).leaks] == [f"memory m{int(uid[1:])}"]
