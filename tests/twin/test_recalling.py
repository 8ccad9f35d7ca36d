"""When the words before a question help to find what it asks for."""

from __future__ import annotations

import pytest

from core.models.load_embedder import load_embedder
from core.prompts.render import PromptTurn
from core.recall.asked import Asked
from core.recall.load import load_recollector, recallable_words
from core.retrieval.search import Query, Searcher
from core.twin.recalling import LEANS, UNSURE, context_of, leaning
from core.workspace import Workspace

SHED = PromptTurn("Which storm took the sheds in the harbor?", "Mira", (), "The big one, that December.")


@pytest.mark.parametrize(
    "question",
    ["Why was that?", "And then?", "", "...", "Who was she?", "Why do you keep them?", "Would you do it again?"],
)
def test_a_question_without_a_subject_leans_on_what_was_said(question: str) -> None:
    assert leaning(question) == LEANS


@pytest.mark.parametrize(
    "question",
    [
        "Why did you leave?", "And in winter?", "Und warum?", "Is it true that you kept bees?",
        "Was hast du ihm damals gesagt?", "Und was hat sie dann daraus gemacht?",
        "Hoe lang was je daar toen eigenlijk?",
        "¿Y cuánto tiempo estuvo ella allí a tu lado?",
        "Why did he finally decide to sell everything after that summer?",
        "Wann hast du den alten Leuchtturm zum ersten Mal gesehen?",
        "the the the the the the the lamp lamp lamp lamp lamp lamp",
    ],
)  # fmt: skip
def test_a_question_of_which_it_cannot_be_told_leans_a_little(question: str) -> None:
    assert leaning(question) == UNSURE


@pytest.mark.parametrize(
    "question",
    [
        "What did the big December storm do to the sheds down in the harbor?",
        "You stood up at that causeway meeting in May. What have you got against it, and against a road?",
        "How did your old bicycle come by the name of a boat that sank?",
    ],
)
def test_a_question_that_names_its_subject_stands_alone(question: str) -> None:
    assert leaning(question) == 0.0


def test_a_follow_up_finds_what_the_turn_before_it_was_about(embedded_ada: Workspace) -> None:
    searcher = Searcher(embedded_ada, load_embedder)
    accept = recallable_words(embedded_ada)
    about = {hit.passage.chunk.uid for hit in searcher.search(Query(SHED.question, 5), accept)}

    def shared(query: Query) -> int:
        return len(about & {hit.passage.chunk.uid for hit in searcher.search(query, accept)})

    alone = shared(Query("Why was that?", 5))
    leaned = shared(Query("Why was that?", 5, context=context_of(SHED), leaning=LEANS))
    assert leaned >= 3
    assert alone <= 1
    # A context that does not count changes nothing, but for its words.
    unheeded = searcher.search(Query("the sheds", 5, mode="vector", context=context_of(SHED)), accept)
    assert unheeded == searcher.search(Query("the sheds", 5, mode="vector"), accept)


def test_what_was_read_ahead_is_not_read_again_when_the_question_comes(
    embedded_ada: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    recollector, _ = load_recollector(embedded_ada, live=True)
    searcher = recollector._searcher
    read: list[str] = []
    embed = searcher.embedder.embed

    def watched(texts: list[str]) -> object:
        read.extend(texts)
        return embed(texts)

    monkeypatch.setattr(searcher.embedder, "embed", watched)
    context = context_of(SHED)
    try:
        recollector.look_ahead("")
        assert read == []
        recollector.look_ahead(context)
        assert read == [context]
        searcher.search(Query("Why was that?", 5, context=context, leaning=LEANS), recallable_words(embedded_ada))
        assert read == [context, "Why was that?"]
        recollector.recollect(Asked("Why was that?", context=context, leaning=LEANS), recallable_words(embedded_ada))
        assert read.count(context) == 1
    finally:
        recollector.close()
