"""What a judgement rests on decides whether it is learned from, also when its chat is gone and a run is resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.corpus.holdout import candidates, hold_out
from core.dataset.build import build
from core.errors import TrainingError
from core.review.decisions import Decision, decide
from core.store.carrying import sync_chunks
from core.store.chunks import ChunkRow, chunk_ids_of, remove_chunks
from core.store.conversations import list_conversations
from core.store.documents import list_documents
from core.store.pairs import list_pairs, put_pair
from core.store.sessions import add_memories, add_message, begin_session, rate_message
from core.training.preferences.gathering import Gathered, found_again, gathered
from core.training.preferences.launch import dpo_params, kto_params
from core.training.preferences.making import RULE
from core.twin.preferences import compare, correct, forget_session, import_pairs
from core.workspace import Workspace

from .conftest import AT, NELL, prefer


@dataclass
class Talk:
    """A chat in which every answer may show a passage."""

    workspace: Workspace
    session: int

    def ask(self, question: str, *answers: str, shows: int | None = None, prompt: str = "the prompt") -> list[int]:
        """The answers' ids; the last of them shows the passage."""
        database = self.workspace.database
        with database.write():
            add_message(database, self.session, "user", "Nell", question, "", {}, AT)
            ids = [add_message(database, self.session, "assistant", "Ada", text, prompt, {}, AT) for text in answers]
            if shows is not None:
                add_memories(database, ids[-1], [(shows, "I remember")])
        return ids


@pytest.fixture
def talk(interviewed: Workspace) -> Talk:
    with interviewed.database.write():
        return Talk(interviewed, begin_session(interviewed.database, None, "2026", AT))


@pytest.fixture
def passage(interviewed: Workspace, import_paths: Callable[..., object], tmp_path: Path) -> Callable[[str], int]:
    """Import a text for a use; the id of its passage."""

    def do(use: str) -> int:
        path = tmp_path / f"{use}.md"
        path.write_text(f"What is said here is for {use}, and it rained the whole week that I wrote it.")
        import_paths(interviewed, [path], None, use=use, target="Ada Marlow")
        document = next(each for each in list_documents(interviewed.database) if f"is for {use}," in each.text)
        chunk = ChunkRow(0, use, document.id, None, 0, 0, 20, document.text, 20, -1)
        with interviewed.database.write():
            sync_chunks(interviewed.database, "document_id", document.id, use, [chunk])
            return chunk_ids_of(interviewed.database, "document_id", document.id)[0]

    return do


def _clear(workspace: Workspace, ending: str, use: str) -> None:
    with workspace.database.write():
        workspace.database.execute("UPDATE source SET use = ? WHERE location LIKE ?", (use, f"%{ending}"))


def _left(found: Gathered) -> tuple[list[str], int]:
    return sorted(each.chosen for each in found.preferences), found.not_cleared


def test_a_removed_chat_leaves_known_what_its_pairs_rest_on(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int]
) -> None:
    (hidden,) = talk.ask("What did you hide?", "A letter.")
    correct(interviewed, NELL, hidden, "Nothing.")
    (kept,) = talk.ask("What rained?", "Rain.", shows=passage("train"))
    correct(interviewed, NELL, kept, "It rained.")
    (private,) = talk.ask("And then?", "Then.", shows=passage("recall"))
    correct(interviewed, NELL, private, "Later.")
    for _ in range(2):
        assert _left(gathered(interviewed, "dpo")) == (["It rained.", "Nothing."], 1)
        forget_session(interviewed, talk.session)
    _clear(interviewed, "train.md", "recall")
    assert _left(gathered(interviewed, "dpo")) == (["Nothing."], 2)
    _clear(interviewed, "train.md", "train")
    _clear(interviewed, "recall.md", "train")
    assert _left(gathered(interviewed, "dpo"))[1] == 0
    with interviewed.database.write():
        interviewed.database.execute("DELETE FROM source WHERE location LIKE '%train.md'")
    assert _left(gathered(interviewed, "dpo")) == (["Nothing."], 2)


def test_what_an_earlier_answer_of_the_chat_showed_stands_in_the_prompt_too(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int]
) -> None:
    (before,) = talk.ask("Why maps?", "They argue.")
    talk.ask("What did you hide?", "A letter.", shows=passage("recall"))
    (after,) = talk.ask("Why ink?", "It stays.")
    for answer in (before, after):
        with interviewed.database.write():
            rate_message(interviewed.database, answer, 1, AT)
    assert _left(gathered(interviewed, "kto")) == (["They argue."], 1)
    correct(interviewed, NELL, after, "It dries.")
    assert _left(gathered(interviewed, "dpo")) == ([], 1)


def test_of_two_answers_that_are_compared_both_are_looked_at(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int]
) -> None:
    (first,) = talk.ask("Why maps?", "They argue.", shows=passage("recall"))
    with interviewed.database.write():
        second = add_message(interviewed.database, talk.session, "assistant", "Ada", "They lie.", "the prompt", {}, AT)
    compare(interviewed, NELL, first, second, "right")
    assert _left(gathered(interviewed, "dpo")) == ([], 1)


