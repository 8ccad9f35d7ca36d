"""Ranks, overlap and the shuffled memories of an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

from core.dataset.leaks import ngrams
from core.errors import UsageError
from core.fidelity.heldout import shuffle_memories
from core.fidelity.metrics import RANKED, copied_share, line_up, reciprocal_ranks
from core.fidelity.systems import DEFAULT_SYSTEMS, chosen_systems
from core.prompts.render import RecalledMemory


def _unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_answer_itself_ranks_first() -> None:
    vectors = _unit(36, 0)
    lineup = line_up([str(index) for index in range(36)], vectors)
    assert reciprocal_ranks(lineup, vectors) == [1.0] * 36


def test_chance_is_about_the_mean_reciprocal_of_twenty_ranks() -> None:
    lineup = line_up([str(index) for index in range(400)], _unit(400, 0))
    by_chance = sum(1 / rank for rank in range(1, RANKED + 1)) / RANKED
    assert np.mean(reciprocal_ranks(lineup, _unit(400, 1))) == pytest.approx(by_chance, abs=0.04)


def test_a_tie_counts_against_the_true_answer() -> None:
    vectors = np.tile(_unit(1, 0), (5, 1))
    lineup = line_up(list("abcde"), vectors)
    assert reciprocal_ranks(lineup, vectors) == [1 / 5] * 5


def test_each_question_is_ranked_among_nineteen_others_and_never_twice_the_same() -> None:
    lineup = line_up([str(index) for index in range(36)], _unit(36, 0))
    for index, row in enumerate(lineup.rows):
        assert row[0] == index
        assert len(set(row)) == RANKED


def test_copied_words_are_counted_in_runs_of_five() -> None:
    known = ngrams("every map is an argument with the coast", 5)
    assert copied_share("Every map is an argument, she said.", known) == (1, 3)
    assert copied_share("too short", known) == (0, 0)


def test_shuffled_memories_are_never_the_own_ones_and_as_often_empty() -> None:
    recalled = {f"x{index}": (RecalledMemory(f"m{index}"),) if index % 3 else () for index in range(12)}
    shuffled = shuffle_memories(recalled, dict.fromkeys(recalled, -1), dict.fromkeys(recalled))
    for uid, memories in recalled.items():
        assert bool(shuffled[uid]) == bool(memories)
        assert not memories or shuffled[uid] != memories
    assert sorted(m[0].text for m in shuffled.values() if m) == sorted(m[0].text for m in recalled.values() if m)


def test_a_lone_question_with_memories_is_not_given_its_own() -> None:
    recalled = {"x0": (RecalledMemory("m0"),), "x1": ()}
    assert shuffle_memories(recalled, dict.fromkeys(recalled, -1), dict.fromkeys(recalled)) == {"x0": (), "x1": ()}


def test_shuffled_memories_precede_the_interview_they_are_shown_in() -> None:
    days = {f"x{day}": day for day in range(10, 22)}
    recalled = {uid: (RecalledMemory(uid),) for uid in days}
    shuffled = shuffle_memories(recalled, {uid: day - 1 for uid, day in days.items()}, days)
    assert shuffled["x10"] == ()
    for uid, day in list(days.items())[1:]:
        (memory,) = shuffled[uid]
        assert memory.text != uid
        assert days[memory.text] - 1 < day


def test_systems_come_in_the_order_of_the_ladder() -> None:
    assert [system.name for system in chosen_systems(["b4", "b0"])] == ["b0", "b4"]
    assert [system.name for system in chosen_systems(None)] == list(DEFAULT_SYSTEMS)
    with pytest.raises(UsageError, match="no system 'b9'"):
        chosen_systems(["b9"])
