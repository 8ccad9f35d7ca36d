"""A workspace goes to another machine as one file and is the same there."""

from __future__ import annotations

import json
import shutil
import stat
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from core.errors import TransferError, WorkspaceError
from core.runs.journal import create_run, holding, load_run
from core.store import database
from core.store.database import migrations
from core.store.merging.tables import RULES, SHADOWS
from core.training.checkpoints import is_whole, write_manifest
from core.training.sparing import spared
from core.transfer.merge import merge
from core.transfer.pack import COPYING, pack
from core.transfer.unpack import unpack
from core.workspace import Workspace
from tests.hostile_rows import fill
from tests.two_machines import CONTENT, OWN, call, content, copied, packed, rewritten, train


def test_every_table_has_a_rule(workspace: Workspace) -> None:
    rows = workspace.database.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    tables = {row[0] for row in rows if not row[0].startswith(SHADOWS)}
    assert tables == set(RULES)
    assert tables == set(CONTENT)


def test_what_is_unpacked_is_what_was_packed(home: Workspace, tmp_path: Path) -> None:
    (home.root / "prompts").mkdir()
    (home.root / "prompts" / "retell.j2").write_text("own words", "utf-8")
    (home.adapters / "retriever" / "head-1").mkdir(parents=True)
    (home.adapters / "retriever" / "head-1" / "head.safetensors").write_bytes(b"a head")
    (home.adapters / "retriever" / "in-use").write_text("head-1", "utf-8")
    box = copied(home, tmp_path / "box")
    assert content(box) == content(home)
    assert box.settings == home.settings
    for name in ("adapters/sft-1/adapter_model.safetensors", "runs/sft-1/events.jsonl", "prompts/retell.j2",
                 "adapters/retriever/head-1/head.safetensors", "adapters/retriever/in-use"):  # fmt: skip
        assert (box.root / name).read_bytes() == (home.root / name).read_bytes()
    assert load_run(box.runs, "sft-1").result == {"adapter": "sft-1", "steps": 2}
    assert not list(box.root.glob("*.backup"))
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in [box.root, *box.root.rglob("*")]}
    assert modes == {True: 0o700, False: 0o600}
    assert stat.S_IMODE((tmp_path / "box.simulee").stat().st_mode) == 0o600


def test_rows_that_are_not_in_the_file_yet_are_packed(home: Workspace, tmp_path: Path) -> None:
    """The database is in WAL mode: its newest rows lie in a log beside it."""
    call(home.database, "just now", "recall-2")
    assert (home.root / "persona.db-wal").stat().st_size > 0
    box = copied(home, tmp_path / "box")
    assert box.database.value("SELECT count(*) FROM call_cache WHERE key = 'just now'") == 1


def test_a_slim_pack_for_training_has_the_corpus_and_no_adapter(home: Workspace, tmp_path: Path) -> None:
    box = copied(home, tmp_path / "box", for_training=True)
    without = ("adapter", "active_adapter", "scorecard", "session")
    assert content(box, *without) == content(home, *without)
    assert box.database.value("SELECT count(*) FROM adapter") == 0
    assert not list(box.adapters.iterdir())
    assert not list(box.runs.iterdir())


def test_a_damaged_adapter_is_left_out_and_named_no_more(home: Workspace, tmp_path: Path) -> None:
    train(home, b"second weights")
    with (home.adapters / "sft-1" / "adapter_model.safetensors").open("ab") as file:
        file.write(b"!")
    done = pack(home, tmp_path / "p.simulee")
    assert (done.added["adapters"], done.left_out["adapters"]) == (1, 1)
    box = unpack(done.path, tmp_path / "box").workspace
    assert [row[0] for row in box.database.rows("SELECT name FROM adapter")] == ["sft-2"]
    assert box.database.value("SELECT count(*) FROM active_adapter") == 0
    assert box.database.value("SELECT count(*) FROM session WHERE adapter_id IS NULL") == 1


def test_a_run_at_work_is_not_packed_and_its_checkpoint_goes_when_asked(home: Workspace, tmp_path: Path) -> None:
    working = create_run(home.runs, "embed", "core.retrieval.embedding:run", {})
    begun = create_run(home.runs, "sft", "core.training.sft:run", {"dataset": "d"})
    (begun.folder / "events.jsonl").write_text("", "utf-8")
    for step in (1, 2):
        folder = begun.folder / "checkpoints" / f"checkpoint-{step}"
        (folder / "ref").mkdir(parents=True)
        (folder / "optimizer.pt").write_bytes(b"state")
        (folder / "ref" / "adapter_model.safetensors").write_bytes(b"what it is held against")
        write_manifest(folder)
    (begun.folder / "checkpoints" / "checkpoint-2" / "optimizer.pt").write_bytes(b"torn")
    with holding(working.folder / "lock"):
        done = pack(home, tmp_path / "p.simulee")
        assert done.running == ("embed-1",)
        assert (done.added["runs"], done.left_out["runs"]) == (1, 2)
        more = pack(home, tmp_path / "q.simulee", checkpoints=True)
    assert more.added["runs"] == 2
    box = unpack(more.path, tmp_path / "box").workspace
    (checkpoint,) = (box.runs / "sft-2" / "checkpoints").iterdir()
    assert checkpoint.name == "checkpoint-1"
    assert (checkpoint / "ref" / "adapter_model.safetensors").read_bytes() == b"what it is held against"
    assert is_whole(checkpoint)
    assert (begun.folder / "checkpoints" / "checkpoint-2").is_dir()


