"""TRL's trainer, with the vocabulary projected only where the loss reads it.

Most tokens of a sample are questions and memories; a vocabulary of 49,152 makes their logits the dearest part of a step
on a CPU. The loss itself is TRL's: cross-entropy summed over the trained tokens, divided by their number in the step.
"""

from __future__ import annotations

from typing import Any

import torch
from trl import SFTTrainer

from core.errors import TrainingError


class SpokenTokensTrainer(SFTTrainer):
    """Reads rows without padding: a batch is one row of samples end to end, whose positions say where each begins."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        total, count = self._summed(model, inputs)
        if num_items_in_batch is None:
            return total / count.clamp(min=1)
        # Gradients are averaged over the processes; the number of items is that of all of them.
        return total * self.accelerator.num_processes / torch.as_tensor(num_items_in_batch).clamp(min=1)

    def _summed(self, model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """The loss summed over the trained tokens, and how many they are."""
        labels = inputs["labels"][0, 1:]
        spoken = (labels != -100).nonzero().squeeze(1)
        varlen = {name: inputs[name] for name in _VARLEN if name in inputs} if _is_flash(model) else {}
        # Through the model's own forward, so that what wraps it (DDP, FSDP, a compiler) sees the call.
        logits = model(
            input_ids=inputs["input_ids"],
            position_ids=inputs["position_ids"],
            use_cache=False,
            logits_to_keep=spoken,
            **varlen,
        ).logits[0]
        loss = torch.nn.functional.cross_entropy(logits.float(), labels[spoken], reduction="sum")
        return loss, torch.as_tensor(len(spoken), device=loss.device)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Weights that are no numbers are never saved: of many steps the loss is told for some only."""
        trained = (getattr(each, "_local_tensor", each) for each in model.parameters() if each.requires_grad)
        if not all(torch.isfinite(each).all() for each in trained):
            raise TrainingError(
                f"the loss is not a number any more at step {self.state.global_step}; the last checkpoint is kept",
                "lower learning_rate under [training], then start anew",
            )
        super()._save_checkpoint(model, trial)

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> Any:
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            return self.compute_loss(model, inputs).detach(), None, None


_VARLEN = ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k")
"""Where each sample begins, as FlashAttention's kernels want it told."""


def _is_flash(model: Any) -> bool:
    config = getattr(getattr(model, "module", model), "config", None)
    return "flash" in str(getattr(config, "_attn_implementation", ""))
