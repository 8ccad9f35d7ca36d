"""A run as one picture: the fold of its events, whatever happened to its process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from core.errors import UsageError
from core.runs.journal import POINTS, EventLog, Run, create_run, holding, list_runs, load_run
from core.runs.snapshot import LOG_LINES, RunReader, RunsReader, output_tail, picture_of


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return create_run(tmp_path / "runs", "sft", "core.nowhere:run", {"base": "b"})


def _tell(run: Run, *told: tuple[str, dict[str, Any]]) -> None:
    log = EventLog(run.folder)
    for kind, payload in told:
        log.append(kind, payload)
    log.close()


def _end(run: Run, state: str, result: dict[str, Any]) -> None:
    (run.folder / "state.json").write_text(json.dumps({"state": state, "result": result}), "utf-8")
    _tell(run, ("ended", {"state": state, "result": result}))


def _progress(done: int, total: int = 10, rate: float = 2.0) -> tuple[str, dict[str, Any]]:
    return "progress", {"done": done, "total": total, "rate": rate, "what": f"item {done}"}


STARTED = ("started", {"kind": "sft", "pid": 1})


def test_events_fold_into_one_picture(run: Run) -> None:
    _tell(
        run, STARTED, ("plan", {"steps": 10, "dataset": 1}), _progress(1), ("metrics", {"step": 1, "loss": 3.5}),
        _progress(4), ("metrics", {"step": 4, "loss": 2.5}), ("metrics", {"step": 4, "eval_loss": 2.7}),
        ("samples", {"step": 4, "samples": [{"question": "Q", "twin": "T", "real": "R"}]}),
        ("checkpoint", {"step": 4}), ("stage_done", {"name": "one", "seconds": 1.0}),
    )  # fmt: skip
    picture = picture_of(run)
    assert (picture.done, picture.total, picture.rate, picture.what) == (4, 10, 2.0, "item 4")
    assert (picture.share, picture.seconds_left) == (0.4, 3.0)
    assert picture.plan["steps"] == 10
    assert picture.metrics == ({"step": 1, "loss": 3.5}, {"step": 4, "loss": 2.5, "eval_loss": 2.7})
    assert picture.samples[0]["samples"][0]["twin"] == "T"
    assert picture.checkpoint == 4
    assert picture.stages == ({"name": "one", "seconds": 1.0},)
    assert picture.started
    assert picture.ended == ""
    assert any("checkpoint step=4" in line for line in picture.log)
    assert not any("progress" in line for line in picture.log)


def test_before_its_first_word_a_run_is_queued(run: Run) -> None:
    picture = picture_of(run)
    assert (picture.state, picture.done, picture.metrics, picture.log) == ("queued", 0, (), ())
    assert (picture.share, picture.seconds_left) == (0.0, 0.0)


def test_a_torn_last_line_waits_until_it_is_whole(run: Run) -> None:
    _tell(run, STARTED, _progress(1))
    reader = RunReader(run)
    path = run.folder / "events.jsonl"
    line = json.dumps({"seq": 3, "at": "2026-01-01T00:00:00+00:00", "kind": "checkpoint", "payload": {"step": 9}})
    with path.open("a", encoding="utf-8") as file:
        file.write(line[:40])
    assert reader.look().checkpoint == 0
    with path.open("a", encoding="utf-8") as file:
        file.write(line[40:] + "\n")
    assert reader.look().checkpoint == 9


def test_a_torn_last_line_that_a_resumed_run_cuts_off_is_never_read(run: Run) -> None:
    _tell(run, STARTED, _progress(1))
    reader = RunReader(run)
    with (run.folder / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"seq": 3, "at": "2026-01-01T00:00:00+00:00", "kind": "chec')
    assert reader.look().done == 1
    _tell(run, STARTED, _progress(5))
    assert reader.look().done == 5


@pytest.fixture
def alive(run: Run) -> Iterator[None]:
    """Hold the run's lock as its worker does."""
    with holding(run.folder / "lock") as held:
        assert held
        yield


@pytest.mark.usefixtures("alive")
def test_while_its_lock_is_held_it_runs(run: Run) -> None:
    _tell(run, STARTED)
    assert picture_of(run).state == "running"


