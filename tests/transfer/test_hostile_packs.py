"""A pack is read as if a stranger had made it: what is not whole and its own is refused in one line."""

from __future__ import annotations

import io
import json
import random
import shutil
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from core.errors import SimuleeError
from core.store.database import migrations
from core.transfer.merge import merge
from core.transfer.unpack import unpack
from core.workspace import Workspace
from tests.two_machines import content, rewritten


@pytest.fixture
def file(made: Path, tmp_path: Path) -> Path:
    """A pack of home."""
    return Path(shutil.copy(made / "good.simulee", tmp_path))


def members(file: Path) -> dict[str, bytes] | None:
    """What a zip holds, or None when it cannot be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, KeyError):
        return None


def refused(file: Path, home: Workspace, tmp_path: Path, words: str) -> None:
    """Neither unpacked nor merged: one line, and nothing left behind."""
    there = sorted(tmp_path.iterdir())
    with pytest.raises(SimuleeError, match=words) as told:
        unpack(file, tmp_path / "box")
    assert "\n" not in told.value.message
    assert sorted(tmp_path.iterdir()) == there
    before, files = content(home), files_of(home)
    with pytest.raises(SimuleeError, match=words):
        merge(home, file)
    assert content(home) == before
    assert files_of(home) == files


def files_of(home: Workspace) -> list[Path]:
    return sorted(path for path in home.root.rglob("*") if path.suffix != ".lock")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "none of a pack's files"), ("../persona.toml", "none of a pack's files"),
        ("adapters/../../x/adapter_config.json", "none of a pack's files"), ("C:\\x", "none of a pack's files"),
        ("adapters\\sft-9\\adapter_config.json", "none of a pack's files"), ("runs/sft-9/lock", "none of a pack's"),
        ("runs/sft-9/checkpoints/checkpoint-1/../x", "none of a pack's files"),
        ("runs/sft-9/checkpoints/checkpoint-1/ref/../../../lock", "none of a pack's files"),
        ("runs/sft-9/checkpoints/checkpoint-1/a//b", "none of a pack's files"),
        ("runs/sft-9/checkpoints/best/../../../x", "none of a pack's"), ("runs/sft-9/checkpoints/other/x", "none of a"),
        ("runs/sft-9/checkpoints/checkpoint-1/a/b/c/d", "none of a pack's files"),
        ("persona.toml\x00.txt", "none of a pack's files"), ("runs/serve-1/token", "none of a pack's files"),
        ("Persona.TOML", "none of a pack's files"), ("adapters/SFT-1/adapter_config.json", "is there twice"),
        ("persona.toml", "is there twice"), ("adapters/retriever/a", "a file and a folder"),
        ("persona.db/", "none of a pack's files"), ("prompts/x.j2", "does not hold what its manifest says"),
    ],
)  # fmt: skip
def test_an_entry_that_no_pack_holds(file: Path, home: Workspace, tmp_path: Path, name: str, words: str) -> None:
    with zipfile.ZipFile(file, "a") as archive:
        if "folder" in words:
            archive.writestr(f"{name}/b", b"x")
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        if name == "persona.toml":
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(info, b"x")
        else:
            archive.writestr(info, b"x")
    refused(file, home, tmp_path, words)


def test_a_link_and_a_locked_entry(home: Workspace, file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo("prompts/x.j2")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    refused(file, home, tmp_path, "is not a file")
    at = data.index(b"PK\x01\x02") + 8
    file.write_bytes(data[:at] + struct.pack("<H", struct.unpack_from("<H", data, at)[0] | 1) + data[at + 2 :])
    refused(file, home, tmp_path, "is locked")


def test_a_bomb(home: Workspace, file: Path, tmp_path: Path) -> None:
    bomb = rewritten(file, tmp_path / "bomb.simulee", {"prompts/x.j2": bytes(64 << 20)})
    assert bomb.stat().st_size < 300_000
    refused(bomb, home, tmp_path, "more than 200 times its size")


def test_a_member_that_gives_more_than_the_manifest_promises(home: Workspace, file: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(file) as archive:
        told = json.loads(archive.read("manifest.json"))
    members = told["members"] | {"prompts/x.j2": {"size": 10, "sha256": "0" * 64}}
    lying = rewritten(file, tmp_path / "lying.simulee", {"prompts/x.j2": bytes(64 << 20)}, members=members)
    refused(lying, home, tmp_path, "prompts/x.j2 is not what was packed")


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ({"format": 2}, "has format 2, this simulee reads 1"), ({"format": None}, "has format None"),
        ({"members": []}, "manifest cannot be read"), ({"runs": 3}, "manifest cannot be read"),
        ({"members": {"persona.toml": {"size": -1, "sha256": "0" * 64}}}, "manifest cannot be read"),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none(
    home: Workspace, file: Path, tmp_path: Path, manifest: dict[str, Any], words: str
) -> None:
    refused(rewritten(file, tmp_path / "other.simulee", {}, **manifest), home, tmp_path, words)


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip at all" * 99, b"PK\x05\x06" + bytes(18)])
def test_a_file_that_is_no_pack(home: Workspace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "none.simulee").write_bytes(content)
    refused(tmp_path / "none.simulee", home, tmp_path, "no pack|manifest")


def test_a_member_that_is_missing(home: Workspace, file: Path, tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            if name != "runs/sft-1/state.json":
                target.writestr(name, source.read(name))
    file.write_bytes(out.getvalue())
    refused(file, home, tmp_path, "does not hold what its manifest says")


def test_a_flipped_bit_in_any_member(home: Workspace, file: Path, tmp_path: Path) -> None:
    data, chance = file.read_bytes(), random.Random(5)
    with zipfile.ZipFile(file) as archive:
        infos = archive.infolist()
    whole = members(file)
    assert len(infos) == 8
    for info in infos:
        name, extra = struct.unpack_from("<HH", data, info.header_offset + 26)
        begin = info.header_offset + 30 + name + extra
        for _ in range(3):
            at = begin + chance.randrange(info.compress_size)
            flipped = bytearray(data)
            flipped[at] ^= 1 << chance.randrange(8)
            file.write_bytes(flipped)
            if members(file) == whole:
                continue  # The last byte of a deflated member has bits that nobody reads.
            with pytest.raises(SimuleeError) as told:
                unpack(file, tmp_path / "box")
            assert "\n" not in told.value.message
            assert sorted(path.name for path in tmp_path.iterdir()) == ["good.simulee", "home"]
    refused(file, home, tmp_path, "damaged|not what was packed|no pack")


def test_a_cut_pack(home: Workspace, file: Path, tmp_path: Path) -> None:
    data = file.read_bytes()
    for length in range(0, len(data), len(data) // 12):
        file.write_bytes(data[:length])
        with pytest.raises(SimuleeError):
            unpack(file, tmp_path / "box")
    refused(file, home, tmp_path, "no pack")


def changed_database(home: Workspace, path: Path, sql: str) -> bytes:
    """The packed database after somebody else had it."""
    with zipfile.ZipFile(path) as archive:
        copy = path.with_suffix(".db")
        copy.write_bytes(archive.read("persona.db"))
    connection = apsw.Connection(str(copy))
    connection.execute(sql)
    connection.close()
    data = copy.read_bytes()
    copy.unlink()
    return data


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (f"PRAGMA user_version = {max(migrations()) + 1}", "has schema"),
        ("PRAGMA user_version = 0", "not one of simulee's"),
        ("CREATE TRIGGER t AFTER INSERT ON call_cache BEGIN DELETE FROM memory; END", "not one of simulee's"),
        ("DROP TABLE consent; CREATE VIEW consent AS SELECT 'h' AS host, '' AS granted_at", "not one of simulee's"),
        ("CREATE TABLE more (x)", "not one of simulee's"),
        ("PRAGMA foreign_keys = OFF; UPDATE memory SET chunk_id = 99999 WHERE id = 1", "lead nowhere"),
        ("UPDATE adapter SET path = '../../etc'", "not what was trained|nothing"),
    ],
)
def test_a_database_that_is_not_ours(home: Workspace, file: Path, tmp_path: Path, sql: str, words: str) -> None:
    other = rewritten(file, tmp_path / "other.simulee", {"persona.db": changed_database(home, file, sql)})
    if "nothing" in words:
        with pytest.raises(SimuleeError, match=words):
            unpack(other, tmp_path / "box")
        assert merge(home, other).added == {}  # The same adapter is here already, under its own path.
        return
    refused(other, home, tmp_path, words)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"persona.db": b"not a database" * 999}, "database is damaged"),
        ({"persona.toml": b"name = "}, "not valid TOML"),
        ({"persona.toml": b"nmae = 'Ada'"}, "nmae"), ({"persona.toml": b"\xff"}, "not valid TOML"),
    ],
)  # fmt: skip
def test_members_that_are_whole_and_wrong(
    home: Workspace, file: Path, tmp_path: Path, changed: dict[str, bytes], words: str
) -> None:
    other = rewritten(file, tmp_path / "other.simulee", changed)
    refused(other, home, tmp_path, words)


@pytest.mark.parametrize(
    "changed",
    [
        {"runs/sft-1/run.json": b"{}"}, {"runs/sft-1/run.json": b'{"kind": 1, "entry": 2, "params": 3, "created": 4}'},
        {"runs/sft-1/run.json": b"[]"}, {"runs/sft-1/state.json": b"[" * 100_000}, {"runs/sft-1/state.json": b"[]"},
        {"runs/sft-1/state.json": b'{"state": "done", "result": 5}'}, {"runs/sft-1/events.jsonl": b"nonsense\n"},
        {"runs/sft-1/events.jsonl": b'{"seq": 1, "at": 2, "kind": "plan", "payload": []}\n'},
    ],
)  # fmt: skip
def test_runs_that_cannot_be_read_are_refused(
    home: Workspace, file: Path, tmp_path: Path, changed: dict[str, bytes]
) -> None:
    refused(rewritten(file, tmp_path / "other.simulee", changed), home, tmp_path, "sft-1 cannot be read")


@pytest.mark.parametrize("changed", [b"[]", b"[" * 100_000, b"\xff"])
def test_what_was_changed_of_a_run_is_read_before_it_stands(
    home: Workspace, file: Path, tmp_path: Path, changed: bytes
) -> None:
    other = rewritten(file, tmp_path / "other.simulee", {"runs/sft-1/spared.json": changed})
    with pytest.raises(SimuleeError, match="sft-1 cannot be read"):
        unpack(other, tmp_path / "box")
    assert merge(home, other).added == {}  # It is for a run that is resumed, which no run is that came by a merge.


def test_rows_that_simulee_never_wrote(home: Workspace, file: Path, tmp_path: Path) -> None:
    sql = "UPDATE document SET tags = '[', content_hash = 'z' WHERE id = 3; UPDATE source SET imported_at = 'later'"
    other = rewritten(file, tmp_path / "other.simulee", {"persona.db": changed_database(home, file, sql)})
    before = content(home)
    with pytest.raises(SimuleeError, match="never wrote"):
        merge(home, other)
    assert content(home) == before


LIMITED = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
from tui.command_line import run
sys.exit(run(sys.argv[2:]))
"""


