"""A trained head finds what a person accepted, in questions it never saw; no vector moves, and it can be undone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import tomlkit

from core.models.load_embedder import load_embedder
from core.models.packaged import minilm_folder
from core.retrieval.retrievers import CARD, FOLDER, LEARNED_FROM, retriever_in_use
from core.retrieval.search import Query, Searcher
from core.review.decisions import Decision, decide
from core.runs.control import run_to_end
from core.runs.journal import read_events
from core.store.conversations import exchanges_named
from core.store.fingerprints import fingerprint
from core.training.retriever.launch import RETRIEVER_ENTRY, RETRIEVER_KIND, retriever_params
from core.workspace import Workspace
from tests.training.retriever.harbor import MANY, PERSON, TOPICS, make_harbor, question

pytestmark = pytest.mark.slow
Simulee = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def harbor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = make_harbor(tmp_path_factory.mktemp("harbor"), per_interview=MANY)
    workspace.database.close()
    return workspace.root


@pytest.fixture(scope="module")
def trained(harbor: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A workspace whose head was trained on the decisions alone, and the run's result."""
    workspace = _copy(harbor, tmp_path_factory.mktemp("trained") / "ws")
    done = _train(workspace)
    workspace.database.close()
    return workspace.root, done


def _copy(folder: Path, target: Path) -> Workspace:
    shutil.copytree(folder, target)
    return Workspace.open(target)


def _train(workspace: Workspace, **params: Any) -> dict[str, Any]:
    params = retriever_params(workspace, **({"lsr_weight": 0.0} | params))
    return run_to_end(workspace, RETRIEVER_KIND, RETRIEVER_ENTRY, params)


def _first(workspace: Workspace, topic: str) -> str:
    searcher = Searcher(workspace, load_embedder)
    return searcher.search(Query(question(topic), 1, mode="vector"))[0].passage.chunk.text


def _is_entry_of(topic: str, text: str) -> bool:
    return text.startswith("Ledger") and topic in text.lower()


def test_validation_finds_what_was_accepted_and_the_head_is_adopted(trained: tuple[Path, dict[str, Any]]) -> None:
    root, done = trained
    before, after = done["before"], done["after"]
    assert before["validation"]["questions"] == MANY
    assert before["validation"]["mrr"] < 0.5
    assert after["validation"]["mrr"] > 0.9
    assert after["searched"]["mrr"] >= before["searched"]["mrr"]
    assert done["gain"] == pytest.approx(after["validation"]["mrr"] - before["validation"]["mrr"], abs=1e-3)
    assert done["gain_interval"][0] > 0
    assert done["verdict"].startswith("gain: ")
    assert 0.5 < done["drift"] < 1
    assert retriever_in_use(root / "adapters") == done["adapter"] == "retriever-1"


