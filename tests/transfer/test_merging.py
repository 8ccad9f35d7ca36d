"""Edits on both machines come together without conflict, and the same whichever merges first."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from core.adapters.files import ADAPTER_FILES, folder_hash
from core.corpus.journal import save_entry
from core.doctor import check_workspace
from core.errors import RunError, StoreError, TransferError
from core.review.blind import draw
from core.review.decisions import Actor, Decision, decide, redo, undo
from core.runs.control import resume
from core.runs.journal import EventLog, create_run, holding, list_runs, load_run, read_events
from core.store.adapters import find_adapter
from core.store.chunks import index_metadata
from core.store.conversations import assign_split
from core.store.decisions import card_states, list_decisions
from core.store.scorecards import list_scorecards, newest_scorecard, put_scorecard
from core.store.sessions import add_message
from core.store.vector_index import VectorIndex
from core.transfer.merge import BACKUP, merge
from core.workspace import Workspace
from tests.two_machines import OWN, call, content, copied, packed, recall, talk, train

NELL, BO = Actor("person", "Nell"), Actor("person", "Bo")


@pytest.fixture
def box(home: Workspace, tmp_path: Path) -> Workspace:
    """The copy of home on another machine."""
    return copied(home, tmp_path / "box")


def exchanged(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    """Each merges what the other was before either merged."""
    outward, homeward = packed(home, tmp_path / "out.simulee"), packed(box, tmp_path / "back.simulee")
    merge(home, homeward)
    merge(box, outward)


def edit_both(home: Workspace, box: Workspace) -> None:
    """A day's work on each side, by the same person and by different ones."""
    decide(home.database, NELL, [Decision("m000005", "accept"), Decision("m000006", "reject", "dull")])
    decide(box.database, NELL, [Decision("m000006", "accept"), Decision("m000007", "edit", text="I saw it.")])
    decide(box.database, BO, [Decision("m000005", "reject", "not hers")])
    undo(box.database, BO)
    decide(home.database, BO, [Decision("m000003", "reject", "not hers"), Decision("m000003", "flag", second=True)])
    undo(home.database, NELL)
    redo(home.database, NELL)
    decide(box.database, NELL, [Decision("m000002", "accept", second=True)])
    save_entry(home, "I dreamt of the lighthouse.", datetime.fromisoformat("2026-02-01T09:00:00+00:00"))
    save_entry(box, "The box hums all night.", datetime.fromisoformat("2026-02-02T09:00:00+00:00"))
    train(box, b"weights from the box", "2026-02-02T00:00:00+00:00")
    recall(box, "m-from-the-box")
    recall(home, "m-from-home", "e3", "c4")
    decide(box.database, NELL, [Decision("m-from-the-box", "accept")])
    talk(home, "the harbor", "2026-02-01T11:00:00+00:00")
    talk(box, "the stairs", "2026-02-02T11:00:00+00:00")
    call(home.database, "asked at home", "recall-9")
    call(box.database, "asked on the box", "recall-9")
    draw(home.database, "Nell", 3)
    draw(box.database, "Nell", 3)
    with home.database.write():
        assign_split(home.database, "k2", "heldout", "rule")
    with box.database.write():
        assign_split(box.database, "k1", "validation", "person")


