"""What an evaluation will measure, said before it starts: which systems, on how many questions, for how long."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.corpus.holdout import assign_splits, assigned_splits, expected_splits
from core.errors import UsageError, WorkspaceError
from core.fidelity.launch import EVALUATE_ENTRY, EVALUATE_KIND, evaluate_params
from core.fidelity.plan import plan, weights_of
from core.runs.journal import Run, create_run
from core.store.adapters import AdapterRow, inherited, put_adapter, use_adapter
from core.store.conversations import trainable_conversations
from core.store.datasets import ExampleRow, put_dataset
from core.transfer.runs import mark_brought
from core.workspace import Workspace


@pytest.fixture
def interviewed(
    workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> Workspace:
    """Six interviews of three questions, the last two of them held out."""
    exchanges = [(f"Part {n}?", f"The {n} lamps burned.") for n in range(3)]
    import_paths(workspace, [write_interview(f"{year}-05-01", exchanges) for year in range(2010, 2016)])
    assign_splits(workspace)
    return workspace


def _adapter(workspace: Workspace, name: str, memories: int, dataset: int | None = None, **settings: Any) -> None:
    with workspace.database.write():
        row = AdapterRow(
            0, name, dataset, name, "SmolLM2-135M-Instruct", "r", memories, f"adapters/{name}", "h", settings, ""
        )
        put_adapter(workspace.database, row)


def test_without_an_adapter_only_the_base_is_measured(interviewed: Workspace) -> None:
    found = plan(interviewed, evaluate_params())
    assert (found.adapter, found.systems) == ("", ("b0", "b2"))
    assert found.missing == ("b3", "b4", "b4-shuffled", "b4-control")
    assert (found.interviews, found.questions, found.measured) == (2, 6, False)
    assert found.seconds > 20


def test_what_nothing_has_set_aside_yet_is_foreseen_and_not_set_aside(
    workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> None:
    import_paths(workspace, [write_interview(f"{year}-05-01", [("Who?", "I.")]) for year in range(2010, 2016)])
    assert plan(workspace, evaluate_params()).questions == 2
    assert not assigned_splits(workspace)
    assert expected_splits(workspace) == assign_splits(workspace) == assigned_splits(workspace)


def test_adapters_bring_their_systems_and_a_limit_fewer_questions(interviewed: Workspace) -> None:
    _adapter(interviewed, "sft-1", 1)
    _adapter(interviewed, "sft-2", 0)
    found = plan(interviewed, evaluate_params(limit=2))
    assert (found.adapter, found.systems) == ("sft-1", ("b0", "b2", "b3", "b4", "b4-shuffled"))
    assert found.questions == 4
    assert plan(interviewed, evaluate_params("b0, b4")).systems == ("b0", "b4")


def _evaluated(workspace: Workspace, seconds: float) -> Run:
    run = create_run(workspace.runs, EVALUATE_KIND, EVALUATE_ENTRY, evaluate_params())
    card = {"interviews": [{"exchanges": 6}], "systems": {"b0": {}, "b2": {}}, "seconds": seconds}
    (run.folder / "state.json").write_text(json.dumps({"state": "done", "result": {"scorecard": card}}), "utf-8")
    return run


def test_time_is_that_of_the_slowest_evaluation_here(interviewed: Workspace) -> None:
    for seconds in (120.0, 12.0):  # The second one found most answers in the cache.
        _evaluated(interviewed, seconds)
    found = plan(interviewed, evaluate_params())
    assert (found.seconds, found.measured) == (120.0, True)


def test_an_evaluation_that_another_machine_did_does_not_tell_how_long_one_takes_here(interviewed: Workspace) -> None:
    mark_brought(_evaluated(interviewed, 1.0).folder)
    assert not plan(interviewed, evaluate_params()).measured
    _evaluated(interviewed, 120.0)
    assert plan(interviewed, evaluate_params()).seconds == 120.0


def test_an_adapter_that_saw_what_is_held_out_is_left_out_with_a_note(interviewed: Workspace) -> None:
    splits = assign_splits(interviewed)
    held = next(row.uid for row in trainable_conversations(interviewed.database) if splits[row.uid] == "heldout")
    with interviewed.database.write():
        row = ExampleRow(0, 0, "train", held, [], 10, 5, ())
        number = put_dataset(interviewed.database, "h", {}, 0, "2026-01-01", [row])
    _adapter(interviewed, "sft-1", 1, number)
    found = plan(interviewed, evaluate_params())
    assert "b4" in found.missing
    assert found.notes == ("sft-1 was trained on 1 of the held-out conversations, so it is not measured.",)


def test_an_adapter_that_saw_what_is_about_to_be_held_out_is_left_out_with_a_note(
    workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> None:
    for years in (range(2010, 2013), range(2009, 2010)):  # The fourth is the oldest: the rule takes one of the three.
        import_paths(workspace, [write_interview(f"{year}-05-01", [("Who?", f"I, in {year}.")]) for year in years])
        if len(trainable_conversations(workspace.database)) == 3:
            assert set(assign_splits(workspace).values()) == {"train"}
            examples = [
                ExampleRow(0, place, "train", row.uid, [], 10, 5, ())
                for place, row in enumerate(trainable_conversations(workspace.database))
            ]
            with workspace.database.write():
                number = put_dataset(workspace.database, "h", {}, 0, "2026-01-01", examples)
            _adapter(workspace, "sft-1", 1, number)
    found = plan(workspace, evaluate_params())
    assert "b4" in found.missing
    assert found.notes == ("sft-1 was trained on 1 of the held-out conversations, so it is not measured.",)


def test_an_adapter_that_goes_on_from_one_that_saw_what_is_held_out_is_left_out_too(interviewed: Workspace) -> None:
    splits = assign_splits(interviewed)
    numbers = []
    for split in ("heldout", "train", "train"):
        uid = next(row.uid for row in trainable_conversations(interviewed.database) if splits[row.uid] == split)
        with interviewed.database.write():
            row = ExampleRow(0, 0, "train", uid, [], 10, 5, ())
            numbers.append(put_dataset(interviewed.database, f"h{len(numbers)}", {}, 0, "2026-01-01", [row]))
    _adapter(interviewed, "sft-1", 1, numbers[0])
    for number, start in ((1, "sft-1"), (2, "sft-2")):
        behind = inherited(interviewed.database, start)
        _adapter(interviewed, f"sft-{number + 1}", 1, numbers[number], inherited=behind)
    found = plan(interviewed, evaluate_params())
    assert "b4" in found.missing
    assert found.notes == ("sft-3 was trained on 1 of the held-out conversations, so it is not measured.",)


def _logs(workspace: Workspace, name: str) -> None:
    """An adapter that was trained on samples in the text-completion form."""
    with workspace.database.write():
        number = put_dataset(workspace.database, f"h {name}", {"form": "completion"}, 0, "2026-01-01", [])
    _adapter(workspace, name, 0, number)


def test_an_adapter_that_goes_on_with_logs_is_not_measured_as_one_of_chats(interviewed: Workspace) -> None:
    _logs(interviewed, "sft-1")
    found = plan(interviewed, evaluate_params())
    assert "b3" in found.missing
    assert found.notes == ("sft-1 goes on with logs and was never asked in a chat, so it is not measured.",)
    _adapter(interviewed, "sft-2", 0)
    _logs(interviewed, "sft-3")
    weights = weights_of(interviewed, evaluate_params())
    assert weights.plain is not None
    assert weights.plain.name == "sft-2"
    with pytest.raises(UsageError, match="sft-3 goes on with logs"):
        plan(interviewed, evaluate_params(adapter="sft-3"))


def test_as_a_control_it_is_refused(interviewed: Workspace, tmp_path: Path) -> None:
    other = Workspace.create(tmp_path / "other", "Rex")
    _logs(other, "sft-1")
    with other.database.write():
        use_adapter(other.database, 1)
    with pytest.raises(UsageError, match=r"sft-1, in use in .*, goes on with logs"):
        plan(interviewed, evaluate_params(control=other.root))
    other.database.close()


def test_what_the_run_would_refuse_is_refused_before_it(interviewed: Workspace, tmp_path: Path) -> None:
    _adapter(interviewed, "sft-2", 0)
    with pytest.raises(UsageError, match="no system 'b9'"):
        plan(interviewed, evaluate_params("b9"))
    with pytest.raises(UsageError, match="no adapter 'sft-9'"):
        plan(interviewed, evaluate_params(adapter="sft-9"))
    with pytest.raises(UsageError, match="without memories"):
        plan(interviewed, evaluate_params(adapter="sft-2"))
    with pytest.raises(WorkspaceError, match="does not exist"):
        plan(interviewed, evaluate_params(control=tmp_path / "nowhere"))
    other = Workspace.create(tmp_path / "other", "Rex")
    with pytest.raises(UsageError, match="has no trained adapter"):
        plan(interviewed, evaluate_params(control=other.root))
    other.database.close()


def test_with_nothing_held_out_it_says_what_to_import(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no conversation is held out"):
        plan(workspace, evaluate_params())


def test_the_command_says_it_and_starts_nothing(interviewed: Workspace, simulee: Callable[..., Any]) -> None:
    told = simulee("evaluate", "--estimate", "--json", cwd=interviewed.root)
    assert told.returncode == 0, told.stderr
    assert json.loads(told.stdout)["estimate"]["questions"] == 6
    plain = simulee("evaluate", "--estimate", cwd=interviewed.root).stdout
    assert "6 questions of 2 held-out interviews" in plain
    assert not list(interviewed.runs.glob("evaluate-*"))
