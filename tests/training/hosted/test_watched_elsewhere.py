"""A hosted run that goes to another machine takes along what it knows of its job: no machine pays for a second one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import Interrupted, RunError, TrainingError, TransferError
from core.runs.journal import Run, load_run
from core.store.model_calls import recent_calls
from core.training.hosted.cancel import cancel_at_host
from core.training.hosted.launch import refuse_beside_a_job
from core.training.hosted.record import FILE, Record, joined, read_record, write_record
from core.transfer.merge import merge
from core.transfer.unpack import unpack
from core.workspace import Workspace
from tests.hosted_server import HostedServer
from tests.training.hosted.conftest import TINY, Here, Hosted
from tests.two_machines import copied, packed, rewritten

UNDER_WAY = 10**9
"""Looks at a job that find it under way."""


def _ended(run: Run, state: str, result: dict[str, Any] | None = None) -> None:
    """What the worker writes, which these attempts do without."""
    (run.folder / "state.json").write_text(json.dumps({"state": state, "result": result or {}}), "utf-8")


def _stopped(server: HostedServer, workspace: Workspace, after: str = "job") -> Here:
    """A run that was stopped once the host had such a request."""
    here = Here(workspace)
    with pytest.raises(Interrupted):
        here.go(lambda: after in server.requests)
    _ended(here.run, "cancelled")
    return here


def _sent(server: HostedServer) -> tuple[int, int]:
    return len(server.files), len(server.jobs)


def test_resumed_on_another_machine_it_watches_the_same_job(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url, price=2.0)
        here = _stopped(server, home)
        box = copied(home, tmp_path / "box")
        there = Here.going_on(box, here.run.id)
        with pytest.raises(RunError, match="hosted-1 has ftjob-0"):
            Here(box).go()
        server.looks = 0
        assert there.go()["model"] == "ft:small-1:ftjob-0"
        # Both may: the one looks as the other does.
        assert here.go()["model"] == "ft:small-1:ftjob-0"
        assert _sent(server) == (1, 1)
    for workspace in (home, box):
        (row,) = (row for row in recent_calls(workspace.database, 9) if row.purpose == "fine-tuning job")
        assert (row.prompt_tokens, row.cost) == (4_000_000, 8.0)


def test_one_that_was_killed_takes_its_record_along_too(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url)
        here = _stopped(server, home)
        (here.run.folder / "state.json").unlink()
        box = copied(home, tmp_path / "box")
        assert load_run(box.runs, here.run.id).state == "lost"
        with pytest.raises(RunError, match="hosted-1 has ftjob-0"):
            refuse_beside_a_job(box)


def test_a_job_that_may_have_been_started_is_looked_for_on_another_machine(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(faults={"start": ["hang after"]}) as server:
        home = hosted(server.url)
        here = _stopped(server, home, "start")
        assert Here.going_on(copied(home, tmp_path / "box"), here.run.id).go()["job"] == "ftjob-0"
        assert _sent(server) == (1, 1)


@pytest.mark.parametrize("known", ["no record", "no job", "a job that never began"])
def test_without_a_job_it_goes_on_only_where_it_was_begun(hosted: Hosted, tmp_path: Path, known: str) -> None:
    with HostedServer(faults={"start": ["hang"]}) as server:
        home = hosted(server.url)
        here = _stopped(server, home, "start")
        record = read_record(here.run.folder)
        assert record is not None
        if known == "no job":
            write_record(here.run.folder, record.model_copy(update={"starting": False}))
        elif known == "no record":
            (here.run.folder / FILE).unlink()
        there = Here.going_on(copied(home, tmp_path / "box"), here.run.id)
        with pytest.raises(RunError, match="hosted-1 was begun on another machine"):
            there.go()
        assert _sent(server) == (1, 0)
        assert here.go()["job"] == "ftjob-0"


def test_what_became_of_it_there_comes_back_with_a_merge(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url, price=2.0)
        here = _stopped(server, home)
        box = copied(home, tmp_path / "box")
        server.looks = 0
        there = Here.going_on(box, here.run.id)
        _ended(there.run, "done", there.go())
        assert merge(home, packed(box, tmp_path / "back.simulee")).added["runs"] == 1
    assert load_run(home.runs, here.run.id).state == "done"
    refuse_beside_a_job(home)
    (row,) = (row for row in recent_calls(home.database, 9) if row.purpose == "fine-tuning job")
    assert (row.prompt_tokens, row.cost) == (4_000_000, 8.0)


def test_a_job_that_was_started_since_is_known_after_a_merge(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url)
        here = Here(home)
        server.faults["start"] = ["not authorized"]
        with pytest.raises(TrainingError):
            here.go()
        _ended(here.run, "failed")
        box = copied(home, tmp_path / "box")
        refuse_beside_a_job(box)
        with pytest.raises(Interrupted):
            here.go(lambda: "job" in server.requests)
        _ended(here.run, "cancelled")
        merge(box, packed(home, tmp_path / "later.simulee"))
        with pytest.raises(RunError, match="hosted-1 has ftjob-0"):
            refuse_beside_a_job(box)
        # An older pack tells nothing new of it.
        merge(home, packed(box, tmp_path / "back.simulee"))
        merge(box, tmp_path / "box.simulee")
        for workspace in (home, box):
            record = read_record(workspace.runs / here.run.id)
            assert record is not None
            assert (record.job, record.status) == ("ftjob-0", "running")


def test_one_that_was_begun_there_holds_its_place_here_until_its_job_is_over(hosted: Hosted, tmp_path: Path) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url)
        box = copied(home, tmp_path / "box")
        there = _stopped(server, box)
        # A row of the same number is another call's here.
        rows = home.database.value("SELECT count(*) FROM model_call")
        merge(home, packed(box, tmp_path / "back.simulee"))
        with pytest.raises(RunError) as refused:
            Here(home).go()
        assert "hosted-1 has ftjob-0" in refused.value.message
        assert "resume" not in refused.value.hint
        assert "simulee train hosted --cancel hosted-1" in refused.value.hint
        record = read_record(home.runs / there.run.id)
        assert record is not None
        assert record.row == 0
        assert home.database.value("SELECT count(*) FROM model_call") == rows + 2
        assert cancel_at_host(home, "hosted-1", TINY).status == "cancelled"
        refuse_beside_a_job(home)
        assert _sent(server) == (1, 1)


def test_of_two_records_the_one_that_knows_more_of_the_job_stands() -> None:
    sent = Record(label="l", host="h:1", row=7)
    may = sent.model_copy(update={"starting": True, "row": 8})
    begun = sent.model_copy(update={"job": "j", "status": "running", "row": 9})
    over = begun.model_copy(update={"status": "failed", "row": 10})
    ordered = [None, sent, may, begun, over]
    for place, own in enumerate(ordered):
        for other, theirs in enumerate(ordered):
            found = joined(own, theirs)
            expected = own if place >= other else theirs
            # This machine's ledger knows the start of its own job alone.
            row = own.row if own and (place >= other or own.may_have_job) else 0
            assert found == (expected.model_copy(update={"row": row}) if expected else None)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"[" * 100_000, b'{"label": 5, "host": "h"}', b"\xff"])
def test_a_record_that_cannot_be_read_is_refused(hosted: Hosted, tmp_path: Path, content: bytes) -> None:
    with HostedServer(looks=UNDER_WAY) as server:
        home = hosted(server.url)
        here = _stopped(server, home)
    file = packed(home, tmp_path / "p.simulee")
    other = rewritten(file, tmp_path / "other.simulee", {f"runs/{here.run.id}/{FILE}": content})
    with pytest.raises(TransferError, match="hosted-1 cannot be read"):
        unpack(other, tmp_path / "box")
    with pytest.raises(TransferError, match="hosted-1 cannot be read"):
        merge(home, other)
