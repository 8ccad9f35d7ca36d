"""TRL's DPO and KTO trainers over token ids that are made here, every setting that decides something named.

Both measure a frozen copy of the adapter that the run begins with as their reference: TRL adds it as the adapter
``ref`` to a PEFT model, so that going on from a fine-tuned adapter is held against that one, not against the bare base.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
import transformers
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from core.settings import DpoSettings, TrainingSettings
from core.training.means import Means
from core.training.preferences.reading import read_sparingly
from core.training.preferences.rendering import Rendered
from core.training.together import machines, processes

Row = dict[str, Any]


class PairTrainer(DPOTrainer):
    """Reads ``prompt_ids``, ``chosen_ids``, ``rejected_ids`` as they are: TRL would tokenize, and end answers, anew."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A checkpoint is no publication."""


class JudgementTrainer(KTOTrainer):
    """Reads ``prompt_ids``, ``completion_ids``, ``KL_completion_ids`` and ``label`` as they are."""

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """A checkpoint is no publication."""

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """TRL's figures, with the margin over a whole step.

        TRL takes it within a forward pass, of which a small one often holds answers of one kind alone.
        """
        measured = self._metrics["train" if self.model.training else "eval"]
        good, bad = (measured.get(f"rewards/{kind}") for kind in ("chosen", "rejected"))
        if good and bad:
            measured["rewards/margins"] = [sum(good) / len(good) - sum(bad) / len(bad)]
        super().log(logs, start_time)


def pair_rows(rendered: Sequence[Rendered]) -> list[Row]:
    """Pairs as DPO reads them."""
    return [
        {"prompt_ids": each.prompt_ids, "chosen_ids": each.chosen_ids, "rejected_ids": each.rejected_ids}
        for each in rendered
    ]


def judgement_rows(rendered: Sequence[Rendered], at_once: int, seed: int) -> list[Row]:
    """Answers as KTO reads them, in the order in which they are read.

    Within the ``at_once`` rows of one forward pass each prompt also gets its neighbor's answer, from which KTO
    estimates how far the model is from its reference (Ethayarajh et al. 2024, section 4.1); as much of it as leaves the
    row no longer than the longest one that is trained on, which is what fits the base and what memory was planned for.
    A last row that would be alone joins nobody and is its own neighbor.
    """
    longest = max((each.tokens for each in rendered), default=0)
    rows: list[Row] = [
        {"prompt_ids": each.prompt_ids, "completion_ids": ids, "label": good}
        for each in rendered
        for ids, good in ((each.chosen_ids, True), (each.rejected_ids, False))
        if ids
    ]
    random.Random(seed).shuffle(rows)  # noqa: S311 - reproducible, not secret
    for start in range(0, len(rows), at_once):
        together = rows[start : start + at_once]
        said = [row["completion_ids"] for row in together]
        for row, other in zip(together, [said[-1], *said[:-1]], strict=True):
            row["KL_completion_ids"] = other[: longest - len(row["prompt_ids"])]
    return rows


def weights_of(rows: Sequence[Row]) -> tuple[float, float]:
    """(desirable, undesirable) weights under which good and bad answers count the same in all.

    The rarer kind is raised: the lower end of the range that the KTO paper gives, 1 to 4/3 (its equation 8).
    """
    good = sum(bool(row["label"]) for row in rows)
    bad = len(rows) - good
    if not good or not bad:
        return 1.0, 1.0
    return (bad / good, 1.0) if good < bad else (1.0, good / bad)


def dpo_config(common: dict[str, Any], settings: DpoSettings) -> DPOConfig:
    """TRL's settings of a DPO run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return DPOConfig(
            **common,
            beta=settings.beta,
            loss_type=[settings.loss],
            label_smoothing=settings.label_smoothing,
            max_length=settings.max_tokens,
            precompute_ref_log_probs=False,
        )


def kto_config(common: dict[str, Any], settings: DpoSettings, weights: tuple[float, float]) -> KTOConfig:
    """TRL's settings of a KTO run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KTOConfig(
            **common,
            beta=settings.beta,
            loss_type="kto",
            desirable_weight=weights[0],
            undesirable_weight=weights[1],
            max_length=settings.max_tokens,
            # The neighbors whose answers are exchanged are read together: the order is the rows'.
            train_sampling_strategy="sequential",
            precompute_ref_log_probs=False,
        )


def common_settings(
    checkpoints: Path, training: TrainingSettings, means: Means, steps: int, every: int, at_once: int, validate: bool
) -> dict[str, Any]:
    """What both have in common; ``at_once`` judgements are in memory together, in each process, and the batch is what
    they all read in a step."""
    assert training.batch is not None
    return {
        "output_dir": str(checkpoints),
        "per_device_train_batch_size": at_once,
        "per_device_eval_batch_size": at_once,
        "gradient_accumulation_steps": training.batch // (at_once * processes()),
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(training.warmup * steps),
        "max_steps": steps,
        "seed": training.seed,
        "data_seed": training.seed,
        "optim": means.optimizer,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": training.checkpoint_steps,
        "save_on_each_node": machines() > 1,
        "eval_strategy": "steps" if validate else "no",
        "eval_steps": every,
        "bf16": means.dtype == "bfloat16",
        "gradient_checkpointing": means.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False} if means.gradient_checkpointing else None,
        "torch_compile": means.compile,
        "disable_dropout": True,
        "ddp_find_unused_parameters": False,
        "remove_unused_columns": False,
        "dataloader_pin_memory": means.dtype == "bfloat16",
        "disable_tqdm": True,
        "report_to": [],
    }


def trainer_of(
    model: Any,
    rows: Sequence[Row],
    validation: Sequence[Row],
    config: DPOConfig | KTOConfig,
    callbacks: Sequence[Any],
) -> PairTrainer | JudgementTrainer:
    """The trainer that a configuration is for, over rows made here."""
    kind = PairTrainer if isinstance(config, DPOConfig) else JudgementTrainer
    datasets.disable_progress_bars()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # One process trains on one device; several are a matter for a launcher, never for threads.
        config._n_gpu = min(1, config.n_gpu)
        trainer = kind(
            model=model,
            args=config,
            train_dataset=datasets.Dataset.from_list(list(rows)),
            eval_dataset=datasets.Dataset.from_list(list(validation)) if validation else None,
            processing_class=transformers.AutoTokenizer.from_pretrained(model.config._name_or_path),
            callbacks=list(callbacks),
        )
    trainer.remove_callback(transformers.PrinterCallback)
    if not config.torch_compile:  # A compiler wants rows of few lengths, each read alike.
        read_sparingly(model, paired=kind is PairTrainer)
    return trainer
