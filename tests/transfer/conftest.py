"""A workspace at home with something of everything."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from core.review.decisions import Actor, Decision, decide
from core.store.consents import grant_consent
from core.store.conversations import assign_split
from core.workspace import Workspace
from tests.review_rows import fill
from tests.two_machines import call, packed, talk, train

NELL = Actor("person", "Nell")


@pytest.fixture
def home(made: Path, tmp_path: Path) -> Workspace:
    """Forty memories, four of them decided on, an adapter in use, a chat, a call."""
    shutil.copytree(made / "home", tmp_path / "home")
    return Workspace.open(tmp_path / "home")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with home and a pack of it; tests work on copies."""
    folder = tmp_path_factory.mktemp("made")
    workspace = Workspace.create(folder / "home", "Ada Marlow", ("A. Marlow",))
    database = workspace.database
    fill(database, 40)
    with database.write():
        database.execute("DELETE FROM document WHERE id > 40")
        database.execute("INSERT INTO chunk_text (rowid, title, text) SELECT id, '', text FROM chunk")
        database.execute(
            "INSERT INTO vector (chunk_id, model, revision, dimension, blob) SELECT id, 'm', 'r', 2, ? FROM chunk",
            (bytes(range(1, 9)),),
        )
        assign_split(database, "k1", "train", "rule")
    decide(database, NELL, [Decision("m000001", "accept"), Decision("m000002", "reject", "off topic")])
    decide(database, NELL, [Decision("m000003", "edit", text="I kept it.")])
    decide(database, Actor("person", "Bo"), [Decision("m000004", "accept")])
    grant_consent(database, "api.example.org", "2026-01-01")
    train(workspace, b"first weights", use=True)
    talk(workspace, "the tide", "2026-01-01T10:00:00+00:00")
    call(database, "before", "recall-1")
    packed(workspace, folder / "good.simulee")
    database.close()
    return folder
