"""The sample target as a workspace, for the tests and benches that need its passages and questions."""

from __future__ import annotations

from pathlib import Path

from core.journey import Journey, sample_requests
from core.sample import TARGET, sample_folder
from core.workspace import Workspace


def embedded_sample(root: Path, private: bool = False) -> Journey:
    """All that may be trained on, in a new workspace and embedded; ``private`` adds what may only be recalled."""
    journey = Journey(Workspace.create(root, TARGET), lambda _stage, _event: None)
    requests = sample_requests(sample_folder())
    journey.import_files(journey.workspace, "import", requests["train"], use="train")
    if private:
        journey.import_files(
            journey.workspace, "import private", requests["recall"], use="recall", include_private=True
        )
    journey.embed(journey.workspace)
    return journey
