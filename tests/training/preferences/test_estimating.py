"""What a run on preferences will take, said before it starts: counted, and measured where one ran before."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.dataset.build import renderer_of
from core.errors import TrainingError
from core.models.packaged import smollm2_folder
from core.runs.journal import EventLog, create_run
from core.training.base_size import tokenizer_here
from core.training.estimate import GUESSED_RATE, preference_estimate
from core.training.means import Hardware
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import Preference, gathered
from core.training.preferences.launch import dpo_params, kto_params
from core.training.preferences.rendering import PreferenceRenderer
from core.training.preferences.sizes import sized
from core.workspace import Workspace
from tui.estimates import estimate_lines

from .conftest import LONG, PAIRS, prefer

BASE = "SmolLM2-135M-Instruct"
LARGE = Hardware("cuda", "A GPU with room", 80 * 2**30, 1, True)


@pytest.fixture
def paired(interviewed: Workspace) -> Workspace:
    """Six pairs that can be learned from, one too long, and one that asks what is held out."""
    for number in range(3):
        for question, chosen, rejected in PAIRS:
            prefer(interviewed, f"{question} And {number}?", chosen, rejected)
    prefer(interviewed, "What came of it?", LONG, "Nothing.")
    prefer(interviewed, "What came in 2015?", "A bill.", "I am a language model.")
    return interviewed


def _earlier_run(
    workspace: Workspace, kind: str, step: float, look: float, base: str = BASE, steps: int = 6, start: int = 0
) -> str:
    """A run that took so many seconds for each step of 100 tokens, and for each look after every second one."""
    run = create_run(workspace.runs, kind, "core.nowhere:run", {"base": base})
    log = EventLog(run.folder)
    log.append("started", {"pid": 1})
    log.append("plan", {"tokens": 1_000, "train": 20, "batch": 2, "steps": steps, "device": "cpu"})
    for done in range(1, steps + 1):
        elapsed = done * step + (done - 1) // 2 * look
        rate = done * 100 / elapsed
        at = start + done
        log.append("metrics", {"step": at, "loss": 0.5, "tokens_per_second": rate, "memory_mb": 2000 + done})
        if look and done % 2 == 0:
            log.append("metrics", {"step": at, "answer_tokens": 20.0, "kl": 0.1})
    log.close()
    return run.id


def test_answers_and_stored_prompts_are_counted_as_they_are_read(interviewed: Workspace) -> None:
    smollm2_folder()
    tokenizer = tokenizer_here(BASE)
    assert tokenizer is not None
    renderer = PreferenceRenderer(renderer_of(interviewed, BASE), framing := Framing.now(interviewed))
    prefer(interviewed, "Why maps?", "They argue with the coast.", "They are useful. <|im_end|>")
    (unstored,) = gathered(interviewed, "dpo").preferences
    prompt = renderer.rendered(unstored, "2026-01-01").prompt
    stored = Preference(("x", "left"), "file", "Why maps?", prompt, "They argue.", "", "")
    for each in (unstored, stored):
        read = renderer.rendered(each, "2026-01-01")
        (found,) = sized(interviewed, framing, [each], tokenizer, "2026-01-01")
        assert abs(found.chosen - len(read.chosen_ids)) <= 2
        assert abs(found.rejected - len(read.rejected_ids)) <= 2
        assert abs(found.prompt - len(read.prompt_ids)) <= 8
    assert sized(interviewed, framing, [stored], tokenizer, "")[0].prompt == len(tokenizer.encode(prompt))
    assert sized(interviewed, framing, [stored], tokenizer, "")[0].rejected == 0


def test_without_an_earlier_run_it_is_a_guess_and_says_so(paired: Workspace) -> None:
    found = preference_estimate(paired, "dpo", dpo_params(paired))
    assert (found.preferences, found.train, found.validation) == (6, 6, 0)
    assert found.left_out == {"held_out": 1, "not_cleared": 0, "overruled": 0, "refused": 0, "too_long": 1}
    assert (found.batch, found.steps, found.looks) == (8, 3, 1)
    assert found.tokens_per_second == pytest.approx(GUESSED_RATE * 4 / 5)
    assert found.seconds > found.tokens / found.tokens_per_second
    assert (found.measured_by, found.rate_from, found.rank) == ("", "", 32)
    told = "\n".join(estimate_lines(found))
    for words in (
        "6 cleared for training (6 comparison)", "1 held out for measuring, 1 longer than max_tokens",
        "no adapter: the bare base", "(a guess: no dpo run here yet)", "the guard looks once", "nothing validates",
    ):  # fmt: skip
        assert words in told
    single = preference_estimate(paired, "kto", kto_params(paired))
    assert (single.train, single.good, single.bad, single.loss) == (12, 6, 6, "kto")
    assert single.tokens_per_second == pytest.approx(GUESSED_RATE * 4 / 8)


def test_an_earlier_run_tells_its_steps_and_its_looks_apart(paired: Workspace) -> None:
    plain = preference_estimate(paired, "dpo", dpo_params(paired))
    name = _earlier_run(paired, "dpo", step=2.0, look=10.0)
    _earlier_run(paired, "dpo", step=9.0, look=90.0, base="another/base-1B")
    _earlier_run(paired, "dpo", step=9.0, look=90.0, steps=2)  # Stopped before it could tell.
    found = preference_estimate(paired, "dpo", dpo_params(paired))
    assert (found.measured_by, found.memory_mb) == (name, 2006)
    assert found.tokens_per_second == pytest.approx(100 / 2.0)
    assert found.tokens == plain.tokens
    assert found.seconds == pytest.approx(found.tokens / 50 + found.looks * 10.0, abs=2)
    assert f"as {name} did" in "\n".join(estimate_lines(found))


def test_several_processes_read_as_many_times_the_tokens_of_one(paired: Workspace, tmp_path: Path) -> None:
    config = tmp_path / "four.yaml"
    config.write_text("distributed_type: MULTI_GPU\nnum_machines: 1\nnum_processes: 4\n", "utf-8")
    alone, together = dpo_params(paired), dpo_params(paired, launch=str(config))
    for _ in range(2):  # As a guess, then as an earlier run of one process took.
        rates = [preference_estimate(paired, "dpo", each).tokens_per_second for each in (alone, together)]
        assert rates[1] == pytest.approx(4 * rates[0])
        _earlier_run(paired, "dpo", step=2.0, look=10.0)


@pytest.mark.parametrize("processes", [2, 3, 8])
def test_several_processes_read_together_what_a_step_is_said_to_read(
    paired: Workspace, tmp_path: Path, processes: int
) -> None:
    config = tmp_path / "several.yaml"
    config.write_text(f"distributed_type: MULTI_GPU\nnum_machines: 1\nnum_processes: {processes}\n", "utf-8")
    alone = preference_estimate(paired, "dpo", dpo_params(paired), LARGE)
    together = preference_estimate(paired, "dpo", dpo_params(paired, launch=str(config)), LARGE)
    assert together.batch == processes * round(8 / processes)
    assert (together.steps, together.tokens) == (alone.steps, alone.tokens)
    # KTO exchanges the answers of two that are read together, in each process.
    single = preference_estimate(paired, "kto", kto_params(paired, launch=str(config)), LARGE)
    assert single.batch == processes * max(2, round(8 / processes) // 2 * 2)
    assert single.steps == -(-single.train // single.batch) * single.epochs


def test_a_resumed_run_measures_by_its_last_attempt(paired: Workspace) -> None:
    name = _earlier_run(paired, "dpo", step=4.0, look=0.0, steps=6, start=10)
    assert preference_estimate(paired, "dpo", dpo_params(paired)).tokens_per_second == pytest.approx(25.0)
    assert preference_estimate(paired, "dpo", dpo_params(paired)).measured_by == name


def test_a_run_of_another_kind_gives_a_rate_by_what_a_step_computes(paired: Workspace) -> None:
    name = _earlier_run(paired, "sft", step=2.0, look=0.0)
    found = preference_estimate(paired, "dpo", dpo_params(paired))
    assert (found.measured_by, found.rate_from) == ("", name)
    assert found.tokens_per_second == pytest.approx(50 * 4 / 5)
    assert f"(a guess, worked out from {name})" in "\n".join(estimate_lines(found))
    other = _earlier_run(paired, "kto", step=2.0, look=0.0)
    found = preference_estimate(paired, "dpo", dpo_params(paired))
    assert (found.rate_from, found.tokens_per_second) == (other, pytest.approx(50 * 8 / 5))


def test_a_base_whose_tokenizer_is_elsewhere_is_counted_by_characters_and_says_so(paired: Workspace) -> None:
    found = preference_estimate(paired, "dpo", dpo_params(paired, base="some/Model-1.35B-Instruct"))
    assert found.parameters == 1_350_000_000
    assert any("guessed by characters" in each for each in found.warnings)
    assert found.tokens > 0


def test_what_does_not_fit_is_refused_before_it_starts(interviewed: Workspace) -> None:
    prefer(interviewed, "What came of it?", LONG, "Nothing.")
    with pytest.raises(TrainingError, match="no preference fits into 160 tokens"):
        preference_estimate(interviewed, "dpo", dpo_params(interviewed))
