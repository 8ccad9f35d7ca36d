"""Which questions of a dataset the twin is asked to make pairs, whatever the form of its samples."""

from __future__ import annotations

from contextlib import closing

import pytest

from core.dataset.build import build, renderer_of
from core.dataset.export import find_dataset
from core.errors import TrainingError
from core.review.decisions import Actor, Decision, decide
from core.runs.job import Job
from core.runs.journal import EventLog
from core.settings import DatasetSettings
from core.store.conversations import exchanges_named
from core.store.datasets import examples_of
from core.training.preferences.making import _asked_in, run
from core.workspace import Workspace
from tests.review_rows import fill


def test_an_answer_after_the_target_asked_for_its_memories_is_asked_for_with_what_came_back(
    workspace: Workspace,
) -> None:
    fill(workspace.database, 60)
    uids = [row[0] for row in workspace.database.rows("SELECT uid FROM memory")]
    decide(workspace.database, Actor("person", "Ada"), [Decision(uid, "accept") for uid in uids])
    dataset = find_dataset(workspace, str(build(workspace, how=DatasetSettings(tools=0.5, failed_recall=0.0)).id))
    renderer = renderer_of(workspace)
    rows = examples_of(workspace.database, dataset.id, "train")
    asked_first = 0
    for row in rows:
        answers = {
            known.question: known.answer
            for known in exchanges_named(workspace.database, [part.exchange_uid for part in row.parts]).values()
        }
        found = list(_asked_in(workspace, renderer, row))
        assert len(found) == len(row.parts)
        for each in found:
            assert each.real == answers[each.question].strip()
            assert each.question in each.prompt
            asked_first += each.prompt.rindex(each.question) < each.prompt.rfind("[recall: ")
    assert 0 < asked_first < sum(len(row.parts) for row in rows)


def test_a_dataset_of_logs_has_no_questions_to_make_pairs_of(interviewed: Workspace) -> None:
    build(interviewed, how=DatasetSettings(form="completion"))
    folder = interviewed.runs / "pairs-1"
    folder.mkdir()
    with closing(EventLog(folder)) as log, pytest.raises(TrainingError, match="ds1: it holds logs") as caught:
        run(Job(interviewed, folder, {"limit": 9, "accept": False}, log))
    assert "--form chat" in caught.value.hint
