"""A preference is read as the twin reads a prompt, and its answers end as a training sample's do."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.build import renderer_of
from core.dataset.preference_file import pair_of
from core.dataset.scenes import scene_of
from core.prompts.render import PromptTurn, RecalledMemory
from core.training.preferences.framing import Framing
from core.training.preferences.gathering import Preference, split
from core.training.preferences.rendering import PreferenceRenderer, Rendered
from core.training.preferences.trainers import judgement_rows, weights_of
from core.workspace import Workspace

ASKED = Preference(("uid", "left"), "comparison", "Why maps?", "", "They argue.", "They are useful.", "2026-01-02")


@pytest.fixture
def rendering(workspace: Workspace) -> PreferenceRenderer:
    return PreferenceRenderer(renderer_of(workspace), Framing.now(workspace))


@pytest.mark.parametrize("answer", ["They argue.", " two\n\nlines ", "it costs <|im_end|> 3 €", "¿qué? 夜", "."])
def test_prompt_and_answer_are_the_tokens_of_a_training_sample(
    workspace: Workspace, rendering: PreferenceRenderer, answer: str
) -> None:
    renderer = renderer_of(workspace)
    scene = scene_of(workspace.settings, workspace.target, "2026-01-02", ())
    turn = PromptTurn(ASKED.question, answer=answer)
    ids, labels = renderer.tokens(renderer.messages(scene, [turn]))
    end = max(place for place, label in enumerate(labels) if label != -100) + 1
    found = rendering.rendered(dataclasses.replace(ASKED, chosen=answer), "2020-01-01")
    assert found.prompt_ids + found.chosen_ids == ids[:end]
    assert found.chosen_ids == [label for label in labels if label != -100]
    # And the prompt is the one that a twin which recalls nothing receives on that day.
    assert found.prompt == renderer.prompt(renderer.messages(scene, [PromptTurn(ASKED.question)]))


def test_the_prompt_that_was_read_is_kept_with_its_memories(
    workspace: Workspace, rendering: PreferenceRenderer
) -> None:
    renderer = renderer_of(workspace)
    scene = scene_of(workspace.settings, workspace.target, "2019-03-04", ("Nell",))
    turns = [
        PromptTurn("Hello?", answer="Yes."),
        PromptTurn("Why maps?", memories=(RecalledMemory("I drew.", "2011"),)),
    ]
    messages = renderer.messages(scene, turns)
    found = rendering.rendered(dataclasses.replace(ASKED, prompt=renderer.prompt(messages)), "2020-01-01")
    assert found.stored
    assert found.prompt_ids == renderer.tokenizer.encode(renderer.prompt(messages))


def test_a_prompt_of_another_models_template_is_made_anew_from_its_question(rendering: PreferenceRenderer) -> None:
    foreign = dataclasses.replace(ASKED, prompt="[INST] You are Ada Marlow. Why maps? [/INST]")
    found = rendering.rendered(foreign, "2020-01-01")
    assert not found.stored
    assert found.prompt == rendering.rendered(ASKED, "2020-01-01").prompt


def test_a_prompt_that_stands_where_a_question_could_is_not_wrapped_again(
    workspace: Workspace, rendering: PreferenceRenderer
) -> None:
    renderer = renderer_of(workspace)
    scene = scene_of(workspace.settings, workspace.target, "2019-03-04", ())
    prompt = renderer.prompt(renderer.messages(scene, [PromptTurn("Why maps?")]))
    line = pair_of(json.dumps({"prompt": prompt, "chosen": "They argue.", "rejected": "They are useful."}))
    found = rendering.rendered(dataclasses.replace(ASKED, question=line.question, prompt=line.prompt), "2020-01-01")
    assert found.stored
    assert found.prompt_ids == renderer.tokenizer.encode(prompt)


def _of(question: str, chosen: list[int], rejected: list[int]) -> Rendered:
    return Rendered(dataclasses.replace(ASKED, question=question), question, [1, 2], chosen, rejected, False)


@given(st.lists(st.text(max_size=6), min_size=1, max_size=20, unique=True), st.floats(0, 0.5))
def test_questions_are_split_for_good(questions: list[str], share: float) -> None:
    every = [_of(question, [3], [4]) for question in questions] + [_of(questions[0], [5], [6])]
    train, validation = split(every, share)
    assert train
    assert len(train) + len(validation) == len(every)
    assert not {each.prompt for each in train} & {each.prompt for each in validation}
    # One more question moves none of the others, unless there was nothing to train on before it.
    more, aside = split([*every, _of("one more question", [3], [4])], share)
    if validation:
        assert {each.prompt for each in validation} <= {each.prompt for each in aside}
        assert {each.prompt for each in train} <= {each.prompt for each in more}


def test_one_question_written_in_two_ways_is_not_on_both_sides_of_the_split() -> None:
    for number in range(40):
        ways = [f"Why maps, {number}?", f"why  MAPS {number}", f"Why maps — {number}!"]
        train, validation = split([_of(each, [3], [4]) for each in [*ways, "Something else?", "And more?"]], 0.5)
        sides = [{each.preference.question for each in side} & set(ways) for side in (train, validation)]
        assert sorted(map(len, sides)) == [0, 3]
    marks = [_of("?", [3], [4]), _of("!", [3], [4])]
    assert len({each.preference.questions_uid for each in marks}) == 2, "where there are no words, the marks tell"


def test_a_row_with_its_neighbors_answer_is_never_longer_than_those_that_are_trained_on() -> None:
    rendered = [
        dataclasses.replace(_of("a", [7] * 90, [8] * 2), prompt_ids=[1] * 10),
        dataclasses.replace(_of("b", [5] * 3, [6] * 2), prompt_ids=[1] * 95),
    ]
    longest = max(each.tokens for each in rendered)
    rows = judgement_rows(rendered, 4, 0)
    assert max(len(row["prompt_ids"]) + len(row["KL_completion_ids"]) for row in rows) <= longest == 100
    assert all(row["KL_completion_ids"] for row in rows)
    assert sorted(len(row["completion_ids"]) for row in rows) == [2, 2, 3, 90]


def test_good_and_bad_answers_weigh_the_same_in_all() -> None:
    rendered = [_of("a", [3], [4]), _of("b", [], [5]), _of("c", [], [6])]
    rows = judgement_rows(rendered, 2, 0)
    assert sorted((row["completion_ids"][0], row["label"]) for row in rows) == [
        (3, True), (4, False), (5, False), (6, False),
    ]  # fmt: skip
    good, bad = weights_of(rows)
    assert (good * 1, bad * 3) == (3.0, 3.0)
    # The answers that are exchanged are those of the rows that are read together.
    for start in (0, 2):
        together = rows[start : start + 2]
        assert [row["KL_completion_ids"] for row in together] == [row["completion_ids"] for row in together][::-1]
