"""Evaluate: the ladder with its intervals, two scorecards side by side, and one question with every answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.containers import VerticalScroll

from core.corpus.holdout import assign_splits
from core.fidelity.reading import compare, questions_of, scorecards
from core.fidelity.systems import SYSTEMS
from core.runs.journal import load_run
from core.scoring.bootstrap import ClusterRatio
from core.store.conversations import ConversationRow, ExchangeRow, exchanges_of, trainable_conversations
from core.store.scorecards import list_scorecards, put_scorecard
from core.workspace import Workspace
from tui.widgets.line_list import LineList
from tui.widgets.text import Words

ASKED = 3
"""Questions of each interview."""
PARTS = range(ASKED)


@pytest.fixture
def interviewed(
    workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> Workspace:
    """Six interviews, the last two of them held out."""
    paths = [
        write_interview(
            f"{year}-05-01", [(f"What of {year}, part {n}?", f"In {year} the {n} lamps burned.") for n in PARTS]
        )
        for year in range(2010, 2016)
    ]
    import_paths(workspace, paths)
    assign_splits(workspace)
    return workspace


def _held(workspace: Workspace) -> list[tuple[ConversationRow, list[ExchangeRow]]]:
    splits = assign_splits(workspace)
    rows = [row for row in trainable_conversations(workspace.database) if splits[row.uid] == "heldout"]
    return [(row, exchanges_of(workspace.database, row.id)) for row in rows]


def _score(
    workspace: Workspace, systems: tuple[str, ...] = ("b0", "b2", "b4"), gain: float = 0.5, at: str = "2026-11-18"
) -> int:
    """Store a scorecard in the shape that an evaluation gives it."""
    chance = random.Random(1)
    held = _held(workspace)
    questions = [{"exchange": e.uid, "interview": place} for place, (_, rows) in enumerate(held) for e in rows]
    costs = [chance.uniform(3, 5) for _ in questions]
    ratios: dict[str, ClusterRatio] = {}
    told: dict[str, Any] = {}
    for name in systems:
        bits = [10 * (cost - (gain if name == "b4" else 0.0)) for cost in costs]
        sums = [
            (sum(b for b, q in zip(bits, questions, strict=True) if q["interview"] == place), 10.0 * len(rows))
            for place, (_, rows) in enumerate(held)
        ]
        ratios[name] = ClusterRatio.of(sums)
        told[name] = {
            "title": SYSTEMS[name].title,
            "metrics": {
                "bits_per_token": ratios[name].interval().rounded(),
                "mrr": {"value": 0.3, "low": 0.2, "high": 0.4},
                "verbatim_overlap": {"value": 0.01, "low": 0.0, "high": 0.02},
                "words": {"value": 31.0, "low": 20.0, "high": 40.0},
            },
            "per_interview": {"bits_per_token": [round(b / t, 4) for b, t in sums]},
            "per_question": {
                "rank": [4] * len(questions), "likeness": [0.5] * len(questions), "bits": bits,
                "tokens": [10] * len(questions),
            },
            "answers": [f"{name} says \x1b[31m[/nope] {place}" for place in range(len(questions))],
        }  # fmt: skip
    card = {
        "base": "SmolLM2-135M-Instruct", "adapter": "sft-1" if "b4" in systems else None, "not_run": ["b4-control"],
        "interviews": [{"title": row.title, "date": row.date, "exchanges": len(rows)} for row, rows in held],
        "questions": questions,
        "systems": told,
        "controls": {"c3": {"title": "a real answer to another question", "metrics": {
            "mrr": {"value": 0.1, "low": 0.05, "high": 0.2},
            "verbatim_overlap": {"value": 0.9, "low": 0.8, "high": 1.0},
            "words": {"value": 30.0, "low": 20.0, "high": 40.0}}, "per_interview": {},
            "per_question": {"rank": [7] * len(questions), "likeness": [0.2] * len(questions)}}},
        "differences": {
            name: {**ratios["b4"].difference(ratios[name]).rounded(), "per_interview": [0.0, 0.0]}
            for name in systems if name != "b4" and "b4" in systems
        },
        "notes": ["Only 2 interviews: the intervals are too narrow."],
        "seconds": 18.0,
    }  # fmt: skip
    with workspace.database.write():
        return put_scorecard(workspace.database, None, None, card, at)


def _rows(seat: Any) -> list[str]:
    listed = seat.bench.stage_now().query_one("#list", LineList)
    return ["".join(part if isinstance(part, str) else part[0] for part in listed._row(n)) for n in range(listed.count)]


def _words(seat: Any, name: str) -> str:
    return str(seat.bench.stage_now().query_one(f"#{name}", Words).shown)


def test_before_any_measurement_it_says_what_one_would_be(interviewed: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "Nothing was measured yet" in _words(seat, "empty"))
        assert "2 systems, 6 questions: about" in _words(seat, "empty")
        assert "(a guess)" in _words(seat, "empty")
        for key, said in (("enter", "no scorecard"), ("d", "nothing was measured"), ("b", "no other scorecard")):
            await seat.press(key)
            assert said in seat.said
        await seat.press("i", "right", "left")

    sit(interviewed.root, "evaluate", work)


def test_with_nothing_held_out_it_says_what_to_import(workspace: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "no conversation is held out" in _words(seat, "empty"))
        await seat.press("s")
        await seat.until(lambda: "no conversation is held out" in seat.shown)

    sit(workspace.root, "evaluate", work)


def test_the_ladder_has_every_system_and_control_with_intervals_and_notes(
    interviewed: Workspace, sit: Callable[..., None]
) -> None:
    _score(interviewed)
    card = list_scorecards(interviewed.database)[0][2]

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 4)
        base, _, twin, control = _rows(seat)
        figure = card["systems"]["b4"]["metrics"]["bits_per_token"]
        assert f"{figure['value']:.3f} [{figure['low']:.3f}, {figure['high']:.3f}]" in twin
        assert "-0.500 [-0.500, -0.500]" in base
        assert "0.30 [0.20, 0.40]" in base
        assert control.split()[:3] == ["c3", "-", "0.10"]
        assert "Only 2 interviews" in _words(seat, "notes")
        assert "b4-control" in _words(seat, "notes")
        assert "base model and a name" in _words(seat, "more")
        assert "b4 is better" in _words(seat, "more")
        await seat.press("end")
        assert "90.0% of its runs of five words" in _words(seat, "more")
        assert all(len(line) == 80 for line in seat.painted)
        assert any("0.30 [0.20, 0.40]" in line for line in seat.painted)

    sit(interviewed.root, "evaluate", work)


def test_one_goes_down_to_a_question_and_sees_the_real_answer_and_every_system_s(
    interviewed: Workspace, sit: Callable[..., None]
) -> None:
    _score(interviewed)

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 4)
        await seat.press("enter")
        assert len(_rows(seat)) == 2 * ASKED
        assert "What of 2014, part 0?" in _rows(seat)[0]
        assert "-0.50" in _rows(seat)[0]
        await seat.press("down", "enter")
        told = _words(seat, "question")
        for words in (
            "Question 2 of 6", "What of 2014, part 1?", "Ada Marlow said", "In 2014 the 1 lamps burned.",
            "b0 says", "b4 says", "rank 4", "likeness 0.50", "bits", "c3  a real answer to another question · rank 7",
        ):  # fmt: skip
            assert words in told
        assert "\x1b" not in "".join(seat.painted)
        assert "[/nope] 1" in told
        await seat.press("right_square_bracket", "right")
        assert "Question 4 of 6" in _words(seat, "question")
        assert "What of 2015, part 0?" in _words(seat, "question")
        await seat.press("left", "left_square_bracket", "left", "left")
        assert "Question 1 of 6" in _words(seat, "question")
        page = seat.bench.stage_now().query_one("#page", VerticalScroll)
        await seat.press("end")
        await seat.until(lambda: page.scroll_offset.y > 0)
        await seat.press("escape")
        assert "What of 2014, part 0?" in _rows(seat)[0]
        await seat.press("escape")
        assert len(_rows(seat)) == 4

    sit(interviewed.root, "evaluate", work, size=(80, 16))


def test_by_interview_each_system_has_its_figure(interviewed: Workspace, sit: Callable[..., None]) -> None:
    _score(interviewed)
    card = list_scorecards(interviewed.database)[0][2]

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 4)
        await seat.press("i")
        assert [row.split()[0] for row in _rows(seat)] == ["2014-05-01", "2015-05-01"]
        for row, place in zip(_rows(seat), (0, 1), strict=True):
            values = [f"{each['per_interview']['bits_per_token'][place]:.3f}" for each in card["systems"].values()]
            assert row.split()[1:] == values
        await seat.press("i")
        assert len(_rows(seat)) == 4

    sit(interviewed.root, "evaluate", work)


def test_two_scorecards_stand_side_by_side_with_paired_differences(
    interviewed: Workspace, sit: Callable[..., None]
) -> None:
    _score(interviewed, ("b0", "b4"), gain=0.5)
    _score(interviewed, ("b0", "b4"), gain=0.75, at="2026-11-19")

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 3)
        assert _words(seat, "title").startswith("#2")
        await seat.press("b")
        assert "#1 · 2026-11-18" in seat.shown
        await seat.press("2")
        await seat.until(lambda: "beside #1" in _words(seat, "title"))
        base, twin = _rows(seat)
        assert base.rstrip().endswith("+0.000")
        assert twin.rstrip().endswith("-0.250")
        assert "Not the same" not in _words(seat, "notes")
        await seat.press("escape")
        assert "beside" not in _words(seat, "title")
        await seat.press("d", "2")
        await seat.until(lambda: _words(seat, "title").startswith("#1"))

    sit(interviewed.root, "evaluate", work)


def test_two_bases_stand_side_by_side_without_a_difference(interviewed: Workspace, sit: Callable[..., None]) -> None:
    _score(interviewed, ("b0", "b4"))
    card = {**list_scorecards(interviewed.database)[0][2], "base": "another"}
    with interviewed.database.write():
        put_scorecard(interviewed.database, None, None, card, "2026-11-19")

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 3)
        await seat.press("b", "2")
        await seat.until(lambda: "beside #1" in _words(seat, "title"))
        assert [row.rstrip()[-1] for row in _rows(seat)] == ["-", "-"]
        assert "Not the same base: bits per token compare within one base model only." in seat.shown

    sit(interviewed.root, "evaluate", work)


def test_a_difference_is_paired_only_where_the_questions_are_the_same(interviewed: Workspace) -> None:
    _score(interviewed, ("b0", "b4"))
    number = _score(interviewed, ("b0", "b4"), gain=0.2)
    newer, older = scorecards(interviewed)
    assert newer.id == number
    for row in compare(newer, older):
        assert row.difference is not None
        assert row.difference.value == pytest.approx(0.0 if row.system == "b0" else 0.3, abs=1e-3)
    card = {**older.card, "questions": older.card["questions"][1:]}
    odd = compare(newer, type(older)(older.id, older.created_at, card))
    assert all(row.difference and row.difference.low == row.difference.high for row in odd)
    foreign = compare(newer, type(older)(older.id, older.created_at, {**older.card, "base": "another"}))
    assert all(row.first and row.second and row.difference is None for row in foreign)
    alone = compare(newer, type(older)(9, "", {**card, "systems": {"b0": card["systems"]["b0"]}}))
    assert [row.second is None for row in alone] == [False, True]


def test_a_question_whose_exchange_is_gone_keeps_its_answers(interviewed: Workspace, sit: Callable[..., None]) -> None:
    _score(interviewed)
    with interviewed.database.write():
        interviewed.database.execute("DELETE FROM exchange")
    found = questions_of(interviewed, scorecards(interviewed)[0])
    assert found[0].real == ""
    assert found[0].answers[0].text.startswith("b0 says")

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 4)
        await seat.press("enter", "enter")
        assert "not in the store any more" in _words(seat, "question")

    sit(interviewed.root, "evaluate", work)


def test_a_scorecard_without_questions_is_read_all_the_same(interviewed: Workspace, sit: Callable[..., None]) -> None:
    _score(interviewed)
    card = dict(list_scorecards(interviewed.database)[0][2])
    del card["questions"]
    for system in (*card["systems"].values(), *card["controls"].values()):
        del system["per_question"]
    with interviewed.database.write():
        put_scorecard(interviewed.database, None, None, card, "2026-11-20")

    async def work(seat: Any) -> None:
        await seat.until(lambda: _words(seat, "title").startswith("#2"))
        await seat.press("enter", "down", "enter")
        assert "b4 says" in _words(seat, "question")

    sit(interviewed.root, "evaluate", work)


def test_s_says_what_it_would_measure_and_what_may_be_changed(
    interviewed: Workspace, tmp_path: Path, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.press("s")
        await seat.until(lambda: "Measure the base: b0 b2" in seat.shown)
        assert "2 systems, 6 questions" in seat.shown
        await seat.press("3")
        await seat.press("backspace", *"b0", "enter")  # What was offered is selected: the first key replaces it.
        await seat.until(lambda: "1 system, 6 questions" in seat.shown)
        await seat.press("3")
        await seat.press(*"x", "enter")
        await seat.until(lambda: "no system" in seat.shown)
        await seat.press("escape")
        await seat.until(lambda: "1 system, 6 questions" in seat.shown)
        await seat.press("4")
        assert "there is nothing to choose from" in seat.shown
        await seat.press("escape")
        await seat.until(lambda: "1 system, 6 questions" in seat.shown)
        await seat.press("5", *str(tmp_path), "enter")
        await seat.until(lambda: "is not a workspace" in seat.shown)
        await seat.press("escape")
        await seat.until(lambda: "1 system, 6 questions" in seat.shown)
        await seat.press("escape")
        assert not list(interviewed.runs.glob("evaluate-*"))

    sit(interviewed.root, "evaluate", work)


def test_no_box_opens_over_a_screen_that_one_went_to_while_the_plan_is_read(
    interviewed: Workspace, sit: Callable[..., None]
) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "Nothing was measured yet" in _words(seat, "empty"))
        async with seat.reads_wait():
            await seat.press("s", "f8")
        assert seat.bench.screen is seat.bench.stage("chat")
        await seat.press("f7")
        async with seat.reads_wait():
            await seat.press("s", "question_mark")
        assert "Keys of Evaluate" in seat.shown
        await seat.press("enter")
        assert seat.bench.screen is seat.bench.stage("evaluate")

    sit(interviewed.root, "evaluate", work)
    assert not list(interviewed.runs.glob("evaluate-*"))


def test_s_twice_opens_one_box(interviewed: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.until(lambda: "Nothing was measured yet" in _words(seat, "empty"))
        async with seat.reads_wait():
            await seat.press("s", "s")
        await seat.until(lambda: "Measure the base" in seat.shown)
        await seat.press("escape")
        assert seat.bench.screen is seat.bench.stage("evaluate")

    sit(interviewed.root, "evaluate", work)


def test_an_evaluation_at_work_shows_how_far_it_is_and_c_stops_it(
    interviewed: Workspace, history: Callable[..., Any], at_work: Callable[..., None], sit: Callable[..., None]
) -> None:
    run = history(
        interviewed, "evaluate", [("progress", {"done": 5, "total": 20, "rate": 0.1, "what": "b2: answering"})]
    )
    at_work(run)

    async def work(seat: Any) -> None:
        await seat.until(lambda: "● evaluate-1 running" in _words(seat, "work"))
        assert "█████···············" in _words(seat, "work")
        assert "25%  b2: answering · 2 min left" in _words(seat, "work")
        await seat.press("r")
        assert "nothing to resume" in seat.said
        await seat.press("c")
        await seat.until(lambda: "– evaluate-1 cancelled: stopped as asked" in _words(seat, "work"))
        assert load_run(interviewed.runs, run.id).state == "cancelled"
        await seat.press("c")
        assert "no evaluation is at work" in seat.said
        await seat.press("r")  # The entry of this history does not exist: it fails for good.
        await seat.until(lambda: "✗ evaluate-1 failed" in _words(seat, "work"))

    sit(interviewed.root, "evaluate", work)


def test_one_comes_back_to_the_question_one_left(interviewed: Workspace, sit: Callable[..., None]) -> None:
    _score(interviewed)

    async def leave(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == 4)
        await seat.press("enter", "down", "down", "enter")
        seat.bench.remember_place()

    async def back(seat: Any) -> None:
        await seat.until(lambda: "Question 3 of 6" in _words(seat, "question"))

    sit(interviewed.root, "evaluate", leave)
    sit(interviewed.root, "evaluate", back)


@pytest.mark.parametrize("size", [(120, 40), (30, 6), (1, 1)])
def test_any_terminal_will_do(interviewed: Workspace, sit: Callable[..., None], size: tuple[int, int]) -> None:
    _score(interviewed, tuple(SYSTEMS))

    async def work(seat: Any) -> None:
        await seat.until(lambda: len(_rows(seat)) == len(SYSTEMS) + 1)
        await seat.press("i", "i", "enter", "enter", "escape")

    sit(interviewed.root, "evaluate", work, size=size)


@pytest.mark.slow
def test_s_measures_and_the_scorecard_comes_by_itself(interviewed: Workspace, sit: Callable[..., None]) -> None:
    async def work(seat: Any) -> None:
        await seat.press("s")
        await seat.until(lambda: "Measure the base" in seat.shown)
        await seat.press("3", "backspace", *"b0", "enter")
        await seat.until(lambda: "1 system, 6 questions" in seat.shown)
        await seat.press("1")
        await seat.until(lambda: "evaluate-1 measures" in seat.said, 90)
        await seat.until(lambda: _words(seat, "title").startswith("#1"), 600)
        assert _rows(seat)[0].startswith(" b0")
        await seat.press("enter", "enter")
        assert "In 2014 the 0 lamps burned." in _words(seat, "question")
        assert "rank" in _words(seat, "question")

    sit(interviewed.root, "evaluate", work)
    card = list_scorecards(interviewed.database)[0][2]
    assert [each["interview"] for each in card["questions"]] == [0, 0, 0, 1, 1, 1]
    figures = card["systems"]["b0"]["per_question"]
    assert all(len(figures[name]) == 6 for name in ("rank", "likeness", "bits", "tokens"))
    pooled = sum(figures["bits"]) / sum(figures["tokens"])
    assert pooled == pytest.approx(card["systems"]["b0"]["metrics"]["bits_per_token"]["value"], abs=1e-3)
