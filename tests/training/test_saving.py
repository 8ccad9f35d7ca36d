"""What the end of a training leaves beside its adapter: nothing, whatever stopped it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from core.runs.job import Job
from core.runs.journal import EventLog, create_run
from core.store.adapters import list_adapters
from core.training.saving import save_adapter
from core.workspace import Workspace


class Weights:
    """Of a whole model, for all that saving asks of one; the disk may be full halfway."""

    def __init__(self, room: bool) -> None:
        self._room = room

    def save_pretrained(self, folder: Path, **options: Any) -> None:
        folder.mkdir()
        (folder / "config.json").write_bytes(b"{}")
        if not self._room:
            raise OSError(errno.ENOSPC, "No space left on device")
        (folder / "model.safetensors").write_bytes(b"{}")


def test_a_full_disk_leaves_the_adapter_before_it_and_the_next_attempt_clears_what_a_kill_left(
    workspace: Workspace,
) -> None:
    run = create_run(workspace.runs, "sft", "core.training.sft:run", {})
    log = EventLog(run.folder)
    log.close()
    job = Job(workspace, run.folder, {}, log)

    def save(room: bool) -> None:
        save_adapter(
            job, Weights(room), dataset_id=None, memories=False, base="b", revision="r", settings={"method": "full"}
        )

    save(room=True)
    (workspace.adapters / ".sft-1.4711").mkdir()
    (workspace.adapters / ".sft-1.4711" / "model.safetensors").write_bytes(b"half")
    (workspace.adapters / ".sft-11.4711").mkdir()
    with pytest.raises(OSError, match="No space left"):
        save(room=False)
    assert sorted(path.name for path in workspace.adapters.iterdir()) == [".sft-11.4711", "sft-1"]
    assert sorted(path.name for path in (workspace.adapters / "sft-1").iterdir()) == [
        "config.json", "model.safetensors",
    ]  # fmt: skip
    save(room=True)
    assert len(list_adapters(workspace.database)) == 1
