"""The journal's own entries and drafts: what is stored, what outlives a kill, who holds which page."""

from __future__ import annotations

import json
import stat
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from core.corpus.drafts import DRAFT_FILE, Draft
from core.corpus.journal import export_journal, save_entry
from core.errors import UsageError
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.workspace import Workspace
from tests.corpus.test_tiddlers import bring_in


def test_an_entry_is_a_tiddler_of_its_instant_and_keeps_its_writers_day(workspace: Workspace, tmp_path: Path) -> None:
    late = datetime(2024, 3, 5, 23, 30, 1, 250_000, timezone(timedelta(hours=-5)))
    save_entry(workspace, "Late\r\nand tired", late)
    local = late.astimezone()
    export_journal(workspace, tmp_path / "out.json")
    (out,) = json.loads((tmp_path / "out.json").read_text())
    title = f"Journal {local.strftime('%Y-%m-%d %H:%M:%S')}"
    assert out == {
        "title": title, "text": "Late\nand tired", "tags": "Journal", "type": "text/plain",
        "created": "20240306043001250", "modified": "20240306043001250",
    }  # fmt: skip
    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    bring_in(other, tmp_path / "out.json")
    days = [list_documents(each.database)[0].date for each in (workspace, other)]
    assert days == [local.date().isoformat()] * 2
    again = bring_in(workspace, tmp_path / "out.json")
    assert (again.added, again.issues[0]["reason"]) == (0, "already imported from journal")


def test_what_was_stored_before_tiddlers_were_kept_still_goes_out(workspace: Workspace, tmp_path: Path) -> None:
    save_entry(workspace, "Old")
    workspace.database.execute("DELETE FROM tiddler")
    export_journal(workspace, tmp_path / "out.json")
    assert [each["text"] for each in json.loads((tmp_path / "out.json").read_text())] == ["Old"]
    assert bring_in(workspace, tmp_path / "out.json").added == 0


def test_a_folder_takes_tid_files_only_while_it_is_empty(workspace: Workspace, tmp_path: Path) -> None:
    save_entry(workspace, "One")
    save_entry(workspace, "Two")
    folder = tmp_path / "out"
    folder.mkdir()
    assert export_journal(workspace, folder) == 2
    written = sorted(folder.iterdir())
    assert [path.suffix for path in written] == [".tid", ".tid"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    with pytest.raises(UsageError, match="not empty"):
        export_journal(workspace, folder)


def test_the_use_that_a_person_chose_for_the_journal_stays(workspace: Workspace) -> None:
    save_entry(workspace, "One")
    assert list_sources(workspace.database)[0].use == "recall"
    workspace.database.execute("UPDATE source SET use = 'none', use_chosen = 1")
    save_entry(workspace, "Two")
    assert list_sources(workspace.database)[0].use == "none"


def test_saving_another_entry_leaves_the_page_that_somebody_writes(workspace: Workspace) -> None:
    page = Draft.claim(workspace.root)
    page.keep("half a thought")
    save_entry(workspace, "From another shell")
    assert (workspace.root / DRAFT_FILE).read_text() == "half a thought"
    page.release()


def test_two_pages_at_once_are_two_drafts_and_each_is_found_again(workspace: Workspace) -> None:
    first, second = Draft.claim(workspace.root), Draft.claim(workspace.root)
    first.keep("one")
    second.keep("two")
    third = Draft.claim(workspace.root)
    assert third.peek() == "", "pages that are being written belong to their writers"
    for each in (first, second, third):
        each.release()
    quick = Draft.claim(workspace.root, empty=True)
    assert quick.peek() == "", "a quick entry begins with an empty line"
    found = [Draft.claim(workspace.root), Draft.claim(workspace.root)]
    assert {each.peek() for each in found} == {"one", "two"}
    for each in (quick, *found):
        each.release()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Salt on the café's window".encode("cp1252"), "Salt on the café's window"),
        ("\ufeffSalt".encode("utf-16-le"), "Salt"),
        (b"Salt\r\nagain\r\n", "Salt\nagain\n"),
        (bytes(range(1, 256)), bytes(range(1, 256)).decode("latin-1")),
    ],
)
def test_a_draft_of_any_encoding_stays_until_it_is_written_on_and_is_utf_8_then(
    workspace: Workspace, data: bytes, text: str
) -> None:
    path = workspace.root / DRAFT_FILE
    path.write_bytes(data)
    page = Draft.claim(workspace.root)
    assert page.peek() == text
    page.write()
    assert path.read_bytes() == data
    page.keep(f"{text}!")
    assert path.read_bytes() == f"{text}!".encode()
    page.release()


def test_a_draft_that_cannot_be_read_is_left_alone_by_an_empty_page(workspace: Workspace) -> None:
    path = workspace.root / DRAFT_FILE
    path.symlink_to(workspace.root / "on a disk that is not there")
    page = Draft(workspace.root)
    assert page.peek() == ""
    page.write()
    assert path.is_symlink()
