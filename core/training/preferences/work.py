"""Training on preferences as a run: DPO on pairs, KTO on single judgements, from an adapter or the bare base."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from core.errors import Interrupted, TrainingError
from core.models.chat_tokenizer import load_tokenizer, model_folder
from core.prompts.render import Renderer
from core.runs.job import Job
from core.settings import DpoSettings, TrainingSettings
from core.store.adapters import AdapterRow, find_adapter
from core.training.amounts import steps_of
from core.training.base_model import check_same_base, load_base, trainable
from core.training.base_size import parameters_in, parameters_of
from core.training.estimate import preference_estimate
from core.training.failures import told_clearly
from core.training.launching import is_first, is_launched, launched
from core.training.means import Means, Shape, config_of, this_hardware
from core.training.preferences.framing import Framing, prompt_files
from core.training.preferences.gathering import Method, found_again, split
from core.training.preferences.guard import REFERENCE, Guard, questions_of
from core.training.preferences.launch import ENTRIES, WHOLE, check_launch, file_hash
from core.training.preferences.means import means_for
from core.training.preferences.presets import named_preset, preset_for
from core.training.preferences.rendering import PreferenceRenderer, Rendered
from core.training.preferences.settings import settings_of, told
from core.training.preferences.trainers import (
    Row,
    common_settings,
    dpo_config,
    judgement_rows,
    kto_config,
    pair_rows,
    trainer_of,
    weights_of,
)
from core.training.resuming import train_on
from core.training.saving import save_adapter, take_best
from core.training.starting import folder_to_go_on_from
from core.training.together import check_same, newest_common, processes
from core.training.watching import FIGURES, Watcher, peak_memory_mb
from core.workspace import Workspace

MEASURED = (
    ("margin", "rewards/margins"), ("accuracy", "rewards/accuracies"), ("chosen_reward", "rewards/chosen"),
    ("rejected_reward", "rewards/rejected"), ("chosen_logp", "logps/chosen"), ("rejected_logp", "logps/rejected"),
    ("batch_kl", "kl"),
)  # fmt: skip
"""What an event calls it, and what TRL does. A reward is beta times the log-ratio to the reference, summed over an
answer; the accuracy is the share of pairs whose chosen answer has the higher one."""
SECTION = "[training.dpo]"


def run_dpo(job: Job) -> dict[str, Any]:
    """The work of a ``dpo`` run; its params are those of ``dpo_params``. Raises UsageError, TrainingError or
    Interrupted."""
    return _run(job, "dpo")


def run_kto(job: Job) -> dict[str, Any]:
    """The work of a ``kto`` run; its params are those of ``kto_params``. Raises UsageError, TrainingError or
    Interrupted."""
    return _run(job, "kto")


def _run(job: Job, method: Method) -> dict[str, Any]:
    if job.params.get("launch") and not is_launched():
        check_launch(Path(job.params["launch"]))  # It may be another one than when the run was started.
        return launched(job, ENTRIES[method])
    began = time.monotonic()
    work = _Prepared.of(job, method)
    checkpoints = job.folder / "checkpoints"
    with told_clearly(checkpoints, work.own.max_tokens, f"set less than {{}} max_tokens under {SECTION}"):
        return _trained(job, work, checkpoints, began)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is known before a model is loaded."""

    method: Method
    base: str
    start: AdapterRow | None
    start_folder: Path | None
    train: list[Rendered]
    validation: list[Rendered]
    too_long: int
    settings: TrainingSettings
    """Nothing left open."""
    own: DpoSettings
    preset: str
    means: Means
    at_once: int
    """Judgements in memory together."""

    @classmethod
    def of(cls, job: Job, method: Method) -> _Prepared:
        workspace, params = job.workspace, job.params
        own, base = DpoSettings(**params["dpo"]), params["base"]
        start, folder = _start(workspace, params["start_from"])
        model = model_folder(base)
        config = config_of(model)
        most = min(own.max_tokens, int(config.get("max_position_embeddings") or own.max_tokens))
        rendered = _rendered(job, method)
        fitting = [each for each in rendered if each.tokens <= most]
        if not fitting:
            longest = min(each.tokens for each in rendered)
            raise TrainingError(
                f"no preference fits into {most} tokens; the shortest has {longest}",
                f"raise max_tokens under {SECTION}",
            )
        train, validation = split(fitting, own.validation)
        parameters = parameters_of(base) or parameters_in(model)
        named = params.get("preset")
        preset = named_preset(named) if named else preset_for(parameters)
        settings = settings_of(params["settings"], preset, folder)
        means, at_once, settings = means_for(
            method, Shape.of(parameters, config), this_hardware(), settings, max(each.tokens for each in fitting),
            processes(),
        )  # fmt: skip
        return cls(
            method, base, start, folder, train, validation, len(rendered) - len(fitting), settings, own, preset.name,
            means, at_once,
        )  # fmt: skip


