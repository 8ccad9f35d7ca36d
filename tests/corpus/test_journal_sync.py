"""The journal and a folder of tiddlers: edits on both sides, and nothing lost on either."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.corpus.journal import journal_tiddlers, save_entry
from core.corpus.journal_sync import SyncReport, _hash, sync_journal
from core.corpus.tiddlers import read_tid, write_tid
from core.errors import UsageError
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.store.tiddlers import synced_hashes
from core.workspace import Workspace

NOON = datetime(2024, 5, 1, 12, 30, 5).astimezone()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tiddlers"
    made.mkdir()
    return made


def counts(report: SyncReport) -> tuple[int, int, int, int]:
    return report.written, report.brought, report.changed, len(report.conflicts)


def held(workspace: Workspace) -> dict[str, str]:
    """Title → text, as the journal has it."""
    return {fields["title"]: fields["text"] for _, fields in journal_tiddlers(workspace)}


def lies(folder: Path) -> dict[str, str]:
    """Title → text, as the folder has it."""
    read = [read_tid(path.read_bytes(), path.name) for path in folder.glob("*.tid")]
    return {fields["title"]: fields["text"] for fields in read}


def put(folder: Path, title: str, text: str, **more: str) -> Path:
    path = folder / f"{title}.tid"
    written = write_tid({"title": title, "created": "20200101101010123", **more, "text": text})
    assert written is not None
    path.write_text(written, "utf-8")
    return path


def test_new_on_either_side_comes_to_the_other_once(workspace: Workspace, folder: Path) -> None:
    save_entry(workspace, "From here")
    put(folder, "Harbor", "From there\n\n\n\n", mood="gray", tags="a [[b c]]")
    assert counts(sync_journal(workspace, folder)) == (1, 1, 0, 0)
    assert sorted(held(workspace).values()) == ["From here", "From there\n\n\n\n"]
    assert held(workspace) == lies(folder)
    ((row, fields),) = [each for each in journal_tiddlers(workspace) if each[1]["title"] == "Harbor"]
    assert (fields["mood"], row.tags, row.kind, row.date) == ("gray", ("a", "b c"), "journal", "2020-01-01")
    assert {source.use for source in list_sources(workspace.database)} == {"recall"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.glob("Journal*")} == {0o600}
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert counts(sync_journal(workspace, folder)) == (0, 0, 0, 0)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_was_edited_there_changes_the_same_entry_here(workspace: Workspace, folder: Path) -> None:
    saved = save_entry(workspace, "First words")
    sync_journal(workspace, folder)
    (path,) = folder.glob("*.tid")
    path.write_text(path.read_text().replace("First words", "Better words").replace("tags: ", "mood: calm\ntags: x "))
    assert counts(sync_journal(workspace, folder)) == (0, 0, 1, 0)
    (document,) = list_documents(workspace.database)
    assert (document.id, document.text, document.tags) == (saved.id, "Better words", ("x", "Journal"))
    assert counts(sync_journal(workspace, folder)) == (0, 0, 0, 0)


def test_changed_on_both_sides_both_stay_on_both_sides(workspace: Workspace, folder: Path) -> None:
    path = put(folder, "Harbor", "As it was")
    sync_journal(workspace, folder)
    (before,) = list_documents(workspace.database)
    path.write_text(path.read_text().replace("As it was", "As it is there"))
    edit_here(workspace, "Harbor", "As it is here")
    report = sync_journal(workspace, folder, NOON)
    other = "Harbor (conflict 2024-05-01 12.30.05)"
    assert report.conflicts == [other]
    assert held(workspace) == lies(folder) == {"Harbor": "As it is there", other: "As it is here"}
    assert {row.title: row.id for row in list_documents(workspace.database)}[other] == before.id
    assert counts(sync_journal(workspace, folder)) == (0, 0, 0, 0)


def test_two_who_wrote_under_one_title_before_they_met_keep_both(workspace: Workspace, folder: Path) -> None:
    elsewhere = Workspace.create(folder.parent / "elsewhere", "Ada Marlow")
    for each, text in ((workspace, "On the laptop"), (elsewhere, "On the desk")):
        save_entry(each, text, NOON)
        sync_journal(each, folder, NOON)
    sync_journal(workspace, folder)
    assert sorted(lies(folder).values()) == ["On the desk", "On the laptop"]
    assert held(workspace) == held(elsewhere) == lies(folder)


def test_what_is_deleted_there_stays_here_and_is_not_written_again(workspace: Workspace, folder: Path) -> None:
    save_entry(workspace, "Kept here")
    sync_journal(workspace, folder)
    for path in folder.glob("*.tid"):
        path.unlink()
    report = sync_journal(workspace, folder)
    assert (counts(report), report.gone_there) == ((0, 0, 0, 0), 1)
    assert list(held(workspace).values()) == ["Kept here"]
    assert not list(folder.glob("*.tid"))


def test_what_is_deleted_here_does_not_come_back(workspace: Workspace, folder: Path) -> None:
    put(folder, "Harbor", "Forget this")
    sync_journal(workspace, folder)
    workspace.database.execute("DELETE FROM document")
    report = sync_journal(workspace, folder)
    assert (report.gone_here, held(workspace), len(lies(folder))) == (1, {}, 1)


SYNCING = """
import sys
from pathlib import Path
from core.corpus.journal_sync import sync_journal
from core.workspace import Workspace
sync_journal(Workspace.open(Path(sys.argv[1])), Path(sys.argv[2]))
"""


def test_a_kill_in_the_middle_is_made_up_for(workspace: Workspace, folder: Path) -> None:
    for number in range(30):
        save_entry(workspace, f"Here {number}")
        put(folder, f"Note {number}", f"There {number}")
    process = subprocess.Popen([sys.executable, "-c", SYNCING, str(workspace.root), str(folder)])
    while not list(folder.glob("Journal*.tid")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert len(list(folder.glob("Journal*.tid"))) < 30, "it was killed in the middle"
    sync_journal(workspace, folder)
    assert held(workspace) == lies(folder)
    assert len(list_documents(workspace.database)) == len(list(folder.glob("*.tid"))) == 60


def test_a_folder_that_has_gone_is_one_clear_line_and_changes_nothing(workspace: Workspace, folder: Path) -> None:
    save_entry(workspace, "Here")
    folder.rmdir()
    with pytest.raises(UsageError, match="is not there"):
        sync_journal(workspace, folder)
    assert not folder.exists()
    folder.mkdir()
    assert counts(sync_journal(workspace, folder)) == (1, 0, 0, 0)


def test_what_is_no_text_of_the_person_is_left_alone_or_named(workspace: Workspace, folder: Path) -> None:
    put(folder, "$__StoryList", "x").write_text("title: $:/StoryList\n\nx")
    put(folder, "Empty", "x").write_text("title: Empty\ntags: a\n\n\n")
    (folder / "bad.tid").write_bytes(b"title: Bad\n\n\xff\xfe")
    (folder / "many.json").write_text('[{"title": "a", "text": "b"}, {"title": "c", "text": "d"}]')
    put(folder, "Twice", "first")
    put(folder, "Zwice", "x").write_text("title: Twice\n\nsecond")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    report = sync_journal(workspace, folder)
    assert {each["locator"] for each in report.issues} == {"Empty.tid", "bad.tid", "many.json", "Zwice.tid"}
    assert held(workspace) == {"Twice": "first"}
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_title_that_no_tid_file_can_hold_goes_out_and_comes_back(workspace: Workspace, folder: Path) -> None:
    odd = {"title": "../up\nand down ", "text": "Salt\x00", "": "no name"}
    other = Workspace.create(folder.parent / "other", "Ada Marlow")
    (folder / "in.json").write_text(json.dumps(odd))
    sync_journal(workspace, folder)
    second = folder.parent / "second"
    second.mkdir()
    sync_journal(workspace, second)
    assert [path.suffix for path in second.iterdir()] == [".json"]
    sync_journal(other, second)
    assert [fields for _, fields in journal_tiddlers(other)] == [odd]


def edit_here(workspace: Workspace, title: str, text: str) -> None:
    """Change an entry here, as another folder that it is kept in step with would."""
    aside = workspace.root.parent / "aside"
    aside.mkdir(exist_ok=True)
    sync_journal(workspace, aside)
    for path in aside.glob("*.tid"):
        fields = read_tid(path.read_bytes(), path.name)
        if fields["title"] == title:
            path.write_text(write_tid({**fields, "text": text}) or "")
    assert sync_journal(workspace, aside).changed == 1


STEP = st.tuples(st.sampled_from(["here", "there", "edit there", "edit here", "drop there", "sync"]), st.integers(0, 2))


@given(st.lists(STEP, max_size=12))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_words_are_ever_lost_whatever_happens_in_which_order(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    root = tmp_path_factory.mktemp("both")
    workspace, folder = Workspace.create(root / "ws", "Ada Marlow"), root / "tiddlers"
    folder.mkdir()
    for number, (step, which) in enumerate(steps):
        text = f"words {number}"
        titles = sorted(lies(folder))
        title = titles[which % len(titles)] if titles else ""
        if step == "here":
            save_entry(workspace, text)
        elif step == "there":
            put(folder, f"Note {number}", text)
        elif step == "edit there" and title:
            (path,) = [each for each in folder.glob("*.tid") if read_tid(each.read_bytes(), "")["title"] == title]
            path.write_text(write_tid({**read_tid(path.read_bytes(), ""), "text": text}) or "")
        elif step == "edit here" and title and title in held(workspace):
            edit_here(workspace, title, text)
        elif step == "drop there" and title:
            for each in folder.glob("*.tid"):
                if read_tid(each.read_bytes(), "")["title"] == title:
                    each.unlink()
        else:
            newest = _newest(workspace, folder)
            sync_journal(workspace, folder)
            assert newest <= {*held(workspace).values()}
    sync_journal(workspace, folder)
    report = sync_journal(workspace, folder)
    assert counts(report) == (0, 0, 0, 0)
    assert set(lies(folder).items()) <= set(held(workspace).items())


def _newest(workspace: Workspace, folder: Path) -> set[str]:
    """Texts that one side changed since the two were last the same."""
    base = synced_hashes(workspace.database, str(folder))
    mine = {fields["title"]: fields for _, fields in journal_tiddlers(workspace)}
    theirs = {each["title"]: each for each in (read_tid(path.read_bytes(), "") for path in folder.glob("*.tid"))}
    return {
        fields["text"] for side in (mine, theirs) for title, fields in side.items() if base.get(title) != _hash(fields)
    }
