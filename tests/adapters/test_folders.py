"""A folder under its final name is whole: whatever stops the filling, the one before it stays, and nothing is left."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from core.adapters.folders import replacing
from core.errors import UsageError


def known(folder: Path) -> bool:
    return (folder / "mark").is_file()


def fill(target: Path, text: str) -> None:
    with replacing(target, known) as making:
        (making / "mark").write_text(text)
        (making / "sub").mkdir()
        (making / "sub" / "weights").write_text(text)


def test_it_appears_private_and_replaces_the_one_before_it(tmp_path: Path) -> None:
    target = tmp_path / "shelf" / "export"
    for text in ("one", "two"):
        fill(target, text)
        assert (target / "sub" / "weights").read_text() == text
        assert [path.name for path in target.parent.iterdir()] == ["export"]
    for path in (target, *target.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def break_off(target: Path, error: BaseException) -> None:
    with replacing(target, known) as making:
        (making / "mark").write_text("half")
        raise error


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("x")])
def test_what_stops_it_leaves_the_one_before_it(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "export"
    fill(target, "one")
    with pytest.raises(type(error)):
        break_off(target, error)
    assert (target / "mark").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


HALF = """
import os, signal, sys
from pathlib import Path
from core.adapters.folders import replacing
with replacing(Path(sys.argv[1]), lambda folder: True) as making:
    (making / "mark").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("before", [False, True])
def test_a_kill_leaves_the_one_before_it_and_the_next_try_clears_up(tmp_path: Path, before: bool) -> None:
    target = tmp_path / "export"
    if before:
        fill(target, "one")
    assert subprocess.run([sys.executable, "-c", HALF, str(target)], check=False).returncode == -9
    assert target.exists() == before
    assert len(list(tmp_path.iterdir())) == 1 + before
    fill(target, "two")
    assert (target / "mark").read_text() == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_a_kill_between_the_two_names_loses_neither(tmp_path: Path) -> None:
    """The old folder is aside and the new one has no name yet: the next try, even a failed one, brings it back."""
    target, place = tmp_path / "export", tmp_path / ".export-making-x"
    fill(target, "one")
    place.mkdir()
    target.rename(place / "old")
    with pytest.raises(OSError, match="full"):
        break_off(target, OSError("full"))
    assert (target / "mark").read_text() == "one"


@pytest.mark.parametrize("kind", ["folder", "file", "link"])
def test_what_is_not_an_export_is_not_replaced(tmp_path: Path, kind: str) -> None:
    target, other = tmp_path / "export", tmp_path / "other"
    fill(other, "precious")
    if kind == "folder":
        target.mkdir()
        (target / "thesis").write_text("precious")
    elif kind == "file":
        target.write_text("precious")
    else:
        target.symlink_to(other)
    with pytest.raises(UsageError, match="is there already"):
        fill(target, "ours")
    assert (other / "mark").read_text() == "precious"
    if kind == "folder":
        assert (target / "thesis").read_text() == "precious"
