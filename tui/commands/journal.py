"""``simulee journal``: write an entry; take the journal out, or bring one in."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from core.corpus.importing import ENTRY, KIND, Request, import_params, plan
from core.corpus.journal import export_journal, save_entry
from core.corpus.records import Options
from core.errors import ImportFailed, UsageError
from tui.editor import edit
from tui.face import DONE_IN_PART, Face, command

app = typer.Typer(rich_markup_mode=None)


@command(app)
def journal(
    face: Face,
    text: Annotated[str | None, typer.Argument(help="The entry. Without it: a pipe, or $EDITOR.")] = None,
    export: Annotated[Path | None, typer.Option("--export", metavar="F", help="Write all as TiddlyWiki JSON.")] = None,
    import_file: Annotated[Path | None, typer.Option("--import", metavar="F", help="Bring TiddlyWiki JSON in.")] = None,
) -> None:
    """Write an entry, dated now. It is for recall only, unless persona.toml says otherwise.

    Example: simulee journal "The tide came over the wall again."
    """
    if sum(given is not None for given in (text, export, import_file)) > 1:
        raise UsageError("an entry, --export and --import are three things", "ask for one at a time")
    workspace = face.workspace()
    if export is not None:
        count = export_journal(workspace, export.absolute())
        face.result({"entries": count, "file": str(export)}, [f"{count} entries are in {export}"])
    elif import_file is not None:
        _import(face, import_file)
    else:
        saved = save_entry(workspace, text if text is not None else _asked())
        face.result(
            asdict(saved) | {"id": f"d{saved.id}"},
            [f"saved as d{saved.id}, {saved.words} words, {saved.date}; simulee embed makes it found"],
        )


def _asked() -> str:
    """The entry from the pipe, or from the editor when there is none."""
    if not sys.stdin.isatty():
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    return edit("", ".md")


def _import(face: Face, path: Path) -> None:
    choices, issues = plan([path], "tiddlywiki", "journal")
    if not choices:
        raise ImportFailed(f"{path}: {issues[0].reason if issues else 'nothing to import'}", "see `simulee formats`")
    requests = [Request(str(each.source.path), each.importer.name, each.match.confidence) for each in choices]
    params = import_params(requests, None, Options(kind="journal"))
    done: dict[str, Any] | None = face.work(face.workspace(), KIND, ENTRY, params, detach=False)
    assert done is not None
    report = done["sources"][0]
    if not report["documents"] and any(issue["hint"] for issue in report["issues"]):
        failed = report["issues"][0]
        raise ImportFailed(failed["reason"], failed["hint"])
    changes = ", ".join(f"{report[key]} {key}" for key in ("added", "changed", "removed") if report[key])
    face.result(
        {"documents": report["documents"], "added": report["added"], "changed": report["changed"],
         "skipped": report["skipped"], "issues": report["issues"]},
        [f"{report['documents']} entries; {changes or 'nothing changed'}"
         + (f"; use: {report['use']}" if report["documents"] else "")],
    )  # fmt: skip
    known = [each for each in report["issues"] if each["reason"].startswith("already imported")]
    if known:
        face.note(f"  {len(known)} entries are here already")
    for issue in report["issues"]:
        if issue not in known:
            face.note(f"  {issue['locator']}: {issue['reason']}")
    if report["skipped"] > len(known):
        raise typer.Exit(DONE_IN_PART)
