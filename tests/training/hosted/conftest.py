"""A small dataset, made once: each test gets a copy whose host it chooses."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.calls.patience import Waits
from core.corpus import importing
from core.corpus.importing import Options, Request, import_params, plan
from core.dataset.build import build
from core.review.queue import decide_by_threshold
from core.runs.control import run_to_end
from core.runs.job import Job
from core.runs.journal import EventLog, Run, create_run, load_run
from core.settings import Use
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow
from core.store.conversations import exchanges_of, list_conversations
from core.store.datasets import list_datasets
from core.store.documents import list_documents
from core.store.memories import MemoryRow, put_memories
from core.training.hosted.launch import HOSTED_ENTRY, HOSTED_KIND, hosted_params
from core.training.hosted.run import train_there
from core.workspace import SETTINGS_FILE, Workspace
from tests.conftest import interview

TINY = Waits(first=0.001, most=0.004, longest_pause=5.0, cooldown=0.05)
INTERVIEWS = 14
NOTE = "The lamp was lit before the boats came home."
JOURNAL = "I never told them how afraid I was on the stair."
FIRST_ANSWER = "Answer 0 about salt number 0."


def _import(workspace: Workspace, paths: list[Path], use: Use, kind: Any = None) -> None:
    choices, _ = plan(paths, None, kind)
    requests = [Request(str(each.source.path), each.importer.name, each.match.confidence) for each in choices]
    run_to_end(workspace, importing.KIND, importing.ENTRY, import_params(requests, use, Options(kind=kind)))


@pytest.fixture(scope="session")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a dataset of ``INTERVIEWS`` samples.

    The first one's prompt shows a memory of a note, the second one's a memory of a journal that may be trained on.
    """
    folder = tmp_path_factory.mktemp("frozen")
    workspace = Workspace.create(folder / "ws", "Ada Marlow", sections={"dataset": {"heldout": 0, "failed_recall": 0}})
    paths = []
    for number in range(INTERVIEWS):
        path = folder / f"{number}.json"
        asked = [(f"Question {number} of the tide {number}?", f"Answer {number} about salt number {number}.")]
        path.write_text(interview("Ines Calder", f"2012-01-{number + 1:02}", asked), "utf-8")
        paths.append(path)
    _import(workspace, paths, "train")
    for name, text, kind in (("note", NOTE, None), ("journal", JOURNAL, "journal")):
        path = folder / f"{name}.md"
        path.write_text(f"---\ntitle: {name}\ndate: 2010-01-01\n---\n{text}", "utf-8")
        _import(workspace, [path], "train", kind)
    database = workspace.database
    conversations = sorted(list_conversations(database), key=lambda row: row.first_day)
    documents = {document.title: document for document in list_documents(database)}
    with database.write():
        for conversation, title in zip(conversations, ("note", "journal"), strict=False):
            document = documents[title]
            chunk = ChunkRow(0, f"chunk-{title}", document.id, None, 0, 0, len(document.text), document.text, 9, 733773)
            sync_chunks(database, "document_id", document.id, title, [chunk])
            chunk_id = database.value("SELECT id FROM chunk WHERE uid = ?", (chunk.uid,))
            (exchange,) = exchanges_of(database, conversation.id)
            text = document.text.strip()
            memory = MemoryRow(0, f"memory-{title}", exchange.id, chunk_id, 1, 1.0, "quote", text, text, 0, len(text))
            put_memories(database, exchange.id, [(memory, {("question", "test"): 1.0})])
    decide_by_threshold(database, 0.0)
    assert build(workspace).examples == INTERVIEWS
    database.close()
    return workspace.root


Hosted = Callable[..., Workspace]


@pytest.fixture
def hosted(frozen: Path, tmp_path: Path) -> Hosted:
    """A copy of the workspace, with this host in its settings: ``hosted(server.url, price=3.0)``."""

    def do(url: str, **settings: Any) -> Workspace:
        root = tmp_path / "ws"
        if not root.exists():
            shutil.copytree(frozen, root)
        path = root / SETTINGS_FILE
        kept = path.read_text("utf-8").partition("[training")[0]
        lines = [f'base_url = "{url}"', 'model = "small-1"', "poll = 0.02"]
        lines += [f"{key} = {value!r}" for key, value in settings.items()]
        path.write_text(kept.rstrip() + "\n[training.hosted]\n" + "\n".join(lines) + "\n", "utf-8")
        return Workspace.open(root)

    return do


class Here:
    """Hosted runs in this process, with waits of milliseconds between attempts."""

    def __init__(self, workspace: Workspace, **overrides: Any) -> None:
        self.workspace = workspace
        newest = list_datasets(workspace.database)[-1].hash
        self.run: Run = create_run(
            workspace.runs, HOSTED_KIND, HOSTED_ENTRY, hosted_params(workspace, newest, **overrides)
        )

    @classmethod
    def going_on(cls, workspace: Workspace, run_id: str) -> Here:
        """A run that was begun before."""
        here = cls.__new__(cls)
        here.workspace, here.run = workspace, load_run(workspace.runs, run_id)
        return here

    def go(self, stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
        """One attempt; ``stop`` says when a stop is asked for."""
        log = EventLog(self.run.folder)
        job = _Stoppable(self.workspace, self.run.folder, self.run.params, log)
        job.asks = stop
        try:
            return train_there(job, TINY)
        finally:
            log.close()


class _Stoppable(Job):
    asks: Callable[[], bool] = staticmethod(lambda: False)

    @property
    def stop_requested(self) -> bool:
        return self.asks()


def elsewhere(url: str) -> str:
    """The same server by an address that is not certain to be this machine."""
    return url.replace("127.0.0.1", "0.0.0.0")
