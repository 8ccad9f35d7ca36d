"""Name and parameters of the ``retriever`` run, for those who start it without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.settings import retriever_settings
from core.settings.models import placed_model

if TYPE_CHECKING:
    from core.workspace import Workspace

RETRIEVER_KIND = "retriever"
RETRIEVER_ENTRY = "core.training.retriever.run:run"
EXAMPLES = "examples.json"
"""In the run's folder: what it learns from."""


def retriever_params(
    workspace: Workspace,
    full: bool = False,
    base: str | None = None,
    epochs: float | None = None,
    use: bool | None = None,
    **settings: object,
) -> dict[str, Any]:
    """Everything that decides what a run does, frozen: later changes of ``persona.toml`` do not reach it.

    ``full`` trains a whole encoder, else a head. ``base`` scores the answers: by default the judge's model where that
    runs in this process, else the persona's. ``epochs`` say the steps by the number of questions. ``use`` True adopts
    what was trained whatever it brings, False never, None where it shows a gain. ``settings`` overrule the
    workspace's where they are not None. Raises SettingsError.
    """
    models = workspace.settings.models
    scorer = models.judge if models.judge.engine == "transformers" else models.persona
    named = {key: value for key, value in settings.items() if value is not None}
    return {
        "full": full,
        "base": placed_model(base, Path.cwd()) if base else scorer.base or scorer.model or models.base,
        "epochs": epochs,
        "settings": retriever_settings(workspace.settings.retriever, named).model_dump(mode="json"),
        "use": use,
    }
