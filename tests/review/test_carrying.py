"""Decisions go to another workspace and come back the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.review.decisions import Actor, Decision, decide, undo
from core.store.decisions import card_states, list_decisions
from core.store.pairs import list_pairs, put_pair
from core.workspace import Workspace
from tests.review_rows import fill

NELL = Actor("person", "Nell")


def test_decisions_carry_over_once_and_say_where_they_came_from(
    workspace: Workspace, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    fill(workspace.database, 10)
    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    fill(other.database, 10)
    decide(workspace.database, NELL, [Decision("m000001", "accept"), Decision("m000002", "reject", "off topic")])
    decide(workspace.database, NELL, [Decision("m000003", "edit", text="I kept it.")])
    decide(workspace.database, NELL, [Decision("m000004", "accept")])
    undo(workspace.database, NELL)
    file = tmp_path / "decisions.jsonl"
    assert simulee("review", "--export", file, "-w", workspace.root).returncode == 0
    done = simulee("review", "--import", file, "-w", other.root, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["imported"] == 3
    assert card_states(other.database) == card_states(workspace.database)
    assert {(row.actor_kind, row.actor) for row in list_decisions(other.database)} == {("import", "decisions.jsonl")}
    again = simulee("review", "--import", file, "-w", other.root, "--json")
    assert json.loads(again.stdout)["same"] == 3
    assert len(list_decisions(other.database)) == 3


def test_lines_that_are_none_and_unknown_cards_are_refused_and_the_rest_is_taken(
    workspace: Workspace, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    fill(workspace.database, 5)
    good = {"card_kind": "memory", "card_uid": "m000001", "verb": "accept"}
    lines = ["{", json.dumps(good | {"verb": "burn"}), json.dumps(good | {"card_uid": "gone"}), json.dumps(good), ""]
    file = tmp_path / "decisions.jsonl"
    file.write_text("\n".join(lines), "utf-8")
    done = simulee("review", "--import", file, "-w", workspace.root)
    assert done.returncode == 3
    assert "line 3: no memory gone here" in done.stderr
    assert "took 1 decisions, 0 stood so already, 3 refused" in done.stdout
    missing = simulee("review", "--import", tmp_path / "none", "-w", workspace.root)
    assert missing.returncode == 1
    assert "cannot be read" in missing.stderr


def test_words_with_every_kind_of_line_break_come_back_the_same(
    workspace: Workspace, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    words = "I\u2028kept\u2029it\x85there\x0b,\r\nthen\nleft."
    fill(workspace.database, 5)
    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    fill(other.database, 5)
    decide(workspace.database, NELL, [Decision("m000001", "edit", text=words)])
    file = tmp_path / "decisions.jsonl"
    assert simulee("review", "--export", file, "-w", workspace.root).returncode == 0
    assert len(file.read_text("utf-8").splitlines()) == 1
    assert simulee("review", "--import", file, "-w", other.root).returncode == 0
    assert card_states(other.database) == {("memory", "m000001"): ("accepted", words)}


def test_a_file_in_which_nobody_escaped_a_line_break_is_read_too(
    workspace: Workspace, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    fill(workspace.database, 5)
    line = {"card_kind": "memory", "card_uid": "m000001", "verb": "edit", "text": "I\u2028kept it."}
    file = tmp_path / "decisions.jsonl"
    file.write_text(json.dumps(line, ensure_ascii=False) + "\n", "utf-8")
    assert simulee("review", "--import", file, "-w", workspace.root).returncode == 0
    assert card_states(workspace.database) == {("memory", "m000001"): ("accepted", "I\u2028kept it.")}


def test_an_accepted_pair_without_its_better_side_is_refused_and_the_rest_is_taken(
    workspace: Workspace, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    with workspace.database.write():
        for number in range(2):
            put_pair(workspace.database, f"Q{number}?", "", "one", "other", "generated", None, "2024-05-02T10:00:00")
    uids = [pair.uid for pair in list_pairs(workspace.database)]
    lines = [
        {"card_kind": "pair", "card_uid": uids[0], "verb": "accept"},
        {"card_kind": "pair", "card_uid": uids[1], "verb": "accept", "text": "right"},
    ]
    file = tmp_path / "decisions.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines), "utf-8")
    done = simulee("review", "--import", file, "-w", workspace.root)
    assert done.returncode == 3
    assert f"line 1: pair {uids[0]}: which side is better is not said" in done.stderr
    assert "took 1 decisions" in done.stdout
    assert [pair.preferred for pair in list_pairs(workspace.database)] == ["", "right"]