def test_it_finds_the_like_in_questions_that_were_held_out(harbor: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    heldout = TOPICS[-2 * MANY :]
    plain, turned = Workspace.open(harbor), Workspace.open(trained[0])
    assert not any(_is_entry_of(topic, _first(plain, topic)) for topic in heldout)
    assert sum(_is_entry_of(topic, _first(turned, topic)) for topic in heldout) >= len(heldout) - 2


def test_no_stored_vector_is_changed(harbor: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    prints = [fingerprint(Workspace.open(root).database, "embed") for root in (harbor, trained[0])]
    assert prints[0] == prints[1]


def test_the_card_says_what_it_was_trained_on_and_what_that_brought(trained: tuple[Path, dict[str, Any]]) -> None:
    root, done = trained
    card = json.loads((root / "adapters" / FOLDER / "retriever-1" / CARD).read_text("utf-8"))
    assert card["decided_by"] == {"person: Ines": 2 * 6 * MANY}
    assert card["questions"] == {"train": 5 * MANY, "validation": MANY}
    learned = exchanges_named(Workspace.open(root).database, card[LEARNED_FROM])
    assert {uid: each.said for uid, each in learned.items()} == card[LEARNED_FROM]
    assert len(learned) == 5 * MANY
    assert (card["accepted"], card["rejected"]) == (6 * MANY, 6 * MANY)
    assert card["last_decision"] == 2 * len(TOPICS)
    assert (card["before"], card["after"], card["hash"]) == (done["before"], done["after"], done["hash"])
    assert card["settings"]["lsr_weight"] == 0
    assert card["embedder"]["model"] == "all-MiniLM-L6-v2"


def test_its_curves_are_told_as_those_of_any_training(trained: tuple[Path, dict[str, Any]]) -> None:
    events = read_events(trained[0] / "runs" / "retriever-1")[0]
    metrics = [event.payload for event in events if event.kind == "metrics"]
    plan = next(event.payload for event in events if event.kind == "plan")
    losses = [each["loss"] for each in metrics if "loss" in each]
    evaluated = [each for each in metrics if "eval_loss" in each]
    assert len(losses) == trained[1]["taken"] <= plan["steps"]
    assert losses[-1] < losses[0] / 2
    assert evaluated[-1]["eval_loss"] < evaluated[0]["eval_loss"]
    assert evaluated[-1]["mrr"] > evaluated[0]["mrr"]


def test_one_command_takes_it_back_and_one_takes_it_up_again(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, simulee: Simulee
) -> None:
    workspace = _copy(trained[0], tmp_path / "ws")

    def active() -> dict[str, bool]:
        told = json.loads(simulee("adapters", "list", "--json", "-w", workspace.root).stdout)
        return {row["name"]: row["active"] for row in told["adapters"]}

    assert active() == {"retriever-1": True}
    assert simulee("adapters", "revert", "--retriever", "-w", workspace.root).returncode == 0
    assert active() == {"retriever-1": False}
    assert "Interviewers always ask" in _first(workspace, TOPICS[-1])
    assert simulee("adapters", "use", "retriever-1", "-w", workspace.root).returncode == 0
    assert active() == {"retriever-1": True}
    assert _first(workspace, TOPICS[-1]).startswith("Ledger")
    shown = json.loads(simulee("adapters", "show", "retriever-1", "--json", "-w", workspace.root).stdout)
    assert shown["verdict"].startswith("gain")


def test_one_of_another_embedder_is_refused_in_one_line(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, simulee: Simulee
) -> None:
    workspace = _copy(trained[0], tmp_path / "ws")
    simulee("adapters", "revert", "--retriever", "-w", workspace.root)
    settings = tomlkit.parse((workspace.root / "persona.toml").read_text("utf-8"))
    # The same files under another name are another embedder: their vectors would be stored under it.
    settings["models"] = {"embedder": {"engine": "sentence-transformers", "model": str(minilm_folder())}}
    (workspace.root / "persona.toml").write_text(tomlkit.dumps(settings), "utf-8")
    done = simulee("adapters", "use", "retriever-1", "-w", workspace.root)
    assert done.returncode == 1
    assert "was trained for the model 'all-MiniLM-L6-v2'" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 2
    assert retriever_in_use(workspace.adapters) == ""
    again = simulee("train", "retriever", "--lsr-weight", "0", "-w", workspace.root)
    assert "are not embedded with" in again.stderr


def test_what_brings_no_gain_says_so_and_is_adopted_only_when_asked(harbor: Path, tmp_path: Path) -> None:
    workspace = _copy(harbor, tmp_path / "ws")
    # The person thinks otherwise of all that is trained on, and the interview that validates stays as it was.
    decide(
        workspace.database,
        PERSON,
        [
            Decision(f"{was}-{place}", verb)
            for place in range(5 * MANY)
            for was, verb in (("accept", "reject"), ("reject", "accept"))
        ],
    )
    done = _train(workspace)
    assert done["verdict"].startswith("no gain: ")
    assert not done["used"]
    assert retriever_in_use(workspace.adapters) == ""
    assert _train(workspace, use=True)["used"]
    assert retriever_in_use(workspace.adapters) == "retriever-2"


def test_nothing_decided_and_nothing_scored_is_one_clear_line(tmp_path: Path, simulee: Simulee) -> None:
    workspace = make_harbor(tmp_path, decided=False, interviews=4)
    done = simulee("train", "retriever", "--lsr-weight", "0", "--json", "-w", workspace.root)
    assert done.returncode == 1
    assert "nothing to learn from" in json.loads(done.stdout)["error"]
    assert len(done.stderr.strip().splitlines()) == 2
    both = simulee("train", "retriever", "--lsr-weight", "0", "--contrastive-weight", "0", "-w", workspace.root)
    assert both.returncode == 2
    assert "cannot both be 0" in both.stderr


def test_doctor_sees_a_retriever_that_is_damaged(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path, simulee: Simulee
) -> None:
    workspace = _copy(trained[0], tmp_path / "ws")

    def retriever() -> dict[str, Any]:
        checks = json.loads(simulee("doctor", "--json", "-w", workspace.root).stdout)["checks"]
        return next(check for check in checks if check["name"] == "retriever retriever-1")

    assert retriever()["ok"]
    (workspace.adapters / FOLDER / "retriever-1" / "head.safetensors").write_bytes(b"half")
    assert not retriever()["ok"]
    assert "cannot be read" in retriever()["detail"]
