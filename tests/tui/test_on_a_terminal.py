"""The workbench on a real terminal: a whole session, a lost line, signals, odd sizes and odd bytes."""

from __future__ import annotations

import contextlib
import os
import random
import re
import signal
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from core.journey import EMBED
from core.review.queue import stats
from core.runs.control import cancel, follow, run_to_end
from core.runs.journal import Run, holder, list_runs, load_run
from core.store.decisions import list_decisions
from core.workspace import Workspace
from tests.pty_terminal import Terminal
from tests.review_rows import fill
from tui.loop.defects import LOG_FILE

CLOSES = int(os.environ.get("SIMULEE_CLOSES", "40"))
"""How many lines are lost in the test; 200 make the full proof."""
CARDS_A_LINE = 10
"""More than one line can decide on."""
LEFT = b"\x1b[?1049l"
"""Ends the alternate screen: the terminal is given back."""


@pytest.fixture
def queue(workspace: Workspace) -> Workspace:
    fill(workspace.database, 600)
    return workspace


def decided(terminal: Terminal) -> int:
    """How many cards the header says are decided."""
    found = re.search(r"([\d,]+)/[\d,]+", terminal.text)
    return int(found[1].replace(",", "")) if found else -1


def is_decided_on(terminal: Terminal, key: str) -> bool:
    """Press a key once the card is confirmed, and wait until one more is counted and the next card is asked after."""
    with contextlib.suppress(AssertionError):
        terminal.wait_until(lambda: terminal.queries, "question whether a card was painted", 20)
    terminal.settle(0.1)
    wanted, asked = decided(terminal) + 1, terminal.queries
    terminal.type(key)
    with contextlib.suppress(AssertionError):
        terminal.wait_until(lambda: decided(terminal) == wanted and terminal.queries > asked, "decision", 20)
    return decided(terminal) == wanted


