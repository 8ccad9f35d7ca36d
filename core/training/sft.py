"""Supervised fine-tuning of a LoRA with TRL and PEFT, as a run: loss on the target's tokens only."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import datasets
import torch
import transformers
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTConfig, SFTTrainer

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.dataset.build import renderer_of
from core.dataset.export import find_dataset
from core.errors import Interrupted, TrainingError
from core.models.causal_lm import CausalLM
from core.prompts.render import Message, Renderer
from core.runs.job import Job
from core.settings import TrainingSettings
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.conversations import exchanges_named
from core.store.datasets import ExampleRow, examples_of
from core.training.checkpoints import newest_whole, prune, write_manifest
from core.training.presets import filled, named_preset, preset_for, steps_of
from core.workspace import Workspace

EVALUATIONS = 2
"""Of a whole run, the last one at its end; each reads all of the validation split and answers some of it."""
SPOKEN_SAMPLES = 2
"""Validation questions that are answered at each evaluation."""
SPOKEN_TOKENS = 40
"""Longest of these answers."""


def run(job: Job) -> dict[str, Any]:
    """The work of an ``sft`` run; its params are those of ``sft_params``, so that a resumed run is the same run.

    Raises TrainingError or, when asked to stop, Interrupted.
    """
    workspace = job.workspace
    dataset = find_dataset(workspace, job.params["dataset"])
    base = job.params["base"]
    renderer = renderer_of(workspace, base)
    if renderer.tokenizer.fingerprint != dataset.settings["tokenizer"]:
        raise TrainingError(
            f"dataset {dataset.id} was packed for {dataset.settings['base']}, not for {base}",
            "set [models.persona] model, then simulee dataset build",
        )
    rows = {split: examples_of(workspace.database, dataset.id, split) for split in ("train", "validation")}
    samples = {split: [_sample(renderer, row) for row in rows[split]] for split in rows}
    if not samples["train"]:
        raise TrainingError(f"dataset {dataset.id} has no training samples", "see `simulee dataset show`")
    lm = CausalLM(base)
    named = job.params.get("preset")
    preset = named_preset(named) if named else preset_for(lm.model.num_parameters())
    settings = filled(TrainingSettings(**job.params["settings"]), preset)
    # A resumed run's randomness comes from its checkpoint; this fixes the adapter's initial weights.
    transformers.set_seed(settings.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = get_peft_model(
            lm.model,
            LoraConfig(
                r=settings.rank,
                lora_alpha=settings.alpha,
                lora_dropout=settings.dropout,
                target_modules="all-linear",
                task_type="CAUSAL_LM",
            ),
        )
    checkpoints = job.folder / "checkpoints"
    steps = steps_of(len(samples["train"]), settings, job.params.get("max_steps"))
    resume_from, damaged = newest_whole(checkpoints)
    job.event(
        "plan",
        base=base,
        preset=preset.name,
        dataset=dataset.id,
        samples=len(samples["train"]),
        tokens=sum(len(sample["input_ids"]) for sample in samples["train"]),
        steps=steps,
        device=lm.device,
        dtype=str(lm.model.dtype).removeprefix("torch."),
        resumed_from=resume_from.name if resume_from else None,
        damaged=damaged,
        **settings.model_dump(mode="json"),
    )
    speaker = _Speaker(job, lm, _asked(workspace, renderer, rows["validation"]))
    watcher = _Watcher(
        job, sum(len(sample["input_ids"]) for sample in samples["train"]) / len(samples["train"]), speaker
    )
    trainer = _trainer(model, samples, _config(checkpoints, settings, steps, lm, bool(samples["validation"])), watcher)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train(resume_from_checkpoint=str(resume_from) if resume_from else None)
    if trainer.state.global_step < steps:
        raise Interrupted(
            f"stopped at step {trainer.state.global_step} of {steps}; a checkpoint is saved",
            "`simulee runs resume ID` goes on where it stopped",
        )
    return _finish(job, trainer, dataset.id, dataset.settings, settings, lm, base, steps, watcher)


def _sample(renderer: Renderer, row: ExampleRow) -> dict[str, list[int]]:
    ids, labels = renderer.tokens([Message.of(message) for message in row.messages])
    return {"input_ids": ids, "labels": labels}


def _config(checkpoints: Path, settings: TrainingSettings, steps: int, lm: CausalLM, validate: bool) -> SFTConfig:
    gpu = lm.device == "cuda"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return SFTConfig(
            output_dir=str(checkpoints),
            per_device_train_batch_size=1,
            per_device_eval_batch_size=1,
            gradient_accumulation_steps=settings.batch,
            learning_rate=settings.learning_rate,
            lr_scheduler_type="cosine",
            warmup_steps=round(settings.warmup * steps),
            max_steps=steps,
            seed=settings.seed,
            data_seed=settings.seed,
            logging_steps=1,
            save_strategy="steps",
            save_steps=settings.checkpoint_steps,
            eval_strategy="steps" if validate else "no",
            eval_steps=max(1, steps // EVALUATIONS),
            bf16=gpu and torch.cuda.is_bf16_supported(),
            gradient_checkpointing=False,
            max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True},
            dataloader_pin_memory=gpu,
            disable_tqdm=True,
            report_to=[],
        )


def _trainer(
    model: Any, samples: dict[str, list[dict[str, list[int]]]], config: SFTConfig, watcher: _Watcher
) -> SFTTrainer:
    datasets.disable_progress_bars()
    from transformers import AutoTokenizer

    folder = model.base_model.model.config._name_or_path
    validation = samples["validation"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = _SpokenTokensTrainer(
            model=model,
            args=config,
            train_dataset=datasets.Dataset.from_list(samples["train"]),
            eval_dataset=datasets.Dataset.from_list(validation) if validation else None,
            processing_class=AutoTokenizer.from_pretrained(folder),
            callbacks=[watcher],
        )
    trainer.remove_callback(transformers.PrinterCallback)
    # One process trains on one device; several are a matter for a launcher, never for threads.
    trainer.args._n_gpu = min(1, trainer.args._n_gpu)
    return trainer


class _SpokenTokensTrainer(SFTTrainer):
    """TRL's trainer, with the vocabulary projected only where the loss reads it.

    Most tokens of a sample are questions and memories; a vocabulary of 49,152 makes their logits the dearest part of a
    step on a CPU. The loss itself is TRL's: cross-entropy summed over the trained tokens, divided by their number.
    """

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        labels = inputs["labels"][:, 1:]
        mask = inputs.get("attention_mask")
        causal = self.accelerator.unwrap_model(model).get_base_model()
        hidden = causal.model(
            input_ids=inputs["input_ids"],
            # Without padding the mask says nothing, and its absence keeps the fast attention kernel.
            attention_mask=None if mask is None or bool(mask.all()) else mask,
            use_cache=False,
        ).last_hidden_state[:, :-1]
        spoken = labels != -100
        logits = causal.lm_head(hidden[spoken]).float()
        total = torch.nn.functional.cross_entropy(logits, labels[spoken], reduction="sum")
        count = spoken.sum() if num_items_in_batch is None else num_items_in_batch
        return total / torch.as_tensor(count).clamp(min=1)

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> Any:
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad():
            return self.compute_loss(model, inputs), None, None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A validation question: as it is shown, as the model receives it, and what the target really answered."""

    question: str
    prompt: str
    real: str


