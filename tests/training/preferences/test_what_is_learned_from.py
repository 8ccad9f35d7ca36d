"""What a run on preferences learns from: what was decided, never what is held out or for recall only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.errors import ModelError, SettingsError, TrainingError, UsageError
from core.review.decisions import Decision, decide, undo
from core.store.adapters import AdapterRow, put_adapter, use_adapter
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow, chunk_ids_of
from core.store.documents import list_documents
from core.store.pairs import put_pair
from core.store.sessions import add_memories, add_message, begin_session, rate_message
from core.training.preferences.gathering import Gathered, found_again, gathered
from core.training.preferences.launch import dpo_params, kto_params
from core.workspace import Workspace

from .conftest import AT, NELL, prefer


def _answer(workspace: Workspace, question: str, text: str, rating: int = 0, chunk: int | None = None) -> int:
    """An answer in a chat, with the prompt that it answers. Returns the message's id."""
    database = workspace.database
    with database.write():
        session = begin_session(database, None, "2026", AT)
        add_message(database, session, "user", "Nell", question, "", {}, AT)
        message = add_message(database, session, "assistant", "Ada", text, "the prompt", {}, AT)
        if rating:
            rate_message(database, message, rating, AT)
        if chunk is not None:
            add_memories(database, message, [(chunk, "I remember")])
    return message


def _texts(found: Gathered) -> set[tuple[str, str]]:
    return {(each.chosen, each.rejected) for each in found.preferences}


def test_only_decided_pairs_are_learned_from_the_way_they_were_decided(interviewed: Workspace) -> None:
    database = interviewed.database
    prefer(interviewed, "Why maps?", "They argue.", "They are useful.")
    with database.write():
        right, bad, _waiting, undone = (
            put_pair(database, "Why maps?", "", f"left {n}", f"right {n}", "comparison", None, AT, owners=())
            for n in range(4)
        )
    decide(database, NELL, [Decision(right, "accept", text="right", card_kind="pair")])
    decide(database, NELL, [Decision(bad, "reject", card_kind="pair")])
    decide(database, NELL, [Decision(undone, "accept", text="left", card_kind="pair")])
    undo(database, NELL)
    assert _texts(gathered(interviewed, "dpo")) == {("They argue.", "They are useful."), ("right 0", "left 0")}
    # KTO learns from an answer alone, so of two bad ones too.
    assert _texts(gathered(interviewed, "kto")) >= {("", "left 1"), ("", "right 1")}


def test_a_thumb_counts_unless_the_answer_was_judged_in_a_pair(interviewed: Workspace) -> None:
    _answer(interviewed, "Why maps?", "They argue.", 1)
    _answer(interviewed, "Why tides?", "As an AI, I have none.", -1)
    _answer(interviewed, "Why ink?", "Nobody said.")
    assert _texts(gathered(interviewed, "kto")) == {("They argue.", ""), ("", "As an AI, I have none.")}
    prefer(interviewed, "Why maps?", "They flatter.", "They argue.")
    assert _texts(gathered(interviewed, "kto")) == {("They flatter.", "They argue."), ("", "As an AI, I have none.")}
    assert gathered(interviewed, "kto").origins == {"comparison": 1, "rating": 1}
    assert _texts(gathered(interviewed, "dpo")) == {("They flatter.", "They argue.")}


def test_what_is_held_out_is_left_out_and_counted(interviewed: Workspace) -> None:
    prefer(interviewed, "What came in 2012?", "Rain.", "I am a language model.")
    prefer(interviewed, "  what came IN 2015 ", "A bill.", "I am a language model.")
    found = gathered(interviewed, "dpo")
    assert [each.question for each in found.preferences] == ["What came in 2012?"]
    assert found.held_out == 1


def test_an_answer_that_says_what_a_held_out_one_says_is_left_out(
    interviewed: Workspace, import_paths: Callable[..., object], write_interview: Callable[..., Path]
) -> None:
    said = "The harbor was sold twice that year, and nobody who bought it had ever seen it at low water."
    import_paths(interviewed, [write_interview("2016-01-01", [("And the harbor?", said)])], "raft-transcript")
    from core.corpus.holdout import candidates, hold_out

    newest = next(each for each in candidates(interviewed) if each.date == "2016-01-01")
    hold_out(interviewed, [newest.reference])
    prefer(interviewed, "Tell me of it.", f"Well. {said}", "I cannot.")
    assert (gathered(interviewed, "dpo").preferences, gathered(interviewed, "dpo").held_out) == ((), 1)