def _start(workspace: Workspace, name: str | None) -> tuple[AdapterRow | None, Path | None]:
    if name is None:
        return None, None
    adapter = find_adapter(workspace.database, name)
    if adapter is None:
        raise TrainingError(f"the adapter {name} is gone", "start a new run")
    return adapter, folder_to_go_on_from(workspace, adapter)


def _rendered(job: Job, method: Method) -> list[Rendered]:
    """What the run was started with, as the model reads it. Raises TrainingError when it is not there any more."""
    workspace, params = job.workspace, job.params
    file = Path(params["file"]) if params["file"] else None
    if file is not None and file_hash(file) != params["file_hash"]:
        raise TrainingError(f"{file.name} is not what this run began with", "start a new run")
    framing = Framing.begun(workspace, params)
    prompts = Renderer(load_tokenizer(params["base"]), prompt_files(workspace), framing.form)
    renderer = PreferenceRenderer(prompts, framing)
    found = found_again(workspace, method, params["preferences"], file)
    rendered = [renderer.rendered(each, params["day"]) for each in found]
    made = sum(not each.stored for each in rendered)
    if made and prompts.version != framing.prompts:
        raise TrainingError(
            f"the prompt files have changed since this run began: {made} of its prompts would be others",
            "bring them back as they were, or start a new run",
        )
    return rendered


