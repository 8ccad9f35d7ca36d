"""What a training has seen of the held-out conversations, whatever they are called by now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.corpus.holdout import assign_splits, hold_out
from core.dataset.build import build
from core.fidelity.launch import evaluate_params
from core.fidelity.plan import plan, weights_of
from core.models.roles import embedder_of
from core.retrieval.retrievers import CARD, LEARNED_FROM
from core.review.decisions import Actor, Decision, decide
from core.store.adapters import AdapterRow, put_adapter
from core.store.conversations import ConversationRow, ExchangeRow, exchanges_of, trainable_conversations
from core.store.pairs import put_pair
from core.training.preferences.launch import preference_params
from core.workspace import SETTINGS_FILE, Workspace
from tests.retrieval.put_retriever import put_head

AT = "2026-01-02T03:04:05+00:00"
BASE = "SmolLM2-135M-Instruct"
LONG = "I counted the jars twice that year and the ferry once, which was the one that came out wrong."


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., Path]:
    """Write the interview of a year without a native id: ``talk(2010, title="…")``."""

    def do(year: int, title: str = "", date: str = "", answer: str = "Rain.", name: str = "") -> Path:
        path = tmp_path / f"{name or f'talk-{year}'}.txt"
        path.write_text(
            f"Title: {title or f'Talk {year}'}\nDate: {date or f'{year}-05-01'}\n"
            f"Interviewer: Ines Calder\nInterviewee: Ada Marlow\n\n"
            f"Q: What did they sell in the harbor in {year}?\nA: {answer} It was {year}.\n\n"
            f"Q: And then?\nA: Snow in {year}.\n",
            "utf-8",
        )
        return path

    return do


@pytest.fixture
def talks(workspace: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path]) -> Workspace:
    """Six interviews, the last two of them held out."""
    import_paths(workspace, [talk(year) for year in range(2010, 2016)])
    assign_splits(workspace)
    return workspace


def _adapter(workspace: Workspace, name: str, dataset: int | None = None, **settings: Any) -> None:
    with workspace.database.write():
        row = AdapterRow(0, name, dataset, name, BASE, "r", 1, f"adapters/{name}", name, settings, "")
        put_adapter(workspace.database, row)


def _of_year(workspace: Workspace, year: int) -> tuple[ConversationRow, list[ExchangeRow]]:
    """The conversation that speaks of a year, and its exchanges."""
    for row in trainable_conversations(workspace.database):
        exchanges = exchanges_of(workspace.database, row.id)
        if str(year) in exchanges[0].question:
            return row, exchanges
    raise AssertionError(year)


def _hold_out(workspace: Workspace, year: int) -> None:
    hold_out(workspace, [_of_year(workspace, year)[0].uid])


def _notes(workspace: Workspace) -> tuple[str, ...]:
    return plan(workspace, evaluate_params()).notes


SPOILED = "sft-1 was trained on 1 of the held-out conversations, so it is not measured."


@pytest.mark.parametrize(
    "corrections",
    [[{"title": "The harbor"}], [{"date": "2009-01-01"}], [{"title": "The habor"}, {"title": "The harbor"}]],
    ids=["title", "date", "title twice"],
)
def test_an_adapter_is_known_to_have_seen_an_interview_that_was_corrected_since(
    talks: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path], corrections: list[dict[str, str]]
) -> None:
    _adapter(talks, "sft-1", build(talks).id)
    before = _of_year(talks, 2011)[0].uid
    for correction in corrections:
        import_paths(talks, [talk(2011, **correction)])
    assert _of_year(talks, 2011)[0].uid != before
    _hold_out(talks, 2011)
    found = plan(talks, evaluate_params())
    assert "b4" in found.missing
    assert found.notes == (SPOILED,)


def test_an_adapter_is_known_to_have_seen_the_same_words_from_another_file(
    talks: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path]
) -> None:
    import_paths(talks, [talk(2011, answer=LONG)])
    _adapter(talks, "sft-1", build(talks).id)
    with talks.database.write():
        talks.database.execute("DELETE FROM source WHERE location LIKE '%talk-2011.txt'")
    import_paths(talks, [talk(2011, title="Jars", answer=LONG, name="jars")])
    _hold_out(talks, 2011)
    assert _notes(talks) == (SPOILED,)


def test_what_is_told_of_the_target_in_every_sample_is_no_answer_that_was_trained_on(
    talks: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path]
) -> None:
    settings = talks.root / SETTINGS_FILE
    settings.write_text(f"about = {json.dumps(LONG)}\n{settings.read_text('utf-8')}", "utf-8")
    talks = Workspace.open(talks.root)
    import_paths(talks, [talk(2015, answer=LONG)])
    _adapter(talks, "sft-1", build(talks).id)
    assert SPOILED not in _notes(talks)
    assert "b4" not in plan(talks, evaluate_params()).missing


def _judged(workspace: Workspace, question: str, texts: tuple[str, str], owners: tuple[str, ...]) -> None:
    """A pair, decided on, and an adapter that learned from it alone."""
    with workspace.database.write():
        uid = put_pair(workspace.database, question, "", *texts, "import", None, AT, owners)
    decide(workspace.database, Actor("person", "Nell"), [Decision(uid, "accept", text="left", card_kind="pair")])
    params = preference_params(workspace, "dpo", None, "base", BASE)
    _adapter(workspace, "dpo-1", preferences=params["preferences"], method="dpo")


@pytest.mark.parametrize("what", ["conversation", "exchange", "question", "answer"])
def test_an_adapter_that_learned_preferences_about_what_is_held_out_is_left_out(
    talks: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path], what: str
) -> None:
    import_paths(talks, [talk(2011, answer=LONG)])
    row, exchanges = _of_year(talks, 2011)
    owners = {"conversation": (row.uid,), "exchange": (exchanges[1].uid,)}.get(what, ())
    question = "what did they sell in the harbor, in 2011?" if what == "question" else "Why rope?"
    _judged(talks, question, (f"Well. {LONG}" if what == "answer" else "Rope.", "Tar."), owners)
    assert _notes(talks) == ()
    _hold_out(talks, 2011)
    found = plan(talks, evaluate_params())
    assert "b4" in found.missing
    assert found.notes == ("dpo-1 was trained on 1 of the held-out conversations, so it is not measured.",)


def test_an_adapter_of_which_not_all_is_known_is_measured_with_a_note(talks: Workspace) -> None:
    _adapter(talks, "sft-1")
    found = plan(talks, evaluate_params())
    assert "b4" in found.systems
    assert found.notes == (
        "Not all that sft-1 was trained on is here to be looked at: it may know what it is measured on.",
    )


def _retriever(workspace: Workspace, exchanges: list[ExchangeRow] | None) -> None:
    """One in use whose card says what it learned from, or not."""
    head = put_head(workspace, embedder_of(workspace.settings), np.eye(384), "retriever-1")
    card = json.loads((head.parent / CARD).read_text("utf-8")) | {"hash": "e12964"}
    if exchanges is not None:
        card[LEARNED_FROM] = {each.uid: each.said for each in exchanges}
    (head.parent / CARD).write_text(json.dumps(card), "utf-8")


def test_a_retriever_is_named_in_the_notes(talks: Workspace) -> None:
    _retriever(talks, _of_year(talks, 2011)[1])
    assert _notes(talks) == ("Memories are found with the retriever retriever-1 (e12964).",)
    assert weights_of(talks, evaluate_params()).retriever == {"name": "retriever-1", "hash": "e12964"}


def test_a_retriever_that_learned_from_what_is_held_out_finds_no_memories_to_be_measured(
    talks: Workspace, import_paths: Callable[..., Any], talk: Callable[..., Path]
) -> None:
    _retriever(talks, _of_year(talks, 2011)[1])
    spoiled = (
        "The retriever retriever-1 learned from 1 of the held-out conversations: memories are found without it.",
    )
    _hold_out(talks, 2011)
    assert _notes(talks) == spoiled
    import_paths(talks, [talk(2011, title="The harbor")])
    assert _notes(talks) == spoiled
    assert weights_of(talks, evaluate_params()).retriever is None


def test_a_retriever_that_does_not_say_what_it_learned_from_is_used_with_a_note(talks: Workspace) -> None:
    _retriever(talks, None)
    assert _notes(talks)[1:] == ("Nobody can tell what retriever-1 learned from: it may know what is measured on.",)


def test_a_retriever_that_the_settings_leave_out_finds_nothing_and_is_not_named(talks: Workspace) -> None:
    _retriever(talks, _of_year(talks, 2015)[1])
    path = talks.root / "persona.toml"
    path.write_text(path.read_text("utf-8") + "\n[retrieval]\nquery_head = false\n", "utf-8")
    talks.forget_settings()
    assert _notes(talks) == ()
