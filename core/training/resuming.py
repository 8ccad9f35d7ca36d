"""Training from the beginning or from a checkpoint, to the last step and no further."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

from transformers import Trainer, TrainerState
from transformers.trainer import TRAINER_STATE_NAME


def train_on(
    trainer: Trainer,
    checkpoint: Path | None,
    steps: int,
    is_over: Callable[[TrainerState], bool] = lambda _: False,
) -> None:
    """Train to step ``steps``, from a sealed checkpoint where there is one.

    A run that ended after its last checkpoint only takes the weights of it: the library would take one step more where
    the last is not the end of an epoch, and train on where ``is_over`` says that a run ended before its last step.
    Weights that are shared out among processes are left to it.
    """
    if checkpoint is not None and not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
        state = TrainerState.load_from_json(str(checkpoint / TRAINER_STATE_NAME))
        if state.global_step >= steps or is_over(state):
            trainer.state = state
            trainer._load_from_checkpoint(str(checkpoint))
            trainer.callback_handler.on_train_begin(trainer.args, state, trainer.control)
            return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
