"""What a training will take, and what it learns from, told by the commands before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from core.workspace import Workspace
from tests.training.preferences.conftest import PAIRS, make, prefer
from tests.training.retriever.harbor import make_harbor

Simulee = Callable[..., CompletedProcess[str]]


def test_preferences_are_estimated_and_nothing_starts(simulee: Simulee, tmp_path: Path) -> None:
    workspace = make(tmp_path)
    for number in range(3):
        for question, chosen, rejected in PAIRS:
            prefer(workspace, f"{question} And {number}?", chosen, rejected)
    before = set(workspace.runs.iterdir())

    def told(*arguments: object) -> dict[str, Any]:
        done = simulee("train", *arguments, "--estimate", "--json", cwd=workspace.root)
        assert done.returncode == 0, done.stderr
        values: dict[str, Any] = json.loads(done.stdout)["estimate"]
        return values

    pairs = told("dpo")
    assert (pairs["kind"], pairs["preferences"], pairs["measured_by"]) == ("dpo", 6, "")
    single = told("kto", "--epochs", 5)
    assert (single["epochs"], single["good"], single["bad"]) == (5, 6, 6)
    assert single["seconds"] > pairs["seconds"]
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "Why ink?", "chosen": "It dries.", "rejected": "Sure!"}\n')
    assert told("dpo", "--pairs", file)["origins"] == {"file": 1}
    plain = simulee("train", "dpo", "--estimate", cwd=workspace.root).stdout
    assert "pairs    6 cleared for training (6 comparison)" in plain
    assert "(a guess: no dpo run here yet)" in plain
    assert set(workspace.runs.iterdir()) == before


@pytest.mark.parametrize(("kind", "what"), [("dpo", "no decided pair"), ("kto", "no judged answer")])
def test_with_nothing_to_learn_from_it_is_one_line(
    simulee: Simulee, workspace: Workspace, kind: str, what: str
) -> None:
    done = simulee("train", kind, "--estimate", cwd=workspace.root)
    assert done.returncode == 1
    assert what in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2


def test_a_retriever_with_nothing_embedded_is_refused_before_a_run(simulee: Simulee, workspace: Workspace) -> None:
    done = simulee("train", "retriever", cwd=workspace.root)
    assert done.returncode == 2
    assert "no passage is embedded yet" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
    assert not list(workspace.runs.iterdir())


@pytest.mark.slow
def test_a_retriever_tells_what_it_learns_from_before_it_starts(simulee: Simulee, tmp_path: Path) -> None:
    workspace = make_harbor(tmp_path)
    done = simulee("train", "retriever", "--lsr-weight", "0", "--steps", "3", cwd=workspace.root)
    assert done.returncode == 0, done.stderr
    for words in ("20 train · 4 validate", "24 accepted · 24 rejected (person: Ines 48)", "3 at the most"):
        assert words in done.stderr
    assert "scored by" not in done.stderr
