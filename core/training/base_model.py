"""The base as it is trained: loaded by the run's means, and given a LoRA unless all of its weights are trained."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from transformers.distributed.fsdp import is_fsdp_enabled
from transformers.distributed.utils import is_local_dist_rank_0
from transformers.training_args import OptimizerNames

from core.errors import ModelError, TrainingError
from core.models.causal_lm import CausalLM, Loading
from core.models.lora_fit import check_fit
from core.runs.job import Job
from core.runs.journal import read_events
from core.settings import TrainingSettings
from core.training.means import Means


def check_optimizer(means: Means) -> None:
    """Raises TrainingError for an optimizer that nobody knows."""
    if means.optimizer not in {each.value for each in OptimizerNames}:
        raise TrainingError(
            f"transformers knows no optimizer {means.optimizer!r}",
            "under [training], optimizer = adamw_torch_fused, adafactor, paged_adamw_8bit or another of its names",
        )


def load_base(base: str, means: Means, place: bool = True) -> CausalLM:
    """Load a base to be trained. Not to ``place`` its weights on the device is for a launcher that does it.

    Raises ModelError, or TrainingError for an optimizer that nobody knows.
    """
    check_optimizer(means)
    four_bit = means.method == "qlora"
    # All weights trained: they stay in float32, and the products are computed in the run's own type.
    dtype = torch.float32 if means.method == "full" else getattr(torch, means.dtype)
    # FSDP hands out what the first process of a machine has loaded, where it was told to (cpu_ram_efficient_loading).
    empty = is_fsdp_enabled() and not is_local_dist_rank_0()
    lm = CausalLM(base, Loading(dtype, means.attention, four_bit, place, empty))
    if empty:
        _allocate(lm.model)
    return lm


def _allocate(model: Any) -> None:
    """Give a model that has shapes alone memory for its weights, which holds nothing and is not taken until it does:
    what hands weights out tells them apart by where they lie."""
    model._apply(lambda each: torch.empty_like(each, device="cpu") if each.is_meta else each)
    model.tie_weights()


def check_same_base(job: Job, lm: CausalLM) -> None:
    """Raises TrainingError where the base is not what the run's first attempt trained, which its plan tells: what was
    learned on one base would silently go on upon another."""
    first = next((each.payload for each in read_events(job.folder)[0] if each.kind == "plan"), {})
    if first.get("revision", lm.revision) != lm.revision:
        raise TrainingError(
            f"the weights of {lm.name} have changed since {job.folder.name} began",
            "bring them back as they were, or start a new run",
        )


def trainable(lm: CausalLM, means: Means, settings: TrainingSettings, start: Path | None) -> Any:
    """What the trainer receives. ``start`` is an adapter to go on from. Raises TrainingError or ModelError."""
    from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training

    if means.method == "full":
        if start is not None:
            raise TrainingError("an adapter cannot begin a full training", 'method = "lora", or without --from')
        return lm.model.requires_grad_(True)
    if means.method == "qlora":
        # Norms in float32, and gradients that reach the adapter through a base that has none.
        lm.model = prepare_model_for_kbit_training(
            lm.model, means.gradient_checkpointing, {"use_reentrant": False} if means.gradient_checkpointing else None
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if start is not None:
            check_fit(lm.model, lm.name, start)
            try:
                model = PeftModel.from_pretrained(lm.model, start, is_trainable=True)
            except (OSError, ValueError, RuntimeError, KeyError) as error:
                raise ModelError(
                    f"the adapter at {start.name} cannot be gone on with: {str(error).splitlines()[0]}",
                    "it must have been trained on this base",
                ) from None
            # An adapter tells its base by name alone; each save looks there whether the vocabulary has changed.
            model.peft_config[model.active_adapter].base_model_name_or_path = str(lm.folder)
            return model
        lora = LoraConfig(
            r=settings.rank,
            lora_alpha=settings.alpha,
            lora_dropout=settings.dropout,
            target_modules="all-linear",
            exclude_modules=_wordless(lm.model) or None,
            task_type="CAUSAL_LM",
        )
        try:
            return get_peft_model(lm.model, lora)
        except ValueError as error:  # State spaces have maps that take none.
            raise ModelError(f"{lm.name} takes no LoRA: {str(error).splitlines()[0]}", "choose another base") from None


def _wordless(model: Any) -> list[str]:
    """The names of the linear maps that no text passes through: a tower that sees or hears learns nothing from words,
    and processes that train together would wait for its gradients."""
    reads = {id(module) for module in model.get_decoder().modules()} | {id(model.get_output_embeddings())}
    return [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and id(module) not in reads
    ]
