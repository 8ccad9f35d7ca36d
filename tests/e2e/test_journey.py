"""The whole journey on a slice of the sample, through the real command and the real embedded models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from core.review.queue import decide_by_threshold
from core.store.memories import review_rows
from core.workspace import Workspace

pytestmark = pytest.mark.slow

INTERVIEWS = ("2011-05-18-ines-calder", "2017-06-02-ines-calder", "2019-05-02-jonah-keel", "2024-03-14-ines-calder")


@pytest.fixture
def slice_of_sample(sample: Path, tmp_path: Path) -> Path:
    """Five notes and two exchanges of each of four interviews; the last interview becomes the held-out one."""
    folder = tmp_path / "words"
    (folder / "notes").mkdir(parents=True)
    for note in sorted((sample / "ada" / "vault").iterdir())[:5]:
        shutil.copy(note, folder / "notes")
    for name in INTERVIEWS:
        whole = json.loads((sample / "ada" / "interviews" / f"{name}.json").read_text("utf-8"))
        whole["exchanges"] = whole["exchanges"][:2]
        (folder / f"{name}.json").write_text(json.dumps(whole), "utf-8")
    return folder


Simulee = Callable[..., CompletedProcess[str]]


@pytest.fixture
def told(simulee: Simulee) -> Callable[..., dict[str, Any]]:
    """Run a command with ``--json`` and return what it tells; its exit code must be 0."""

    def do(*arguments: object, cwd: Path) -> dict[str, Any]:
        done = simulee(*arguments, "--json", cwd=cwd)
        assert done.returncode == 0, done.stderr
        values: dict[str, Any] = json.loads(done.stdout)
        return values

    return do


def test_a_folder_of_words_becomes_a_measured_talking_twin(
    told: Callable[..., dict[str, Any]], simulee: Simulee, slice_of_sample: Path, tmp_path: Path
) -> None:
    told("new", "Ada Marlow", "--dir", "twin", cwd=tmp_path)
    twin = tmp_path / "twin"
    with (twin / "persona.toml").open("a") as settings:
        settings.write("\n[dataset]\nmax_tokens = 512\n[recall]\ncandidates = 3\n")

    imported = told("import", slice_of_sample, cwd=twin)
    assert sum(source["documents"] for source in imported["sources"]) == 5
    assert sum(source["exchanges"] for source in imported["sources"]) == 8
    again = told("import", slice_of_sample, cwd=twin)
    assert sum(source[change] for source in again["sources"] for change in ("added", "changed", "removed")) == 0

    assert told("embed", cwd=twin)["embedded"] > 10
    assert told("embed", cwd=twin)["embedded"] == 0
    hits = told("search", "who cares for the charts", "--as-of", "2009-06", cwd=twin)["results"]
    assert hits
    assert all(hit["date"] < "2009-07" for hit in hits)

    recalled = told("recall", cwd=twin)
    assert recalled["exchanges"] == 6, "the held-out interview is not recalled for"
    assert recalled["pending"] == recalled["candidates"] > 0
    card = told("review", "--next", "1", cwd=twin)["items"][0]
    assert told("review", "--decide", card["id"], "accept", "--by", "Nell", cwd=twin)["accepted"] == 1
    assert told("review", "--undo", cwd=twin)["accepted"] == 0
    refused = simulee("review", "--auto", "0", cwd=twin)
    assert refused.returncode == 2, "no blind sample says what such a rule is worth"
    decide_by_threshold(Workspace.open(twin).database, 0.0)  # As `go --auto` does.
    assert told("review", "--stats", cwd=twin)["pending"] == 0

    dataset = told("dataset", "build", cwd=twin)
    assert dataset["splits"] == {"train": 6, "validation": 0, "heldout": 2}
    assert told("dataset", "build", cwd=twin)["hash"] == dataset["hash"]
    verdict = told("dataset", "verify", cwd=twin)
    assert (verdict["leaks"], verdict["parity"]) == ([], [])

    trained = told("train", "sft", "--max-steps", "2", cwd=twin)
    assert trained["steps"] == 2

    scorecard = told("evaluate", "--systems", "b0,b4", "--limit", "1", cwd=twin)["scorecard"]
    assert set(scorecard["systems"]) == {"b0", "b4"}
    assert scorecard["systems"]["b4"]["metrics"]["bits_per_token"]["value"] > 0
    assert [each["date"] for each in scorecard["interviews"]] == ["2024-03-14"]

    answer = told("chat", "--once", "Where do the charts come from?", "--seed", "1", cwd=twin)
    assert answer["answer"]
    chain = told("trace", trained["adapter"], cwd=twin)["chain"]
    assert {"dataset", "exchange", "conversation", "source"} <= {link["noun"] for link in chain if link["depth"] < 0}
    told("doctor", "--verify", cwd=twin)


def test_a_profile_alone_gives_search_and_chat_and_says_what_is_missing(
    told: Callable[..., dict[str, Any]], sample: Path, tmp_path: Path
) -> None:
    profile = tmp_path / "profile.txt"
    shutil.copy(sample / "ada" / "profile.txt", profile)
    gone = told("go", profile, "--target", "Ada Marlow", "--auto", cwd=tmp_path)
    assert [stage["name"] for stage in gone["stages"]] == ["import", "embed"]
    assert "interviews or chats" in gone["missing"][0]
    twin = tmp_path / "Ada Marlow"
    assert told("search", "where was she born", cwd=twin)["results"]
    assert told("chat", "--once", "Where were you born?", "--seed", "1", cwd=twin)["memories"]


def test_the_same_with_an_embedded_model_as_writer_and_judge(
    told: Callable[..., dict[str, Any]], slice_of_sample: Path, tmp_path: Path
) -> None:
    told("new", "Ada Marlow", "--dir", "twin", cwd=tmp_path)
    twin = tmp_path / "twin"
    with (twin / "persona.toml").open("a") as settings:
        settings.write("\n[dataset]\nmax_tokens = 512\n[recall]\ncandidates = 2\n")
        for role in ("writer", "judge"):
            settings.write(f'[models.{role}]\nengine = "llama.cpp"\nmodel = "SmolLM2-135M-Instruct"\n')
    told("import", slice_of_sample, cwd=twin)
    told("embed", cwd=twin)

    recalled = told("recall", "--limit", 3, cwd=twin)
    assert (recalled["recalled"], recalled["parked"]) == (3, {})
    assert recalled["calls"] >= recalled["candidates"]
    rows = review_rows(Workspace.open(twin).database)
    assert rows
    assert {row.memory.writer for row in rows} <= {"model", "quote"}
    assert told("ledger", cwd=twin)["sends"] == [], "nothing left the machine"
    assert {each["role"] for each in told("ledger", "--all", cwd=twin)["totals"]} == {"writer", "judge"}
    again = told("recall", "--limit", 3, cwd=twin)
    assert (again["recalled"], again["calls"]) == (0, 0)

    decide_by_threshold(Workspace.open(twin).database, -10.0)
    assert told("review", "--stats", cwd=twin)["accepted"] == len(rows)
    assert told("dataset", "build", cwd=twin)["splits"]["train"] == 6
    scorecard = told("evaluate", "--systems", "b2", "--limit", "1", cwd=twin)["scorecard"]
    assert scorecard["systems"]["b2"]["metrics"]["bits_per_token"]["value"] > 0
    assert told("chat", "--once", "Where do the charts come from?", "--seed", "1", cwd=twin)["answer"]
