"""What functions brought back makes room in the prompt, memory by memory, and the calls stay."""

from __future__ import annotations

from core.models.chat_tokenizer import load_tokenizer
from core.prompts.functions import read_call
from core.prompts.render import PromptTurn, RecalledMemory, Renderer, Round
from core.twin.composing import composed
from core.workspace import Workspace


def test_the_last_memories_that_came_back_go_where_there_is_no_room(workspace: Workspace) -> None:
    renderer = Renderer(load_tokenizer("SmolLM2-135M-Instruct"))
    calls = [
        (
            read_call("recall", f'{{"words": "tide {call}"}}'),
            tuple(RecalledMemory(f"In the year {call}{n} the tide came in over the wall again.") for n in range(8)),
        )
        for call in range(3)
    ]
    last = PromptTurn("What of the tide?", rounds=(Round((calls[0], calls[1])), Round((calls[2],))))
    turns = [PromptTurn("Who is there?", answer="Nobody else. " * 20), last]
    whole = composed(workspace, renderer, turns, "2020", 4000)
    shown = composed(workspace, renderer, turns, "2020", 300)
    messages = shown.messages
    assert renderer.tokenizer.count(renderer.prompt(whole.messages)) > 300
    assert renderer.tokenizer.count(renderer.prompt(messages)) <= 300
    assert shown.told == 1
    assert whole.last == last
    results = [each.content for each in messages if each.role == "tool"]
    assert len(results) == 3
    assert results[-1] == "Nothing comes back."
    assert "In the year 00 the tide" in results[0]
    assert sum(len(each.calls) for each in messages) == 3
    left = [memory.text for each in shown.last.rounds for _, memories in each.calls for memory in memories]
    assert left == [memory.text for _, memories in calls for memory in memories][: len(left)]
    assert all(any(text in result for result in results) for text in left)