def test_what_cannot_be_told_is_not_learned_from_but_a_file_is_its_owners(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int], tmp_path: Path
) -> None:
    chunk = passage("train")
    (answer,) = talk.ask("Why maps?", "They argue.", shows=chunk)
    with interviewed.database.write():
        remove_chunks(interviewed.database, [chunk])
    correct(interviewed, NELL, answer, "They lie.")
    with interviewed.database.write():
        uid = put_pair(interviewed.database, "Why ink?", "", "It stays.", "It goes.", "comparison", None, AT)
    decide(interviewed.database, NELL, [Decision(uid, "accept", text="left", card_kind="pair")])
    assert _left(gathered(interviewed, "dpo")) == ([], 2)
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "Why tides?", "chosen": "The moon.", "rejected": "The sun."}\n')
    import_pairs(interviewed, file)
    assert _left(gathered(interviewed, "dpo")) == (["The moon."], 2)
    assert _left(gathered(interviewed, "dpo", file)) == (["The moon."], 0)


def test_an_answer_that_a_file_had_rests_on_what_it_showed_in_a_chat(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int], tmp_path: Path
) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text(
        '{"question": "Why maps?", "prompt": "the prompt", "chosen": "They lie.", "rejected": "They argue."}\n'
    )
    import_pairs(interviewed, file)
    assert _left(gathered(interviewed, "dpo")) == (["They lie."], 0)
    (answer,) = talk.ask("Why maps?", "They argue.", shows=passage("recall"))
    correct(interviewed, NELL, answer, "They lie.")
    assert len(list_pairs(interviewed.database)) == 1
    assert _left(gathered(interviewed, "dpo")) == ([], 1)


def test_a_pair_out_of_what_was_trained_on_goes_with_its_conversation(interviewed: Workspace) -> None:
    build(interviewed)
    row = next(each for each in list_conversations(interviewed.database) if each.date == "2010-05-01")
    with interviewed.database.write():
        uid = put_pair(
            interviewed.database, "What came in 2010?", "p", "rain", "hail", "generated", None, AT, [row.uid]
        )
    decide(interviewed.database, RULE, [Decision(uid, "accept", text="left", card_kind="pair")])
    assert _left(gathered(interviewed, "dpo")) == (["rain"], 0)
    _clear(interviewed, "2010.json", "recall")
    assert _left(gathered(interviewed, "dpo")) == ([], 1)


def test_a_resumed_run_looks_again_at_what_it_may_learn_from(
    interviewed: Workspace, talk: Talk, passage: Callable[[str], int], tmp_path: Path
) -> None:
    (answer,) = talk.ask("Why maps?", "They argue.", shows=passage("train"))
    correct(interviewed, NELL, answer, "They lie.")
    prefer(interviewed, "What came in 2013?", "Rain.", "I am a language model.")
    with interviewed.database.write():
        rate_message(interviewed.database, answer, 1, AT)
    params, single = dpo_params(interviewed), kto_params(interviewed)
    assert len(found_again(interviewed, "dpo", params["preferences"], None)) == 2
    _clear(interviewed, "train.md", "recall")
    said = r"^1 of the preferences that this run began with may not be learned from any more: held out, or not cleared"
    for method, references in (("dpo", params["preferences"]), ("kto", single["preferences"])):
        with pytest.raises(TrainingError, match=said) as caught:
            found_again(interviewed, method, references, None)
        assert caught.value.hint == "start a new run"
    _clear(interviewed, "train.md", "train")
    hold_out(interviewed, [next(each.reference for each in candidates(interviewed) if each.date == "2013-05-01")])
    with pytest.raises(TrainingError, match=said):
        found_again(interviewed, "dpo", params["preferences"], None)


def test_a_file_is_looked_at_again_too(interviewed: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    file.write_text('{"prompt": "What came in 2013?", "chosen": "Rain.", "rejected": "Snow."}\n')
    params = dpo_params(interviewed, file=file)
    hold_out(interviewed, [next(each.reference for each in candidates(interviewed) if each.date == "2013-05-01")])
    with pytest.raises(TrainingError, match="may not be learned from any more"):
        found_again(interviewed, "dpo", params["preferences"], file)


def test_two_bad_answers_of_which_one_is_held_out_are_both_left_out_and_a_run_can_begin(
    interviewed: Workspace, import_paths: Callable[..., object], write_interview: Callable[..., Path]
) -> None:
    said = "The harbor was sold twice that year, and nobody who bought it had ever seen it at low water."
    import_paths(interviewed, [write_interview("2016-01-01", [("And the harbor?", said)])], "raft-transcript")
    hold_out(interviewed, [next(each.reference for each in candidates(interviewed) if each.date == "2016-01-01")])
    with interviewed.database.write():
        uid = put_pair(interviewed.database, "Tell me.", "", f"Well. {said}", "No.", "import", None, AT, ())
    decide(interviewed.database, NELL, [Decision(uid, "reject", card_kind="pair")])
    for question in ("Why maps?", "Why ink?"):
        prefer(interviewed, question, "They argue.", "They lie.")
    params = kto_params(interviewed)
    assert params["left_out"]["held_out"] == 2
    assert len(found_again(interviewed, "kto", params["preferences"], None)) == 2
