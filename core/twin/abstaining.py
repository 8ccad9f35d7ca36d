"""In character, and honest: what the twin says when nothing supports an answer.

Only a question about what was is answered so; a greeting, or words that ask for nothing, need no support.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from core.prompts.render import template_source
from core.recall.recollect import Recalled
from core.twin.guard import Withheld
from core.workspace import Workspace

TEMPLATE = "unknown.j2"
_ASKS = re.compile(
    r"\b(who|whom|whose|what|which|when|where|why|how|did|do|does|were|was|have|has|had|are|is|can|could|would)\b", re.I
)
_ABOUT_THEM = re.compile(r"\b(you|your|yours|yourself)\b", re.I)
_COURTESY = re.compile(r"^\W*(how are you|how do you do|are you (there|well|ok(ay)?)|can you hear me)\b", re.I)


def asks_for_facts(question: str) -> bool:
    """Whether words ask the target about themselves, so that an answer without support would be invented."""
    return (
        "?" in question
        and bool(_ASKS.search(question))
        and bool(_ABOUT_THEM.search(question))
        and not _COURTESY.search(question)
    )


def nothing_supports(recalled: Recalled, nearest: float, least: float) -> bool:
    """Whether no passage is near enough to answer from; ``nearest`` is the best cosine to the question."""
    return not recalled.parked and nearest < least


def unknown_answer(workspace: Workspace, question: str, withheld: Withheld) -> str:
    """One of the target's ways to say that they do not know, the same one for the same question.

    ``prompts/unknown.j2`` holds one a line; a workspace's own file has its target's own words. Of these, one that may
    be said; where none may, one of the packaged ones, and in the last resort what may be said of it.
    """
    digest = hashlib.sha256(question.strip().casefold().encode("utf-8", "replace")).digest()
    place = int.from_bytes(digest[:4], "big")
    packaged = _lines(None)
    ways = _lines(workspace.root / "prompts") or packaged
    for some in (ways, packaged):
        if sayable := [each for each in some if withheld.redact(each) == each]:
            return sayable[place % len(sayable)]
    return withheld.redact(ways[place % len(ways)])


def _lines(overrides: Path | None) -> list[str]:
    lines = (line.strip() for line in template_source(TEMPLATE, overrides).splitlines())
    return [line for line in lines if line and not line.startswith("#")]
