"""What a causal model in this process writes, piece by piece: generation on a thread of its own, stopped where nobody
listens any more."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from typing import Any

import torch
from transformers import StoppingCriteria, TextIteratorStreamer

from core.models.causal_lm import CausalLM, Continuation


class _Pieces(TextIteratorStreamer):  # type: ignore[misc]
    """Text as it becomes certain, without the token that ends it."""

    def __init__(self, tokenizer: Any, ends: set[int]) -> None:
        super().__init__(tokenizer, skip_prompt=True)
        self._ends = ends
        self._prompted = False
        self.tokens = 0
        self.ended = False

    def put(self, value: torch.Tensor) -> None:
        if self._prompted and value.flatten().tolist()[-1] in self._ends:
            self.ended = True
            return
        self.tokens += self._prompted
        self._prompted = True
        super().put(value)


class _Left(StoppingCriteria):  # type: ignore[misc]
    """Whether whoever listened has left."""

    def __init__(self) -> None:
        self.left = threading.Event()

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: Any) -> torch.Tensor:
        return torch.full((len(input_ids),), self.left.is_set(), device=input_ids.device)


def stream(
    model: CausalLM,
    tokens: Sequence[int],
    max_new_tokens: int,
    temperature: float = 0.0,
    seed: int = 0,
    ban_end: bool = False,
    logit_bias: Sequence[tuple[int, float]] = (),
) -> Generator[str, None, Continuation]:
    """Yield how a model continues a prompt's tokens, and return the whole; the words are those of ``continuations``.

    Until it ends or is closed the model must be left alone: its active adapter is in use on another thread.
    """
    pieces = _Pieces(model.tokenizer, set(model.ends))
    left = _Left()
    failed: list[BaseException] = []

    def write() -> None:
        try:
            with torch.inference_mode():
                model.write(
                    torch.tensor([list(tokens)]), None, max_new_tokens, temperature, seed, ban_end,
                    logit_bias=logit_bias, streamer=pieces, stopping_criteria=[left],
                )  # fmt: skip
        except BaseException as error:
            failed.append(error)
            pieces.on_finalized_text("", stream_end=True)

    thread = threading.Thread(target=write, name="writing", daemon=True)
    thread.start()
    told: list[str] = []
    try:
        for piece in pieces:
            if piece:
                told.append(piece)
                yield piece
    finally:
        left.left.set()
        thread.join()
    if failed:
        raise failed[0]
    return Continuation("".join(told), pieces.tokens, pieces.ended)
