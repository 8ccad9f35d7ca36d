"""Where the training of a whole encoder stands, in sealed checkpoints: a resumed run ends with the weights of an
undisturbed one. They belong to what was learned from; where that has changed since, training begins anew.
"""

from __future__ import annotations

import shutil
from typing import Any

import torch

from core.runs.job import Job
from core.training.checkpoints import newest_whole, prune, write_manifest

CHECKPOINTS = "checkpoints"
"""In the run's folder."""
STATE = "state.pt"
LEARNS_FROM = "learns_from"


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, job: Job, learns_from: str, device: str) -> None:
        """Look for the newest whole one; damaged ones are set aside.

        ``learns_from`` changes with the examples and with all else that decides the weights.
        """
        self._job, self._learns_from = job, learns_from
        self._folder = job.folder / CHECKPOINTS
        whole, self.damaged = newest_whole(self._folder)
        """Names of those that were set aside."""
        self.resumed_from: str | None = None
        self.outdated = False
        """Whether there was one of other examples. Nothing of it stays: it may hold what was taken back since."""
        self._found: dict[str, Any] | None = None
        if whole is None:
            return
        found = torch.load(whole / STATE, map_location=device, weights_only=True)
        if found.pop(LEARNS_FROM) == learns_from:
            self._found, self.resumed_from = found, whole.name
        else:
            self.outdated = True
            self.remove()

    def told(self) -> dict[str, Any]:
        """What was found, for the plan of the run."""
        return {"resumed_from": self.resumed_from, "damaged": self.damaged, "outdated": self.outdated}

    def take(self) -> dict[str, Any] | None:
        """What was kept last, once; None where nothing was."""
        found, self._found = self._found, None
        return found

    def keep(self, step: int, state: dict[str, Any]) -> None:
        """Seal what a training needs to go on after a step."""
        partial, whole = self._folder / ".partial", self._folder / f"checkpoint-{step}"
        for path in (partial, whole):
            shutil.rmtree(path, ignore_errors=True)
        partial.mkdir(parents=True, mode=0o700)
        torch.save({**state, LEARNS_FROM: self._learns_from}, partial / STATE)
        write_manifest(partial)
        partial.rename(whole)
        prune(self._folder)
        self._job.event("checkpoint", step=step)

    def remove(self) -> None:
        """All of them."""
        shutil.rmtree(self._folder, ignore_errors=True)
