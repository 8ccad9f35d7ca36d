"""The sample target that comes with simulee: an invented person, and another one as a control."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from core.errors import WorkspaceError

TARGET = "Ada Marlow"
CONTROL = "Rex Halloran"
QUESTION = "Do you still keep the old paper charts, now that everyone steers by a screen?"
"""What the demo asks the base model, the base with memories, and the trained twin."""
SETTINGS: Mapping[str, Mapping[str, object]] = {"recall": {"candidates": 2}}
"""Of a sample's workspace: with all five candidates the demo would take two cores more than its 25 minutes."""


def sample_folder() -> Path:
    """The sample's folder: beside the code in a checkout, under the environment's ``share`` when installed.

    Raises WorkspaceError when neither is there.
    """
    for folder in (Path(__file__).parents[1] / "data", Path(sys.prefix) / "share" / "simulee" / "data"):
        if (folder / "ada").is_dir():
            return folder
    raise WorkspaceError("the sample target is not installed", "install simulee again, or run from a checkout")
