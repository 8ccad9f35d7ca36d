"""``simulee join`` as a person runs it: the run behind it, mute from any terminal, a lost one, kill -9, bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from subprocess import CompletedProcess

import pytest

from core.runs.journal import holder, list_runs, load_run, read_events
from core.workspace import Workspace
from tests.pty_terminal import COMMAND, Terminal
from tests.twin.rooms.irc_server import CHANNEL, IrcServer
from tests.twin.rooms.twin_server import TwinServer

Simulee = Callable[..., CompletedProcess[str]]
LOOSE = ("--per-minute", "0", "--min-gap", "0")


def place(server: IrcServer, workspace: Workspace) -> list[str]:
    return [
        "--server",
        f"127.0.0.1:{server.port}",
        "--channel",
        CHANNEL,
        "--nick",
        "adatwin",
        "-w",
        str(workspace.root),
    ]


def test_it_outlives_its_terminal_is_muted_from_another_and_comes_back_after_a_kill(
    simulee: Simulee, workspace: Workspace, twin: TwinServer
) -> None:
    with IrcServer("secret") as server:
        command = [*COMMAND, "join", "irc", *place(server, workspace), *LOOSE, "--token-env", "ROOM_TOKEN"]
        terminal = Terminal(command, columns=100, ROOM_TOKEN="secret")
        try:
            terminal.wait_for("in #room as adatwin")
            server.line("joe", "adatwin: hello?")
            terminal.wait_for("Answer 1.")
            terminal.type("m")
            terminal.wait_for("muted by a terminal")
        finally:
            terminal.hang_up()
        assert server.wait(lambda: os.waitpid(terminal.pid, os.WNOHANG)[0] == terminal.pid)
        (run,) = [each for each in list_runs(workspace.runs) if each.kind == "join"]
        assert run.state == "running", "a lost terminal leaves it in the room"
        server.line("joe", "adatwin: still there?")
        time.sleep(0.6)
        assert server.said == ["Answer 1."]

        pid = holder(run.folder / "lock")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert server.wait(lambda: load_run(workspace.runs, run.id).state == "lost")
        resumed = simulee(
            "runs", "resume", run.id, "--detach", "-w", workspace.root, env={**os.environ, "ROOM_TOKEN": "secret"}
        )
        assert resumed.returncode == 0, resumed.stderr
        assert server.wait(lambda: server.joins == 2)
        time.sleep(0.2)
        server.line("joe", "adatwin: and now?")
        time.sleep(0.6)
        assert server.said == ["Answer 1."], "who was muted stays so"
        done = simulee("join", "unmute", "-w", workspace.root, "--json")
        assert json.loads(done.stdout) == {"run": run.id, "muted": False}
        assert server.wait(lambda: len(server.said) == 2)
        beside = simulee("join", "irc", *place(server, workspace))
        assert (beside.returncode, "already running" in beside.stderr) == (1, True)

        assert simulee("runs", "cancel", run.id, "-w", workspace.root).returncode == 0
        assert server.wait(lambda: any(each.startswith("QUIT") for each in server.received))
        assert server.wait(lambda: load_run(workspace.runs, run.id).state == "cancelled")
        assert simulee("join", "mute", "-w", workspace.root).returncode == 1
        events = (run.folder / "events.jsonl").read_text()
        assert "secret" not in events + (run.folder / "output.log").read_text()


def test_ctrl_c_leaves_the_room_and_json_is_one_event_a_line(workspace: Workspace, twin: TwinServer) -> None:
    with IrcServer() as server:
        process = subprocess.Popen(
            [*COMMAND, "join", "irc", *place(server, workspace), "--json"], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        try:
            assert server.wait(lambda: server.joins == 1, 60)
            time.sleep(0.2)
            server.line("joe", "adatwin: hello \u202e?")
            assert server.wait(lambda: len(server.said) == 1)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    rows = [json.loads(line) for line in out.splitlines()]
    kinds = [each["kind"] for each in rows if each["kind"] != "progress"]
    assert kinds == ["started", "connected", "joined", "asked", "said", "counts", "ended"]
    assert rows[kinds.index("asked")]["text"] == "adatwin: hello ?"
    assert any(each.startswith("QUIT") for each in server.received)


def test_a_pipe_comes_back_as_events(workspace: Workspace, twin: TwinServer) -> None:
    done = subprocess.run(
        [*COMMAND, "join", "stdin", "-w", str(workspace.root)], input="joe: Ada Marlow, one?\njoe: Ada Marlow, two?\n",
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [each["text"] for each in rows if each["kind"] == "said"] == ["Answer 1.", "Answer 2."]
    assert rows[-1]["kind"] == "counts"
    assert "join" not in {each.kind for each in list_runs(workspace.runs)}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("irc", "--channel", "a b", "--nick", "x"), 2, "is no channel"),
        (("irc", "--channel", "a", "--nick", "x y"), 2, "is no nick"),
        (("irc", "--channel", "a", "--nick", "x"), 1, "nobody has allowed"),
        (("irc", "--channel", "a", "--nick", "x", "--token-env", "NO_SUCH_TOKEN"), 2, "NO_SUCH_TOKEN holds no token"),
        (("irc", "--channel", "a", "--nick", "x", "--answer-when", "never"), 2, "answer_when"),
        (("irc", "--channel", "a", "--nick", "x", "--per-minute", "-1"), 2, "per_minute"),
        (("websocket", "http://x"), 2, "is no websocket"),
        (("websocket", "wss://chat.example.org/a"), 1, "nobody has allowed"),
        (("stdin", "--as-of", "soon"), 2, "is not a date"),
        (("mute",), 1, "no co-host is in a room here"),
        (("watch",), 1, "no co-host is in a room here"),
    ],
)
def test_bad_input_gets_one_line_and_starts_nothing(
    simulee: Simulee, workspace: Workspace, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = simulee("join", *arguments, "-w", workspace.root)
    assert (done.returncode, words in done.stderr.splitlines()[0]) == (code, True), done.stderr
    assert list_runs(workspace.runs) == []


def test_the_command_imports_no_model() -> None:
    heavy = "{'torch','transformers','aiohttp','openai','textual'}"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, tui.commands.join; print({heavy} & set(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "set()"


def test_a_room_that_cannot_be_joined_ends_the_run_with_its_reason(
    simulee: Simulee, workspace: Workspace, twin: TwinServer
) -> None:
    with IrcServer(banned=True) as server:
        done = simulee("join", "irc", *place(server, workspace))
    assert done.returncode == 1
    assert "cannot join #room: this nick is banned from it" in done.stderr
    (run,) = [each for each in list_runs(workspace.runs) if each.kind == "join"]
    assert [each.kind for each in read_events(run.folder)[0]][-1] == "ended"
