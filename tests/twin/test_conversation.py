"""A talk: recalled with what was said before, honest where nothing supports an answer, and never past its date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from core.dates import DateSpan
from core.settings import Settings
from core.store.sessions import find_message, memories_of_message
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.guard import WITHHELD
from core.twin.statements import never_say, state_fact, take_back
from core.workspace import Workspace
from tests.embedded_sample import embedded_sample
from tests.twin.scripted import Script, ScriptedParts


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return embedded_sample(tmp_path_factory.mktemp("talk") / "ada", private=True).workspace


@pytest.fixture
def talk(sample: Workspace) -> Iterator[type[Talk]]:
    yield Talk
    for parts in Talk.opened:
        parts.close()
    Talk.opened.clear()


class Talk:
    """One conversation over parts with a scripted voice."""

    opened: ClassVar[list[ScriptedParts]] = []

    def __init__(self, workspace: Workspace, script: Script = lambda _: "So it was.", as_of: str = "") -> None:
        self.parts = ScriptedParts(workspace, script)
        self.opened.append(self.parts)
        self.conversation = Conversation(self.parts, ChatOptions(as_of=as_of))
        self.pieces: list[str] = []

    def ask(self, question: str) -> Answer:
        *pieces, answer = self.conversation.ask(question)
        self.pieces = [str(piece) for piece in pieces]
        assert isinstance(answer, Answer)
        return answer

    @property
    def prompt(self) -> str:
        return self.parts.scripted.prompts[-1]


def test_a_question_that_means_nothing_alone_is_looked_for_with_what_was_said_before(
    sample: Workspace, talk: type[Talk]
) -> None:
    asked = talk(sample, lambda _: "Joss builds boats in Dunmarrow, as our grandfather did.")
    asked.ask("What does your brother Joss do for a living?")
    question = "And what is he like?"
    follow, alone = (
        [_text(sample, each.found.passage.chunk.id) for each in one.ask(question).recollections]
        for one in (asked, talk(sample))
    )
    assert sum("Joss" in text for text in follow) > sum("Joss" in text for text in alone)


def _text(workspace: Workspace, chunk: int) -> str:
    return str(workspace.database.value("SELECT text FROM chunk WHERE id = ?", (chunk,)))


CHANGES = [f"M{number}" for number in range(1, 11)]


def _changes() -> dict[str, dict[str, Any]]:
    from core.sample import sample_folder

    truth = json.loads((sample_folder() / "truth.json").read_text("utf-8"))
    return {each["id"]: each for each in truth["changes"]}


@pytest.mark.parametrize("change", CHANGES)
def test_before_a_change_of_mind_only_older_passages_are_remembered(
    sample: Workspace, talk: type[Talk], change: str
) -> None:
    found = _changes()[change]
    year = found["before"]["date"][:4]
    limit = DateSpan.parse(year).last
    assert limit < DateSpan.parse(found["after"]["date"]).first
    answer = talk(sample, as_of=year).ask(f"What do you think of {found['topic']}?")
    assert answer.recollections
    for each in answer.recollections:
        assert each.found.passage.chunk.last_day <= limit
        assert each.found.passage.title != found["after"]["document"]


def test_after_the_changes_of_mind_what_came_later_is_remembered_too(sample: Workspace, talk: type[Talk]) -> None:
    later = 0
    for found in _changes().values():
        limit = DateSpan.parse(found["before"]["date"][:4]).last
        answer = talk(sample).ask(f"What do you think of {found['topic']}?")
        later += any(each.found.passage.chunk.last_day > limit for each in answer.recollections)
    assert later >= len(CHANGES) // 2


def test_a_question_about_them_that_nothing_supports_gets_an_honest_answer_at_once(
    sample: Workspace, talk: type[Talk]
) -> None:
    asked = talk(sample)
    answer = asked.ask("Which video games do you like?")
    assert answer.unknown
    assert answer.text in {
        "I don't know. I never wrote about that.",
        "I never wrote about that, and I would rather not make it up.",
        "That I don't know.",
        "I don't remember ever writing about it.",
    }
    assert {each.kind for each in answer.receipts} == {"style"}, "it claims nothing"
    assert asked.parts.scripted.prompts == []
    stored = find_message(sample.database, answer.message_id)
    assert stored is not None
    assert stored.settings["engine"] == "rule"


def test_what_is_never_to_be_said_is_not_said_where_the_twin_does_not_know(sample: Workspace, talk: type[Talk]) -> None:
    question = "Which video games do you like?"
    first = talk(sample).ask(question).text
    stated = [never_say(sample, "Ada", first.split(".")[0])]
    try:
        second = talk(sample).ask(question)
        assert second.unknown
        assert WITHHELD not in second.text
        assert first.split(".")[0] not in second.text
        stated += [never_say(sample, "Ada", words) for words in ("know", "make it up", "remember")]
        assert talk(sample).ask(question).text.count(WITHHELD) == 1, "where nothing is left the words are kept out"
    finally:
        for each in stated:
            take_back(sample, "Ada", each.uid)


@pytest.mark.parametrize("words", ["Good morning!", "How are you?", "What is seven times eight?", "I like your coat."])
def test_words_that_ask_for_nothing_of_theirs_are_answered_by_the_model(
    sample: Workspace, talk: type[Talk], words: str
) -> None:
    assert not talk(sample).ask(words).unknown


def test_a_stated_fact_stands_before_every_memory_and_answers_where_nothing_else_does(
    sample: Workspace, talk: type[Talk]
) -> None:
    state_fact(sample, "Ada", "I have two grandchildren, Ines and Tom.", "2020")
    asked = talk(sample)
    answer = asked.ask("How many grandchildren do you have?")
    assert not answer.unknown
    remembered = asked.prompt.split("You remember:")[1]
    assert remembered.strip().splitlines()[0] == "- (2020) I have two grandchildren, Ines and Tom."
    early = talk(sample, as_of="2015")
    assert "grandchildren, Ines" not in early.ask("How many grandchildren do you have?").prompt


def test_an_answer_that_was_shown_is_stored_though_its_receipts_cannot_be_made(
    sample: Workspace, talk: type[Talk], tmp_path: Path
) -> None:
    asked = talk(sample, lambda _: "Joss builds boats in Dunmarrow.")
    asked.parts.workspace.__dict__["settings"] = _with(sample, inference=str(tmp_path / "nowhere"))
    try:
        answer = asked.ask("What does your brother Joss do for a living?")
    finally:
        sample.forget_settings()
    assert answer.recollections
    assert [(each.kind, each.source) for each in answer.receipts] == [("unsupported", None)]
    stored = find_message(sample.database, answer.message_id)
    assert stored is not None
    assert stored.text == "".join(asked.pieces) == "Joss builds boats in Dunmarrow."
    (line,) = answer.missed
    assert line.startswith("without receipts: the model of inference")


def test_what_is_never_to_be_said_is_not_shown_and_not_stored(sample: Workspace, talk: type[Talk]) -> None:
    never_say(sample, "Ada", "as an AI")
    asked = talk(sample, lambda _: "Well, as an AI I keep no charts, but Ada did.")
    answer = asked.ask("Good morning!")
    assert answer.text == f"Well, {WITHHELD} I keep no charts, but Ada did."
    assert "".join(asked.pieces) == answer.text
    stored = find_message(sample.database, answer.message_id)
    assert stored is not None
    assert "as an AI" not in stored.text


def test_an_answer_streams_though_private_words_were_recalled(sample: Workspace, talk: type[Talk]) -> None:
    private = str(sample.database.value(
        "SELECT text FROM document JOIN source ON source.id = source_id WHERE use = 'recall' ORDER BY document.id"
    ))  # fmt: skip
    run = " ".join(private.split()[:14])
    begun = "So it went, and on it went, and nobody minded it much. " * 12
    asked = talk(sample, lambda _: f"{begun}{run} and so on it went.")
    answer = asked.ask(f"Do you remember what you wrote: {' '.join(private.split()[:6])}?")
    assert any(each.found.passage.use == "recall" for each in answer.recollections)
    assert WITHHELD in answer.text
    assert run not in answer.text
    assert len(asked.pieces) > 3
    assert "".join(asked.pieces).startswith(begun)


def test_what_no_longer_fits_is_told_in_lines(sample: Workspace, talk: type[Talk]) -> None:
    asked = talk(sample, lambda _: "The long and the short of it is this. " + "It went on and on. " * 60)
    answers = [asked.ask(f"Tell me about rope, for the {n}th time.") for n in range(8)]
    assert answers[0].told_in_lines == 0
    assert answers[-1].told_in_lines > 0
    assert "Earlier in this talk:\n- They asked: Tell me about rope, for the 0th time. You said: The long" in (
        asked.prompt
    )
    assert answers[-1].tokens[0] <= asked.parts.context


def test_only_memories_that_had_room_in_the_prompt_are_kept_with_an_answer(sample: Workspace, talk: type[Talk]) -> None:
    asked = talk(sample)
    question = "What did your father teach you about the sea?"
    whole = asked.ask(question)
    asked = talk(sample, lambda _: whole.recollections[-1].retold.text)
    asked.parts.context = whole.tokens[0] + asked.conversation._length - 1
    answer = asked.ask(question)
    assert answer.recollections == whole.recollections[: len(answer.recollections)]
    assert 0 < len(answer.recollections) < len(whole.recollections)
    assert [each.retold.text in asked.prompt for each in whole.recollections] == [
        each in answer.recollections for each in whole.recollections
    ]
    stored = memories_of_message(sample.database, answer.message_id)
    assert [each.text for each in stored] == [each.retold.text for each in answer.recollections]
    assert all(each.source in (None, *answer.recollections) for each in answer.receipts)


def test_the_twin_asks_for_its_memories_and_goes_on_with_what_comes_back(sample: Workspace, talk: type[Talk]) -> None:
    def script(prompt: str) -> str:
        if "You remember:" in prompt:
            return "I keep them the way one keeps letters."
        return "[recall: old charts | before 2012]"

    asked = talk(sample, script)
    asked.parts.workspace.__dict__["settings"] = _with(sample, tools="on")
    try:
        answer = asked.ask("Do you still keep the old charts?")
    finally:
        sample.forget_settings()
    assert answer.text == "I keep them the way one keeps letters."
    assert "recall" not in "".join(asked.pieces)
    first, second = asked.parts.scripted.prompts
    assert "You remember:" not in first
    assert second.startswith(first + "[recall: old charts | before 2012]")
    assert answer.recollections
    assert all(each.found.passage.chunk.last_day < DateSpan.parse("2012").first for each in answer.recollections)


def test_a_twin_that_only_asks_answers_in_the_end(sample: Workspace, talk: type[Talk]) -> None:
    asked = talk(sample, lambda _: "[journal: anything at all]")
    asked.parts.workspace.__dict__["settings"] = _with(sample, tools="on")
    try:
        answer = asked.ask("Do you still keep the old charts?")
    finally:
        sample.forget_settings()
    assert len(asked.parts.scripted.prompts) == 3
    assert answer.text == "[journal: anything at all]"
    assert all(each.found.passage.kind == "journal" for each in answer.recollections)


def _with(workspace: Workspace, **twin: str) -> Settings:
    settings = workspace.settings
    return settings.model_copy(update={"twin": settings.twin.model_copy(update=twin)})
