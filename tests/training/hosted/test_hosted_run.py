"""A hosted run uploads once, starts one job, watches it, and ends with the new model's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.dataset.export import export, find_dataset
from core.errors import BudgetError, DatasetError, Interrupted, RunError, SettingsError, TrainingError
from core.runs.journal import read_events
from core.store.model_calls import recent_calls
from core.training.hosted.cancel import NO_JOB, cancel_at_host
from core.training.hosted.launch import hosted_params
from core.training.hosted.record import read_record
from core.workspace import Workspace
from tests.hosted_server import HostedServer
from tests.training.hosted.conftest import INTERVIEWS, TINY, Here, Hosted


def test_the_file_is_the_export_and_the_model_has_its_name(hosted: Hosted) -> None:
    with HostedServer() as server:
        workspace = hosted(server.url, price=2.0, suffix="ada")
        done = Here(workspace, epochs=2).go()
    (name, content) = next(iter(server.files.values()))
    path, *_ = export(workspace, find_dataset(workspace, None), "openai")
    assert content == path.read_bytes()
    (body,) = server.bodies
    assert (body["hyperparameters"], body["suffix"], body["model"]) == ({"n_epochs": 2}, "ada", "small-1")
    assert body["metadata"]["simulee"] in name
    assert done["model"] == "ft:small-1:ftjob-0"
    assert (done["samples"], done["left_out"]) == (INTERVIEWS, {})
    # By the tokens that the host says it trained, not by the estimate.
    assert (done["trained_tokens"], done["cost"]) == (4_000_000, 8.0)
    assert 'model = "ft:small-1:ftjob-0"' in done["persona"]
    assert f'base_url = "{server.url}"' in done["persona"]


def test_every_send_is_a_row_of_the_ledger_with_its_bytes_and_what_it_is_about(hosted: Hosted) -> None:
    with HostedServer(faults={"upload": ["500"]}) as server:
        workspace = hosted(server.url, price=2.0)
        here = Here(workspace)
        here.go()
    job, again, failed = recent_calls(workspace.database, 9)
    (_, content) = next(iter(server.files.values()))
    assert [row.outcome for row in (failed, again, job)] == ["server error", "answered", "answered"]
    assert {row.bytes for row in (failed, again)} == {len(content)}
    conversations = {row[0] for row in workspace.database.rows("SELECT uid FROM conversation")}
    documents = {row[0] for row in workspace.database.rows("SELECT uid FROM document")}
    assert conversations | documents <= set(again.about)
    assert (job.purpose, job.about, job.cost, job.prompt_tokens) == ("fine-tuning job", (), 8.0, 4_000_000)
    assert {(row.run, row.role, row.host) for row in (failed, again, job)} == {
        (here.run.id, "training", f"127.0.0.1:{server.port}")
    }


def test_what_the_host_says_of_the_job_is_told_once_and_in_order(hosted: Hosted) -> None:
    with HostedServer(events=9, page=2) as server:
        here = Here(hosted(server.url))
        here.go()
    events, _ = read_events(here.run.folder)
    assert [event.payload["id"] for event in events if event.kind == "host"] == [f"ev-{n}" for n in range(1, 10)]
    metrics = [event.payload for event in events if event.kind == "metrics"]
    assert [(each["step"], round(each["loss"], 1)) for each in metrics][:2] == [(1, 2.9), (2, 2.8)]


def test_events_that_never_come_stop_nothing(hosted: Hosted) -> None:
    with HostedServer(faults={"events": ["not found", "html", "empty object"] * 9}) as server:
        assert Here(hosted(server.url)).go()["model"] == "ft:small-1:ftjob-0"


FAULTS = ["429 with wait", "500", "503", "truncated", "html", "empty object", "closed", "closed after"]


@pytest.mark.parametrize("request_name", ["upload", "start", "job"])
@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_fault_there_is_one_file_and_one_job(hosted: Hosted, request_name: str, fault: str) -> None:
    with HostedServer(faults={request_name: [fault, fault]}) as server:
        done = Here(hosted(server.url)).go()
    assert done["model"] == "ft:small-1:ftjob-0"
    assert (len(server.files), len(server.jobs)) == (1, 1)


@pytest.mark.parametrize("request_name", ["upload", "start", "job"])
def test_a_host_that_does_not_answer_in_time_is_asked_again(hosted: Hosted, request_name: str) -> None:
    with HostedServer(faults={request_name: ["hang", "hang after"]}) as server:
        Here(hosted(server.url, timeout=0.4)).go()
    assert (len(server.files), len(server.jobs)) == (1, 1)


@pytest.mark.parametrize("request_name", ["upload", "start", "job"])
def test_no_redirect_is_followed(hosted: Hosted, request_name: str) -> None:
    with HostedServer() as other, HostedServer(faults={request_name: ["redirect"]}) as server:
        server.redirect_to = f"{other.url}/files"
        with pytest.raises(TrainingError, match="307"):
            Here(hosted(server.url)).go()
        assert other.requests == []


def test_a_host_that_asks_for_hours_is_not_waited_for_and_the_run_can_go_on_later(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["429 long wait"]}) as server:
        here = Here(hosted(server.url))
        with pytest.raises(TrainingError, match="429") as stopped:
            here.go()
        assert stopped.value.hint == f"simulee runs resume {here.run.id} goes on where it stopped"
        here.go()
    assert (len(server.files), len(server.jobs)) == (1, 1)


def test_a_key_that_is_refused_starts_nothing_and_blocks_nothing(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST_KEY", "secret-1")
    with HostedServer(faults={"start": ["not authorized"]}) as server:
        workspace = hosted(server.url, api_key_env="HOST_KEY")
        with pytest.raises(TrainingError, match="401") as refused:
            Here(workspace).go()
        assert "api_key_env" in refused.value.hint
        Here(workspace).go()
    assert {head["Authorization"] for head in server.heads} == {"Bearer secret-1"}
    assert len(server.jobs) == 1


def test_a_key_goes_to_no_host_but_the_one_it_was_named_for(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST_KEY", "secret-1")
    monkeypatch.setenv("OPENAI_API_KEY", "secret-2")
    with HostedServer() as server:
        workspace = hosted("https://api.example.org/v1", api_key_env="HOST_KEY")
        Here(workspace, base_url=server.url).go()
        assert not any("secret" in value for head in server.heads for value in head.values())


def test_fields_that_a_host_does_not_know_are_left_out(hosted: Hosted) -> None:
    with HostedServer(refuses=("metadata", "hyperparameters")) as server:
        Here(hosted(server.url)).go()
    (body,) = server.bodies
    assert body["method"]["supervised"]["hyperparameters"] == {"n_epochs": 3}


def test_without_metadata_the_job_is_known_by_its_file(hosted: Hosted) -> None:
    faults = {"start": ["ok", "closed after"]}
    with HostedServer(refuses=("metadata",), faults=faults) as server:
        Here(hosted(server.url)).go()
    assert (len(server.jobs), server.requests.count("start")) == (1, 2)


def test_where_no_list_tells_whether_a_job_was_started_none_is_started_again(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["closed after"], "jobs": ["not found"] * 9}) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        for _ in range(2):
            with pytest.raises(TrainingError, match="may have started a job on file-0"):
                here.go()
        with pytest.raises(RunError, match="which is not over"):
            Here(workspace).go()
        with pytest.raises(TrainingError, match="lists no jobs"):
            cancel_at_host(workspace, here.run.id, None)
        assert len(server.jobs) == 1
        Here(workspace).go()
        assert len(server.jobs) == 2


@pytest.mark.parametrize(
    ("ends", "words"),
    [
        (
            {"status": "failed", "error": {"code": "invalid_training_file", "message": "line 3 is bad",
                                           "param": "training_file"}},
            "line 3 is bad (training_file)",
        ),
        ({"status": "failed", "error": {}}, "gives no reason"),
        ({"status": "cancelled"}, "was cancelled"),
    ],
)  # fmt: skip
def test_a_job_that_ends_otherwise_is_told_and_not_started_again(
    hosted: Hosted, ends: dict[str, object], words: str
) -> None:
    with HostedServer(ends=ends) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        for _ in range(2):
            with pytest.raises(TrainingError) as ended:
                here.go()
            assert words in str(ended.value)
        assert len(server.jobs) == 1
        server.ends = {"status": "succeeded"}
        Here(workspace).go()  # Another run is another job, and nothing is in its way.


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_job_that_did_not_succeed_has_used_what_the_host_says_it_trained(hosted: Hosted, status: str) -> None:
    with HostedServer(ends={"status": status}) as server:
        workspace = hosted(server.url, price=2.0)
        for trained, told in ((None, (0, 0.0)), (1_000_000, (1_000_000, 2.0))):
            server.ends["trained_tokens"] = trained
            here = Here(workspace)
            with pytest.raises(TrainingError):
                here.go()
            job = recent_calls(workspace.database, 1)[0]
            assert (job.purpose, job.outcome, job.prompt_tokens, job.cost) == ("fine-tuning job", "answered", *told)
            record = read_record(here.run.folder)
            assert record is not None
            assert record.cost == told[1]


def test_a_job_that_is_cancelled_at_the_host_is_no_longer_reckoned_in_the_ledger(hosted: Hosted) -> None:
    with HostedServer(looks=10**9) as server:
        workspace = hosted(server.url, price=2.0)
        here = Here(workspace)
        with pytest.raises(Interrupted):
            here.go(lambda: "job" in server.requests)
        assert recent_calls(workspace.database, 1)[0].cost > 0
        cancel_at_host(workspace, here.run.id)
    job = recent_calls(workspace.database, 1)[0]
    assert (job.purpose, job.outcome, job.prompt_tokens, job.cost) == ("fine-tuning job", "answered", 0, 0.0)


@pytest.mark.parametrize("request_name", ["upload", "start"])
def test_what_a_host_lists_late_is_not_sent_a_second_time(hosted: Hosted, request_name: str) -> None:
    with HostedServer(faults={request_name: ["closed after"]}, lag=2) as server:
        Here(hosted(server.url)).go()
    assert (len(server.files), len(server.jobs)) == (1, 1)
    assert server.requests.count(request_name) == 1


def test_a_job_that_a_host_lists_late_is_cancelled_all_the_same(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["hang after"]}, lag=2) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        with pytest.raises(Interrupted):
            here.go(lambda: bool(server.jobs))
        assert cancel_at_host(workspace, here.run.id, TINY).job == "ftjob-0"


@pytest.mark.parametrize("status", ["error", "deleted"])
def test_a_file_that_the_host_refused_or_removed_since_is_sent_again(hosted: Hosted, status: str) -> None:
    with HostedServer(faults={"start": ["429 long wait"]}) as server:
        here = Here(hosted(server.url))
        with pytest.raises(TrainingError, match="429"):
            here.go()
        server.statuses["file-0"] = status
        here.go()
    assert list(server.files) == ["file-0", "file-1"]
    assert [job["training_file"] for job in server.jobs.values()] == ["file-1"]


def test_a_file_that_is_there_still_is_not_sent_again_though_the_host_tells_of_none(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["429 long wait"], "file": ["not found"]}) as server:
        here = Here(hosted(server.url))
        with pytest.raises(TrainingError, match="429"):
            here.go()
        here.go()
    assert server.requests.count("upload") == 1


def test_a_host_that_spells_its_answers_a_little_differently_is_understood(hosted: Hosted) -> None:
    faults = {"upload": ["closed"], "start": ["closed"]}
    with HostedServer(loose=True, faults=faults) as server:
        done = Here(hosted(server.url, price=2.0)).go()
        assert (done["trained_tokens"], done["cost"]) == (4_000_000, 8.0)
        server.ends = {"status": "failed", "error": "line 3 is bad"}
        with pytest.raises(TrainingError, match="line 3 is bad"):
            Here(hosted(server.url, price=2.0)).go()
    assert (len(server.files), len(server.jobs)) == (2, 2)


def test_to_stop_is_to_stop_watching_and_the_job_goes_on(hosted: Hosted) -> None:
    with HostedServer(looks=10**9) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        with pytest.raises(Interrupted) as stopped:
            here.go(lambda: server.requests.count("job") > 2)
        assert str(stopped.value) == (
            f"stopped watching: ftjob-0 goes on at 127.0.0.1:{server.port};"
            f" simulee train hosted --cancel {here.run.id} stops it there"
        )
        assert server.jobs["ftjob-0"]["status"] == "running"
        assert "cancel" not in server.requests
        with pytest.raises(RunError, match="ftjob-0"):
            Here(workspace).go()
        ended = cancel_at_host(workspace, here.run.id)
        assert (ended.job, ended.status) == ("ftjob-0", "cancelled")
        assert cancel_at_host(workspace, here.run.id).status == "cancelled"


def test_a_stop_while_the_host_hangs_is_heard(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["hang after"]}) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        with pytest.raises(Interrupted, match="a job that may have been started"):
            here.go(lambda: "start" in server.requests and bool(server.jobs))
        ended = cancel_at_host(workspace, here.run.id)
        assert (ended.job, ended.status) == ("ftjob-0", "cancelled")


def test_a_job_that_never_began_is_nothing_to_cancel(hosted: Hosted) -> None:
    with HostedServer(faults={"start": ["hang"]}) as server:
        workspace = hosted(server.url)
        here = Here(workspace)
        with pytest.raises(Interrupted):
            here.go(lambda: "start" in server.requests)
        assert cancel_at_host(workspace, here.run.id, TINY).status == NO_JOB
        record = read_record(here.run.folder)
        assert record is not None
        assert not record.under_way


def test_a_job_over_the_cap_is_not_begun(hosted: Hosted) -> None:
    with HostedServer() as server:
        workspace = hosted(server.url, price=1000.0, max_cost=0.01)
        with pytest.raises(BudgetError, match=r"max_cost = 0\.01"):
            Here(workspace).go()
        assert server.requests == []


def test_a_file_that_the_host_would_refuse_is_not_sent(hosted: Hosted, frozen: Path) -> None:
    with HostedServer() as server:
        workspace = hosted(server.url)
        few = "SELECT id FROM example ORDER BY position LIMIT 9"
        workspace.database.execute(f"DELETE FROM example WHERE id NOT IN ({few})")
        messages = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": " ", "trained": True}]
        workspace.database.execute(
            "UPDATE example SET messages = ? WHERE id = (SELECT min(id) FROM example)", (json.dumps(messages),)
        )
        here = Here(workspace)
        with pytest.raises(DatasetError, match="9 samples, fewer than 10, and 1 more problems"):
            here.go()
        events, _ = read_events(here.run.folder)
        told = [event.payload["text"] for event in events if event.kind == "problem"]
        assert told == ["the file has 9 samples, fewer than 10", "sample 1 has an empty answer"]
        assert server.requests == []


def test_without_a_host_or_a_model_there_is_one_clear_line(hosted: Hosted) -> None:
    workspace = hosted("http://127.0.0.1:1/v1")
    (workspace.root / "persona.toml").write_text('name = "Ada"\n', "utf-8")
    workspace.forget_settings()
    with pytest.raises(SettingsError, match="no host is named"):
        hosted_params(workspace, "x")
    with pytest.raises(SettingsError, match="no model is named"):
        hosted_params(workspace, "x", base_url="http://127.0.0.1:1/v1")
    with pytest.raises(SettingsError, match="base_url must read like"):
        hosted_params(workspace, "x", base_url="http://a@b/v1", model="m")
    assert isinstance(workspace, Workspace)
