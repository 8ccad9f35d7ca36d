"""What was imported before, as paths that one may want to look into again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.corpus.journal import LOCATION as JOURNAL
from core.store.sources import SourceRow, list_sources
from core.workspace import Workspace

TOGETHER = 3
"""From this many sources on, what lies in one folder is offered as the folder."""


@dataclass(frozen=True, slots=True)
class RecentPath:
    """A file, or a folder of ``count`` imported sources."""

    path: str
    count: int
    formats: tuple[str, ...]
    uses: tuple[str, ...]
    at: str
    """When the last of them was imported."""


def sources_of(workspace: Workspace) -> list[SourceRow]:
    """Every source of the workspace."""
    return list_sources(workspace.database)


def recent_paths(sources: Iterable[SourceRow]) -> list[RecentPath]:
    """The last imported first; many files of one folder are one entry."""
    folders: dict[Path, list[SourceRow]] = {}
    for source in sources:
        if source.location == JOURNAL:  # It was written here: there is nothing to look into.
            continue
        folders.setdefault(Path(source.location).parent, []).append(source)
    groups: list[tuple[str, list[SourceRow]]] = []
    for folder, inside in folders.items():
        if len(inside) >= TOGETHER:
            groups.append((str(folder), inside))
        else:
            groups += [(source.location, [source]) for source in inside]
    found = [
        RecentPath(
            path,
            len(inside),
            tuple(dict.fromkeys(source.format for source in inside)),
            tuple(dict.fromkeys(source.use for source in inside)),
            max(source.imported_at for source in inside),
        )
        for path, inside in groups
    ]
    return sorted(found, key=lambda each: (each.at, each.path), reverse=True)
