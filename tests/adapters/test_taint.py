"""What speaks against handing an adapter on, whatever the form of its samples and whichever adapter it goes on from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.adapters.taint import Taint, taint_of
from core.dataset.build import build
from core.runs.job import Job
from core.runs.journal import EventLog, create_run
from core.settings import DatasetSettings
from core.store.adapters import find_adapter, list_adapters
from core.training.launch import SFT_ENTRY, SFT_KIND
from core.training.saving import save_adapter
from core.workspace import Workspace

COMPLETION = DatasetSettings(form="completion", max_tokens=128)


class Weights:
    """Of a whole model, for all that saving asks of one."""

    def save_pretrained(self, folder: Path, **options: Any) -> None:
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes(b"{}")


@pytest.fixture
def talks(workspace: Workspace, write_interview: Callable[..., Path], import_paths: Callable[..., Any]) -> Workspace:
    """Five interviews, the last of them held out."""
    paths = [write_interview(f"{year}-05-01", [("Rain?", f"All through {year}.")]) for year in range(2010, 2015)]
    import_paths(workspace, paths)
    return workspace


def _trained(workspace: Workspace, dataset: int | None, start: str | None = None) -> str:
    run = create_run(workspace.runs, SFT_KIND, SFT_ENTRY, {})
    log = EventLog(run.folder)
    job = Job(workspace, run.folder, {}, log)
    name, _ = save_adapter(
        job, Weights(), dataset_id=dataset, memories=False, base="b", revision="r", settings={"start_from": start}
    )
    log.close()
    return name


def _taint(workspace: Workspace, name: str) -> Taint:
    adapter = find_adapter(workspace.database, name)
    assert adapter is not None
    return taint_of(workspace, adapter)


def _source_of(workspace: Workspace, dataset: int) -> int:
    """Of the first sample that the dataset trains on."""
    return int(
        workspace.database.value(
            "SELECT source_id FROM conversation JOIN example ON conversation_uid = conversation.uid"
            " WHERE dataset_id = ? AND split = 'train' ORDER BY example.position",
            (dataset,),
        )
    )


@pytest.mark.parametrize("how", [COMPLETION, DatasetSettings()])
def test_a_source_that_is_removed_or_cleared_for_less_taints_logs_and_chats_alike(
    talks: Workspace, how: DatasetSettings
) -> None:
    dataset = build(talks, how=how).id
    name = _trained(talks, dataset)
    found = _taint(talks, name)
    assert found.reasons() == []
    assert [each.exchanges for each in found.origins] == [1] * len(found.origins)
    assert found.origins
    source = _source_of(talks, dataset)
    with talks.database.write():
        talks.database.execute("UPDATE source SET use = 'recall' WHERE id = ?", (source,))
    (reason,) = _taint(talks, name).reasons()
    assert "is not cleared for training any more: recall" in reason
    with talks.database.write():
        talks.database.execute("DELETE FROM source WHERE id = ?", (source,))
    assert _taint(talks, name).reasons() == ["1 answer that it was trained on is not in the workspace any more"]


def test_an_adapter_bears_what_those_before_it_were_trained_on(talks: Workspace) -> None:
    first = build(talks, how=COMPLETION).id
    source = _source_of(talks, first)
    names = [_trained(talks, first)]
    with talks.database.write():
        talks.database.execute("UPDATE source SET use = 'none' WHERE id = ?", (source,))
    later = build(talks, how=COMPLETION).id
    assert later != first
    names += [_trained(talks, later, names[0])]
    names += [_trained(talks, later, names[1])]
    alone = _trained(talks, later)
    assert _taint(talks, alone).reasons() == []
    for name in names:
        (reason,) = _taint(talks, name).reasons()
        assert "is not cleared for training any more: none" in reason
    hashes = [row[0] for row in talks.database.rows("SELECT hash FROM dataset ORDER BY id")]
    told = [adapter.settings.get("inherited", []) for adapter in list_adapters(talks.database)]
    assert told == [[], hashes[:1], sorted(hashes), []]


def test_what_an_adapter_before_it_was_trained_on_and_nobody_knows_is_said(talks: Workspace) -> None:
    unknown = _trained(talks, None)
    after = _trained(talks, build(talks, how=COMPLETION).id, unknown)
    assert _taint(talks, after).reasons() == ["the dataset it was trained on is not in the workspace"]