def test_a_days_work_on_both_sides_comes_together_the_same_on_each(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    edit_both(home, box)
    exchanged(home, box, tmp_path)
    assert content(home, *OWN) == content(box, *OWN)
    states = {card: state for (_, card), state in card_states(home.database).items()}
    assert states["m000007"] == ("accepted", "I saw it.")
    assert states["m000006"] == ("accepted", "")  # Decided later on the box.
    assert states["m000003"] == ("rejected", "")
    assert states["m-from-the-box"] == ("accepted", "")
    decisions = list_decisions(home.database)
    assert [row.id for row in decisions] == list(range(1, len(decisions) + 1))
    assert [row.at for row in decisions] == sorted(row.at for row in decisions)
    assert {row[0] for row in home.database.rows("SELECT text FROM document WHERE kind = 'journal'")} == {
        "I dreamt of the lighthouse.", "The box hums all night.",
    }  # fmt: skip
    adapter = home.adapters / "sft-2"
    assert folder_hash(adapter, ADAPTER_FILES) == folder_hash(box.adapters / "sft-2", ADAPTER_FILES)
    assert [event.payload["loss"] for event in read_events(home.runs / "sft-2")[0] if event.kind == "metrics"] == [
        3,
        1.5,
    ]
    assert home.database.value("SELECT name FROM active_adapter JOIN adapter ON adapter.id = adapter_id") == "sft-1"
    bad = [f"{check.name}: {check.detail}" for check in check_workspace(home, False, False) if not check.ok]
    assert not [line for line in bad if not line.startswith(("role", "endpoint", "index"))]
    assert home.database.value("PRAGMA foreign_key_check") is None


def test_review_goes_on_the_same_on_both_sides(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    edit_both(home, box)
    exchanged(home, box, tmp_path)
    for _ in range(3):
        assert [row.card_uid for row in undo(home.database, NELL)] == [row.card_uid for row in undo(box.database, NELL)]
        assert card_states(home.database) == card_states(box.database)
    redo(home.database, BO)
    redo(box.database, BO)
    assert card_states(home.database) == card_states(box.database)
    with pytest.raises(Exception, match="append-only"):
        home.database.execute("UPDATE decision SET verb = 'accept'")


def test_a_second_merge_adds_nothing(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    edit_both(home, box)
    file = packed(box, tmp_path / "back.simulee")
    first = merge(home, file)
    assert first.added["decisions"] == 5
    assert first.added["adapters"] == first.added["runs"] == 1
    assert first.backup is not None
    backup, before = (home.root / BACKUP).read_bytes(), content(home)
    again = merge(home, file)
    assert again.added == {}
    assert content(home) == before
    assert (home.root / BACKUP).read_bytes() == backup
    merge(box, packed(home, tmp_path / "out.simulee"))
    assert merge(home, packed(box, tmp_path / "once-more.simulee")).added == {}
    assert content(home, *OWN) == content(box, *OWN)
    assert not list(home.root.glob(".*"))


def test_two_runs_and_adapters_of_one_name_both_stay(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    train(home, b"weights at home", "2026-02-01T00:00:00+00:00", use=True)
    train(box, b"weights on the box", "2026-02-02T00:00:00+00:00")
    file = packed(box, tmp_path / "back.simulee")
    merge(home, file)
    names = home.database.rows("SELECT name, run_id, path FROM adapter ORDER BY id")
    assert names == [(f"sft-{n}", f"sft-{n}", f"adapters/sft-{n}") for n in (1, 2, 3)]
    assert json.loads(home.database.value("SELECT settings FROM adapter WHERE name = 'sft-3'"))["was"] == "sft-2"
    assert json.loads((home.runs / "sft-3" / "run.json").read_text())["was"] == "sft-2"
    assert (home.adapters / "sft-3" / "adapter_model.safetensors").read_bytes() == b"weights on the box"
    assert (home.adapters / "sft-2" / "adapter_model.safetensors").read_bytes() == b"weights at home"
    assert home.database.value("SELECT adapter.name FROM scorecard JOIN adapter ON adapter.id = adapter_id"
                               " ORDER BY scorecard.id DESC") == "sft-3"  # fmt: skip
    assert merge(home, file).added == {}
    assert train(home, b"and more") == "sft-4"


def test_a_run_of_the_same_name_is_not_charged_with_the_others_calls(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    for workspace, cause in ((home, "home"), (box, "box")):
        run = create_run(workspace.runs, "recall", "core.recall.run:run", {"limit": cause})
        (run.folder / "state.json").write_text('{"state": "done", "result": {}}', "utf-8")
        call(workspace.database, f"asked at {cause}", run.id)
    begun = create_run(box.runs, "questions", "core.retrieval.questions:run", {})
    call(box.database, "cut short", begun.id, outcome="")
    merge(home, packed(box, tmp_path / "back.simulee"))
    rows = dict(home.database.rows("SELECT key, run FROM model_call"))
    assert rows == {"before": "recall-1 ", "asked at home": "recall-1", "asked at box": "recall-2",
                    "cut short": "questions-1 (elsewhere)"} | {"before": rows["before"]}  # fmt: skip
    # The call's end is learned of later, and nothing is counted twice.
    with box.database.write():
        box.database.execute("UPDATE model_call SET outcome = 'answered', ended_at = 'x', cost = 2 WHERE outcome = ''")
    merge(home, packed(box, tmp_path / "later.simulee"))
    assert home.database.rows("SELECT outcome, cost FROM model_call WHERE key = 'cut short'") == [("answered", 2)]
    assert home.database.value("SELECT count(*) FROM model_call") == 4


def test_a_run_begun_here_and_ended_there_ends_here(home: Workspace, tmp_path: Path) -> None:
    run = create_run(home.runs, "sft", "core.training.sft:run", {"dataset": "d"})
    (run.folder / "events.jsonl").write_text("", "utf-8")
    folder = run.folder / "checkpoints" / "checkpoint-1"
    folder.mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"state")
    from core.training.checkpoints import write_manifest

    write_manifest(folder)
    box = copied(home, tmp_path / "box", checkpoints=True)
    (box.runs / run.id / "state.json").write_text('{"state": "done", "result": {"adapter": "x"}}', "utf-8")
    assert merge(home, packed(box, tmp_path / "back.simulee")).added["runs"] == 1
    assert {each.id: each.state for each in list_runs(home.runs)} == {"sft-1": "done", "sft-2": "done"}


def test_a_run_that_cannot_be_ended_here_now_is_told_and_ends_with_the_next_merge(
    home: Workspace, tmp_path: Path
) -> None:
    run = create_run(home.runs, "sft", "core.training.sft:run", {"dataset": "d"})
    box = copied(home, tmp_path / "box")
    shutil.copytree(run.folder, box.runs / run.id)
    with closing(EventLog(box.runs / run.id)) as log:
        log.append("ended", {})
    (box.runs / run.id / "state.json").write_text('{"state": "done", "result": {}}', "utf-8")
    decide(box.database, NELL, [Decision("m000005", "accept")])
    file = packed(box, tmp_path / "back.simulee")
    # What stands in the way of the new log stands for a full disk.
    in_the_way = run.folder / f".events.jsonl.{os.getpid()}"
    in_the_way.mkdir()
    done = merge(home, file)
    assert (done.added, done.unended) == ({"decisions": 1}, 1)
    assert done.backup is not None
    assert done.backup.is_file()
    in_the_way.rmdir()
    assert merge(home, file).added == {"runs": 1}
    assert load_run(home.runs, run.id).state == "done"


def test_what_another_machines_run_made_goes_by_its_name_here(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    train(home, b"weights at home", "2026-02-01T00:00:00+00:00", use=True)
    train(box, b"weights on the box", "2026-02-02T00:00:00+00:00")
    damaged = train(box, b"weights that were lost", "2026-02-03T00:00:00+00:00")
    (box.adapters / damaged / "adapter_model.safetensors").write_bytes(b"others")
    for workspace in (home, box):
        adapter = find_adapter(workspace.database, "sft-2")
        assert adapter is not None
        with workspace.database.write():
            put_scorecard(
                workspace.database, None, None,
                {"adapter": None, "adapter_without_memories": "sft-2", "systems": {workspace.root.name: {}},
                 "hashes": {"adapter_without_memories": adapter.hash}}, "2026-03-01",
            )  # fmt: skip
    merge(home, packed(box, tmp_path / "back.simulee"))
    made = {run.id: run.result["adapter"] for run in list_runs(home.runs)}
    assert made == {"sft-1": "sft-1", "sft-2": "sft-2", "sft-3": "sft-3", "sft-4": "sft-3 (elsewhere)"}
    cards = {each["adapter_without_memories"]: [*each["systems"]] for _, _, each in list_scorecards(home.database)
             if "hashes" in each}  # fmt: skip
    assert cards == {"sft-2": ["home"], "sft-3": ["box"]}
    for name, systems in (("sft-2", ["home"]), ("sft-3", ["box"])):
        adapter = find_adapter(home.database, name)
        assert adapter is not None
        newest = newest_scorecard(home.database, adapter)
        assert newest is not None
        assert [*newest[2]["systems"]] == systems


def test_a_run_that_came_by_a_merge_is_resumed_only_where_it_was_begun(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    run = create_run(box.runs, "embed", "core.nowhere:run", {"limit": 2})
    (run.folder / "state.json").write_text('{"state": "cancelled", "result": {}}', "utf-8")
    merge(home, packed(box, tmp_path / "back.simulee"))
    with pytest.raises(RunError, match="embed-1 was begun on another machine"):
        resume(home, "embed-1")
    # The copy that it was packed from, and one unpacked from that, hold what it names.
    other = copied(box, tmp_path / "other")
    assert resume(other, "embed-1").id == "embed-1"


def test_a_brought_run_takes_no_number_that_something_here_goes_by(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    shutil.rmtree(home.runs / train(home, b"weights at home", "2026-02-01T00:00:00+00:00"))
    train(box, b"weights on the box", "2026-02-02T00:00:00+00:00")
    merge(home, packed(box, tmp_path / "back.simulee"))
    assert [(run.id, run.result["adapter"]) for run in list_runs(home.runs)] == [
        ("sft-1", "sft-1"), ("sft-3", "sft-3"),
    ]  # fmt: skip


def test_a_memory_whose_passage_is_not_here_is_left_out_and_its_decision_waits(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    recall(box, "m-elsewhere")
    decide(box.database, NELL, [Decision("m-elsewhere", "accept")])
    with home.database.write():
        # The same document was changed at home after the copy was made: the passage is cut from other words now.
        home.database.execute("UPDATE document SET content_hash = 'zzz' WHERE uid = 'd10'")
        home.database.execute("DELETE FROM chunk WHERE uid = 'c9'")
    done = merge(home, packed(box, tmp_path / "back.simulee"))
    assert "memories" not in done.added
    assert done.left_out["memories"] >= 1
    assert done.left_out["passages"] == 1
    assert done.waiting == 1
    assert home.database.value("SELECT count(*) FROM judgement WHERE judge = 'a judge'") == 0
    assert home.database.value("PRAGMA foreign_key_check") is None


def test_new_passages_are_found_by_their_words_and_by_the_next_index(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    for workspace in (home, box):
        with workspace.database.write():
            assert _index(workspace).rebuild(index_metadata(workspace.database)) == 400
    save_entry(box, "The box hums all night.", datetime.fromisoformat("2026-02-02T09:00:00+00:00"))
    with box.database.write():
        document = box.database.value("SELECT max(id) FROM document")
        chunk = box.database.insert(
            "INSERT INTO chunk (uid, document_id, position, start, stop, text, tokens, last_day)"
            " VALUES ('hum', ?, 0, 0, 23, 'The box hums all night.', 6, 739649)",
            (document,),
        )
        box.database.execute(
            "INSERT INTO chunk_text (rowid, title, text) VALUES (?, 'Journal', 'The box hums')", (chunk,)
        )
        box.database.execute("INSERT INTO vector VALUES (?, 'm', 'r', 2, ?)", (chunk, bytes(range(1, 9))))
        box.database.execute("INSERT INTO chunked VALUES ('document_id', ?, 'cut')", (document,))
        box.database.execute("INSERT INTO mention SELECT 'the box', last_day, id FROM chunk WHERE uid = 'hum'")
    merge(home, packed(box, tmp_path / "back.simulee"))
    found = home.database.rows(
        "SELECT uid FROM chunk_text JOIN chunk ON chunk.id = chunk_text.rowid WHERE chunk_text MATCH 'hums'"
    )
    assert found == [("hum",)]
    # As every search begins: an index that is missing is made from the stored vectors.
    index = _index(home)
    assert index.is_missing()
    with home.database.write():
        assert index.rebuild(index_metadata(home.database)) == 401
    assert index.check() == []
    assert content(home, *OWN) == content(box, *OWN)


def _index(workspace: Workspace) -> VectorIndex:
    return VectorIndex(workspace.database.connection, "m", "r", 2)


def test_a_source_that_either_side_withdrew_is_withdrawn(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    with home.database.write():
        home.database.execute("UPDATE source SET use = 'none', use_chosen = 1")
        home.database.execute("DELETE FROM chunk")
    exchanged(home, box, tmp_path)
    for workspace in (home, box):
        assert workspace.database.rows("SELECT use, use_chosen FROM source") == [("none", 1)]
        assert workspace.database.value("SELECT count(*) FROM chunk") == 0
        assert workspace.database.value("SELECT count(*) FROM memory") == 0


def test_a_chat_that_went_on_on_both_sides_holds_all_that_was_said(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    for workspace, words in ((home, "at home"), (box, "on the box")):
        with workspace.database.write():
            add_message(workspace.database, 1, "user", "Nell", f"And {words}?", "", {}, "2026-02-01T00:00:00+00:00")
    exchanged(home, box, tmp_path)
    assert content(home, *OWN) == content(box, *OWN)
    assert home.database.value("SELECT count(*) FROM session") == 1
    assert home.database.value("SELECT count(*) FROM message") == 4


def test_what_a_dataset_knows_ends_before_the_first_decision_it_cannot_have_known(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    decide(box.database, NELL, [Decision("m000005", "accept")])
    decide(home.database, NELL, [Decision("m000006", "accept")])
    train(home, b"knows of six")
    exchanged(home, box, tmp_path)
    for workspace in (home, box):
        known = dict(workspace.database.rows("SELECT hash, decision FROM dataset"))
        assert known[f"data-{b'knows of six'.hex()}"] == 4
        assert workspace.database.value("SELECT max(id) FROM decision") == 6


def test_another_targets_pack_is_refused(home: Workspace, tmp_path: Path, simulee: Callable[..., Any]) -> None:
    rex = Workspace.create(tmp_path / "rex", "Rex Halloran")
    before = content(home)
    done = simulee("merge", packed(rex, tmp_path / "rex.simulee"), "-w", home.root)
    assert done.returncode == 1
    assert "rex.simulee is a pack of Rex Halloran, this is the workspace of Ada Marlow" in done.stderr
    namesake = Workspace.create(tmp_path / "namesake", "ada marlow")
    save_entry(namesake, "I never saw the sea.")
    with pytest.raises(TransferError, match="no source in common"):
        merge(home, packed(namesake, tmp_path / "namesake.simulee"))
    assert content(home) == before
    assert not (home.root / BACKUP).exists()


def test_a_history_that_was_changed_by_other_means_is_refused(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    box.database.execute("DROP TRIGGER decision_is_append_only_update")
    trigger = home.database.value("SELECT sql FROM sqlite_schema WHERE name = 'decision_is_append_only_update'")
    box.database.execute("UPDATE decision SET verb = 'reject' WHERE id = 1")
    box.database.execute(trigger)
    before = content(home)
    with pytest.raises(Exception, match="otherwise than this workspace"):
        merge(home, packed(box, tmp_path / "back.simulee"))
    assert content(home) == before
    assert not (home.adapters / "sft-2").exists()


def test_a_merge_does_not_begin_beside_a_run_that_holds_the_index(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    with holding(home.runs / ".embed.lock"), pytest.raises(TransferError, match="embed is at work"):
        merge(home, packed(box, tmp_path / "back.simulee"))


def test_trained_retrievers_come_and_the_choice_among_them_stays(
    home: Workspace, box: Workspace, tmp_path: Path
) -> None:
    for workspace, words in ((home, "home"), (box, "box")):
        for name, head in (("head-1", words), ("head-2", "the same"), (f"head-{words}", words)):
            folder = workspace.adapters / "retriever" / name
            folder.mkdir(parents=True)
            (folder / "head.safetensors").write_text(head, "utf-8")
        (workspace.adapters / "retriever" / "in-use").write_text(f"head-{words}", "utf-8")
    file = packed(box, tmp_path / "back.simulee")
    assert merge(home, file).added["retrievers"] == 1  # head-1 of the box is its head-box under another name.
    heads = {path.parent.name: path.read_text("utf-8") for path in home.adapters.glob("retriever/*/head.safetensors")}
    assert heads == {"head-1": "home", "head-1-2": "box", "head-2": "the same", "head-home": "home"}
    assert (home.adapters / "retriever" / "in-use").read_text("utf-8") == "head-home"
    assert merge(home, file).added == {}


def test_a_transaction_that_fails_takes_the_files_out_again(home: Workspace, box: Workspace, tmp_path: Path) -> None:
    train(box, b"weights of the box")
    talk(box, "the tide " * 200_000, "2026-02-02T11:00:00+00:00")
    file, before = packed(box, tmp_path / "back.simulee"), content(home)
    pages = home.database.value("PRAGMA max_page_count")
    home.database.execute(f"PRAGMA max_page_count = {home.database.value('PRAGMA page_count') + 8}")
    with pytest.raises(StoreError, match="the disk is full"):
        merge(home, file)
    assert content(home) == before
    assert [path.name for folder in (home.adapters, home.runs) for path in folder.glob("[!.]*")] == ["sft-1", "sft-1"]
    assert not (home.root / BACKUP).exists()
    home.database.execute(f"PRAGMA max_page_count = {pages}")
    assert merge(home, file).added["adapters"] == 1


def test_a_chat_exported_again_on_one_machine_is_one_chat_on_both(
    workspace: Workspace, tmp_path: Path, import_paths: Callable[..., Any]
) -> None:
    chat = "14/02/2019, 18:30 - Bo: is the light out\n14/02/2019, 18:31 - Ada Marlow: It went out in March.\n"
    first, second = tmp_path / "WhatsApp Chat with Bo.txt", tmp_path / "WhatsApp Chat with Bo (1).txt"
    first.write_text(chat)
    second.write_text(chat + "16/02/2019, 09:31 - Ada Marlow: The ferry is late.\n")
    import_paths(workspace, [first])
    other = copied(workspace, tmp_path / "box")
    import_paths(other, [second])
    exchanged(workspace, other, tmp_path)
    for machine in (workspace, other):
        assert machine.database.rows("SELECT location FROM conversation JOIN source ON source.id = source_id") == [
            (str(second),)
        ]
    assert content(workspace)["exchange"] == content(other)["exchange"]
