"""The sample, imported and embedded once; each test gets a copy that asks a server it chooses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from core.sample import TARGET
from core.settings import Settings
from core.workspace import SETTINGS_FILE, Workspace
from tests.embedded_sample import embedded_sample as make_embedded_sample

Asking = Callable[..., Workspace]
CANDIDATES = 2


@pytest.fixture(scope="session")
def embedded_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with all of the sample that may be trained on."""
    root = tmp_path_factory.mktemp("embedded") / "ada"
    make_embedded_sample(root).workspace.database.close()
    return root


@pytest.fixture
def asking(embedded_sample: Path, tmp_path: Path) -> Asking:
    """A copy of the sample whose writer and judge are a server: ``asking(server, "writer", concurrency=4)``."""

    def do(url: str, *roles: str, **fields: object) -> Workspace:
        root = tmp_path / "ada"
        shutil.copytree(embedded_sample, root)
        lines = [f'name = "{TARGET}"', "[recall]", f"candidates = {CANDIDATES}"]
        for role in roles or ("writer", "judge"):
            lines += [f"[models.{role}]", 'engine = "endpoint"', 'model = "m"', f'base_url = "{url}"']
            lines += [f"{key} = {value}" for key, value in fields.items()]
        (root / SETTINGS_FILE).write_text("\n".join(lines) + "\n", "utf-8")
        workspace = Workspace.open(root)
        assert isinstance(workspace.settings, Settings)
        return workspace

    return do
