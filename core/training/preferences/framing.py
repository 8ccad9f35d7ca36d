"""What a prompt is made with where the one that was read is not known: frozen when a run starts. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.prompts.render import MemoryForm, Scene, prompts_version
from core.workspace import Workspace

FROZEN = "scene"
"""Where a run's params hold it."""


@dataclass(frozen=True, slots=True)
class Framing:
    """What stands around a question."""

    name: str
    about: str
    form: MemoryForm
    prompts: str
    """The version of the prompt files."""

    @classmethod
    def now(cls, workspace: Workspace) -> Framing:
        """As the workspace says it. Raises SettingsError for a prompt file that cannot be read."""
        settings = workspace.settings
        form = settings.dataset.memory_form
        return cls(workspace.target, settings.about, form, prompts_version(prompt_files(workspace), form))

    @classmethod
    def begun(cls, workspace: Workspace, params: Mapping[str, Any]) -> Framing:
        """As a run has it that was started with these params, which may hold none."""
        return cls(**params[FROZEN]) if FROZEN in params else cls.now(workspace)

    def frozen(self) -> dict[str, Any]:
        """For a run's params."""
        return {FROZEN: asdict(self)}

    def scene(self, day: str) -> Scene:
        """Nobody in particular asks, on a day."""
        return Scene(self.name, self.about, day)


def prompt_files(workspace: Workspace) -> Path:
    """The folder of the workspace's own."""
    return workspace.root / "prompts"
