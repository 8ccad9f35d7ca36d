"""A workspace whose dataset trains in seconds: three short samples and one that validates."""

from __future__ import annotations

import json
from pathlib import Path

from core.dataset.build import build
from core.runs.control import run_to_end
from core.workspace import Workspace

SETTINGS = {"checkpoint_steps": 2, "measure_forgetting": False}


def tiny_dataset(root: Path) -> tuple[Path, str]:
    """The workspace, closed, and its dataset's hash. 2014 and 2015 are held out, 2013 validates."""
    from core.corpus import importing

    workspace = Workspace.create(root / "ws", "Ada Marlow", sections={"training": SETTINGS})
    files = [
        _interview(root / f"{year}.json", f"{year}-05-01", f"What came in {year}?", "Rain, and Pell with the bill.")
        for year in range(2010, 2016)
    ]
    sources = [{"path": str(path), "format": "raft-transcript"} for path in files]
    run_to_end(workspace, importing.KIND, importing.ENTRY, {"sources": sources})
    dataset = build(workspace)
    workspace.database.close()
    return root / "ws", dataset.hash


def _interview(path: Path, date: str, question: str, answer: str) -> Path:
    people = {"q": "Ines Calder", "a": "Ada Marlow"}
    path.write_text(json.dumps({"participants": people, "date": date, "exchanges": [[question, answer]]}), "utf-8")
    return path
