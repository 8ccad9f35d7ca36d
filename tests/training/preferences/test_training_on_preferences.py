"""DPO and KTO on a real model: they win pairs, against the adapter they began with, and can be killed."""

from __future__ import annotations

import json
import os
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from core.adapters.choice import choose_adapter
from core.dataset.build import renderer_of
from core.errors import TrainingError
from core.models.causal_lm import CausalLM
from core.runs.control import follow, run_to_end, start
from core.runs.job import Job
from core.runs.journal import EventLog, holder, load_run, read_events
from core.store.adapters import active_adapter, find_adapter, list_adapters
from core.training.estimate import preference_estimate
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import found_again
from core.training.preferences.launch import DPO_ENTRY, DPO_KIND, KTO_ENTRY, KTO_KIND, dpo_params, kto_params
from core.training.preferences.rendering import PreferenceRenderer, Rendered
from core.training.preferences.work import run_dpo
from core.workspace import Workspace
from tests.conftest import Simulee

from .conftest import DPO, PAIRS

pytestmark = pytest.mark.slow
BETA = 0.1


@pytest.fixture(scope="module")
def undisturbed(tuned_root: Path) -> str:
    """A whole DPO run in the shared workspace. Returns its hash."""
    workspace = Workspace.open(tuned_root)
    done = run_to_end(workspace, DPO_KIND, DPO_ENTRY, dpo_params(workspace))
    choose_adapter(workspace, "sft-1")
    workspace.database.close()
    return str(done["hash"])


def _events(workspace: Workspace, run: str, kind: str) -> list[dict[str, Any]]:
    return [event.payload for event in read_events(workspace.runs / run)[0] if event.kind == kind]


def _curve(workspace: Workspace, run: str, name: str) -> list[float]:
    return [each[name] for each in _events(workspace, run, "metrics") if name in each]


def test_margins_grow_and_the_adapter_stands_alone_on_the_base(undisturbed: str, tuned: Workspace) -> None:
    margins = _curve(tuned, "dpo-1", "margin")
    assert margins[0] == 0.0
    assert margins[-1] > margins[1] > 0.05
    assert _curve(tuned, "dpo-1", "accuracy")[-1] == 1.0
    adapter = find_adapter(tuned.database, "dpo-1")
    assert adapter is not None
    assert adapter.hash == undisturbed
    assert {each.name for each in (tuned.root / adapter.path).iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors",
    }  # fmt: skip
    pair = _pairs(tuned)[0]
    lm = CausalLM(adapter.base)
    lm.load_adapter("dpo", tuned.root / adapter.path, adapter.hash)
    before = find_adapter(tuned.database, "sft-1")
    assert before is not None
    lm.load_adapter("sft", tuned.root / before.path, before.hash)
    gained = {}
    for name in ("sft", "dpo"):
        lm.use(name)
        gained[name] = _log_probability(lm, pair, True) - _log_probability(lm, pair, False)
    assert gained["dpo"] > gained["sft"] + 1


def test_the_reference_is_the_adapter_that_it_goes_on_from(undisturbed: str, tuned: Workspace) -> None:
    plan = _events(tuned, "dpo-1", "plan")[0]
    assert plan["start_from"] == "sft-1"
    adapter = find_adapter(tuned.database, "sft-1")
    assert adapter is not None
    lm = CausalLM(adapter.base)
    lm.load_adapter("sft", tuned.root / adapter.path, adapter.hash)
    pairs = _pairs(tuned)
    for side, chosen in (("chosen", True), ("rejected", False)):
        lm.use("sft")
        expected = sum(_log_probability(lm, pair, chosen) for pair in pairs) / len(pairs)
        lm.use("")
        bare = sum(_log_probability(lm, pair, chosen) for pair in pairs) / len(pairs)
        assert abs(expected - bare) > 0.5, "the two must differ for this test to say anything"
        # A reward is beta times the log-ratio; what is left of the log-probability is the reference's, at every step.
        logps, rewards = (_curve(tuned, "dpo-1", f"{side}_{what}") for what in ("logp", "reward"))
        for logp, reward in zip(logps, rewards, strict=True):
            assert logp - reward / BETA == pytest.approx(expected, abs=2e-2)


def test_what_it_learned_from_and_what_was_left_out_stay_known(undisturbed: str, tuned: Workspace) -> None:
    adapter = find_adapter(tuned.database, "dpo-1")
    started_from = find_adapter(tuned.database, "sft-1")
    assert adapter is not None
    assert started_from is not None
    settings = adapter.settings
    assert settings["left_out"] == {"held_out": 1, "not_cleared": 0, "overruled": 0, "refused": 0, "too_long": 1}
    assert settings["origins"] == {"comparison": 3}
    assert len(settings["preferences"]) == 3
    assert (settings["method"], settings["start_from"], settings["beta"], settings["loss"]) == (
        "dpo", "sft-1", BETA, "sigmoid",
    )  # fmt: skip
    shape = json.loads((tuned.root / adapter.path / "adapter_config.json").read_text("utf-8"))
    assert (settings["rank"], settings["alpha"]) == (shape["r"], shape["lora_alpha"]) == (16, 32)
    assert "measure_forgetting" not in settings
    assert (adapter.dataset_id, adapter.memories) == (started_from.dataset_id, started_from.memories)