def _sealed(folder: Path, **files: bytes) -> Path:
    """A folder of weights as a training leaves it."""
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    write_manifest(folder)
    return folder


def test_what_a_run_goes_on_with_is_packed_with_its_checkpoint(home: Workspace, tmp_path: Path) -> None:
    begun = create_run(home.runs, "sft", "core.training.sft:run", {"dataset": "d"})
    (begun.folder / "state.json").write_text('{"state": "cancelled", "result": {}}', "utf-8")
    (begun.folder / "spared.json").write_text('{"settings": {"micro_batch": 1}, "rows_per_step": 8}', "utf-8")
    (begun.folder / "examples.json").write_text("[]", "utf-8")
    checkpoints = begun.folder / "checkpoints"
    _sealed(checkpoints / "checkpoint-2", optimizer=b"state")
    _sealed(checkpoints / "best", adapter_config=b"{}", adapter_model=b"the best weights")
    _sealed(checkpoints / "well", adapter_model=b"the last that were well", step=b"1")
    box = copied(home, tmp_path / "box", checkpoints=True)
    assert spared(box.runs / begun.id) == spared(begun.folder)
    assert (box.runs / begun.id / "examples.json").read_text("utf-8") == "[]"
    there = box.runs / begun.id / "checkpoints"
    assert sorted(path.name for path in there.iterdir()) == ["best", "checkpoint-2", "well"]
    assert all(is_whole(path) for path in there.iterdir())
    assert (there / "best" / "adapter_model").read_bytes() == b"the best weights"
    # Without checkpoints, and where it is never resumed, none of it goes along.
    slim = copied(home, tmp_path / "slim")
    shutil.rmtree(begun.folder)
    merge(home, tmp_path / "box.simulee")
    for workspace in (slim, home):
        assert {path.name for path in (workspace.runs / begun.id).iterdir()} == {"run.json", "state.json"}


def test_weights_that_are_not_whole_stay_and_their_checkpoint_goes(home: Workspace, tmp_path: Path) -> None:
    begun = create_run(home.runs, "sft", "core.training.sft:run", {"dataset": "d"})
    (begun.folder / "events.jsonl").write_text("", "utf-8")
    _sealed(begun.folder / "checkpoints" / "checkpoint-2", optimizer=b"state")
    best = _sealed(begun.folder / "checkpoints" / "best", adapter_model=b"the best weights")
    (best / "adapter_model").write_bytes(b"torn")
    box = copied(home, tmp_path / "box", checkpoints=True)
    assert [path.name for path in (box.runs / begun.id / "checkpoints").iterdir()] == ["checkpoint-2"]


def test_nothing_that_is_there_is_written_over(home: Workspace, tmp_path: Path) -> None:
    file = packed(home, tmp_path / "p.simulee")
    before = file.read_bytes()
    with pytest.raises(TransferError, match="there already"):
        pack(home, file)
    assert file.read_bytes() == before
    with pytest.raises(WorkspaceError, match="not empty"):
        unpack(file, home.root)
    (tmp_path / "empty").mkdir()
    assert unpack(file, tmp_path / "empty").workspace.target == "Ada Marlow"


@pytest.mark.parametrize(
    "settings",
    [
        "[models.writer]\nengine = 'endpoint'\nmodel = 'm'\nbase_url = 'http://h/v1'\n"
        "api_key_env = 'sk-live-0123456789'",
        "[models.writer]\nengine = 'endpoint'\nmodel = 'm'\nbase_url = 'http://h/v1'\n"
        "api_key_env = 'f3a9c0de11d24b5e9a77c0ffee00beef'",
        "[training.hosted]\nprovider = 'nebius'\nmodel = 'm'\napi_key_env = 'eyJhbGciOiJIUzI1NiJ9.c0ffee'",
        "about = 'her word is swordfish-and-more'\n[training.hosted]\nbase_url = 'http://h/v1'\nmodel = 'm'\n"
        "api_key_env = 'TRANSFER_TEST_KEY'",
