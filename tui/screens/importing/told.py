"""What the import screen says of its runs: how far they are, what came of them, what comes next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.widgets.frame import run_words
from tui.widgets.text import Part

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture

IMPORT = "import"
EMBED = "embed"
CHANGES = ("added", "changed", "removed")


def newest(pictures: Sequence[RunPicture], kind: str) -> RunPicture | None:
    """The last run of a kind."""
    return next((each for each in pictures if each.kind == kind), None)


def at_work(pictures: Sequence[RunPicture]) -> RunPicture | None:
    """The import or embedding that runs now."""
    return next((each for each in pictures if each.kind in (IMPORT, EMBED) and each.state == "running"), None)


def is_stopped(picture: RunPicture | None) -> bool:
    """Whether a run ended before its end, and can go on."""
    return picture is not None and picture.state in ("cancelled", "lost", "failed")


def embedding_waits(pictures: Sequence[RunPicture]) -> bool:
    """Whether an import changed something since the last embedding began."""
    done = [each for each in pictures if each.state == "done"]
    embedded = max((each.created for each in done if each.kind == EMBED), default="")
    imports = [each for each in done if each.kind == IMPORT and each.ended > embedded]
    return any(source[key] for each in imports for source in each.result.get("sources", ()) for key in CHANGES)


def run_lines(pictures: Sequence[RunPicture], result_shown: bool, embed_key: str, start_key: str) -> list[list[Part]]:
    """At most three lines: the import, the embedding, and the next step."""
    waits = embedding_waits(pictures)
    importing, embedding = newest(pictures, IMPORT), newest(pictures, EMBED)
    lines: list[list[Part]] = []
    if importing is not None and (importing.state != "done" or result_shown or waits):
        lines.append(_run_line(importing, start_key))
    running = embedding is not None and embedding.state == "running"
    if embedding is not None and (running or (is_stopped(embedding) and waits) or (result_shown and not waits)):
        lines.append(_run_line(embedding, start_key))
    if waits and not running:
        lines.append(
            [("  Next  ", "bold"), (f"{embed_key}  ", "bold $accent"), "cut the new text into passages and embed them"]
        )
    return lines


def _run_line(picture: RunPicture, start_key: str) -> list[Part]:
    if picture.state == "running":
        return [("  " + run_words(picture), "$accent"), f" · {picture.what}" if picture.what else ""]
    if picture.state == "done":
        return [("  ✓ ", "$success"), f"{picture.id} done: {_outcome(picture)}"]
    told = picture.result.get("error", "")
    hint = f"  {start_key} goes on" if picture.kind == IMPORT else ""
    return [("  " + run_words(picture), "$warning"), f": {told}" if told else "", (hint, "bold $accent")]


def _outcome(picture: RunPicture) -> str:
    result = picture.result
    if picture.kind == EMBED:
        return f"{result.get('chunks', 0):,} passages, {result.get('embedded', 0):,} embedded"
    sources = result.get("sources", ())
    counts = {key: sum(source[key] for source in sources) for key in CHANGES}
    changes = ", ".join(f"{count:,} {key}" for key, count in counts.items() if count) or "nothing changed"
    issues = sum(len(source["issues"]) for source in sources)
    return f"{len(sources):,} sources, {changes}" + (f", {issues:,} issues" if issues else "")
