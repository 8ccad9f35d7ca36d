"""An interview that was corrected on one machine is one interview after a merge, in its corrected form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core.corpus.holdout import assign_splits, hold_out
from core.dataset.build import build
from core.models.embedder import Embedder
from core.models.load_embedder import load_embedder
from core.retrieval.embedding import cut_corpus
from core.review.decisions import Actor, Decision, decide
from core.runs.job import Job
from core.store.conversations import exchanges_of, list_conversations
from core.store.datasets import list_datasets, trained_conversations
from core.store.memories import MemoryRow, put_memories, review_rows
from core.transfer.merge import merge
from core.workspace import Workspace
from tests.two_machines import copied, packed

Importing = Callable[..., dict[str, Any]]
YEARS = (2010, 2011, 2012, 2013)


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


def _talk(folder: Path, year: int, title: str = "") -> Path:
    path = folder / f"talk-{year}.txt"
    path.write_text(
        f"Title: {title or f'Talk {year}'}\nDate: {year}-05-01\nInterviewer: Ines Calder\nInterviewee: Ada Marlow\n\n"
        f"Q: What did you count in {year}?\nA: I counted the jars of {year} twice, and the ferry of {year} once.\n\n"
        f"Q: And then?\nA: It rained on the harbor all through {year}.\n",
        "utf-8",
    )
    return path


@pytest.fixture
def home(workspace: Workspace, import_paths: Importing, tmp_path: Path) -> Workspace:
    """Four interviews, of which a person holds the first out, and a memory that a person accepted."""
    note = tmp_path / "jars.md"
    note.write_text("The jars on the shelf were counted.", "utf-8")
    import_paths(workspace, [*(_talk(tmp_path, year) for year in YEARS), note])
    assign_splits(workspace)
    hold_out(workspace, [f"c{list_conversations(workspace.database)[0].id}"])
    _accept_a_memory(workspace)
    return workspace


def _accept_a_memory(workspace: Workspace, uid: str = "m-jars") -> None:
    """For the second interview."""
    database = workspace.database
    document = database.value("SELECT id FROM document")
    words = "The jars on the shelf were counted."
    with database.write():
        database.execute(
            "INSERT INTO chunk (uid, document_id, position, start, stop, text, tokens, last_day)"
            " VALUES ('jars', ?, 0, 0, ?, ?, 8, -1) ON CONFLICT DO NOTHING",
            (document, len(words), words),
        )
        chunk = database.value("SELECT id FROM chunk WHERE uid = 'jars'")
        asked = exchanges_of(database, list_conversations(database)[1].id)[0]
        memory = MemoryRow(0, uid, asked.id, chunk, 1, 1.0, "extractive", f"{uid}: {words}", words, 0, len(words))
        put_memories(database, asked.id, [(memory, {})], remove_others=False)
    decide(database, Actor("person", "Nell"), [Decision(uid, "accept")])


def _told(workspace: Workspace) -> dict[str, Any]:
    """Title → how it is set aside and by whom; then, for which title what is accepted."""
    splits = dict(
        workspace.database.rows(
            "SELECT title, split || ' by ' || chosen_by FROM conversation"
            " LEFT JOIN conversation_split ON conversation_uid = conversation.uid ORDER BY title"
        )
    )
    return splits | {row.memory.uid: (row.conversation_title, row.state) for row in review_rows(workspace.database)}


def test_both_machines_hold_the_corrected_form_alone_set_aside_as_it_was(
    home: Workspace, import_paths: Importing, tmp_path: Path
) -> None:
    box = copied(home, tmp_path / "box")
    import_paths(home, [_talk(tmp_path, 2010, "The harbor"), _talk(tmp_path, 2011, "The jars")])
    corrected = _told(home)
    assert corrected["The harbor"] == "heldout by person"
    assert corrected["m-jars"] == ("The jars", "accepted")
    outward, homeward = packed(home, tmp_path / "out.simulee"), packed(box, tmp_path / "back.simulee")
    merge(home, homeward)
    merge(box, outward)
    assert _told(home) == _told(box) == corrected
    assert len(list_conversations(home.database)) == len(YEARS)
    assert (
        home.database.rows("SELECT uid, content_hash FROM source ORDER BY uid")
        == box.database.rows("SELECT uid, content_hash FROM source ORDER BY uid")
    )  # fmt: skip
    merge(home, packed(box, tmp_path / "again.simulee"))
    merge(box, packed(home, tmp_path / "again-out.simulee"))
    assert _told(home) == _told(box) == corrected


def test_what_was_recalled_and_decided_on_elsewhere_under_the_old_form_comes_home(
    home: Workspace, import_paths: Importing, tmp_path: Path
) -> None:
    box = copied(home, tmp_path / "box")
    _accept_a_memory(box, "m-box")
    import_paths(home, [_talk(tmp_path, 2011, "The jars")])
    outward, homeward = packed(home, tmp_path / "out.simulee"), packed(box, tmp_path / "back.simulee")
    merged = merge(home, homeward)
    merge(box, outward)
    assert merged.waiting == 0
    assert not merged.left_out
    assert _told(home) == _told(box)
    assert _told(home)["m-box"] == ("The jars", "accepted")
    assert not merge(home, homeward).added


def test_what_was_frozen_elsewhere_under_the_old_form_is_of_the_new_one(
    home: Workspace, import_paths: Importing, tmp_path: Path
) -> None:
    box = copied(home, tmp_path / "box")
    dataset = build(box)
    import_paths(home, [_talk(tmp_path, 2011, "The jars")])
    merge(home, packed(box, tmp_path / "back.simulee"))
    (ours,) = (row for row in list_datasets(home.database) if row.hash == dataset.hash)
    uids = {row.title: row.uid for row in list_conversations(home.database)}
    assert {"Talk 2012", "The jars"} <= {
        title for title, uid in uids.items() if uid in trained_conversations(home.database, ours.id)
    }


def test_a_corrected_form_that_is_held_out_takes_no_passage_of_the_old_one(
    home: Workspace, import_paths: Importing, tmp_path: Path, embedder: Embedder
) -> None:
    box = copied(home, tmp_path / "box")
    job = SimpleNamespace(workspace=box, progress=lambda *_: None, stop_point=lambda: None)
    cut_corpus(cast(Job, job), embedder)
    of_answers = "SELECT count(*) FROM chunk WHERE instr(text, 'jars of 2011')"
    assert box.database.value(of_answers) == 1
    import_paths(home, [_talk(tmp_path, 2011, "The jars")])
    (corrected,) = (row for row in list_conversations(home.database) if row.title == "The jars")
    hold_out(home, [f"c{corrected.id}"])
    merge(box, packed(home, tmp_path / "out.simulee"))
    assert _told(box)["The jars"] == "heldout by person"
    assert box.database.value(of_answers) == 0


def test_what_a_person_held_out_elsewhere_under_the_old_form_is_held_out_here(
    home: Workspace, import_paths: Importing, tmp_path: Path
) -> None:
    box = copied(home, tmp_path / "box")
    hold_out(box, [f"c{list_conversations(box.database)[1].id}"])
    import_paths(home, [_talk(tmp_path, 2011, "The jars")])
    merge(home, packed(box, tmp_path / "back.simulee"))
    assert _told(home)["The jars"] == "heldout by person"


def test_an_interview_that_was_added_on_one_machine_is_no_form_of_another(
    home: Workspace, import_paths: Importing, tmp_path: Path
) -> None:
    box = copied(home, tmp_path / "box")
    import_paths(home, [_talk(tmp_path, 2014)])
    import_paths(box, [_talk(tmp_path, 2015)])
    merge(home, packed(box, tmp_path / "back.simulee"))
    assert len(list_conversations(home.database)) == len(YEARS) + 2
