"""Train: every kind of training that runs here is prepared with what it needs, started, and watched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.models.packaged import revision, smollm2_folder
from core.retrieval.retrievers import retriever_in_use
from core.review.decisions import Actor, Decision, decide
from core.runs.journal import Run, load_run
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.pairs import put_pair
from core.store.sessions import add_message, begin_session, rate_message
from core.workspace import Workspace
from tests.training.retriever.harbor import MANY, make_harbor
from tui.results import result_line
from tui.screens.train import planning
from tui.screens.train.plan import Choices, Prepared
from tui.widgets.text import Words

Sit = Callable[..., None]
BASE = "SmolLM2-135M-Instruct"
AT = "2026-01-02T03:04:05+00:00"
NELL = Actor("person", "Nell")


def _words(seat: Any, name: str) -> str:
    return str(seat.bench.stage_now().query_one(f"#{name}", Words).shown)


def _row(seat: Any, name: str) -> str:
    """One row of the plan, its continuation lines joined."""
    lines = _words(seat, "words").splitlines()
    start = next(place for place, line in enumerate(lines) if line[5:15].strip() == name)
    stop = next((n for n in range(start + 1, len(lines)) if lines[n][:15].strip()), len(lines))
    return " ".join(" ".join(lines[start:stop]).split())


def _footer(seat: Any) -> str:
    return str(seat.painted[-1])


def _prefer(workspace: Workspace, number: int) -> None:
    with workspace.database.write():
        uid = put_pair(
            workspace.database, f"Why ink, {number}?", "", f"It dries, {number}.", "I can help.", "comparison", None,
            AT, owners=(),
        )  # fmt: skip
    decide(workspace.database, NELL, [Decision(uid, "accept", text="left", card_kind="pair")])


@pytest.fixture
def judged(workspace: Workspace) -> Workspace:
    """Three decided pairs, one answer called good and one called bad, and an adapter of which only the row is left."""
    for number in range(3):
        _prefer(workspace, number)
    database = workspace.database
    with database.write():
        for text, rating in (("By the quay.", 1), ("As an AI, I have none.", -1)):
            session = begin_session(database, None, "2026", AT)
            add_message(database, session, "user", "Nell", f"Where? {rating}", "", {}, AT)
            rate_message(database, add_message(database, session, "assistant", "Ada", text, "", {}, AT), rating, AT)
        settings = {"rank": 16, "steps": 30}
        number = put_adapter(
            database,
            AdapterRow(
                0, "sft-1", None, "sft-1", BASE, revision(smollm2_folder()), 1, "adapters/sft-1", "h", settings, ""
            ),
        )
        use_adapter(database, number)
    return workspace


def test_where_there_is_nothing_to_learn_from_the_key_that_helps_is_told(workspace: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "there is no dataset here" in _words(seat, "words"))
        assert "g d  Dataset: freezes one" in _words(seat, "words")
        for key, problem, helps in (
            ("2", "there is no decided pair to train on", ("g c  Chat: correct", "g r  Review: decide")),
            ("3", "there is no judged answer to train on", ("g c  Chat: correct", "g r  Review: decide")),
            ("4", "no passage is embedded yet", ("g i b  Import: embeds the passages",)),
        ):
            await seat.press("m", key)
            await seat.until(lambda problem=problem: problem in _words(seat, "words"))
            assert all(each in _words(seat, "words") for each in helps)
            assert " start " not in _footer(seat)
            assert (" loss " in _footer(seat)) == ("loss" in _words(seat, "words"))
            await seat.press("s")
            assert problem in seat.said
        assert not list(workspace.runs.iterdir())

    sit(workspace.root, "train", work)


def test_a_run_on_pairs_is_planned_with_what_it_needs_and_started(judged: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("m", "2")
        await seat.until(lambda: "3 cleared for training (3 comparison)" in _words(seat, "words"))
        assert "sft-1 · SmolLM2-135M-Instruct · 135M parameters" in _row(seat, "from")
        assert _row(seat, "preset").endswith("4 a step · LoRA rank 16")
        assert "sigmoid · beta 0.1" in _row(seat, "loss")
        assert "(a guess: no dpo run here yet)" in _row(seat, "time")
        assert "GB (a guess)" in _row(seat, "memory")
        assert all(len(line) == 80 for line in seat.painted)
        for label in ("start", "method", "preset", "loss"):
            assert f" {label} " in _footer(seat)
        assert " dataset " not in _footer(seat)
        await seat.press("d")
        assert "dpo reads no dataset" in seat.said
        await seat.press("f", "3")
        await seat.until(lambda: "hinge · beta 0.1" in _row(seat, "loss"))
        await seat.press("p", "3")
        await seat.until(lambda: "apc · learning rate 0.0002 · epochs 10 · 8 a step" in _row(seat, "preset"))
        await seat.press("b", "3")
        await seat.until(lambda: "no adapter: the bare base" in _row(seat, "from"))
        assert _row(seat, "preset").endswith("LoRA rank 32")
        await seat.press("b", "2")
        await seat.until(lambda: "sft-1 ·" in _row(seat, "from"))
        seat.bench.remember_place()

    async def back(seat: Any) -> None:
        await seat.until(lambda: "hinge" in _words(seat, "words"))
        assert "apc" in _row(seat, "preset")
        await seat.press("s")
        await seat.until(lambda: "dpo-1" in seat.said)
        # The adapter's files are gone, as this fixture has it: the real worker says so.
        await seat.until(lambda: "the adapter sft-1 has no readable" in _words(seat, "trouble"), seconds=300)

    sit(judged.root, "train", work)
    sit(judged.root, "train", back)
    params = load_run(judged.runs, "dpo-1").params
    assert (params["start_from"], params["preset"], params["dpo"]["loss"]) == ("sft-1", "apc", "hinge")
    assert len(params["preferences"]) == 3


def test_nothing_is_started_while_what_was_chosen_is_looked_at(
    judged: Workspace, sit: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = threading.Event()
    original = planning.prepare

    def slow(workspace: Workspace, choices: Choices) -> Prepared:
        if choices.method == "dpo":
            assert known.wait(60)
        return original(workspace, choices)

    monkeypatch.setattr(planning, "prepare", slow)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "there is no dataset here" in _words(seat, "words"))
        await seat.press("m", "2")
        await seat.until(lambda: "dpo: looking at" in _words(seat, "words"))
        assert " start " not in _footer(seat)
        await seat.press("s", "p")
        known.set()
        await seat.until(lambda: "3 cleared for training" in _words(seat, "words"))
        assert " start " in _footer(seat)

    sit(judged.root, "train", work)
    assert not list(judged.runs.iterdir())


def test_single_judgements_are_counted_by_what_they_are(judged: Workspace, sit: Sit) -> None:
    async def work(seat: Any) -> None:
        await seat.press("m", "3")
        await seat.until(lambda: "5 cleared for training (3 comparison, 2 rating)" in _row(seat, "judged"))
        assert " loss " not in _footer(seat)
        await seat.press("f")
        assert "kto has no loss to choose" in seat.said

    sit(judged.root, "train", work)


def test_one_kind_trains_at_a_time_and_another_kind_is_told_of_it(
    judged: Workspace, history: Callable[..., Run], at_work: Callable[[Run], None], sit: Sit
) -> None:
    at_work(history(judged, "dpo", [("plan", {"base": BASE, "steps": 8, "rank": 16})], params={"base": BASE}))

    async def work(seat: Any) -> None:
        await seat.until(lambda: "● running" in _words(seat, "title"))
        await seat.press("s", "m", "2")
        await seat.until(lambda: "dpo-1 is at work now: one trains at a time" in _words(seat, "words"))
        await seat.press("s")
        await seat.until(lambda: "dpo-1 is already running" in seat.shown)
        await seat.press("escape", "m", "3")
        await seat.until(lambda: "both would share this machine" in _words(seat, "words"))

    sit(judged.root, "train", work)


BEFORE = {"recall@1": 0.25, "recall@5": 0.5, "recall@10": 0.75, "mrr": 0.38, "questions": 4}
AFTER = {"recall@1": 0.75, "recall@5": 1.0, "recall@10": 1.0, "mrr": 0.88, "questions": 4}
TURNED = {
    "adapter": "retriever-1", "used": True, "steps": 40, "taken": 65, "drift": 0.912, "gain": 0.5,
    "verdict": "gain: validation MRR 0.380 → 0.880 on 4 questions", "decided_by": {"person: \x1b[2JInes": 48},
    "before": {"validation": BEFORE, "searched": BEFORE, "training": None},
    "after": {"validation": AFTER, "searched": AFTER, "training": None},
}  # fmt: skip
TOLD: list[tuple[str, dict[str, Any]]] = [
    ("plan", {"embedder": "all-MiniLM-L6-v2", "questions": {"train": 20, "validation": 4}, "steps": 200}),
    ("metrics", {"step": 0, "eval_loss": 2.5, "mrr": 0.38}),
    ("progress", {"done": 65, "total": 200, "rate": 9.0, "what": "training"}),
    *(("metrics", {"step": step, "loss": 2.4 - step / 40}) for step in range(1, 66)),
    ("metrics", {"step": 65, "eval_loss": 1.1, "mrr": 0.88}),
]


def test_a_retriever_is_watched_with_its_curve_and_its_figures_before_and_after(
    workspace: Workspace, history: Callable[..., Run], sit: Sit
) -> None:
    history(workspace, "retriever", TOLD, "done", TURNED, {"full": False})

    async def work(seat: Any) -> None:
        await seat.until(lambda: "retriever-1" in _words(seat, "title"))
        assert "head on all-MiniLM-L6-v2 · 20 questions" in _words(seat, "title")
        assert "MRR 0.38 → 0.88" in _words(seat, "figures")
        assert result_line(seat.bench.pictures[0]) == f"retriever-1: {TURNED['verdict']}, in use"
        painted = [line.rstrip() for line in seat.painted]
        for words in (
            "gain: validation MRR 0.380 → 0.880 on 4 questions",
            "recall@1      recall@5      recall@10     MRR",
            "by vector (4)       0.25 → 0.75   0.50 → 1.00   0.75 → 1.00   0.38 → 0.88",
            "as you search (4)   0.25 → 0.75   0.50 → 1.00   0.75 → 1.00   0.38 → 0.88",
            "step 40 of 65 · drift: cosine 0.912 to the plain query",
            "searches do not use it; u adopts it",
        ):
            assert any(words in line for line in painted), words
        assert "\x1b" not in "".join(painted)
        assert sum("█" in line for line in painted) >= 3
        await seat.press("l")
        assert not any("recall@10" in line for line in seat.painted)
        await seat.press("u")
        assert "no retriever yet" in seat.said

    sit(workspace.root, "train", work)


def test_a_retriever_s_result_of_another_release_is_watched_without_figures(
    workspace: Workspace, history: Callable[..., Run], sit: Sit
) -> None:
    history(workspace, "retriever", TOLD[:2], "done", {"adapter": "retriever-1", "verdict": "?"}, {"full": True})

    async def work(seat: Any) -> None:
        await seat.until(lambda: "retriever-1 · encoder" in _words(seat, "title"))
        assert _words(seat, "spoken") == ""

    sit(workspace.root, "train", work)


def test_a_curve_of_another_kind_is_not_laid_over(workspace: Workspace, history: Callable[..., Run], sit: Sit) -> None:
    history(workspace, "sft", [("metrics", {"step": 1, "loss": 3.0})], "done", {"adapter": "sft-1"}, {"base": BASE})
    history(workspace, "retriever", TOLD, "done", TURNED, {"full": False})

    async def work(seat: Any) -> None:
        await seat.until(lambda: "✓ done" in _words(seat, "title"))
        assert " overlay " not in _footer(seat)
        await seat.press("o")
        assert "no other run like this one" in seat.said
        await seat.press("n")
        assert "gain +0.50 MRR" in seat.shown

    sit(workspace.root, "train", work)


@pytest.mark.slow
def test_a_head_is_trained_from_the_screen_then_taken_back_and_adopted_again(tmp_path: Path, sit: Sit) -> None:
    workspace = make_harbor(tmp_path, per_interview=MANY)

    async def work(seat: Any) -> None:
        await seat.press("m", "4")
        await seat.until(lambda: "40 train · 8 validate" in _row(seat, "questions"))
        assert "48 accepted · 48 rejected (person: Ines 96)" in _row(seat, "memories")
        assert f"{BASE} · 480 answers at the most" in _row(seat, "scored by")
        assert "about 3 min to score them (a guess), then seconds" in _row(seat, "time")
        await seat.press("f", "3")
        await seat.until(lambda: "loss contrastive: accepted against rejected" in _row(seat, "loss"))
        assert "scored by" not in _words(seat, "words")
        assert "to score" not in _row(seat, "time")
        await seat.press("s")
        await seat.until(lambda: "✓ done" in _words(seat, "title"), seconds=300)
        await seat.until(lambda: "searches use it; u goes back" in _words(seat, "spoken"))
        assert "gain: validation MRR" in _words(seat, "spoken")
        await seat.press("u")
        assert "retriever-1 · head · gain +" in seat.shown
        await seat.press("1")
        await seat.until(lambda: "searches use the embedder as it is" in seat.said)
        assert retriever_in_use(workspace.adapters) == ""
        assert "u adopts it" in _words(seat, "spoken")
        await seat.press("u", "2")
        await seat.until(lambda: "searches use retriever-1" in seat.said)
        assert retriever_in_use(workspace.adapters) == "retriever-1"

    sit(workspace.root, "train", work)
