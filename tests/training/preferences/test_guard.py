"""When answers are a collapse: measured against what the reference says, as far as that can be told."""

from __future__ import annotations

import pytest

from core.settings import DpoSettings
from core.training.preferences.guard import SHORT, Look, longest_well, verdict

SETTINGS = DpoSettings()


def _look(*lengths: int, cut: int = 10_000, distinct: float = 0.9, kl: float = 0.1) -> Look:
    """Answers of so many tokens, cut after ``cut`` of them."""
    return Look(
        ("words",) * len(lengths), tuple(min(each, cut) for each in lengths), tuple(each < cut for each in lengths),
        distinct, kl,
    )  # fmt: skip


def _judged(reference: tuple[int, ...], now: tuple[int, ...], settings: DpoSettings = SETTINGS) -> str:
    """What is said of answers that are heard as a run hears them."""
    before = _look(*reference, cut=settings.guard_tokens)
    most = longest_well(before, settings)
    heard = settings.guard_tokens if most is None else int(most) + 1
    return verdict(_look(*now, cut=heard), before, settings)


@pytest.mark.parametrize("length", [5, 20, 40, 60, 100])
def test_growth_is_seen_however_long_the_reference_speaks(length: int) -> None:
    longest = max(2.5 * length, SHORT)
    assert _judged((length,) * 4, (int(longest),) * 4) == ""
    said = _judged((length,) * 4, (int(longest) + 1,) * 4)
    assert said.startswith(f"the answers grew: 4 of 4 do not end within {longest:.0f} tokens")


def test_a_twin_of_few_words_may_learn_to_say_a_sentence() -> None:
    assert _judged((4, 4, 4, 4), (12, 12, 20, 30)) == ""
    assert "grew" in _judged((4, 4, 4, 4), (60, 60, 60, 60))


def test_one_answer_that_runs_on_is_no_collapse_and_most_of_them_are() -> None:
    assert _judged((20, 20, 20, 20), (500, 20, 500, 20)) == ""
    assert "3 of 4 do not end" in _judged((20, 20, 20, 20), (500, 500, 500, 20))


def test_where_the_reference_does_not_end_nothing_is_said_of_growth() -> None:
    assert longest_well(_look(500, 500, cut=128), SETTINGS) is None
    assert _judged((500, 500), (500, 500)) == ""
    assert _judged((500, 20), (500, 20)) == ""
    assert "1 of 1 do not end" in _judged((500, 20), (20, 500))


def test_empty_answers_repetition_and_distance_are_told_apart() -> None:
    reference = _look(20, 20)
    assert verdict(_look(0, 0), reference, SETTINGS) == "the answers are empty"
    assert "repeat themselves" in verdict(_look(20, 20, distinct=0.2), reference, SETTINGS)
    assert "nats per token" in verdict(_look(20, 20, kl=3.0), reference, SETTINGS)
    assert "nats per token" in verdict(_look(20, 20, kl=float("nan")), reference, SETTINGS)
    assert verdict(_look(20, 20), reference, SETTINGS) == ""
