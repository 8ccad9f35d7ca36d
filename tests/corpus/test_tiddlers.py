"""Tiddlers in and out: every field as it stood, the unknown ones too."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.corpus.importing import Request, import_source
from core.corpus.journal import export_journal, json_of
from core.corpus.opening import expand, open_source
from core.corpus.records import Options
from core.corpus.sniffing import choose
from core.corpus.tiddlers import file_stem, joined_tags, parted_tags, read_tid, write_tid
from core.runs.job import Job
from core.store.documents import list_documents
from core.store.sources import list_sources
from core.workspace import Workspace

ANY = st.text(max_size=30)
WORDS = st.text(string.ascii_letters + " \n\r\té«日👩‍🚀[]|:#{}\"'\\\ufeff\u2028", min_size=0, max_size=80)
STAMP = st.datetimes().map(lambda each: each.strftime("%Y%m%d%H%M%S").zfill(14) + f"{each.microsecond // 1000:03d}")
TAGS = st.lists(st.text("ab c日é-", min_size=1, max_size=8).map(str.strip).filter(bool), max_size=4).map(joined_tags)
KNOWN = st.fixed_dictionaries(
    {"title": WORDS.filter(str.strip), "text": WORDS.filter(str.strip)},
    optional={
        "created": STAMP, "modified": STAMP, "tags": TAGS, "creator": ANY,
        "type": st.sampled_from(["", "text/plain", "text/vnd.tiddlywiki", "text/x-markdown"]),
    },
)  # fmt: skip
CUSTOM = st.dictionaries(ANY.filter(lambda key: key not in ("draft.of", "plugin-type")), ANY, max_size=3)
FIELDS = st.builds(lambda known, custom: {**custom, **known}, KNOWN, CUSTOM)


class Telling:
    """Where the events of an import go that nobody follows."""

    def append(self, kind: str, payload: dict[str, Any]) -> None:
        """Nobody reads them."""


def bring_in(workspace: Workspace, path: Path) -> Any:
    """Import a path as a journal, in this process."""
    job = Job(workspace, workspace.runs, {}, Telling())
    return import_source(job, Request(str(path), "tiddlywiki"), Options(kind="journal"), None)


@given(FIELDS)
def test_a_tid_file_holds_every_field_or_says_that_it_cannot(fields: dict[str, str]) -> None:
    written = write_tid(fields)
    if written is not None:
        assert read_tid(written.encode(), "x.tid") == fields
    plain = all(value.isprintable() and value == value.strip() for key, value in fields.items() if key != "text")
    if (
        plain
        and all(key.isalnum() for key in fields)
        and "\x00" not in fields["text"]
        and not any("\ud800" <= each <= "\udfff" for each in fields["text"])
    ):
        assert written is not None, "nothing in it needs JSON"


@given(st.lists(FIELDS, min_size=1, max_size=4, unique_by=lambda fields: fields["title"].strip()))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_came_in_goes_out_field_by_field(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory, tiddlers: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("wiki")
    came = [each for each in tiddlers if not each["title"].strip().startswith("$:/")]
    workspace.database.execute("DELETE FROM source")
    (folder / "journal.json").write_text(json_of(tiddlers), "utf-8")
    bring_in(workspace, folder / "journal.json")
    key = partial(json.dumps, sort_keys=True)
    export_journal(workspace, folder / "out.json")
    assert sorted(json.loads((folder / "out.json").read_text("utf-8")), key=key) == sorted(came, key=key)

    (folder / "tids").mkdir()
    export_journal(workspace, folder / "tids")
    workspace.database.execute("DELETE FROM source")
    if came:
        bring_in(workspace, folder / "tids")
    export_journal(workspace, folder / "again.json")
    assert sorted(json.loads((folder / "again.json").read_text("utf-8")), key=key) == sorted(came, key=key)


@given(st.lists(st.text(min_size=1, max_size=12).filter(lambda tag: "]" not in tag and "[" not in tag), max_size=5))
def test_tags_with_spaces_stand_in_brackets(tags: list[str]) -> None:
    wanted = tuple(tag for tag in tags if tag.strip())
    assert parted_tags(joined_tags(wanted)) == wanted


@given(st.lists(st.text(min_size=1, max_size=200), max_size=6))
def test_every_title_has_a_file_of_its_own_inside_the_folder(titles: list[str]) -> None:
    taken: set[str] = set()
    for title in titles:
        stem = file_stem(title, taken)
        assert stem.casefold() not in taken
        assert "/" not in stem
        assert stem.strip(". ") == stem != ""
        assert len(f"{stem}.json".encode()) < 255
        taken.add(stem.casefold())


def test_a_tid_file_is_read_as_tiddlywiki_reads_it() -> None:
    data = (
        b"\xef\xbb\xbfcreated: 20140305235959999\r\n# a remark: no\r\nempty:\r\ntags: a [[b c]]\r\n\r\nOne\r\n\r\nTwo\n"
    )
    assert read_tid(data, "Tides.tid") == {
        "title": "Tides", "created": "20140305235959999", "empty": "", "tags": "a [[b c]]", "text": "One\r\n\r\nTwo\n",
    }  # fmt: skip


def test_a_tid_file_and_a_folder_of_them_are_recognized(tmp_path: Path, parse: Callable[..., Any]) -> None:
    wiki = tmp_path / "wiki"
    (wiki / "tiddlers").mkdir(parents=True)
    (wiki / "tiddlywiki.info").write_text("{}")
    for number in range(3):
        tid = (
            f"title: Note {number}\ncreated: 2014030{number + 1}235959999\ntags: Journal\n\nSalt {number}\n\n\n\nagain"
        )
        (wiki / "tiddlers" / f"{number}.tid").write_text(tid)
    assert choose(open_source(wiki / "tiddlers" / "0.tid")).importer.name == "tiddlywiki"
    (source,) = expand(wiki).sources
    assert choose(source).importer.name == "tiddlywiki"
    found = parse(wiki, "tiddlywiki")
    assert [(each.title, each.text, each.date.iso(), each.kind) for each in found if hasattr(each, "kind")] == [
        (f"Note {number}", f"Salt {number}\n\nagain", f"2014-03-0{number + 1}", "journal") for number in range(3)
    ]


def test_a_changed_unknown_field_comes_with_the_next_import(workspace: Workspace, tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    for mood in ("gray", "clear"):
        path.write_text(json.dumps([{"title": "Night", "text": "Salt", "mood": mood}]))
        report = bring_in(workspace, path)
        assert (report.documents, report.changed) == (1, int(mood == "clear"))
    assert bring_in(workspace, path).changed == 0
    export_journal(workspace, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text()) == [{"title": "Night", "text": "Salt", "mood": "clear"}]


def test_an_entry_stays_private_through_export_and_import(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "journal.json").write_text(json.dumps([{"title": "Night", "text": "Salt", "created": "20140305"}]))
    bring_in(workspace, tmp_path / "journal.json")
    export_journal(workspace, tmp_path / "out.json")
    other = Workspace.create(tmp_path / "other", "Ada Marlow")
    bring_in(other, tmp_path / "out.json")
    for each in (workspace, other):
        assert [source.use for source in list_sources(each.database)] == ["recall"]
        assert [document.kind for document in list_documents(each.database)] == ["journal"]