def test_it_ends_beside_what_was_estimated_and_measures_the_next_one(undisturbed: str, tuned: Workspace) -> None:
    result, plan = load_run(tuned.runs, "dpo-1").result, _events(tuned, "dpo-1", "plan")[0]
    assert result["estimated_memory_mb"] == plan["estimated_memory_mb"] > 0
    assert result["seconds"] > 0
    assert result["estimated_seconds"] > 0
    found = preference_estimate(tuned, "dpo", dpo_params(tuned))
    assert found.measured_by == "dpo-1"
    assert abs(found.memory_mb - result["peak_memory_mb"]) < 100
    assert (found.steps, found.train, found.left_out) == (result["steps"], plan["train"], result["left_out"])
    assert abs(found.tokens - plan["tokens"] * 3) < 0.1 * found.tokens


def test_a_killed_run_resumed_gives_the_same_bytes(undisturbed: str, tuned: Workspace) -> None:
    params = load_run(tuned.runs, "dpo-1").params
    run = start(tuned, DPO_KIND, DPO_ENTRY, params)
    pid = holder(run.folder / "lock")
    assert pid is not None
    for event in follow(tuned, run.id):
        if event.kind == "metrics" and event.payload["step"] == 2 and "loss" in event.payload:
            os.kill(pid, signal.SIGKILL)
    assert load_run(tuned.runs, run.id).state == "lost"
    assert run_to_end(tuned, DPO_KIND, DPO_ENTRY, params, resume_id=run.id)["hash"] == undisturbed
    assert _events(tuned, run.id, "plan")[-1]["resumed_from"] == "checkpoint-1"


def test_a_run_that_loses_the_language_is_stopped_and_what_was_well_is_kept(
    tuned: Workspace, tmp_path: Path, simulee: Simulee
) -> None:
    # The first step of a warm-up changes nothing, so the guard's first look finds the twin as it was.
    settings = {"warmup": 0.5, "measure_forgetting": False, "dpo": {**DPO, "evaluations": 4, "guard_tokens": 12}}
    (tuned.root / "persona.toml").write_text(_toml(settings), "utf-8")
    file = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"prompt": asked, "chosen": good, "rejected": bad}) for asked, good, bad in PAIRS]
    file.write_text("\n".join([*lines, "no pair"]), "utf-8")
    done = simulee("train", "dpo", "--pairs", file, "--epochs", 4, "--learning-rate", 3, "--json", cwd=tuned.root)
    assert done.returncode == 3, done.stderr
    told = json.loads(done.stdout)
    assert told["left_out"]["refused"] == 1
    assert told["kept_step"] == 1
    assert told["stopped"].startswith("stopped at step 2 of 4: the answers ")
    assert told["stopped"].endswith("; the weights of step 1 are kept")
    active = active_adapter(tuned.database)
    assert active is not None
    assert active.name == "sft-1", "nobody has said that the twin shall speak with what was left"
    kept, before = find_adapter(tuned.database, told["adapter"]), find_adapter(tuned.database, "sft-1")
    assert kept is not None
    assert before is not None
    weights = "adapter_model.safetensors"
    assert (tuned.root / kept.path / weights).read_bytes() == (tuned.root / before.path / weights).read_bytes()


def test_a_collapse_at_the_first_look_keeps_nothing_and_says_so(tuned: Workspace) -> None:
    before = list_adapters(tuned.database)
    params = dpo_params(tuned, max_steps=1, settings={"learning_rate": 3.0})
    folder = tuned.runs / "dpo-9"
    folder.mkdir()
    said = r"^stopped at step 1 of 1: the answers .*; nothing was kept$"
    with closing(EventLog(folder)) as log, pytest.raises(TrainingError, match=said) as caught:
        run_dpo(Job(tuned, folder, params, log))
    assert "lower learning_rate" in caught.value.hint
    assert list_adapters(tuned.database) == before


def test_kto_learns_from_single_judgements(tuned: Workspace) -> None:
    done = run_to_end(tuned, KTO_KIND, KTO_ENTRY, kto_params(tuned, max_steps=3, settings={"batch": 4}))
    plan = _events(tuned, "kto-1", "plan")[0]
    assert (plan["desirable_weight"], plan["undesirable_weight"]) == (1.0, 1.0)
    assert plan["train"] == 4
    margins = _curve(tuned, "kto-1", "margin")
    assert margins[0] == pytest.approx(0.0, abs=1e-4)
    assert margins[-1] > margins[1] > 0
    adapter = find_adapter(tuned.database, done["adapter"])
    assert adapter is not None
    assert adapter.settings["method"] == "kto"
    assert active_adapter(tuned.database) == adapter


def _pairs(workspace: Workspace) -> list[Rendered]:
    """What the run trained on."""
    params = load_run(workspace.runs, "dpo-1").params
    renderer = PreferenceRenderer(renderer_of(workspace), Framing.now(workspace))
    found = found_again(workspace, "dpo", params["preferences"], None)
    rendered = [renderer.rendered(each, params["day"]) for each in found]
    return [each for each in rendered if each.tokens <= DPO["max_tokens"]]


def _log_probability(lm: CausalLM, pair: Rendered, chosen: bool) -> float:
    """Of a whole answer, its end included."""
    ids = pair.chosen_ids if chosen else pair.rejected_ids
    places = range(len(pair.prompt_ids), len(pair.prompt_ids) + len(ids))
    return sum(lm.token_log_probabilities([pair.prompt_ids + ids], [places])[0])


def _toml(training: dict[str, Any]) -> str:
    import tomlkit

    return tomlkit.dumps({"name": "Ada Marlow", "training": training})
