"""Supervised fine-tuning with TRL and PEFT, as a run: loss on the target's tokens only."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import transformers
from trl import SFTConfig

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.dataset.build import renderer_of
from core.dataset.export import find_dataset
from core.errors import Interrupted, TrainingError
from core.models.chat_tokenizer import model_folder
from core.models.packaged import public_name
from core.prompts.render import Renderer
from core.runs.job import Job
from core.settings import TrainingSettings
from core.store.datasets import DatasetRow, examples_of
from core.training.amounts import rows_per_step, steps_of
from core.training.attention import keeps_samples_apart
from core.training.base_model import check_optimizer, check_same_base, load_base, trainable
from core.training.base_size import parameters_in, parameters_of
from core.training.checkpoints import BEST, is_whole
from core.training.estimate import estimate
from core.training.failures import told_clearly
from core.training.forgetting import bits_per_token, mixed, text_hash
from core.training.inputs import Sample, check_lengths, rows_of, sample_of
from core.training.launch import SHARED_PATIENCE
from core.training.launching import is_first, is_launched, launched
from core.training.means import Means, Shape, chosen, config_of, packs, this_hardware
from core.training.presets import filled, named_preset, preset_for
from core.training.resuming import train_on
from core.training.saving import save_adapter, take_best
from core.training.sparing import remedies, spared
from core.training.speaking import Speaker, asked
from core.training.spoken_loss import SpokenTokensTrainer
from core.training.starting import going_on_from, start_of
from core.training.together import check_same, machines, newest_common, processes
from core.training.watching import Watcher, peak_memory_mb

MOST_POINTS = 10_000
"""Of a curve: a longer run says the mean loss of so many steps, so that a day of it opens at once."""
NOT_KEPT = "the best weights, of step {}, are not whole any more: those of step {} are saved"
NOT_MEASURED = "what is forgotten is not measured: no process has the whole weights"


def run(job: Job) -> dict[str, Any]:
    """The work of an ``sft`` run; its params are those of ``sft_params``, so that a resumed run is the same run.

    Raises TrainingError or, when asked to stop, Interrupted.
    """
    if job.params.get("launch") and not is_launched():
        return launched(job, "core.training.sft:run")
    began = time.monotonic()
    work = _Prepared.of(job)
    checkpoints = job.folder / "checkpoints"
    lighter = remedies(job.folder.name, work.means)
    with told_clearly(checkpoints, work.dataset.settings["max_tokens"], remedies=lighter):
        return _trained(job, work, checkpoints, began)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """What is known before a model is loaded."""

    dataset: DatasetRow
    base: str
    renderer: Renderer
    train: list[Sample]
    validation: list[Sample]
    settings: TrainingSettings
    """Nothing left open."""
    preset: str
    means: Means
    rows: datasets.Dataset
    """What a step reads: the training samples, packed or one by one."""
    accumulated: int
    """Batches of a device's rows that make up a step."""
    start: Path | None
    """An adapter to go on from."""

    @classmethod
    def of(cls, job: Job) -> _Prepared:
        workspace, base = job.workspace, job.params["base"]
        dataset = find_dataset(workspace, job.params["dataset"])
        renderer = renderer_of(workspace, base)
        if renderer.tokenizer.fingerprint != dataset.settings["tokenizer"]:
            raise TrainingError(
                f"dataset {dataset.id} was packed for {dataset.settings['base']}, not for {base}",
                "set [models.persona] model, then simulee dataset build",
            )
        train, validation = (
            [sample_of(renderer, row) for row in examples_of(workspace.database, dataset.id, split)]
            for split in ("train", "validation")
        )
        if not train:
            raise TrainingError(f"dataset {dataset.id} has no training samples", "see `simulee dataset show`")
        folder = model_folder(base)
        config = config_of(folder)
        check_lengths([*train, *validation], int(config.get("max_position_embeddings") or 0), base)
        parameters = parameters_of(base) or parameters_in(folder)
        named = job.params.get("preset")
        preset = named_preset(named) if named else preset_for(parameters)
        start, changed = start_of(workspace, job.params.get("start_from"), base), spared(job.folder)
        asked_for = TrainingSettings(**(job.params["settings"] | changed.get("settings", {})))
        settings = going_on_from(start, filled(asked_for, preset))
        assert settings.batch is not None
        apart = keeps_samples_apart(folder)
        train += mixed(renderer, settings.general_text, settings.general_share, len(train))
        longest = max(len(sample["input_ids"]) for sample in train)
        packing = apart and packs(settings, settings.batch)
        if packing:  # A row is filled as far as the longest sample may reach.
            longest = max(longest, dataset.settings["max_tokens"])
        rows = rows_of(train, longest, packing)
        # One that goes on with fewer rows in memory keeps its steps.
        wanted = changed.get("rows_per_step") or rows_per_step(len(train), len(rows), settings.batch, processes())
        wanted //= processes()
        means = chosen(
            Shape.of(parameters, config), this_hardware(), settings, longest, settings.batch, wanted, apart,
            bool(job.params.get("sharded")),
        )  # fmt: skip
        return cls(
            dataset, base, renderer, train, validation, settings, preset.name, means, rows,
            max(1, round(wanted / means.micro_batch)), start,
        )  # fmt: skip

    @property
    def per_step(self) -> int:
        """Rows that a step reads, in all processes together."""
        return self.means.micro_batch * self.accumulated * processes()


