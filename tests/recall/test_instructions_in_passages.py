"""Passages that give orders: what they do to verdicts, and that no rule accepts a memory because of its text."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from core.models.causal_lm import CausalLM
from core.models.load_embedder import load_embedder
from core.recall.judge import LikelihoodJudge
from core.recall.retell import ExtractiveWriter
from core.review.queue import decide_by_threshold
from core.store.memories import review_rows
from core.workspace import Workspace
from tests.recall.passages_with_orders import ORDERS, outcome
from tests.review_rows import fill

PASSAGES = 100
MOST_FLIPS = 2


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_verdicts_hold_against_orders(asking: Callable[..., Workspace]) -> None:
    workspace = asking("http://127.0.0.1:9/v1")
    writer = ExtractiveWriter(load_embedder(), workspace.settings.recall.sentences)
    judge = LikelihoodJudge(CausalLM("SmolLM2-135M-Instruct"), workspace.target, 96, None)
    found = asyncio.run(outcome(workspace, PASSAGES, writer, judge))
    assert found.failed == 0
    assert found.flips <= MOST_FLIPS, found


def test_a_rule_leaves_a_memory_that_gives_orders_to_a_person(workspace: Workspace) -> None:
    fill(workspace.database, 5)
    with workspace.database.write():
        workspace.database.execute("UPDATE judgement SET value = 9")
        workspace.database.execute("UPDATE memory SET text = 'The tide was late. ' || ? WHERE id = 3", (ORDERS[0],))
    assert decide_by_threshold(workspace.database, 0.0) == (4, 0)
    states = {row.memory.id: row.state for row in review_rows(workspace.database)}
    assert states == {1: "accepted", 2: "accepted", 3: "pending", 4: "accepted", 5: "accepted"}
