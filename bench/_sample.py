"""The sample target as a workspace, for the benches that need its passages and questions."""

from __future__ import annotations

from pathlib import Path

from core.journey import Journey, sample_requests
from core.sample import TARGET, sample_folder
from core.workspace import Workspace


def embedded(root: Path) -> Journey:
    """All of the sample that may be trained on, imported and embedded in a new workspace."""
    journey = Journey(Workspace.create(root, TARGET), lambda _stage, _event: None)
    journey.import_files(journey.workspace, "import", sample_requests(sample_folder())["train"], use="train")
    journey.embed(journey.workspace)
    return journey
