"""When answers are a collapse: measured against what the reference says, as far as that can be told."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import transformers

from core.models.causal_lm import CausalLM
from core.runs.job import Job
from core.runs.journal import EventLog
from core.settings import DpoSettings
from core.training.preferences.guard import SHORT, Guard, Look, Question, longest_well, verdict
from core.workspace import Workspace
from tests.training.tiny import SMALL, tiny_base

SETTINGS = DpoSettings()
ENDLESS = 10_000


def _look(*lengths: int, cut: int | tuple[int, ...] = ENDLESS, distinct: float = 0.9, kl: float = 0.1) -> Look:
    """Answers of so many tokens, cut after ``cut`` of them."""
    heard = cut if isinstance(cut, tuple) else (cut,) * len(lengths)
    both = [*zip(lengths, heard, strict=True)]
    return Look(("words",) * len(lengths), tuple(map(min, both)), heard, tuple(a < b for a, b in both), distinct, kl)


def _judged(reference: tuple[int, ...], now: tuple[int, ...], rooms: tuple[int, ...] = ()) -> str:
    """What is said of answers that are heard as a run hears them, where the context has so much room for each."""
    rooms = rooms or (ENDLESS,) * len(now)
    before = _look(*reference, cut=tuple(min(SETTINGS.guard_tokens, room) for room in rooms))
    most = longest_well(before, SETTINGS)
    heard = SETTINGS.guard_tokens if most is None else int(most) + 1
    return verdict(_look(*now, cut=tuple(min(heard, room) for room in rooms)), before, SETTINGS)


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


def test_an_answer_that_the_context_cut_says_nothing_of_growth() -> None:
    assert _judged((20, 20, 20, 20), (40, 40, 40, 40), rooms=(30, 30, 30, 30)) == ""
    # One that had the room and runs on, beside one that ended and two of which nobody knows.
    assert _judged((20, 20, 20, 20), (500, 20, 40, 40), rooms=(ENDLESS, ENDLESS, 30, 30)) == ""
    assert "2 of 3 do not end" in _judged((20, 20, 20, 20), (500, 500, 20, 40), rooms=(ENDLESS, ENDLESS, 30, 30))


def test_each_answer_has_the_room_that_its_own_prompt_leaves(workspace: Workspace, tmp_path: Path) -> None:
    config = transformers.LlamaConfig(**{**SMALL, "max_position_embeddings": 64})
    lm = CausalLM(tiny_base(tmp_path / "base", config))
    prompts = ["Rain?", "Rain? " * 12, "Salt?"]
    longest = len(lm.tokenizer.encode(prompts[1]))
    with closing(EventLog(tmp_path)) as log:
        job = Job(workspace, tmp_path, {}, log)
        guard = Guard(job, lm, lm.model, [Question("", each, "") for each in prompts], SETTINGS, 1)
        look, read = guard._answers(40)
    assert 0 < 64 - longest < 40
    assert look.heard == (40, 64 - longest, 40)
    assert [lm.tokenizer.decode(prompt) for prompt, _ in read] == prompts
    for length, heard, ended in zip(look.lengths, look.heard, look.ended, strict=True):
        assert ended or length == heard


def test_empty_answers_repetition_and_distance_are_told_apart() -> None:
    reference = _look(20, 20)
    assert verdict(_look(0, 0), reference, SETTINGS) == "the answers are empty"
    assert "repeat themselves" in verdict(_look(20, 20, distinct=0.2), reference, SETTINGS)
    assert "nats per token" in verdict(_look(20, 20, kl=3.0), reference, SETTINGS)
    assert "nats per token" in verdict(_look(20, 20, kl=float("nan")), reference, SETTINGS)
    assert verdict(_look(20, 20), reference, SETTINGS) == ""
