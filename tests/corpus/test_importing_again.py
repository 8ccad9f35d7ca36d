"""The same source again changes nothing; a changed one updates what changed; uses are the strictest until chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.corpus.importing import Request, import_source
from core.corpus.records import Options
from core.dataset.build import build
from core.dataset.export import find_dataset
from core.dataset.verify import verify
from core.journey import EMBED
from core.models.load_embedder import load_embedder
from core.retrieval.search import Query, Searcher
from core.review.decisions import Actor, Decision, decide
from core.runs.control import run_to_end
from core.runs.job import Job
from core.store.conversations import exchanges_of
from core.store.datasets import examples_of
from core.store.fingerprints import fingerprint
from core.store.identity import content_uid
from core.store.memories import MemoryRow, put_memories, review_rows
from core.store.sources import list_sources
from core.workspace import Workspace

Importing = Callable[..., dict[str, Any]]

LAMP = "The light on the head went out in March and nobody was sent."
SALT = "Salt is four pounds the sack, which I do not call a fair price."


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    folder = tmp_path / "vault"
    folder.mkdir()
    _note(folder, "lamp", "2011-01-01", LAMP)
    _note(folder, "salt", "2012-01-01", SALT)
    return folder


def _note(folder: Path, name: str, date: str, text: str, tags: str = "[]") -> None:
    (folder / f"{name}.md").write_text(f"---\ntitle: {name}\ndate: {date}\ntags: {tags}\n---\n{text}\n", "utf-8")


def _changes(told: dict[str, Any]) -> tuple[int, int, int]:
    source = told["sources"][0]
    return source["added"], source["changed"], source["removed"]


def _chunks(workspace: Workspace) -> list[str]:
    return [row[0] for row in workspace.database.rows("SELECT text FROM chunk ORDER BY text")]


def test_the_same_source_again_changes_nothing(workspace: Workspace, vault: Path, import_paths: Importing) -> None:
    assert _changes(import_paths(workspace, [vault])) == (2, 0, 0)
    before = fingerprint(workspace.database, "import")
    assert _changes(import_paths(workspace, [vault])) == (0, 0, 0)
    assert fingerprint(workspace.database, "import") == before


def test_a_changed_source_updates_what_changed(workspace: Workspace, vault: Path, import_paths: Importing) -> None:
    import_paths(workspace, [vault])
    _note(vault, "lamp", "2011-01-01", LAMP + " I went myself.")
    _note(vault, "rope", "2013-01-01", "A knot is a promise made in hemp.")
    (vault / "salt.md").unlink()
    assert _changes(import_paths(workspace, [vault])) == (1, 1, 1)
    assert [row[0] for row in workspace.database.rows("SELECT title FROM document ORDER BY title")] == ["lamp", "rope"]


def test_a_document_changed_and_changed_back_is_found_again(
    workspace: Workspace, vault: Path, import_paths: Importing
) -> None:
    for text in (LAMP, "Quite other words about the same lamp.", LAMP):
        _note(vault, "lamp", "2011-01-01", text)
        import_paths(workspace, [vault])
        if text == LAMP:
            run_to_end(workspace, *EMBED, {})
    assert LAMP in _chunks(workspace)


def test_words_that_are_gone_are_not_found_even_before_the_next_embedding(
    workspace: Workspace, vault: Path, import_paths: Importing
) -> None:
    import_paths(workspace, [vault])
    run_to_end(workspace, *EMBED, {})
    _note(vault, "lamp", "2011-01-01", "Quite other words.")
    import_paths(workspace, [vault])
    found = Searcher(workspace, load_embedder).search(Query("the light on the head"))
    assert LAMP not in [hit.passage.chunk.text for hit in found]
    run_to_end(workspace, *EMBED, {})
    assert run_to_end(workspace, *EMBED, {})["embedded"] == 0


def test_a_changed_tag_costs_no_memory(
    workspace: Workspace, vault: Path, import_paths: Importing, write_interview: Callable[..., Path]
) -> None:
    import_paths(workspace, [vault, write_interview("2015-01-01", [("And the lamp?", "It went out.")])])
    run_to_end(workspace, *EMBED, {})
    database = workspace.database
    chunk = database.value("SELECT id FROM chunk WHERE text = ?", (LAMP,))
    asked = database.value("SELECT id FROM exchange")
    with database.write():
        row = MemoryRow(0, content_uid("m"), asked, chunk, 1, 1.0, "extractive", LAMP, LAMP, 0, len(LAMP))
        put_memories(database, asked, [(row, {})])
    _note(vault, "lamp", "2011-01-01", LAMP, tags="[lamps]")
    import_paths(workspace, [vault])
    run_to_end(workspace, *EMBED, {})
    assert [row.memory.text for row in review_rows(database)] == [LAMP]


def test_a_corrected_date_moves_its_passages(workspace: Workspace, vault: Path, import_paths: Importing) -> None:
    import_paths(workspace, [vault])
    run_to_end(workspace, *EMBED, {})
    _note(vault, "lamp", "2020-01-01", LAMP)
    import_paths(workspace, [vault])
    run_to_end(workspace, *EMBED, {})
    from core.dates import as_of_request

    seen = Searcher(workspace, load_embedder).search(Query("the light on the head", before=as_of_request("2015")))
    assert [hit.passage.title for hit in seen] == ["salt"]


def test_a_memory_is_not_trained_once_its_passage_turns_out_to_be_later_than_the_question(
    workspace: Workspace, vault: Path, import_paths: Importing, write_interview: Callable[..., Path]
) -> None:
    with (workspace.root / "persona.toml").open("a") as settings:
        settings.write("\n[dataset]\nfailed_recall = 0.0\n")
    import_paths(workspace, [vault, write_interview("2015-01-01", [("And the lamp?", "It went out.")])])
    run_to_end(workspace, *EMBED, {})
    database = workspace.database
    chunk = database.value("SELECT id FROM chunk WHERE text = ?", (LAMP,))
    asked = database.value("SELECT id FROM exchange")
    with database.write():
        row = MemoryRow(0, content_uid("m"), asked, chunk, 1, 1.0, "extractive", LAMP, LAMP, 0, len(LAMP))
        put_memories(database, asked, [(row, {})])
    decide(database, Actor("person", "Nell"), [Decision(row.uid, "accept")])
    early = find_dataset(workspace, str(build(workspace).id))
    assert verify(workspace, early).parity == []

    _note(vault, "lamp", "2020-01-01", LAMP)
    import_paths(workspace, [vault])
    assert verify(workspace, early).parity == ["sample 1: a memory that it shows is from after its conversation"]
    late = find_dataset(workspace, str(build(workspace).id))
    assert LAMP not in str([example.messages for example in examples_of(database, late.id)])
    assert verify(workspace, late).parity == []


def test_a_new_title_is_found_and_embedded_and_the_old_one_is_not(
    workspace: Workspace, vault: Path, import_paths: Importing
) -> None:
    import_paths(workspace, [vault])
    run_to_end(workspace, *EMBED, {})
    database = workspace.database
    before = database.value("SELECT blob FROM vector JOIN chunk ON chunk.id = chunk_id WHERE text = ?", (LAMP,))
    (vault / "lamp.md").write_text(f"---\ntitle: Lighthouse\ndate: 2011-01-01\n---\n{LAMP}\n")
    import_paths(workspace, [vault])

    def titled(word: str) -> list[str]:
        query = Query(word, mode="lexical")
        return [hit.passage.title for hit in Searcher(workspace, load_embedder).search(query)]

    assert titled("lighthouse") == ["Lighthouse"]
    assert titled("lamp") == []
    assert run_to_end(workspace, *EMBED, {})["embedded"] == 1
    after = database.value("SELECT blob FROM vector JOIN chunk ON chunk.id = chunk_id WHERE text = ?", (LAMP,))
    assert after != before


def test_what_a_person_chose_outlives_a_failed_import(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    path = tmp_path / "notes.md"
    path.write_text(f"---\ntitle: A\ndate: 2011-01-01\n---\n{LAMP}")
    import_paths(workspace, [path], use="recall")
    path.write_bytes(b"")
    sources = [{"path": str(path), "format": "markdown"}]
    run_to_end(workspace, "import", "core.corpus.importing:run", {"sources": sources})
    path.write_text(f"---\ntitle: A\ndate: 2011-01-01\n---\n{SALT}")
    assert import_paths(workspace, [path])["sources"][0]["use"] == "recall"


def test_one_journal_entry_makes_its_source_recall_only(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    path = tmp_path / "wiki.json"
    entries = [
        {"title": "Essay", "text": LAMP, "created": "20110101000000000"},
        {"title": "Night", "text": SALT, "created": "20120101000000000", "tags": "Journal"},
    ]
    path.write_text(json.dumps(entries))
    assert import_paths(workspace, [path])["sources"][0]["use"] == "recall"


def test_private_chats_are_used_for_nothing_unless_someone_says_so(
    workspace: Workspace, sample: Path, import_paths: Importing
) -> None:
    chat = sample / "ada" / "chat-harbor-supper.txt"
    assert import_paths(workspace, [chat])["sources"][0]["use"] == "none"
    assert run_to_end(workspace, *EMBED, {})["chunks"] == 0
    assert import_paths(workspace, [chat], use="recall")["sources"][0]["use"] == "recall"
    assert run_to_end(workspace, *EMBED, {})["chunks"] > 0
    import_paths(workspace, [chat], use="none")
    assert _chunks(workspace) == []
    assert [source.use for source in list_sources(workspace.database)] == ["none"]


def test_the_same_words_from_two_places_are_kept_once(
    workspace: Workspace, vault: Path, tmp_path: Path, import_paths: Importing
) -> None:
    import_paths(workspace, [vault])
    copy = tmp_path / "copy"
    copy.mkdir()
    _note(copy, "lamp", "2011-01-01", LAMP)
    told = import_paths(workspace, [copy])["sources"][0]
    assert told["documents"] == 0
    assert "already imported" in told["issues"][0]["reason"]


def test_another_name_for_the_target_keeps_what_the_first_one_found(
    workspace: Workspace, import_paths: Importing, write_interview: Callable[..., Path]
) -> None:
    import_paths(workspace, [write_interview("2011-01-01", [("Why?", "Because.")])])
    workspace.add_names("A. M.")
    from core.corpus.importing import rederive_exchanges

    assert rederive_exchanges(workspace) == 1
    assert workspace.target == "Ada Marlow"
    assert workspace.settings.aliases == ("A. M.",)


CHAT = """14/02/2019, 18:30 - Bo: is the light out
14/02/2019, 18:31 - Ada Marlow: It went out in March.
"""
MORE = """16/02/2019, 09:30 - Bo: and the ferry
16/02/2019, 09:31 - Ada Marlow: The ferry is late.
"""


def _chats(workspace: Workspace) -> list[tuple[str, list[str]]]:
    """(file, answers) of every stored conversation."""
    rows = workspace.database.rows(
        "SELECT location, conversation.id FROM conversation JOIN source ON source.id = source_id ORDER BY location"
    )
    return [(Path(row[0]).name, [each.answer for each in exchanges_of(workspace.database, row[1])]) for row in rows]


def test_a_chat_exported_again_under_the_next_name_replaces_the_earlier_export(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    first, second = tmp_path / "WhatsApp Chat with Bo.txt", tmp_path / "WhatsApp Chat with Bo (1).txt"
    first.write_text(CHAT)
    second.write_text(CHAT + MORE)
    import_paths(workspace, [first], use="train")
    run_to_end(workspace, *EMBED, {})
    database = workspace.database
    chunk, asked = database.value("SELECT id FROM chunk"), database.value("SELECT id FROM exchange")
    with database.write():
        row = MemoryRow(0, content_uid("m"), asked, chunk, 1, 1.0, "extractive", LAMP, LAMP, 0, len(LAMP))
        put_memories(database, asked, [(row, {})])

    told = import_paths(workspace, [second])["sources"][0]
    assert (told["changed"], told["use"], told["skipped"]) == (1, "train", 0)
    assert "goes on from" in told["issues"][0]["reason"]
    both = ["It went out in March.", "The ferry is late."]
    assert _chats(workspace) == [(second.name, both)]
    run_to_end(workspace, *EMBED, {})
    assert [row.memory.text for row in review_rows(database)] == [LAMP]

    before = fingerprint(database, "import")
    assert _changes(import_paths(workspace, [second])) == (0, 0, 0)
    assert fingerprint(database, "import") == before
    assert [source.use for source in list_sources(database)] == ["train", "train"]


def test_an_earlier_export_of_a_chat_is_reported_and_left_out(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    first, second = tmp_path / "WhatsApp Chat with Bo.txt", tmp_path / "WhatsApp Chat with Bo (1).txt"
    first.write_text(CHAT)
    second.write_text(CHAT + MORE)
    import_paths(workspace, [second])
    told = import_paths(workspace, [first])["sources"][0]
    assert (told["conversations"], told["skipped"]) == (0, 1)
    assert told["issues"][0]["reason"] == f"already imported from {second}, which goes further"
    assert [name for name, _ in _chats(workspace)] == [second.name]


def test_a_later_export_replaces_the_earlier_one_though_a_message_was_deleted_since(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    first, second = tmp_path / "WhatsApp Chat with Bo.txt", tmp_path / "WhatsApp Chat with Bo (1).txt"
    first.write_text(CHAT)
    second.write_text(CHAT.replace("It went out in March.", "This message was deleted") + MORE)
    import_paths(workspace, [first])
    import_paths(workspace, [second])
    assert _chats(workspace) == [(second.name, ["The ferry is late."])]


def test_two_chats_that_begin_with_the_same_notice_are_two(
    workspace: Workspace, tmp_path: Path, import_paths: Importing
) -> None:
    notice = "14/02/2019, 18:29 - Messages and calls are end-to-end encrypted. Tap to learn more.\n"
    one, other = tmp_path / "WhatsApp Chat with Bo.txt", tmp_path / "WhatsApp Chat with Mags.txt"
    one.write_text(notice + CHAT)
    other.write_text(notice + MORE.replace("Bo", "Mags"))
    import_paths(workspace, [one, other])
    assert [name for name, _ in _chats(workspace)] == [one.name, other.name]


def test_two_imports_within_a_second_are_told_apart(workspace: Workspace, tmp_path: Path) -> None:
    note = tmp_path / "note.md"
    job = SimpleNamespace(workspace=workspace, stop_point=lambda: None, progress=lambda *_: None)
    moments = []
    for words in ("The jars were counted.", "The jars were counted twice."):
        note.write_text(words, "utf-8")
        import_source(cast(Job, job), Request(str(note), "text"), Options(), None)
        moments.append(workspace.database.value("SELECT imported_at FROM source"))
    assert moments[0] < moments[1]
