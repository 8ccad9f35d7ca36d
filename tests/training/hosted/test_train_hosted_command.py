"""``simulee train hosted`` as a person runs it, against a host on loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from tests.hosted_server import HostedServer
from tests.training.hosted.conftest import INTERVIEWS, Hosted, elsewhere

Simulee = Callable[..., CompletedProcess[str]]


def test_told_first_then_trained_and_its_lines_are_shown(simulee: Simulee, hosted: Hosted) -> None:
    with HostedServer() as server:
        at = ("train", "hosted", "-w", hosted(server.url, price=2.0).root, "--epochs", 2)
        told = json.loads(simulee(*at, "--estimate", "--json").stdout)["estimate"]
        assert (told["samples"], told["host"]) == (INTERVIEWS, f"127.0.0.1:{server.port}")
        assert told["cost"] == pytest.approx(2 * told["tokens"] * 2.0 / 1e6)
        assert "content" not in told
        assert server.requests == []
        done = simulee(*at)
        assert done.returncode == 0, done.stderr
        assert "samples go to" in done.stderr
        lines = done.stdout.splitlines()
        assert lines[0] == "ft:small-1:ftjob-0: 14 samples, 4,000,000 trained tokens, cost 8.00"
        assert lines[1].startswith("To let it speak, in persona.toml")
        assert lines[2:] == [
            "  [models.persona]", '  engine = "endpoint"', '  api = "chat"', '  model = "ft:small-1:ftjob-0"',
            '  base = "SmolLM2-135M-Instruct"', f'  base_url = "{server.url}"',
        ]  # fmt: skip


def test_refusals_are_one_line_and_nothing_leaves(simulee: Simulee, hosted: Hosted) -> None:
    with HostedServer() as server:
        root = hosted(elsewhere(server.url), price=1000.0, max_cost=0.5).root
        dear = simulee("train", "hosted", "-w", root)
        assert (dear.returncode, "over [training.hosted] max_cost" in dear.stderr) == (1, True)
        root = hosted(elsewhere(server.url)).root
        unallowed = simulee("train", "hosted", "-w", root)
        assert unallowed.returncode == 1
        assert "simulee consent grant 0.0.0.0" in unallowed.stderr
        assert simulee("train", "hosted", "-w", root, "--cancel", "hosted-1").returncode == 2
        assert server.requests == []


def test_what_watches_can_be_stopped_and_the_job_is_stopped_by_its_own_command(
    simulee: Simulee,
    hosted: Hosted,
) -> None:
    with HostedServer(looks=10**9) as server:
        root = hosted(server.url).root
        assert "hosted-1 is running" in simulee("train", "hosted", "-w", root, "--detach").stdout
        server.wait_until("job", 1)
        stopped = simulee("runs", "cancel", "hosted-1", "-w", root).stdout.splitlines()
        assert stopped[-1] == (
            f"ftjob-0 goes on at 127.0.0.1:{server.port}: simulee train hosted --cancel hosted-1 stops it there"
        )
        assert server.jobs["ftjob-0"]["status"] == "running"
        done = simulee("train", "hosted", "-w", root, "--cancel", "hosted-1")
        assert done.stdout == f"ftjob-0 is cancelled at 127.0.0.1:{server.port}\n"