def test_a_run_whose_process_went_without_a_word_is_lost(run: Run) -> None:
    reader = RunReader(run)
    with holding(run.folder / "lock"):
        _tell(run, STARTED, _progress(3))
        assert reader.look().state == "running"
    picture = reader.look()
    assert (picture.state, picture.done, picture.ended) == ("lost", 3, "")


def test_a_resumed_run_goes_on_from_where_it_was(run: Run) -> None:
    reader = RunReader(run)
    with holding(run.folder / "lock"):
        _tell(run, STARTED, _progress(3), ("metrics", {"step": 3, "loss": 3.0}), ("checkpoint", {"step": 2}))
        reader.look()
    _end(run, "cancelled", {"error": "stopped as asked", "hint": "", "exit_code": 130})
    stopped = reader.look()
    assert (stopped.state, stopped.result["error"]) == ("cancelled", "stopped as asked")
    assert stopped.ended
    with holding(run.folder / "lock"):
        (run.folder / "state.json").unlink()
        _tell(run, STARTED, _progress(3), ("metrics", {"step": 3, "loss": 2.9}))
        again = reader.look()
        assert (again.state, again.ended, again.result) == ("running", "", {})
        assert again.metrics == ({"step": 3, "loss": 2.9},)
        assert again.started == stopped.started
    _end(run, "done", {"adapter": "sft-1"})
    done = reader.look()
    assert (done.state, done.result) == ("done", {"adapter": "sft-1"})
    assert done == picture_of(run)


def test_samples_told_again_after_a_resume_are_there_once(run: Run) -> None:
    told: Sequence[tuple[str, dict[str, Any]]] = [
        ("samples", {"step": step, "samples": [{"question": "Q", "twin": twin, "real": "R"}]})
        for step, twin in ((2, "a"), (4, "b"), (4, "c"))
    ]
    _tell(run, STARTED, *told)
    assert [(each["step"], each["samples"][0]["twin"]) for each in picture_of(run).samples] == [(2, "a"), (4, "c")]


def test_what_has_not_changed_is_the_same_object(run: Run) -> None:
    _tell(run, STARTED, _progress(1))
    _end(run, "done", {})
    reader = RunsReader(run.folder.parent)
    first = reader.look()
    assert reader.look()[0] is first[0]
    other = create_run(run.folder.parent, "embed", "core.nowhere:run", {})
    assert {picture.id for picture in reader.look()} == {"sft-1", other.id}


def test_the_log_keeps_its_end(run: Run) -> None:
    _tell(run, *(("checkpoint", {"step": step}) for step in range(LOG_LINES + 20)))
    log = picture_of(run).log
    assert len(log) == LOG_LINES
    assert log[-1].endswith(f"step={LOG_LINES + 19}")


def test_a_payload_of_any_length_is_cut_in_the_log(run: Run) -> None:
    _tell(run, ("note", {"text": "x" * 100_000}))
    assert len(picture_of(run).log[0]) < 250


def test_the_end_of_what_a_process_printed(run: Run) -> None:
    assert output_tail(run, 3) == []
    (run.folder / "output.log").write_bytes(b"first\n" * 10_000 + b"broken \xff byte\nlast\n")
    assert output_tail(load_run(run.folder.parent, run.id), 2) == ["broken \ufffd byte", "last"]