def test_what_rests_on_words_for_recall_only_is_left_out(
    interviewed: Workspace, import_paths: Callable[..., object], tmp_path: Path
) -> None:
    for use, question, text in (
        ("recall", "What did you hide?", "I never told Pell about the letter in the drawer. It rained all week."),
        ("train", "What is a chart?", "A chart is an argument with the sea, and the sea does not argue back at all."),
    ):
        path = tmp_path / f"{use}.md"
        path.write_text(text)
        import_paths(interviewed, [path], None, use=use, target="Ada Marlow")
        document = list_documents(interviewed.database)[-1]
        chunk = ChunkRow(0, use, document.id, None, 0, 0, len(text), text, 20, -1)
        with interviewed.database.write():
            sync_chunks(interviewed.database, "document_id", document.id, use, [chunk])
            number = chunk_ids_of(interviewed.database, "document_id", document.id)[0]
        _answer(interviewed, question, "As you say.", 1, number)
    found = gathered(interviewed, "kto")
    assert [each.question for each in found.preferences] == ["What is a chart?"]
    assert found.not_cleared == 1


def test_a_file_is_learned_from_in_their_place_and_its_bad_lines_are_counted(
    interviewed: Workspace, tmp_path: Path
) -> None:
    prefer(interviewed, "Why maps?", "They argue.", "They are useful.")
    file = tmp_path / "pairs.jsonl"
    line = json.dumps({"prompt": "Why ink?", "chosen": "It stays.", "rejected": "It is a fluid."})
    file.write_text(f"{line}\nnot json\n{line}\n")
    params = dpo_params(interviewed, file=file)
    assert params["origins"] == {"file": 1}
    assert params["left_out"]["refused"] == 1
    again = found_again(interviewed, "dpo", params["preferences"], file)
    assert [(each.question, each.chosen) for each in again] == [("Why ink?", "It stays.")]


def test_a_run_learns_from_what_it_began_with_whatever_is_decided_later(interviewed: Workspace) -> None:
    uid = prefer(interviewed, "Why maps?", "They argue.", "They are useful.")
    params = dpo_params(interviewed)
    decide(interviewed.database, NELL, [Decision(uid, "accept", text="right", card_kind="pair")])
    prefer(interviewed, "Why ink?", "It stays.", "It is a fluid.")
    again = found_again(interviewed, "dpo", params["preferences"], None)
    assert [(each.chosen, each.rejected) for each in again] == [("They argue.", "They are useful.")]
    with pytest.raises(TrainingError, match="1 of the preferences that this run began with are gone"):
        found_again(interviewed, "dpo", [*params["preferences"], ["gone", "left"]], None)


def test_nothing_to_train_on_is_one_clear_line(interviewed: Workspace, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"^there is no decided pair to train on$"):
        dpo_params(interviewed)
    with pytest.raises(TrainingError, match=r"^there is no judged answer to train on$"):
        kto_params(interviewed)
    prefer(interviewed, "What came in 2015?", "A bill.", "I am a language model.")
    with pytest.raises(TrainingError, match=r"no decided pair to train on: 1 ask what is held out$"):
        dpo_params(interviewed)
    file = tmp_path / "pairs.jsonl"
    file.write_text("[]\n")
    with pytest.raises(TrainingError, match=r"^pairs.jsonl has no pair to train on: 1 are no pairs$"):
        dpo_params(interviewed, file=file)


def test_what_cannot_be_is_refused_before_anything_starts(interviewed: Workspace) -> None:
    prefer(interviewed, "Why maps?", "They argue.", "They are useful.")
    with pytest.raises(UsageError, match="no adapter 'sft-9' here"):
        dpo_params(interviewed, start_from="sft-9")
    with pytest.raises(UsageError, match="no preset 'huge'"):
        dpo_params(interviewed, preset="huge")
    with interviewed.database.write():
        row = AdapterRow(0, "sft-2", None, "sft-2", "b", "r", 0, "adapters/sft-2", "h", {"method": "full"}, AT)
        use_adapter(interviewed.database, put_adapter(interviewed.database, row))
    with pytest.raises(ModelError, match="training on preferences needs one") as caught:
        dpo_params(interviewed)
    assert "--from base" in caught.value.hint
    assert dpo_params(interviewed, start_from="base")["start_from"] is None
    with pytest.raises(SettingsError, match="loss"):
        dpo_params(interviewed, start_from="base", settings={"loss": "aot"})
