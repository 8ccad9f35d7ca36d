"""``consent``, ``ledger``, ``models test`` and ``doctor``, as a person runs them against a real server."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from core.workspace import Workspace
from tests.asking import ask_all, use_server
from tests.fault_server import FaultServer

Simulee = Callable[..., CompletedProcess[str]]


def told(done: CompletedProcess[str], code: int = 0) -> dict[str, object]:
    assert done.returncode == code, done.stderr
    loaded: dict[str, object] = json.loads(done.stdout)
    return loaded


def test_consent_is_given_seen_and_taken_back(simulee: Simulee, workspace: Workspace) -> None:
    use_server(workspace, "https://api.example.org/v1")
    at = ("-w", workspace.root, "--json")
    (host,) = told(simulee("consent", "list", *at))["hosts"]  # type: ignore[misc]
    assert host == {"host": "api.example.org:443", "allowed": False, "by": "", "granted_at": "", "roles": ["writer"]}
    assert told(simulee("consent", "grant", "API.example.org", *at))["host"] == "api.example.org"
    (host,) = told(simulee("consent", "list", *at))["hosts"]  # type: ignore[misc]
    assert (host["allowed"], host["by"]) == (True, "consent")
    assert "may receive words" in simulee("consent", "list", "-w", workspace.root).stdout
    told(simulee("consent", "revoke", "api.example.org", *at))
    again = simulee("consent", "revoke", "api.example.org", "-w", workspace.root)
    assert again.returncode == 2
    assert "was not allowed anything" in again.stderr


def test_without_a_server_there_is_nothing_to_allow_and_nothing_was_sent(
    simulee: Simulee, workspace: Workspace
) -> None:
    assert "everything stays on this machine" in simulee("consent", "list", "-w", workspace.root).stdout
    assert "nothing was sent" in simulee("ledger", "-w", workspace.root).stdout


def test_the_ledger_says_what_went_where_and_what_came_of_it(simulee: Simulee, workspace: Workspace) -> None:
    with FaultServer(mode_of=lambda prompt, _time: "length" if "9" in prompt else "ok") as server:
        use_server(workspace, server, attempts=1)
        ask_all(workspace, [f"passage {number}" for number in range(10)])
    ledger = told(simulee("ledger", "-w", workspace.root, "--json", "-n", "100"))
    sends = ledger["sends"]
    assert isinstance(sends, list)
    assert [send["outcome"] for send in sends].count("answered") == 9
    assert [send["outcome"] for send in sends].count("length") == 1
    assert {(send["host"], send["role"], send["purpose"], send["bytes"]) for send in sends} == {
        (f"127.0.0.1:{server.port}", "writer", "retell", len("You retell.passage 1"))
    }
    assert ledger["totals"][0]["calls"] == 10  # type: ignore[index]
    plain = simulee("ledger", "-w", workspace.root).stdout
    assert f"127.0.0.1:{server.port}" in plain
    assert "retell" in plain


def test_hostile_words_in_the_ledger_stay_words(simulee: Simulee, workspace: Workspace) -> None:
    with workspace.database.write():
        workspace.database.execute(
            "INSERT INTO model_call (started_at, ended_at, run, role, engine, host, model, purpose, bytes, about, key,"
            " outcome, prompt_tokens, answer_tokens, cost) VALUES ('2026-01-01T00:00:00Z', '', '', 'writer',"
            " 'endpoint', ?, 'm', ?, 1, '[]', '', ?, 0, 0, 0)",
            ("evil\x1b[2J:80", "x\x1b]52;c;aGk=\x07", "\u202eno"),
        )
    shown = simulee("ledger", "-w", workspace.root).stdout
    assert "evil" in shown
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}


@pytest.mark.slow
def test_every_role_is_tried_with_a_real_question(simulee: Simulee, workspace: Workspace) -> None:
    def content(prompt: str) -> str:
        return '{"answer": "yes"}' if "JSON" in prompt else "yes"

    with FaultServer(content=content, schema_supported=False) as server:
        use_server(workspace, server)
        rows = told(simulee("models", "test", "-w", workspace.root, "--json"))["models"]
        assert isinstance(rows, list)
        assert all(row["ok"] for row in rows), rows
        roles = {row["role"]: row for row in rows}
        assert (roles["writer"]["schema"], roles["writer"]["chances"]) == (True, True)
        assert roles["persona"]["schema"] is True
        assert "384 dimensions" in roles["embedder"]["detail"]
        server.mode = "not authorized"
        failed = told(simulee("models", "test", "-w", workspace.root, "--json"), 1)["models"]
        assert [row["role"] for row in failed if not row["ok"]] == ["writer"]  # type: ignore[union-attr]


def test_pulling_says_what_is_packaged_and_what_cannot_be_had(simulee: Simulee, workspace: Workspace) -> None:
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    rows = told(simulee("models", "pull", "-w", workspace.root, "--json", env=offline))["models"]
    assert isinstance(rows, list)
    assert {row["detail"] for row in rows} == {"packaged, nothing to fetch", "needs no model"}
    with (workspace.root / "persona.toml").open("a") as settings:
        settings.write('\n[models.judge]\nengine = "transformers"\nmodel = "nobody/nothing-7B"\n')
    done = simulee("models", "pull", "-w", workspace.root, env=offline)
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("simulee: ")]
    assert len(lines) == 1
    assert "nobody/nothing-7B" in lines[0]
    assert "Traceback" not in done.stderr


def test_the_doctor_looks_at_endpoints(simulee: Simulee, workspace: Workspace) -> None:
    def check() -> dict[str, object]:
        done = simulee("doctor", "-w", workspace.root, "--json")
        checks = json.loads(done.stdout)["checks"]
        return next(each for each in checks if each["name"] == "endpoint of writer")

    with FaultServer() as server:
        use_server(workspace, server)
        assert check()["ok"] is True
        assert server.received == []
        use_server(workspace, server, api_key_env="NO_SUCH_VARIABLE")
        assert "NO_SUCH_VARIABLE" in str(check()["detail"])
    use_server(workspace, server)
    assert "cannot be reached" in str(check()["detail"])
    use_server(workspace, "https://api.example.org/v1")
    assert "simulee consent grant api.example.org" in str(check()["detail"])
