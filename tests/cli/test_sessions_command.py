"""``simulee sessions``: listed, found, shown, written out, brought back and removed, for people and for programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from core.review.decisions import Actor
from core.store.sessions import add_message, begin_session, list_sessions
from core.twin.preferences import correct
from core.workspace import Workspace

Simulee = Callable[..., CompletedProcess[str]]
AT = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def talked(workspace: Workspace) -> Workspace:
    """Two sessions; in the second, an answer was corrected."""
    database = workspace.database
    with database.write():
        for question, answer in (
            ("Do you like tea?", "Under protest."),
            ("Do maps lie?", "They \x1b[31mdo, as charts."),
        ):
            session = begin_session(database, None, "", AT)
            add_message(database, session, "user", "Nell", question, "", {}, AT)
            message = add_message(database, session, "assistant", "Ada Marlow", answer, "p", {}, AT)
    correct(workspace, Actor("person", "Nell"), message, "They argue with the coast.")
    return workspace


def test_sessions_are_listed_found_and_shown(simulee: Simulee, talked: Workspace) -> None:
    told = json.loads(simulee("sessions", "list", "--json", cwd=talked.root).stdout)["sessions"]
    assert [(each["id"], each["questions"], each["first"]) for each in told] == [
        ("s2", 1, "Do maps lie?"), ("s1", 1, "Do you like tea?"),
    ]  # fmt: skip
    found = simulee("sessions", "search", "CHART", "maps", "--json", cwd=talked.root)
    (hit,) = json.loads(found.stdout)["sessions"]
    assert hit["id"] == "s2"
    assert "charts" in hit["said"]["text"] or "maps" in hit["said"]["text"]
    plain = simulee("sessions", "search", "protest", cwd=talked.root).stdout
    assert "s1" in plain
    assert "Under protest." in plain
    assert "no session holds" in simulee("sessions", "search", "coffee", cwd=talked.root).stdout
    shown = simulee("sessions", "show", "2", cwd=talked.root).stdout
    assert "**Nell:** Do maps lie?" in shown
    assert "*Corrected:* They argue with the coast." in shown
    assert "\x1b" not in shown
    (exchange,) = json.loads(simulee("sessions", "show", "s2", "--json", cwd=talked.root).stdout)["exchanges"]
    assert (exchange["question"], exchange["answers"][0]["correction"]) == (
        "Do maps lie?",
        "They argue with the coast.",
    )


def test_a_session_is_written_brought_back_and_removed(simulee: Simulee, talked: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "talk.jsonl"
    done = simulee(
        "sessions", "export", "s2", "--to", "sillytavern", "--out", "../talk.jsonl", "--json", cwd=talked.root
    )
    assert json.loads(done.stdout) == {"format": "sillytavern", "file": str(talked.root / ".." / "talk.jsonl")}
    assert [json.loads(line).get("mes") for line in file.read_text("utf-8").splitlines()] == [
        None, "Do maps lie?", "They argue with the coast.",
    ]  # fmt: skip
    arguments = ("sessions", "import", "s2", "--use", "recall", "--answers", "corrected")
    told = json.loads(simulee(*arguments, "--json", cwd=talked.root).stdout)
    assert (told["conversation"], told["exchanges"], told["use"], told["left_out"]) == ("c1", 1, "recall", [])
    assert "is already c1" in simulee(*arguments, cwd=talked.root).stdout
    assert json.loads(simulee("sessions", "remove", "s2", "--json", cwd=talked.root).stdout) == {"removed": "s2"}
    assert [each.id for each in list_sessions(talked.database)] == [1]
    kept = json.loads(simulee("corpus", "show", "c1", "--json", cwd=talked.root).stdout)
    assert [each["text"] for each in kept["turns"]] == ["Do maps lie?", "They argue with the coast."]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("import", "s2"), "by your word"), (("import", "s1", "--use", "train", "--answers", "corrected"), "no answer"),
        (("import", "s2", "--use", "none"), "none"), (("import", "s2", "--use", "recall", "--answers", "all"), "all"),
        (("import", "s9", "--use", "recall"), "no session 9"), (("show", "m1"), "m1"),
        (("remove", "s9"), "no session 9"),
        (("export", "s1", "--to", "html"), "html"), (("export", "s1"), "--to"), (("search",), "WORDS"),
        (("search", " "), "nothing to look for"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    simulee: Simulee, talked: Workspace, arguments: tuple[str, ...], words: str
) -> None:
    done = simulee("sessions", *arguments, cwd=talked.root)
    assert done.returncode == 2
    assert done.stdout == ""
    first, *hint = done.stderr.splitlines()
    assert first.startswith("simulee: ")
    assert words in first
    assert len(hint) == 1
    assert talked.database.value("SELECT count(*) FROM source") == 0
    assert len(list_sessions(talked.database)) == 2


def test_a_voice_that_is_not_there_is_told_before_the_twin_is_woken(simulee: Simulee, talked: Workspace) -> None:
    done = simulee("chat", "--once", "Tea?", "--say", "no-such-voice -v", cwd=talked.root)
    assert done.returncode == 2
    assert "no-such-voice" in done.stderr.splitlines()[0]
    assert "waking" not in done.stderr


@pytest.mark.slow
def test_the_embedded_twin_is_said_aloud_sentence_by_sentence(
    simulee: Simulee, workspace: Workspace, tmp_path: Path
) -> None:
    said = tmp_path / "said"
    done = simulee(
        "chat", "--once", "Tell me three things about the sea.", "--no-memories", "--seed", "3", "--json",
        "--say", f"tee -a '{said}'", cwd=workspace.root,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["answer"]
    lines = said.read_text("utf-8").splitlines()
    assert "".join("".join(lines).split()) == "".join(answer.split())
    assert len(lines) > 1
    failed = simulee("chat", "--once", "Tea?", "--no-memories", "--seed", "3", "--say", "false", cwd=workspace.root)
    assert failed.returncode == 0
    assert failed.stdout.strip()
    assert failed.stderr.count("the voice false failed: exit code 1") == 1


@pytest.mark.slow
def test_an_interrupted_answer_takes_its_voice_with_it(workspace: Workspace, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    voice = f"sh -c 'cat > /dev/null; echo $$ > {begun}.new; mv {begun}.new {begun}; sleep 600; sleep 600'"
    talk = subprocess.Popen(
        [sys.executable, "-c", "from tui.cli import main; main()", "chat", "--once", "Tell me about the sea.",
         "--no-memories", "--seed", "3", "--say", voice, "-w", str(workspace.root)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not begun.exists():
        assert talk.poll() is None, talk.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    talk.send_signal(signal.SIGINT)
    _, told = talk.communicate(timeout=60)
    assert talk.returncode == 130
    assert "Traceback" not in told
    while _is_there(int(begun.read_text())):  # One that was ended stays until it is reaped.
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
