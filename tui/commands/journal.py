"""``simulee journal``: write an entry; take the journal out, bring one in, keep a folder in step."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from core.errors import ImportFailed, UsageError
from tui.face import DONE_IN_PART, Face, command
from tui.journal_prompt import Page, line_of

app = typer.Typer(rich_markup_mode=None)


@command(app)
def journal(
    face: Face,
    text: Annotated[str | None, typer.Argument(help="The entry. Without it: a pipe, $EDITOR, or a prompt.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="One line in, nothing out; the same as the word -.")] = False,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="F", help="Write all: TiddlyWiki JSON, or .tid into a folder.")
    ] = None,
    import_file: Annotated[
        Path | None, typer.Option("--import", metavar="F", help="Bring in TiddlyWiki JSON, .tid, or a folder of them.")
    ] = None,
    sync: Annotated[
        Path | None, typer.Option("--sync", metavar="DIR", help="Bring a folder of .tid files and the journal in step.")
    ] = None,
) -> None:
    """Write an entry, dated now. It is for recall only, unless persona.toml says otherwise.

    Example: simulee journal "The tide came over the wall again."
    """
    quick = quick or text == "-"
    text = None if text == "-" else text
    if sum(given is not None for given in (text, export, import_file, sync)) + (quick and text is None) > 1:
        raise UsageError("an entry, --export, --import and --sync are four things", "ask for one at a time")
    workspace = face.workspace()
    if export is not None:
        from core.corpus.journal import export_journal

        count = export_journal(workspace, export.absolute())
        face.result({"entries": count, "file": str(export)}, [f"{count} entries are in {export}"])
    elif import_file is not None:
        _import(face, import_file)
    elif sync is not None:
        _sync(face, sync)
    else:
        _write(face, text, quick)


def _write(face: Face, text: str | None, quick: bool) -> None:
    workspace = face.workspace()
    if text is None and sys.stdin.isatty():
        page = Page(workspace.root, quick)
        kept = page.keep(page.write())
    else:
        from core.retrieval.entries import keep_entry

        given = sys.stdin.buffer.read().decode("utf-8", "replace") if text is None else text
        kept = keep_entry(workspace, given)
    if not quick or face.json:
        face.result(asdict(kept.saved) | {"id": f"d{kept.saved.id}"}, [line_of(kept)])
    if kept.trouble:
        face.note(f"the entry is saved, but {kept.trouble}")


def _sync(face: Face, folder: Path) -> None:
    from core.retrieval.entries import sync_and_index

    report = sync_and_index(face.workspace(), folder)
    lines = [
        f"{report.written} written to {report.folder}; {report.brought} brought in, {report.changed} changed here",
        *(f"changed on both sides: what was here goes on as {title!r}" for title in report.conflicts),
    ]
    if report.gone_there:
        lines.append(f"{report.gone_there} are no longer in the folder and stay here: nothing is deleted here")
    if report.gone_here:
        lines.append(f"{report.gone_here} are no longer here and stay in the folder")
    face.result(asdict(report), lines)
    for issue in report.issues:
        face.note(f"  {issue['locator']}: {issue['reason']}")
    if report.issues:
        raise typer.Exit(DONE_IN_PART)


def _import(face: Face, path: Path) -> None:
    from core.corpus.importing import ENTRY, KIND, Request, import_params, plan
    from core.corpus.records import Options

    choices, issues = plan([path], "tiddlywiki", "journal")
    if not choices:
        raise ImportFailed(f"{path}: {issues[0].reason if issues else 'nothing to import'}", "see `simulee formats`")
    requests = [Request(str(each.source.path), each.importer.name, each.match.confidence) for each in choices]
    params = import_params(requests, None, Options(kind="journal"))
    done: dict[str, Any] | None = face.work(face.workspace(), KIND, ENTRY, params, detach=False)
    assert done is not None
    report = _together(done["sources"])
    if not report["documents"] and any(issue["hint"] for issue in report["issues"]):
        failed = report["issues"][0]
        raise ImportFailed(failed["reason"], failed["hint"])
    _follow_up(face)
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
    if report["refused"]:
        raise typer.Exit(DONE_IN_PART)


def _together(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Several sources as one report."""
    whole: dict[str, Any] = {"use": ", ".join(sorted({each["use"] for each in reports if each["use"]})), "issues": []}
    for report in reports:
        whole["issues"] += report["issues"]
        for key in ("documents", "added", "changed", "removed", "skipped", "refused"):
            whole[key] = whole.get(key, 0) + report[key]
    return whole


def _follow_up(face: Face) -> None:
    """What came in is found, and goes to the folder, as an entry that is written here does."""
    from core.retrieval.entries import follow_up

    follow_up(face.workspace())
