"""Pack a conversation into samples: one sequence for each stretch that fits, so that no token is trained twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.prompts.messages import Message
from core.prompts.render import PromptTurn, Renderer, Scene


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive turns of one conversation in one sequence; ``first`` and ``stop`` index the turns it holds."""

    first: int
    stop: int
    turns: tuple[PromptTurn, ...]
    messages: tuple[Message, ...]
    tokens: int
    trained_tokens: int


def pack(renderer: Renderer, scene: Scene, turns: Sequence[PromptTurn], max_tokens: int) -> tuple[list[Stretch], int]:
    """Cut turns into stretches of at most ``max_tokens``. Returns them and how many turns fit in no sequence.

    A turn too long on its own loses its memories first; one that is still too long is left out. Where the template
    strips the thinking from earlier turns, every turn stands alone: a longer sample would not be the prompt of any.
    """
    stretches: list[Stretch] = []
    left_out = 0
    current: Stretch | None = None
    for position, turn in enumerate(turns):
        if current is not None and (renderer.form == "question" or renderer.keeps_history):
            grown = _stretch(renderer, scene, current.first, position + 1, (*current.turns, turn))
            if grown.tokens <= max_tokens:
                current = grown
                continue
        if current is not None:
            stretches.append(current)
            current = None
        alone = _stretch(renderer, scene, position, position + 1, (turn,))
        if alone.tokens > max_tokens and turn.memories:
            bare = PromptTurn(turn.question, turn.asker, (), turn.answer, turn.trained)
            alone = _stretch(renderer, scene, position, position + 1, (bare,))
        if alone.tokens > max_tokens:
            left_out += 1
        else:
            current = alone
    if current is not None:
        stretches.append(current)
    return stretches, left_out


def _stretch(renderer: Renderer, scene: Scene, first: int, stop: int, turns: tuple[PromptTurn, ...]) -> Stretch:
    messages = tuple(renderer.messages(scene, turns))
    ids, labels = renderer.tokens(messages)
    return Stretch(first, stop, turns, messages, len(ids), sum(label != -100 for label in labels))