def test_of_very_many_steps_a_curve_keeps_its_ends_its_evaluations_and_enough_between(run: Run) -> None:
    steps = 5 * POINTS
    told = [STARTED]
    for step in range(1, steps + 1):
        told += [_progress(step, steps), ("metrics", {"step": step, "loss": 1 / step}), ("checkpoint", {"step": step})]
        if step % 997 == 0:
            told.append(("metrics", {"step": step, "eval_loss": 2.0}))
    _tell(run, *told)
    picture = picture_of(run)
    assert (picture.done, picture.checkpoint) == (steps, steps)
    assert POINTS < len(picture.metrics) < 2 * POINTS
    shown = [int(point["step"]) for point in picture.metrics]
    assert shown[-POINTS // 2 :] == list(range(steps - POINTS // 2 + 1, steps + 1))
    assert set(range(997, steps + 1, 997)) <= set(shown)
    assert sum("eval_loss" in point for point in picture.metrics) == steps // 997
    # What comes while one looks is not thinned: a look reads only what is new.
    reader = RunReader(run)
    before = reader.look()
    _tell(run, ("metrics", {"step": steps + 1, "loss": 0.1}))
    assert len(reader.look().metrics) == len(before.metrics) + 1


def test_a_log_that_is_replaced_whole_is_read_from_its_start(run: Run) -> None:
    _tell(run, STARTED, _progress(1), ("checkpoint", {"step": 1}))
    reader = RunReader(run)
    assert reader.look().checkpoint == 1
    # Another machine's log of the same run, as a merge puts it there.
    other = create_run(run.folder.parent, "sft", "core.nowhere:run", {})
    _tell(other, STARTED, *(_progress(step) for step in range(9)), ("checkpoint", {"step": 9}))
    (other.folder / "events.jsonl").replace(run.folder / "events.jsonl")
    assert (reader.look().checkpoint, reader.look().done) == (9, 8)
    assert len(reader.look().log) == 2


@pytest.mark.parametrize(
    "told",
    [
        ("progress", {}), ("progress", {"done": "x", "total": [], "rate": None, "what": 1}), ("metrics", {"loss": 1}),
        ("metrics", {"step": 3, "loss": "low", "eval_loss": {}}), ("samples", {"step": 1, "samples": 5}),
        ("samples", {"step": 1, "samples": [5, None]}), ("checkpoint", {"step": "x"}), ("checkpoint", {}),
        ("plan", {"steps": [], "damaged": 5}), ("plan", {"steps": 1e999}),
    ],
)  # fmt: skip
def test_events_of_another_shape_are_passed_over(run: Run, told: tuple[str, dict[str, Any]]) -> None:
    _tell(run, STARTED, told, _progress(4))
    picture = picture_of(run)
    assert (picture.done, picture.share, picture.checkpoint, picture.plan) == (4, 0.4, 0, {})
    assert not any("loss" in point or "eval_loss" in point for point in picture.metrics)
    assert not any(each["samples"] for each in picture.samples)


@pytest.mark.parametrize("line", [b"\0\0\0\n", b"[]\n", b"5\n", b'{"seq": 1}\n', b"[" * 99_999 + b"\n", b"\xff\n",
                                  b'{"seq": 1, "at": 2, "kind": [], "payload": 3}\n'])  # fmt: skip
def test_lines_that_are_no_events_are_passed_over(run: Run, line: bytes) -> None:
    _tell(run, STARTED)
    with (run.folder / "events.jsonl").open("ab") as file:
        file.write(line)
    _tell(run, _progress(2))
    assert picture_of(run).done == 2


@pytest.mark.parametrize("end", ["[]", "", "{}", '{"state": [], "result": {}}', '{"state": "done", "result": []}',
                                 '{"state": "over", "result": {}}'])  # fmt: skip
def test_a_run_whose_end_cannot_be_read_is_lost(run: Run, end: str) -> None:
    _tell(run, STARTED)
    (run.folder / "state.json").write_text(end, "utf-8")
    assert [(each.id, each.state, each.result) for each in list_runs(run.folder.parent)] == [("sft-1", "lost", {})]
    assert RunsReader(run.folder.parent).look()[0].state == "lost"


@pytest.mark.parametrize("asked", ["[]", "", "{}", '{"kind": 1, "entry": 2, "params": 3, "created": 4}'])
def test_what_cannot_be_read_is_no_run(run: Run, asked: str) -> None:
    other = create_run(run.folder.parent, "sft", "core.nowhere:run", {})
    (other.folder / "run.json").write_text(asked, "utf-8")
    assert [each.id for each in list_runs(run.folder.parent)] == ["sft-1"]
    assert [each.id for each in RunsReader(run.folder.parent).look()] == ["sft-1"]
    with pytest.raises(UsageError, match="no run 'sft-2' here"):
        load_run(run.folder.parent, other.id)
