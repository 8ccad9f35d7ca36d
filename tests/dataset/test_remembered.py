"""The memories that a sample shows: none that was recalled for what is measured on, and none that repeats it."""

from __future__ import annotations

import cProfile
import random

import pytest

from core.corpus.holdout import assign_splits
from core.dataset.build import build
from core.dataset.export import find_dataset
from core.dataset.remembered import Accepted, Memories
from core.dataset.scenes import is_before
from core.dataset.verify import verify
from core.errors import DatasetError
from core.prompts.render import RecalledMemory
from core.review.decisions import Actor, Decision, decide
from core.settings import DatasetSettings
from core.store.conversations import ConversationRow, ExchangeRow
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


def _interviews(count: int) -> tuple[list[tuple[ConversationRow, ExchangeRow]], dict[str, list[Accepted]]]:
    """Exchanges, five to a conversation, every third day undated; and three memories for each, of few passages."""
    asked, accepted = [], {}
    for n in range(count):
        conversation, day = n // 5 + 1, -1 if n // 5 % 3 == 2 else 700_000 + n // 5
        row = ConversationRow(conversation, f"k{conversation}", 1, 0, "", "", "", "day", day, day, "public", False, "")
        exchange = ExchangeRow(n, f"{n * 7919 % 10_007:05}", conversation, n, 0, "Ines", "Why?", "So.", day, day, False)
        asked.append((row, exchange))
        accepted[exchange.uid] = [
            Accepted(
                0, f"m{n}-{m}", "validation" if n % 11 == 0 else "train", chunk, RecalledMemory(f"{n}-{m}"),
                -1 if chunk % 7 == 0 else 700_000 + chunk % 40, chunk % 9,
            )
            for m, chunk in enumerate(((n * 3) % 97, (n * 5 + 1) % 97, (n * 7 + 2) % 97))
        ]  # fmt: skip
    return asked, accepted


def test_wrong_memories_are_drawn_from_all_that_could_have_been_remembered_instead() -> None:
    asked, accepted = _interviews(200)
    memories = Memories(accepted)
    drawn = 0
    for row, exchange in asked:
        found = memories.of(row, exchange, 1.0, 0)
        if found.recall != "wrong":
            continue
        own = [each for each in accepted[exchange.uid] if is_before(each.last_day, exchange)]
        others = [
            each
            for uid, theirs in sorted(accepted.items())
            for each in theirs
            if uid != exchange.uid
            and each.split == "train"
            and each.conversation_id != row.id
            and is_before(each.last_day, exchange)
            and each.chunk_id not in {memory.chunk_id for memory in own}
        ]
        chance = random.Random(f"0:{exchange.uid}")
        chance.random(), chance.choice(("none", "wrong"))
        assert found.memory_uids == tuple(each.uid for each in chance.sample(others, min(len(own), len(others))))
        drawn += 1
    assert drawn > 40


def test_twice_the_exchanges_are_about_twice_the_work() -> None:
    def steps(count: int) -> int:
        asked, accepted = _interviews(count)
        memories = Memories(accepted)
        profile = cProfile.Profile()
        profile.runcall(lambda: [memories.of(row, exchange, 1.0, 0) for row, exchange in asked])
        return sum(each.callcount for each in profile.getstats())

    assert steps(800) < 3 * steps(400)