def _trained(job: Job, work: _Prepared, checkpoints: Path, began: float) -> dict[str, Any]:
    settings, own, means = work.settings, work.own, work.means
    lm = load_base(work.base, means, place=not is_launched())
    check_same_base(job, lm)
    # A resumed run's randomness comes from its checkpoint; this fixes the adapter's initial weights.
    transformers.set_seed(settings.seed)
    model = trainable(lm, means, settings, work.start_folder)
    rows, validation = (_rows(work, each) for each in (work.train, work.validation))
    tokens = sum(map(_tokens, rows))
    steps = steps_of(len(rows), settings, job.params.get("max_steps"))
    every = max(1, steps // own.evaluations)
    weights = weights_of(rows) if work.method == "kto" else None
    common = common_settings(checkpoints, settings, means, steps, every, work.at_once, bool(validation))
    # It makes the processes known to each other.
    config = kto_config(common, own, weights) if weights else dpo_config(common, own)
    check_same(_decisive(job, work, lm.revision, tokens, steps))
    resume_from, damaged = newest_common(checkpoints)
    hardware = this_hardware()
    expected = preference_estimate(job.workspace, work.method, job.params, hardware)
    job.event(
        "plan",
        **_said(work) | means.told() | {"attention": lm.attention},
        base=work.base,
        revision=lm.revision,
        start_from=work.start.name if work.start else None,
        preset=work.preset,
        preferences=len(work.train) + len(work.validation),
        origins=job.params["origins"],
        train=len(rows),
        validates=len(validation),
        stored_prompts=sum(each.stored for each in [*work.train, *work.validation]),
        left_out=_left_out(job, work),
        tokens=tokens,
        steps=steps,
        processes=processes(),
        device=lm.device,
        hardware=hardware.name,
        resumed_from=resume_from.name if resume_from else None,
        damaged=damaged,
        estimated_seconds=round(expected.seconds, 1),
        estimated_memory_mb=expected.memory_mb,
        **({"desirable_weight": weights[0], "undesirable_weight": weights[1]} if weights else {}),
    )
    guard = Guard(job, lm, model, questions_of(work.validation, work.train, own.guard_questions), own, every)
    watcher = Watcher(
        job, tokens / len(rows) * min(len(rows), settings.batch or 1), figures=_figures(), section=SECTION
    )
    trainer = trainer_of(model, rows, validation, config, [watcher, guard])
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        raise TrainingError("a run on preferences goes without FSDP and DeepSpeed, one of which is on here", WHOLE)
    train_on(trainer, resume_from, steps)
    reached = trainer.state.global_step
    if reached < steps and not guard.collapsed:
        raise Interrupted(
            f"stopped at step {reached} of {steps}; a checkpoint is saved",
            "`simulee runs resume ID` goes on where it stopped",
        )
    result: dict[str, Any] = {
        "steps": reached,
        "preferences": len(work.train) + len(work.validation),
        "left_out": _left_out(job, work),
        "loss": watcher.loss,
        **_last(trainer.state.log_history),
        "tokens_per_second": round(watcher.rate, 1),
        "peak_memory_mb": peak_memory_mb(),
        "estimated_memory_mb": expected.memory_mb,
    }
    if resume_from is None:
        result |= {"seconds": round(time.monotonic() - began, 1), "estimated_seconds": round(expected.seconds, 1)}
    if not is_first():
        return result
    if guard.collapsed:
        well = guard.well(checkpoints)
        why = f"stopped at step {reached} of {steps}: {guard.collapsed}"
        if well is None:
            raise TrainingError(f"{why}; nothing was kept", f"lower learning_rate or raise beta under {SECTION}")
        take_best(model, well[0])
        result |= {"stopped": f"{why}; the weights of step {well[1]} are kept", "kept_step": well[1]}
    model.delete_adapter(REFERENCE)
    name, content_hash = save_adapter(
        job,
        model,
        # What the adapter that it goes on from was trained on is in these weights too.
        dataset_id=work.start.dataset_id if work.start else None,
        memories=bool(work.start.memories) if work.start else True,
        base=work.base,
        revision=lm.revision,
        settings=_said(work)
        | {
            "method": work.method,
            "steps": result.get("kept_step", reached),
            "start_from": work.start.name if work.start else None,
            "preferences": job.params["preferences"],
            "origins": job.params["origins"],
            "decision": job.params["decision"],
            "file": job.params["file"],
            "left_out": result["left_out"],
        }
        | ({"stopped": result["stopped"]} if guard.collapsed else {}),
        # Whether a twin speaks with what was left of a collapse is for a person to say.
        use=not guard.collapsed,
    )
    return {"adapter": name, "hash": content_hash, **result}


def _decisive(job: Job, work: _Prepared, revision: str, tokens: int, steps: int) -> dict[str, Any]:
    """What must be the same in all processes, or they would learn two things, or wait for each other for ever."""
    return _said(work) | {
        "base": work.base,
        "its revision": revision,
        "the adapter to go on from": work.start.hash if work.start else None,
        "preferences": sorted(map(tuple, job.params["preferences"])),
        "tokens": tokens,
        "steps": steps,
        "judgements in memory together": work.at_once,
    }


def _rows(work: _Prepared, rendered: Sequence[Rendered]) -> list[Row]:
    if work.method == "kto":
        return judgement_rows(rendered, work.at_once, work.settings.seed)
    return pair_rows(rendered)


def _tokens(row: Row) -> int:
    """Tokens of a row: a pair reads its prompt once."""
    return sum(len(row.get(name, ())) for name in ("prompt_ids", "completion_ids", "chosen_ids", "rejected_ids"))


def _said(work: _Prepared) -> dict[str, Any]:
    return told(work.method, work.own, work.settings)


def _left_out(job: Job, work: _Prepared) -> dict[str, int]:
    return {**job.params["left_out"], "too_long": work.too_long}


def _figures() -> tuple[tuple[str, str], ...]:
    """Everything that is measured, in training and on the pairs that validate."""
    return (*FIGURES, *MEASURED, *((f"eval_{name}", f"eval_{key}") for name, key in MEASURED))


def _last(history: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The newest margins and accuracies."""
    found = {}
    for name in ("margin", "accuracy", "eval_margin", "eval_accuracy"):
        key = dict(_figures())[name]
        values = [float(each[key]) for each in history if key in each]
        if values:
            found[name] = round(values[-1], 4)
    return found
