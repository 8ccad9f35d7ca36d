"""An encoder's training that is killed, stopped or damaged ends with the very weights of an undisturbed one."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.corpus.holdout import hold_out
from core.errors import Interrupted, RunError
from core.retrieval.retrievers import ENCODER, FOLDER
from core.runs.control import cancel, follow, result_of, run_to_end, start
from core.runs.journal import Event, holder, load_run, read_events
from core.store.conversations import trainable_conversations
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from core.training.retriever.standing import CHECKPOINTS, STATE
from core.workspace import Workspace
from tests.training.retriever.harbor import make_harbor
from tests.training.retriever.small_bert import small_bert

pytestmark = pytest.mark.slow
STEPS = 6
ENCODER_RUN = "retriever-1"


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    embedder = small_bert(tmp_path_factory.mktemp("embedder") / "small")
    workspace = make_harbor(tmp_path_factory.mktemp("harbor"), embedder=embedder)
    workspace.database.close()
    return workspace.root


@pytest.fixture(scope="module")
def undisturbed(untrained: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    workspace, params = _copy(untrained, tmp_path_factory.mktemp("undisturbed") / "ws")
    done = run_to_end(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params)
    assert not (workspace.runs / ENCODER_RUN / CHECKPOINTS).exists()
    return _weights(workspace), done


def _copy(untrained: Path, target: Path) -> tuple[Workspace, dict[str, Any]]:
    shutil.copytree(untrained, target)
    workspace = Workspace.open(target)
    return workspace, retriever_params(workspace, full=True, lsr_weight=0.0, steps=STEPS, batch=4)


def _weights(workspace: Workspace) -> bytes:
    return (workspace.adapters / FOLDER / ENCODER_RUN / ENCODER / "model.safetensors").read_bytes()


def _stopped(
    workspace: Workspace, params: dict[str, Any], when: Callable[[Event], bool], stop: Callable[[int], object]
) -> None:
    """Start training, and stop it at the first event for which ``when`` is true."""
    run = start(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params)
    pid, asked = holder(run.folder / "lock"), False
    assert pid is not None
    for event in follow(workspace, run.id):
        if not asked and when(event):
            asked = True
            stop(pid)
    assert asked


def _is_checkpoint(step: int) -> Callable[[Event], bool]:
    return lambda event: event.kind == "checkpoint" and event.payload["step"] == step


def _kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _last_plan(workspace: Workspace) -> dict[str, Any]:
    events, _ = read_events(workspace.runs / ENCODER_RUN)
    return [event.payload for event in events if event.kind == "plan"][-1]


def _resumed(workspace: Workspace, params: dict[str, Any]) -> dict[str, Any]:
    return run_to_end(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params, resume_id=ENCODER_RUN)


@pytest.mark.parametrize("step", [1, 4])
def test_a_killed_one_goes_on_to_the_same_weights(
    untrained: Path, undisturbed: tuple[bytes, dict[str, Any]], tmp_path: Path, step: int
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    _stopped(workspace, params, _is_checkpoint(step), _kill)
    assert load_run(workspace.runs, ENCODER_RUN).state == "lost"
    assert _resumed(workspace, params) == undisturbed[1]
    assert int(_last_plan(workspace)["resumed_from"].removeprefix("checkpoint-")) >= step
    assert _weights(workspace) == undisturbed[0]


def test_a_stopped_one_saves_says_so_and_goes_on_to_the_same_weights(
    untrained: Path, undisturbed: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    _stopped(workspace, params, _is_checkpoint(2), lambda _: cancel(workspace, ENCODER_RUN))
    with pytest.raises(Interrupted, match=rf"stopped at step \d of {STEPS}; a checkpoint is saved"):
        result_of(workspace, ENCODER_RUN)
    assert load_run(workspace.runs, ENCODER_RUN).result["hint"].endswith("goes on where it stopped")
    assert _resumed(workspace, params) == undisturbed[1]
    assert _weights(workspace) == undisturbed[0]


def test_a_damaged_checkpoint_is_told_and_passed_over(
    untrained: Path, undisturbed: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    _stopped(workspace, params, _is_checkpoint(3), _kill)
    newest = max((workspace.runs / ENCODER_RUN / CHECKPOINTS).glob("checkpoint-*"))
    with (newest / STATE).open("r+b") as file:
        file.seek(5_000)
        file.write(b"\xff\x00\xff\x00")
    assert _resumed(workspace, params) == undisturbed[1]
    assert _last_plan(workspace)["damaged"] == [newest.name]
    assert _weights(workspace) == undisturbed[0]


def test_after_a_question_was_taken_back_nothing_that_was_learned_from_it_is_gone_on_from(
    untrained: Path, undisturbed: tuple[bytes, dict[str, Any]], tmp_path: Path
) -> None:
    workspace, params = _copy(untrained, tmp_path / "ws")
    _stopped(workspace, params, _is_checkpoint(2), _kill)
    hold_out(workspace, [trainable_conversations(workspace.database)[0].uid])
    done = _resumed(workspace, params)
    assert done["questions"] != undisturbed[1]["questions"]
    plan = _last_plan(workspace)
    assert (plan["resumed_from"], plan["outdated"]) == (None, True)
    assert done["taken"] == STEPS


def test_without_memory_the_setting_is_named(tmp_path: Path) -> None:
    workspace = make_harbor(tmp_path, interviews=4)
    params = retriever_params(workspace, full=True, lsr_weight=0.0, steps=STEPS, batch=4)

    def no_more_memory(pid: int) -> None:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[0])
        # Enough to say what happened, and not enough for a step.
        limit = pages * resource.getpagesize() + (64 << 20)
        resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

    _stopped(workspace, params, lambda event: event.kind == "plan", no_more_memory)
    with pytest.raises(
        RunError, match=r"out of memory; (no checkpoint was saved yet|the .*checkpoint.* is kept)"
    ) as told:
        result_of(workspace, ENCODER_RUN)
    assert told.value.hint == "set a batch under 4 under [retriever], then train again"


def test_a_head_that_is_stopped_says_that_it_begins_anew(untrained: Path, tmp_path: Path) -> None:
    workspace, _ = _copy(untrained, tmp_path / "ws")
    params = retriever_params(workspace, lsr_weight=0.0, steps=10**6, patience=10**6)
    _stopped(
        workspace,
        params,
        lambda event: event.kind == "metrics" and event.payload["step"] > 3,
        lambda _: cancel(workspace, ENCODER_RUN),
    )
    told = json.loads((workspace.runs / ENCODER_RUN / "state.json").read_text("utf-8"))["result"]
    assert told["error"].startswith("stopped at step ")
    assert "trains these steps anew, in seconds; what was scored is kept" in told["hint"]