def test_a_whole_session_of_review(queue: Workspace, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(queue.root, "--screen", "review", EDITOR="sed -i s/^/Edited:/")
    terminal.wait_for("1 of 600")
    for key in "aax3":
        assert is_decided_on(terminal, key)
        terminal.settle()  # The next card is confirmed, however late that comes.
    terminal.type("E")
    terminal.wait_until(lambda: len(list_decisions(queue.database)) == 5, "fifth decision")
    terminal.settle()
    terminal.type("u")
    terminal.wait_for("took back 1 decision")
    terminal.type("/salt state:all\r")
    terminal.wait_for("salt state:all")
    terminal.type("l")
    terminal.wait_for("accepted")
    terminal.type("\x1b")
    terminal.settle()
    terminal.type("gd")
    terminal.settle()
    terminal.type("q")
    terminal.wait_for("salt state:all")
    terminal.type("\x11")
    assert terminal.wait() == 0
    assert LEFT in terminal.output
    rows = list_decisions(queue.database)
    assert [row.verb for row in rows] == ["accept", "accept", "reject", "reject", "edit", "undo"]
    assert rows[3].reason == "too vague"
    assert rows[4].text.startswith("Edited:")
    again = open_terminal(queue.root)
    assert "salt state:all" in again.wait_for("state:all")


def test_keys_typed_ahead_of_a_slow_line_judge_nothing_unseen(
    queue: Workspace, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(queue.root, "--screen", "review", answers=False)
    terminal.wait_for("1 of 600")
    terminal.settle()
    terminal.type("aaaa")
    terminal.wait_for("nothing was decided")
    assert list_decisions(queue.database) == []
    terminal.answers = True
    terminal.type("w")
    terminal.wait_for("without waiting")
    terminal.type("a")
    terminal.wait_for("1/600")
    assert len(list_decisions(queue.database)) == 1


def test_words_typed_ahead_of_a_box_are_words(queue: Workspace, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(queue.root, "--screen", "review")
    terminal.wait_for("1 of 600")
    terminal.settle()
    terminal.type("/axe salt\r")
    terminal.wait_for("axe salt")
    terminal.settle()
    assert list_decisions(queue.database) == []


@pytest.fixture
def run_of_a_workbench_that_is_gone(workspace: Workspace, open_terminal: Callable[..., Terminal]) -> Iterator[Run]:
    """Somebody asked the twin something and hung up; the run that serves it goes on."""
    terminal = open_terminal(workspace.root, "--screen", "chat")
    terminal.wait_for("Ask Ada Marlow something")
    terminal.type("Do maps lie?\r")
    terminal.wait_until(lambda: any(run.state == "running" for run in list_runs(workspace.runs)), "run", 60)
    terminal.hang_up()
    assert terminal.ends()
    [run] = list_runs(workspace.runs)
    yield run
    if load_run(workspace.runs, run.id).state == "running":
        cancel(workspace, run.id)
        assert [*follow(workspace, run.id)][-1].kind == "ended"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_no_decision_is_lost_or_made_twice_when_the_line_goes_and_a_run_lives_on(
    workspace: Workspace, open_terminal: Callable[..., Terminal], run_of_a_workbench_that_is_gone: Run
) -> None:
    fill(workspace.database, CARDS_A_LINE * CLOSES)
    run = run_of_a_workbench_that_is_gone
    process = holder(run.folder / "lock")
    chance = random.Random(20241)
    for number in range(CLOSES):
        made = sum(1 for row in list_decisions(workspace.database) if row.card_uid)
        terminal = open_terminal(workspace.root, "--screen", "review")
        seen, ahead = 0, ""
        if number % 8 == 7:  # This line goes while the workbench opens.
            until = time.monotonic() + chance.random()
            while time.monotonic() < until:
                terminal.read(0.01)
        else:
            terminal.wait_until(lambda line=terminal: decided(line) >= 0 and " of " in line.text, "card", 60)
            for _ in range(chance.randrange(1, 4)):
                if not is_decided_on(terminal, chance.choice("ax")):
                    break
                seen += 1
            ahead = chance.choice(["a", "x", "u", "aaxx", "aua"]) if number % 2 else ""
            terminal.type(ahead)
            time.sleep(chance.random() * 0.05)
        terminal.hang_up()
        assert terminal.ends(), "the workbench outlives its terminal"
        now = sum(1 for row in list_decisions(workspace.database) if row.card_uid)
        assert seen <= now - made <= seen + len(ahead.replace("u", "")), f"line {number} with {ahead!r} typed ahead"
        alive = holder(run.folder / "lock") == process
        assert alive or went_to_rest(workspace, run), f"the run went with line {number}"
    rows = list_decisions(workspace.database)
    undone = {row.target_batch for row in rows if row.verb == "undo"}
    times = Counter(row.card_uid for row in rows if row.card_uid and row.batch not in undone)
    assert len(times) >= CLOSES // 2
    assert not [uid for uid, count in times.items() if count > 1]
    assert workspace.database.value("PRAGMA integrity_check") == "ok"
    assert load_run(workspace.runs, run.id).state == "running" or went_to_rest(workspace, run)


def went_to_rest(workspace: Workspace, run: Run) -> bool:
    """Whether a serving run ended by itself, as it does after a quarter of an hour without a question."""
    found = load_run(workspace.runs, run.id)
    return (found.state, found.result.get("ended")) == ("done", "idle")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(
    queue: Workspace, open_terminal: Callable[..., Terminal], number: int
) -> None:
    terminal = open_terminal(queue.root, "--screen", "review")
    terminal.wait_for("1 of 600")
    assert not termios.tcgetattr(terminal._master)[3] & termios.ECHO
    terminal.send_signal(number)
    assert terminal.wait() == 128 + number
    assert terminal.output.rstrip().endswith(LEFT) or LEFT in terminal.output[-400:]
    assert termios.tcgetattr(terminal._master)[3] & termios.ECHO


def test_a_terminal_that_stopped_reading_does_not_hold_the_process(
    queue: Workspace, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(queue.root, "--screen", "review")
    terminal.wait_for("1 of 600")
    with_pressure = time.monotonic() + 3
    while time.monotonic() < with_pressure:  # Nothing is read: the line fills up.
        os.write(terminal._master, b"jk" * 20)
        time.sleep(0.01)
    terminal.send_signal(signal.SIGTERM)
    assert terminal.ends()


@pytest.mark.slow
def test_any_size_and_any_bytes(queue: Workspace, open_terminal: Callable[..., Terminal], tmp_path: Path) -> None:
    chance = random.Random(7)
    terminal = open_terminal(queue.root, cwd=tmp_path, EDITOR="true", HOME=str(tmp_path))
    terminal.wait_for("Corpus")
    for _ in range(500):
        terminal.resize(chance.choice([1, 2, 5, 20, 40, 80, 120, 200]), chance.choice([1, 2, 3, 5, 10, 24, 40, 60]))
        if chance.random() < 0.2:
            terminal.type(b"\x1b" + chance.choice([b"OQ", b"OR", b"OS", b"[15~", b"[17~", b"[18~", b"[19~", b"[20~"]))
        terminal.read(0.01)
    terminal.resize(80, 24)
    allowed = bytes(value for value in range(256) if value not in (0x11, 0x1A))
    sent = 0
    while sent < 10_000:
        piece = bytes(chance.choice(allowed) for _ in range(50)).replace(b"[21~", b"")
        terminal.type(piece)
        sent += len(piece)
        terminal.read(0.01)

    def is_out_of_all_boxes() -> bool:
        done, status = os.waitpid(terminal.pid, os.WNOHANG)
        assert not done, f"it ended with {status}: {terminal.text}"
        for keys in ("\x1b", "\x1bOQ"):  # Keys wait their turn: what was sent before may still open a box.
            terminal.type(keys)
            terminal.settle(0.3, 2)
        return "Corpus" in terminal.text

    terminal.wait_until(is_out_of_all_boxes, "overview", 300)
    log = queue.root / LOG_FILE
    assert not log.exists(), log.read_text("utf-8")


@pytest.mark.slow
def test_a_run_begun_here_goes_on_without_the_terminal_and_is_seen_whole_again(
    workspace: Workspace,
    open_terminal: Callable[..., Terminal],
    import_paths: Callable[..., Any],
    write_interview: Callable[..., Path],
    tmp_path: Path,
) -> None:
    (tmp_path / "note.md").write_text("---\ndate: 2011-01-02\n---\n# Tides\n\n" + "The tide keeps its own hours. " * 30)
    questions = [(f"What of the tide in year {number}?", "It comes back, as it always did.") for number in range(12)]
    import_paths(workspace, [tmp_path / "note.md", write_interview("2012-03-04", questions)])
    run_to_end(workspace, *EMBED, {})
    terminal = open_terminal(workspace.root, "--screen", "review")
    terminal.wait_for("No memories yet")
    terminal.type("r")
    terminal.wait_until(lambda: any(run.kind == "recall" for run in list_runs(workspace.runs)), "run")
    run = next(run for run in list_runs(workspace.runs) if run.kind == "recall")
    terminal.wait_until(lambda: load_run(workspace.runs, run.id).state == "running", "run at work", 60)
    terminal.hang_up()
    assert terminal.ends()
    assert load_run(workspace.runs, run.id).state == "running"
    kinds = [event.kind for event in follow(workspace, run.id)]
    assert kinds[0] == "started"
    assert kinds[-1] == "ended"
    again = open_terminal(workspace.root, "--screen", "review")
    assert f"1 of {stats(workspace.database).pending}" in again.wait_for(" of ")
