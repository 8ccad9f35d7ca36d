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
        "[training.hosted]\nbase_url = 'http://h/v1'\napi_key_env = 'f3a9c0de11d24b5e9a77c0ffee00beef'",
        "[training.hosted]\nprovider = 'nebius'\nmodel = 'm'\napi_key_env = 'eyJhbGciOiJIUzI1NiJ9.c0ffee'",
        "about = 'her word is swordfish-and-more'\n[training.hosted]\nbase_url = 'http://h/v1'\nmodel = 'm'\n"
        "api_key_env = 'TRANSFER_TEST_KEY'",
        "# the key is sk-proj-0123456789abcdef\n",
        "about = 'her word is swordfish-and-more'\n[models.judge]\nengine = 'endpoint'\nmodel = 'm'\n"
        "base_url = 'http://h/v1'\napi_key_env = 'TRANSFER_TEST_KEY'",
    ],
)
def test_settings_with_a_key_in_them_are_not_packed(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    monkeypatch.setenv("TRANSFER_TEST_KEY", "swordfish-and-more")
    with (workspace.root / "persona.toml").open("a", encoding="utf-8") as file:
        file.write(settings)
    with pytest.raises(TransferError) as told:
        pack(workspace, tmp_path / "p.simulee")
    assert "sk-" not in str(told.value)
    assert "swordfish" not in str(told.value)
    assert "c0ffee" not in str(told.value)
    assert [path.name for path in tmp_path.iterdir()] == ["ws"]


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_key", "KEY2", "another_key_of_mine_for_the_box"])
def test_the_name_of_a_variable_is_packed(workspace: Workspace, tmp_path: Path, name: str) -> None:
    with (workspace.root / "persona.toml").open("a", encoding="utf-8") as file:
        file.write(
            "about = 'made with sk-learn-like-models'\n[models.writer]\nengine = 'endpoint'\nmodel = 'm'\n"
            f"base_url = 'http://h/v1'\napi_key_env = '{name}'"
        )
    assert copied(workspace, tmp_path / "box").settings.models.writer.api_key_env == name


def test_hostile_words_travel_as_they_are(tmp_path: Path) -> None:
    """Whatever a source, a model or a run said is in the database and in the settings, and comes out the same."""
    there = fill(tmp_path / "there")
    box = copied(there, tmp_path / "box")
    # Its adapters have no files, so that none is whole.
    without = ("adapter", "active_adapter", "scorecard", "session")
    assert content(box, *without) == content(there, *without)
    with there.database.write():
        there.database.execute("DELETE FROM memory WHERE id > 10")
        there.database.execute("DELETE FROM session")
    again = merge(there, packed(box, tmp_path / "back.simulee"))
    assert again.added["memories"] > 0
    assert content(there, *OWN, *without) == content(box, *OWN, *without)


def test_an_older_schema_is_migrated_when_it_is_unpacked(home: Workspace, tmp_path: Path) -> None:
    old = tmp_path / "old.db"
    connection = apsw.Connection(str(old))
    for version in range(1, 5):
        connection.execute(migrations()[version])
    connection.execute("INSERT INTO call_cache (key, value) VALUES ('asked', 'answered'); PRAGMA user_version = 4")
    connection.close()
    file = rewritten(packed(home, tmp_path / "p.simulee"), tmp_path / "q.simulee", {"persona.db": old.read_bytes()})
    box = unpack(file, tmp_path / "box").workspace
    assert box.database.schema_version() == max(migrations())
    assert box.database.rows("SELECT * FROM call_cache") == [("asked", "answered")]
    assert not list(box.root.glob("*.backup"))


def test_the_commands_tell_what_they_did(home: Workspace, tmp_path: Path, simulee: Callable[..., Any]) -> None:
    done = simulee("pack", tmp_path / "p.simulee", "-w", home.root, "--json")
    told = json.loads(done.stdout)
    assert told["workspace"] == str(home.root)
    assert told["added"] == {"adapters": 1, "runs": 1}
    assert told["bytes"] == (tmp_path / "p.simulee").stat().st_size
    with zipfile.ZipFile(tmp_path / "p.simulee") as archive:
        assert b"api.example" not in archive.read("persona.toml")
    there = simulee("unpack", tmp_path / "p.simulee", "--dir", tmp_path / "box", "--json")
    assert json.loads(there.stdout)["workspace"] == str(tmp_path / "box")
    assert json.loads(there.stdout)["hosts"] == ["api.example.org"]
    back = simulee("merge", tmp_path / "p.simulee", "-w", tmp_path / "box")
    assert back.returncode == 0
    assert "nothing new" in back.stdout


def test_a_pack_is_written_to_a_disk_that_no_database_may_lie_on(
    home: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory file system stands for the network's: it is another than the workspace's."""
    share = Path(tempfile.mkdtemp(dir="/dev/shm"))
    kind = database._file_system(share)
    if database._file_system(home.root) == kind:
        pytest.skip("there is one file system here")
    monkeypatch.setattr(database, "NETWORK_FILE_SYSTEMS", {kind})
    (home.root / f"{COPYING}left").mkdir()
    try:
        file = pack(home, share / "ada.simulee").path
        assert [path.name for path in share.iterdir()] == ["ada.simulee"]
        assert file.stat().st_mode & 0o777 == 0o600
        assert not list(home.root.glob(".*"))
        assert content(unpack(file, tmp_path / "box").workspace) == content(home)
    finally:
        shutil.rmtree(share)