def _asked(workspace: Workspace, renderer: Renderer, validation: Sequence[ExampleRow]) -> list[_Asked]:
    """The first question of up to two validation samples, the same ones for every run on a dataset."""
    rows = list(validation[:: max(1, len(validation) // SPOKEN_SAMPLES)])[:SPOKEN_SAMPLES]
    known = exchanges_named(workspace.database, [row.parts[0].exchange_uid for row in rows if row.parts])
    asked = []
    for row in rows:
        messages = [Message.of(message) for message in row.messages]
        answered = next((place for place, message in enumerate(messages) if message.role == "assistant"), 0)
        if answered:
            exchange = known.get(row.parts[0].exchange_uid) if row.parts else None
            question = exchange.question if exchange else messages[answered - 1].content
            asked.append(_asked_of(renderer, question, messages, answered))
    return asked


def _asked_of(renderer: Renderer, question: str, messages: list[Message], answered: int) -> _Asked:
    said = messages[answered]
    return _Asked(question, renderer.prompt(messages[:answered]) + said.content[: said.head], said.content[said.head :])


class _Speaker:
    """Lets the model answer the same validation questions at each evaluation, without a trace in the training."""

    def __init__(self, job: Job, lm: CausalLM, asked: Sequence[_Asked]) -> None:
        self._job, self._lm, self._asked = job, lm, asked

    def speak(self, step: int) -> None:
        """Answer greedily and tell it as an event. The random state and the mode of the model are given back."""
        if not self._asked:
            return
        model = self._lm.model
        training, threads = model.training, torch.get_num_threads()
        devices = [torch.cuda.current_device()] if self._lm.device == "cuda" else []
        with torch.random.fork_rng(devices), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.eval()
            # Word by word a CPU waits for memory: a second thread gains little there, and on a busy machine the two
            # wait for each other at every layer, which made an answer take minutes.
            torch.set_num_threads(1)
            try:
                said = self._lm.generate([each.prompt for each in self._asked], SPOKEN_TOKENS)
            finally:
                torch.set_num_threads(threads)
                model.train(training)
        self._job.event(
            "samples",
            step=step,
            samples=[
                {"question": each.question, "twin": twin, "real": each.real}
                for each, twin in zip(self._asked, said, strict=True)
            ],
        )


class _Watcher(TrainerCallback):
    """Turns the trainer's callbacks into the run's events, and a request to stop into a saved stop."""

    def __init__(self, job: Job, tokens_per_sample: float, speaker: _Speaker) -> None:
        self._job = job
        self._speaker = speaker
        self._tokens_per_sample = tokens_per_sample
        self._began = time.monotonic()
        self._first_step: int | None = None
        self.loss: float | None = None
        self.rate = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        done = state.global_step - (self._first_step or 0)
        samples = done * args.gradient_accumulation_steps
        self.rate = samples * self._tokens_per_sample / max(time.monotonic() - self._began, 1e-9)
        self._job.progress(state.global_step, state.max_steps, "training")
        if self._job.stop_requested:
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        logs = logs or {}
        figures = {
            name: logs[key]
            for name, key in (
                ("loss", "loss"), ("eval_loss", "eval_loss"), ("lr", "learning_rate"), ("grad_norm", "grad_norm"),
            )
            if key in logs
        }  # fmt: skip
        if not figures:
            return
        self.loss = figures.get("loss", self.loss)
        self._job.event(
            "metrics",
            step=state.global_step,
            tokens_per_second=round(self.rate, 1),
            memory_mb=peak_memory_mb(),
            **figures,
        )

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._speaker.speak(state.global_step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        folder = Path(args.output_dir)
        write_manifest(folder / f"checkpoint-{state.global_step}")
        prune(folder)
        self._job.event("checkpoint", step=state.global_step)


def peak_memory_mb() -> int:
    """The largest resident size of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _finish(
    job: Job,
    trainer: SFTTrainer,
    dataset_id: int,
    dataset_settings: dict[str, Any],
    settings: TrainingSettings,
    lm: CausalLM,
    base: str,
    steps: int,
    watcher: _Watcher,
) -> dict[str, Any]:
    """Write the adapter whole, register it, and let the twin use it."""
    workspace = job.workspace
    name = job.folder.name
    partial = workspace.adapters / f".{name}.{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    trainer.model.save_pretrained(partial)
    for extra in partial.iterdir():
        if extra.name not in ADAPTER_FILES:
            extra.unlink()
    _portable(partial / "adapter_config.json", base)
    target = workspace.adapters / name
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)
    content_hash = folder_hash(target, ADAPTER_FILES)
    with workspace.database.write():
        adapter_id = put_adapter(
            workspace.database,
            AdapterRow(
                0, name, dataset_id, name, base, lm.revision, int(bool(dataset_settings["memories"])),
                str(target.relative_to(workspace.root)), content_hash,
                {**settings.model_dump(mode="json"), "steps": steps},
                datetime.now(UTC).isoformat(timespec="seconds"),
            ),
        )  # fmt: skip
        if job.params.get("use", True):
            use_adapter(workspace.database, adapter_id)
    return {
        "adapter": name,
        "hash": content_hash,
        "steps": steps,
        "loss": watcher.loss,
        "tokens_per_second": round(watcher.rate, 1),
        "peak_memory_mb": peak_memory_mb(),
    }


def _portable(config: Path, base: str) -> None:
    """Name the base by its name, not by a path of this machine; the same training gives the same bytes anywhere."""
    values = json.loads(config.read_text("utf-8"))
    values["base_model_name_or_path"] = base
    for key, value in values.items():
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            values[key] = sorted(value)
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", "utf-8")
