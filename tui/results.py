"""How a run ended, on one line: for the list of runs and for the screens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tui.estimates import about
from tui.moments import local

if TYPE_CHECKING:
    from core.runs.snapshot import RunPicture


def moment(at: str) -> str:
    """A moment as the runs tell it, to the minute: ``2026-11-24 02:21``."""
    return local(at)


def took(picture: RunPicture) -> str:
    """From its first start to its end; empty while it has none."""
    from core.runs.journal import seconds_between

    return about(seconds_between(picture.started, picture.ended)) if picture.started and picture.ended else ""


def result_line(picture: RunPicture) -> str:
    """What a run is at, what it made, or why it stopped."""
    if picture.state in ("running", "queued"):
        return picture.what
    if picture.state == "lost":
        return "its process is gone; resume it"
    if "error" in picture.result:
        return str(picture.result["error"])
    known = {
        "sft": _trained, "dpo": _preferring, "kto": _preferring, "evaluate": _measured, "import": _imported,
        "hosted": _hosted, "export": exported, "retriever": _turned,
    }  # fmt: skip
    words = known.get(picture.kind, _plain)
    try:
        return words(picture.result)
    except (KeyError, TypeError, ValueError, IndexError):  # A result of another release: its figures as they are.
        return _plain(picture.result)


def _trained(result: Mapping[str, Any]) -> str:
    loss = f", last loss {result['loss']:.3f}" if result.get("loss") is not None else ""
    return f"{whose(result)}: {result['steps']} steps{loss}, {result['tokens_per_second']:.0f} tokens/s"


def _hosted(result: Mapping[str, Any]) -> str:
    return f"{result['model']}: {result['samples']} samples at {result['host']}"


def _preferring(result: Mapping[str, Any]) -> str:
    won = f", {result['accuracy']:.0%} of pairs won" if "accuracy" in result else ""
    return f"{whose(result)}: {result.get('stopped') or str(result['steps']) + ' steps'}{won}"


def whose(result: Mapping[str, Any]) -> str:
    """What a training made; of several machines only the first has the adapter."""
    return str(result.get("adapter") or f"the part of machine {result['machine_rank']}")


def _turned(result: Mapping[str, Any]) -> str:
    return f"{result['adapter']}: {result['verdict']}" + (", in use" if result["used"] else "")


def _measured(result: Mapping[str, Any]) -> str:
    card = result["scorecard"]
    asked = sum(each["exchanges"] for each in card["interviews"])
    return f"scorecard {card['id']}: {len(card['systems'])} systems, {asked} questions"


def _imported(result: Mapping[str, Any]) -> str:
    sources = result["sources"]
    added, changed = (sum(each[name] for each in sources) for name in ("added", "changed"))
    issues = sum(len(each["issues"]) for each in sources)
    return f"{len(sources)} sources: {added} added, {changed} changed" + (f", {issues} issues" if issues else "")


def exported(result: Mapping[str, Any]) -> str:
    """What an export wrote."""
    size = result["bytes"] / 1e6
    return f"{result['adapter']} as {result['to']}: {len(result['files'])} files, {size:,.1f} MB"


def _plain(result: Mapping[str, Any]) -> str:
    return ", ".join(f"{value} {name}" for name, value in result.items() if isinstance(value, (int, float, str)))