def _trained(job: Job, work: _Prepared, checkpoints: Path, began: float) -> dict[str, Any]:
    settings, means = work.settings, work.means
    hardware, sharded = this_hardware(), bool(job.params.get("sharded"))
    tokens, rows, per_step = sum(len(sample["input_ids"]) for sample in work.train), work.rows, work.per_step
    steps = steps_of(len(rows), settings.model_copy(update={"batch": per_step}), job.params.get("max_steps"))
    check_optimizer(means)
    # It makes the processes known to each other. Only then a base is loaded in shares: with FSDP by the first process
    # of a machine, which hands them out, and with ZeRO-3 by each.
    config = _config(checkpoints, settings, means, steps, work.accumulated, bool(work.validation))
    lm = load_base(work.base, means, place=not sharded)
    check_same_base(job, lm)
    measures = settings.measure_forgetting and is_first() and not sharded
    before = bits_per_token(lm, settings.general_text) if measures else None
    # A resumed run's randomness comes from its checkpoint; this fixes the adapter's initial weights.
    transformers.set_seed(settings.seed)
    model = trainable(lm, means, settings, work.start)
    check_same(_decisive(work, lm.revision, tokens, steps))
    resume_from, damaged = newest_common(checkpoints)
    expected = estimate(job.workspace, job.params, hardware)
    job.event(
        "plan",
        base=work.base,
        revision=lm.revision,
        preset=work.preset,
        dataset=work.dataset.id,
        samples=len(work.train),
        rows=len(rows),
        rows_per_step=per_step,
        processes=processes(),
        max_tokens=work.dataset.settings["max_tokens"],
        tokens=tokens,
        steps=steps,
        device=hardware.device,
        hardware=hardware.name,
        resumed_from=resume_from.name if resume_from else None,
        damaged=damaged,
        estimated_seconds=round(expected.seconds, 1),
        estimated_memory_mb=expected.memory_mb,
        **(settings.model_dump(mode="json") | means.told() | {"attention": lm.attention}),
    )
    if settings.measure_forgetting and sharded:
        job.event("problem", text=NOT_MEASURED)
    questions = asked(job.workspace, work.renderer, examples_of(job.workspace.database, work.dataset.id, "validation"))
    watcher = Watcher(job, tokens / len(rows) * per_step, Speaker(job.event, lm, questions), settings.patience)
    trainer = _trainer(model, rows, rows_of(work.validation, 0, packing=False), config, watcher)
    if trainer.is_fsdp_enabled and machines() > 1:
        raise TrainingError(
            "FSDP keeps a checkpoint on a disk that all machines see, and each has its own here",
            "launch with DeepSpeed, or with whole weights in each process: see docs/launch",
        )
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        if settings.patience:
            raise TrainingError(*SHARED_PATIENCE)
        watcher.without_samples()
    train_on(trainer, resume_from, steps, watcher.is_over)
    reached = trainer.state.global_step
    if reached < steps and not watcher.ended_early:
        raise Interrupted(
            f"stopped at step {reached} of {steps}; a checkpoint is saved",
            "`simulee runs resume ID` goes on where it stopped",
        )
    # Shared out among processes, the weights are gathered by all of them together.
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped) if is_launched() else None
    result: dict[str, Any] = {
        "steps": reached,
        "loss": watcher.loss,
        "tokens_per_second": round(watcher.rate, 1),
        "peak_memory_mb": peak_memory_mb(),
        "estimated_memory_mb": expected.memory_mb,
    }
    if resume_from is None:
        result |= {"seconds": round(time.monotonic() - began, 1), "estimated_seconds": round(expected.seconds, 1)}
    if not is_first():
        return result
    if watcher.best_step is not None and watcher.best_step < reached:
        if is_whole(checkpoints / BEST):
            take_best(trainer.accelerator.unwrap_model(trainer.model), checkpoints / BEST)
            result["best_step"] = watcher.best_step
        else:
            job.event("problem", text=NOT_KEPT.format(watcher.best_step, reached))
    if before is not None:
        after = bits_per_token(lm, settings.general_text)
        result["general_bits_per_token"] = {"before": round(before, 4), "after": round(after, 4)}
    name, content_hash = save_adapter(
        job,
        trainer.accelerator.unwrap_model(trainer.model),
        state,
        dataset_id=work.dataset.id,
        memories=bool(work.dataset.settings["memories"]),
        base=work.base,
        revision=lm.revision,
        settings={**settings.model_dump(mode="json"), "steps": reached, "method": means.method}
        | {key: result[key] for key in ("best_step", "general_bits_per_token") if key in result}
        | ({"start_from": job.params["start_from"]} if work.start else {}),
    )
    return {"adapter": name, "hash": content_hash, **result}


