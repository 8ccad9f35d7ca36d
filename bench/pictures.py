"""Pictures of the screens, for the README: ``make screens``, or ``python -m bench.pictures [WORKSPACE]``.

Of a copy of the workspace that is named (the demo's shows most), else of the sample without models: imported for real,
its memories chosen by shared words. 80 columns by 24 lines.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from core.beginning import make_sample, next_step
from core.corpus.holdout import assign_splits
from core.corpus.sentences import sentences_of
from core.runs.control import run_to_end
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow, lexical_search, passages
from core.store.conversations import exchanges_of, trainable_conversations
from core.store.documents import list_documents
from core.store.identity import content_uid
from core.store.memories import MemoryRow, put_memories
from core.workspace import Workspace
from tui.app import SCREENS, Options, Workbench
from tui.place import FILE

HERE = Path(__file__).parents[1] / "docs" / "screens"
SAMPLE = re.compile(r"/[^\s<>&]*/data/ada\b")
SIZE = (80, 24)
SHOWN_AS = "/home/you/simulee"
"""What the pictures say instead of the folder they were made in; as long as that."""
SECONDS = 1.5
"""For a screen to fill itself."""
PREPARED = {
    "journal": (*"Low water at four. The wall held, which is more than I did.",),
    "review": ("j", "k"),
}
"""Keys that are pressed before the picture is taken."""


def main() -> None:
    """Write one SVG for each screen."""
    folder = Path(tempfile.mkdtemp(prefix="ada-", dir="/tmp"))
    os.environ["HOME"] = str(folder)
    os.environ.pop("XDG_CONFIG_HOME", None)
    HERE.mkdir(parents=True, exist_ok=True)
    try:
        root = Path(sys.argv[1]) if len(sys.argv) > 1 else _sample(folder)
        for name in SCREENS:
            copy = Path(shutil.copytree(root, folder / "ada"))
            (copy / FILE).unlink(missing_ok=True)
            try:
                picture = asyncio.run(_picture(copy, name))
            except ModuleNotFoundError as error:
                print(f"{name}: left out, {error}")
            else:
                picture = SAMPLE.sub("~/simulee/data/ada", picture.replace(str(folder), SHOWN_AS))
                (HERE / f"{name}.svg").write_text(picture, "utf-8")
                print(f"{name}: {HERE / name}.svg")
            shutil.rmtree(copy)
    finally:
        shutil.rmtree(folder)


async def _picture(root: Path, name: str) -> str:
    bench = Workbench(Options(folder=root, screen=name))
    async with bench.run_test(size=SIZE) as pilot:
        while not bench.stage_now().ready:
            await pilot.pause(0.05)
        await pilot.pause(SECONDS)
        await pilot.press(*PREPARED.get(name, ()))
        if name == "review" and not _waiting(bench):
            await pilot.press("u", "j", "k")
        await pilot.pause(SECONDS)
        picture = bench.export_screenshot(title="simulee", simplify=True)
    bench.close_lanes()
    return picture


def _waiting(bench: Workbench) -> bool:
    from core.review.queue import stats

    assert bench.workspace is not None
    return stats(bench.workspace.database).pending > 0


def _sample(folder: Path) -> Path:
    """The sample as an import leaves it, with passages and memories that needed no model."""
    workspace = make_sample(folder)
    while (step := next_step(workspace)) is not None and step.kind == "import":
        run_to_end(workspace, step.kind, step.entry, step.params)
    _cut(workspace)
    _recall(workspace)
    return workspace.root


def _cut(workspace: Workspace) -> None:
    """Every document as one passage for each paragraph."""
    database = workspace.database
    with database.write():
        for document in list_documents(database):
            rows, start = [], 0
            for place, text in enumerate(document.text.split("\n\n")):
                uid = content_uid("chunk", document.uid, start)
                stop = start + len(text)
                rows.append(
                    ChunkRow(0, uid, document.id, None, place, start, stop, text, len(text) // 4, document.last_day)
                )
                start = stop + 2
            sync_chunks(database, "document_id", document.id, document.title, rows)


def _recall(workspace: Workspace) -> None:
    """For each question the sentence, written before it, that shares most words with it."""
    database = workspace.database
    splits = assign_splits(workspace)
    for conversation in trainable_conversations(database):
        if splits[conversation.uid] == "heldout":
            continue
        for exchange in exchanges_of(database, conversation.id):
            wanted = {word for word in _words(exchange.question) if len(word) > 4}
            match = " OR ".join(f'"{word}"' for word in sorted(wanted))
            found = lexical_search(database, match, 2, exchange.first_day, False, conversation.id) if match else []
            memories: list[Any] = []
            for rank, (chunk_id, score) in enumerate(found, start=1):
                passage = passages(database, [chunk_id])[chunk_id].chunk
                sentences = sentences_of(passage.text)
                best = max(sentences, key=lambda each: len(wanted & set(_words(each.text))))
                uid = content_uid("memory", exchange.uid, passage.uid, best.start)
                row = MemoryRow(
                    0,
                    uid,
                    exchange.id,
                    chunk_id,
                    rank,
                    score,
                    "extractive",
                    best.text,
                    best.text,
                    best.start,
                    best.stop,
                )
                memories.append((row, {}))
            with database.write():
                put_memories(database, exchange.id, memories)


def _words(text: str) -> list[str]:
    return "".join(each if each.isalnum() else " " for each in text.casefold()).split()


if __name__ == "__main__":
    main()
