"""``simulee search``: find passages as every stage finds them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from core.dates import as_of_request
from core.errors import UsageError
from core.models.roles import embedder_of
from core.retrieval.search import Query, Searcher
from core.store.chunks import count_chunks
from tui.face import Face, command
from tui.safe_text import safe_line

app = typer.Typer(rich_markup_mode=None)

SHOWN_CHARACTERS = 200


class Mode(StrEnum):
    """How to look."""

    hybrid = "hybrid"
    vector = "vector"
    lexical = "lexical"


@command(app)
def search(
    face: Face,
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int | None, typer.Option("-k", min=1, max=100, help="How many passages.")] = None,
    as_of: Annotated[
        str, typer.Option("--as-of", metavar="D", help="Only what was written by then: 2019, 2019-05.")
    ] = "",
    mode: Annotated[Mode | None, typer.Option("--mode", help="By meaning, by words, or both.")] = None,
) -> None:
    """Find passages, strictly before a date where one is given.

    Example: simulee search "the tide and the charts" -k 3 --as-of 2015
    """
    workspace = face.workspace()
    before = as_of_request(as_of) if as_of else None
    if as_of and before is None:
        raise UsageError(f"{as_of!r} is not a date", "write it as 2019, 2019-05 or 2019-05-02")
    if not count_chunks(workspace.database):
        raise UsageError("nothing is embedded yet", "simulee import SOURCE, then simulee embed")
    settings = workspace.settings
    searcher = Searcher(workspace, lambda: embedder_of(settings))
    found = searcher.search(
        Query(
            query,
            k or settings.retrieval.k,
            before,
            mode.value if mode else settings.retrieval.mode,
            settings.retrieval.include_undated,
        )
    )
    rows = [
        {
            "rank": hit.rank,
            "score": round(hit.score, 6),
            "chunk": f"k{hit.passage.chunk.id}",
            "document": hit.passage.owner_uid,
            "title": hit.passage.title,
            "date": hit.passage.date,
            "text": hit.passage.chunk.text,
        }
        for hit in found
    ]
    lines = []
    for row in rows:
        lines.append(f"{row['rank']}  {row['title']} · {row['date'] or 'undated'} · {row['chunk']} · {row['score']}")
        text = safe_line(str(row["text"]))
        lines.append(f"   {text[:SHOWN_CHARACTERS]}{'…' if len(text) > SHOWN_CHARACTERS else ''}")
    face.result({"results": rows}, lines or ["nothing found"])