def _decisive(work: _Prepared, revision: str, tokens: int, steps: int) -> dict[str, Any]:
    """What must be the same in all processes, or they would learn two things, or wait for each other for ever."""
    return {
        "dataset": work.dataset.hash,
        "base": public_name(work.base),
        "its revision": revision,
        "preset": work.preset,
        **work.settings.model_dump(mode="json"),
        "general_text": text_hash(work.settings.general_text) if work.settings.general_share else "",
        **{name: work.means.told()[name] for name in ("method", "dtype", "micro_batch")},
        "rows": len(work.rows),
        "tokens": tokens,
        "steps": steps,
        "rows_per_step": work.per_step,
        "the adapter to go on from": folder_hash(work.start, ADAPTER_FILES) if work.start else None,
    }


def _config(
    checkpoints: Path, settings: TrainingSettings, means: Means, steps: int, accumulated: int, validate: bool
) -> SFTConfig:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SFTConfig(
            output_dir=str(checkpoints),
            per_device_train_batch_size=means.micro_batch,
            per_device_eval_batch_size=1,
            gradient_accumulation_steps=accumulated,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(settings.warmup * steps),
            max_steps=steps,
            seed=settings.seed,
            data_seed=settings.seed,
            optim=means.optimizer,
            logging_steps=max(1, steps // MOST_POINTS),
            # A loss that is no number must be seen, not smoothed over.
            logging_nan_inf_filter=False,
            save_strategy="steps",
            save_steps=settings.checkpoint_steps,
            save_on_each_node=machines() > 1,
            eval_strategy="steps" if validate else "no",
            eval_steps=max(1, steps // settings.evaluations),
            bf16=means.dtype == "bfloat16",
            gradient_checkpointing=means.gradient_checkpointing,
            gradient_checkpointing_kwargs={"use_reentrant": False} if means.gradient_checkpointing else None,
            use_liger_kernel=means.liger,
            # The loss projects the target's tokens only, which spares more than Liger's fused projection does.
            liger_kernel_config={"fused_linear_cross_entropy": False, "cross_entropy": False} if means.liger else None,
            torch_compile=means.compile,
            max_length=None,
            padding_free=True,
            remove_unused_columns=False,
            dataset_kwargs={"skip_prepare_dataset": True},
            dataloader_pin_memory=means.dtype == "bfloat16",
            ddp_find_unused_parameters=False,
            disable_tqdm=True,
            report_to=[],
        )


def _trainer(
    model: Any, rows: datasets.Dataset, validation: datasets.Dataset, config: SFTConfig, watcher: Watcher
) -> SpokenTokensTrainer:
    datasets.disable_progress_bars()
    from transformers import AutoTokenizer

    folder = model.config._name_or_path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # One process trains on one device; several are a matter for a launcher, never for threads. The trainer counts
        # the rows of a batch by it as it is made.
        config._n_gpu = min(1, config.n_gpu)
        trainer = SpokenTokensTrainer(
            model=model,
            args=config,
            train_dataset=rows,
            eval_dataset=validation if len(validation) else None,
            processing_class=AutoTokenizer.from_pretrained(folder),
            callbacks=[watcher],
        )
    trainer.remove_callback(transformers.PrinterCallback)
    return trainer
