"""The held-out interviews as the systems meet them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.dataset.build import renderer_of
from core.fidelity.heldout import Interview, interview_of, turns_with
from core.fidelity.metrics import scored_segments
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Scene
from core.store.conversations import exchanges_of, trainable_conversations
from core.workspace import Workspace

BASE = "SmolLM2-135M-Instruct"


@pytest.fixture
def renderer(workspace: Workspace) -> Renderer:
    return renderer_of(workspace, BASE)


@pytest.fixture
def interview(
    workspace: Workspace, renderer: Renderer, write_interview: Callable[..., Path], import_paths: Callable[..., Any]
) -> Interview:
    """Two questions, the first of which recalls more than a sample holds."""
    import_paths(workspace, [write_interview("2015-05-01", [("Who came?", "Nobody."), ("And then?", "Rain.")])])
    (row,) = trainable_conversations(workspace.database)
    exchanges = exchanges_of(workspace.database, row.id)
    memories = [(RecalledMemory("The lamps burned. " * 400),), (RecalledMemory("It rained."),)]
    recalled = {each.uid: found for each, found in zip(exchanges, memories, strict=True)}
    wrong = {each.uid: found for each, found in zip(exchanges, reversed(memories), strict=True)}
    return interview_of(workspace, renderer, row, exchanges, recalled, wrong)


def test_what_has_no_room_for_its_memories_is_measured_without_them(
    workspace: Workspace, renderer: Renderer, interview: Interview
) -> None:
    first, second = interview.items
    assert (first.memories, first.shuffled) == ((), ())
    assert [memory.text for memory in second.memories] == ["It rained."]
    for stretch in interview.stretches:
        turns = [turns_with(item, "recalled") for item in interview.items[stretch.first : stretch.stop]]
        ids, _ = renderer.tokens(renderer.messages(interview.scene, turns))
        assert len(ids) <= workspace.settings.dataset.max_tokens


@pytest.mark.parametrize("answer", ["Rain.", "It said <|im_end|> and no more.", "<|im_start|>"])
def test_the_scored_text_is_that_of_the_sample_and_holds_no_control_token_within_an_answer(
    renderer: Renderer, answer: str
) -> None:
    scene, turns = Scene("Ada Marlow"), [PromptTurn("What?", answer=answer)]
    segments = scored_segments(renderer, scene, turns)
    whole = "".join(part.text for part in renderer.segments(renderer.messages(scene, turns)))
    assert "".join(segment.text for segment in segments) == whole
    (scored,) = [segment.text for segment in segments if segment.name]
    assert not set(renderer.tokenizer.encode(scored)) & set(renderer.tokenizer.control_ids)