@pytest.mark.parametrize("command", ["pack", "unpack", "merge"])
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(
    home: Workspace, file: Path, tmp_path: Path, command: str
) -> None:
    """The size limit of a file stands for the disk: the system meets both as a write that falls short."""
    arguments = {
        "pack": ["pack", str(tmp_path / "new.simulee"), "-w", str(home.root)],
        "unpack": ["unpack", str(file), "--dir", str(tmp_path / "box")],
        "merge": ["merge", str(file), "-w", str(home.root)],
    }[command]
    before, there = content(home), sorted(tmp_path.iterdir())
    for limit in (10_000, 200_000):
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(limit), *arguments],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert done.stderr.startswith("simulee: "), done.stderr
        assert len(done.stderr.splitlines()) <= 2
        assert sorted(tmp_path.iterdir()) == there
        assert content(home) == before
        assert [path.name for path in home.root.glob(".*")] == []


def test_the_command_refuses_in_one_line(
    home: Workspace, file: Path, tmp_path: Path, simulee: Callable[..., Any]
) -> None:
    file.write_bytes(file.read_bytes()[:-200])
    for arguments in (("unpack", file, "--dir", tmp_path / "box"), ("merge", file, "-w", home.root)):
        done = simulee(*arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 2
        assert "good.simulee is no pack" in done.stderr
