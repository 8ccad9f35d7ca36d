"""Turns the trainer's callbacks into the run's events, and a request to stop into a saved stop."""

from __future__ import annotations

import math
import resource
import time
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from core.errors import TrainingError
from core.runs.job import Job
from core.training.checkpoints import BEST, prune, write_manifest
from core.training.speaking import Speaker
from core.training.together import wait_for_all

FIGURES = (("loss", "loss"), ("eval_loss", "eval_loss"), ("lr", "learning_rate"), ("grad_norm", "grad_norm"))
"""What an event calls it, and what the trainer does."""


class Watcher(TrainerCallback):
    """Tells what happens; of several processes only the first of a machine tells, and all stop together."""

    def __init__(
        self,
        job: Job,
        tokens_per_step: float,
        speaker: Speaker | None = None,
        patience: int = 0,
        figures: tuple[tuple[str, str], ...] = FIGURES,
        section: str = "[training]",
    ) -> None:
        """``section`` of the settings is where a learning rate that is too high is lowered."""
        self._job = job
        self._tokens_per_step = tokens_per_step
        self._speaker = speaker
        self._patience = patience
        self._figures = figures
        self._section = section
        self._began = time.monotonic()
        self._first_step = 0
        self._best: tuple[int, float] | None = None
        self.loss: float | None = None
        self.rate = 0.0
        """Tokens per second since this attempt began."""
        self.ended_early = False
        """Whether patience ran out."""

    def without_samples(self) -> None:
        """Answer nothing at evaluations: the weights are not whole in any one process."""
        self._speaker = None

    @property
    def best_step(self) -> int | None:
        """The step whose weights lie in the folder ``best``, where patience asked for one."""
        return self._best[0] if self._best else None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began, self._first_step = time.monotonic(), state.global_step
        # A run that resumes at its end takes no step and evaluates nothing more.
        self.loss = next((float(each["loss"]) for each in reversed(state.log_history) if "loss" in each), None)
        if self._patience:
            self._best = min(_losses(state), key=lambda each: each[1], default=None)
            self.ended_early = self.is_over(state)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        done = state.global_step - self._first_step
        self.rate = done * self._tokens_per_step / max(time.monotonic() - self._began, 1e-9)
        if state.is_local_process_zero:
            self._job.progress(state.global_step, state.max_steps, "training")
        if any_of_us(self._job.stop_requested, args.device):
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
        figures = {name: logs[key] for name, key in self._figures if key in logs}
        if not figures:
            return
        self.loss = figures.get("loss", self.loss)
        if not all(math.isfinite(value) for value in figures.values()):
            raise TrainingError(
                f"the loss is not a number any more at step {state.global_step}; the last checkpoint is kept",
                f"lower learning_rate under {self._section}, then start anew",
            )
        if state.is_local_process_zero:
            self._job.event(
                "metrics",
                step=state.global_step,
                tokens_per_second=round(self.rate, 1),
                memory_mb=peak_memory_mb(),
                **figures,
            )

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if state.is_world_process_zero and self._speaker is not None:
            self._speaker.speak(state.global_step)
        if self._patience:
            self._judge(Path(args.output_dir), state, control, kwargs["model"])

    def _judge(self, folder: Path, state: TrainerState, control: TrainerControl, model: Any) -> None:
        """Keep the weights when they are the best yet, and stop when none were for too long.

        Told from the trainer's own history, which a checkpoint holds: a resumed run judges as one that never stopped.
        """
        losses = _losses(state)
        self._best = min(losses, key=lambda each: each[1])
        if self._best[0] == state.global_step and state.is_world_process_zero:
            getattr(model, "module", model).save_pretrained(folder / BEST)
            write_manifest(folder / BEST)
        if self.is_over(state):
            self.ended_early = True
            control.should_training_stop = True

    def is_over(self, state: TrainerState) -> bool:
        """Whether patience has run out."""
        losses = _losses(state)
        best = min(losses, key=lambda each: each[1], default=None)
        return bool(self._patience and best and sum(step > best[0] for step, _ in losses) >= self._patience)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        wait_for_all()  # Each process writes its own random state.
        if not state.is_local_process_zero:
            return
        folder = Path(args.output_dir)
        write_manifest(folder / f"checkpoint-{state.global_step}")
        prune(folder)
        self._job.event("checkpoint", step=state.global_step)


def _losses(state: TrainerState) -> list[tuple[int, float]]:
    """(step, loss) of every evaluation that the run knows of."""
    return [(int(each["step"]), float(each["eval_loss"])) for each in state.log_history if "eval_loss" in each]


def peak_memory_mb() -> int:
    """The most memory that training took so far, in MiB: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        return int(torch.cuda.max_memory_allocated()) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def any_of_us(stop: bool, device: torch.device) -> bool:
    """Whether any of the processes that train together was asked to stop; all must agree, or some would wait."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return stop
    asked = torch.tensor(int(stop), device=device)
    torch.distributed.all_reduce(asked, op=torch.distributed.ReduceOp.MAX)
    return bool(asked.item())
