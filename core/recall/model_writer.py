"""The writer that is a model: it retells a passage and cites it; what it says is checked word by word."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from core.calls.caller import Caller
from core.calls.structured import read_json
from core.corpus.sentences import sentences_of
from core.models.generation import Ask, CallFailed, Told
from core.prompts.asks import AskPrompt
from core.recall.anchor import FEWEST_WORDS, anchor
from core.recall.asked import Asked
from core.recall.grounding import ungrounded
from core.recall.retell import MOST_WORDS, Retold
from core.review.instructions import speaks_to_a_model
from core.store.chunks import Passage

MOST_TOKENS = 320
"""Of an answer: a quote and a retelling of two sentences each, as JSON."""
MOST_LETTERS = 300
"""Of a memory, where the engine writes by the schema."""


class Retelling(BaseModel):
    """What the writer is to answer."""

    model_config = ConfigDict(extra="forbid", strict=True)

    quote: str
    memory: str


SCHEMA: Mapping[str, Any] = Retelling.model_json_schema()


def narrow_schema(passage: str) -> Mapping[str, Any]:
    """The schema of a retelling of this passage: its quote is one or two of the passage's sentences, or empty.

    A small model cannot be relied on to copy, or to end: a memory is cut off well before the answer would be. Sentences
    that give orders to a model are no quotes, here as for the extractive writer.
    """
    sentences = sentences_of(passage)
    pairs = [(sentences[place], sentences[min(place + more, len(sentences) - 1)])
             for more in (0, 1) for place in range(len(sentences))]  # fmt: skip
    quotes = dict.fromkeys(passage[first.start : last.stop] for first, last in pairs)
    whole = [
        quote for quote in quotes if FEWEST_WORDS <= len(quote.split()) <= MOST_WORDS and not speaks_to_a_model(quote)
    ]
    if not whole:
        return SCHEMA
    fields = {"quote": {"enum": [*whole, ""]}, "memory": {"type": "string", "maxLength": MOST_LETTERS}}
    return {**SCHEMA, "properties": fields}


class ModelWriter:
    """Asks a model. A retelling that is not grounded in its passage gives way to its quote."""

    def __init__(self, caller: Caller, target: str, prompts: Path | None) -> None:
        self._caller = caller
        self._target = target
        self._prompt = AskPrompt("retell", prompts)
        held = ":narrow" if caller.engine.holds_schemas else ""
        self.identity = f"model:{caller.identity}:{self._prompt.version}{held}"

    async def retell(self, asked: Asked, passages: Sequence[Passage]) -> list[Retold | CallFailed | None]:
        return list(await asyncio.gather(*(self._retell(asked, passage) for passage in passages)))

    async def _retell(self, asked: Asked, passage: Passage) -> Retold | CallFailed | None:
        ask = Ask(
            self._prompt.messages(
                name=self._target,
                asker=asked.asker,
                question=asked.question,
                passage=passage.chunk.text,
                title="" if passage.question else passage.title,
                date=passage.date,
                told=passage.question,
            ),
            MOST_TOKENS,
            schema=narrow_schema(passage.chunk.text) if self._caller.engine.holds_schemas else SCHEMA,
        )
        about = [uid for uid in (passage.owner_uid, asked.uid) if uid]
        try:
            return await self._caller.ask(
                ask, lambda told: read_retelling(told, asked.question, passage, self._target),
                purpose="retell", about=about,
            )  # fmt: skip
        except CallFailed as error:
            return error


def read_retelling(told: Told, question: str, passage: Passage, target: str) -> Retold | None:
    """The memory in an answer; None where the writer found nothing. Raises CallFailed for what is no retelling.

    A quote that is not in the passage is no quote, whatever is told beside it.
    """
    answer = read_json(told, Retelling)
    quote, memory = answer.quote.strip(), " ".join(answer.memory.split())
    if not quote and not memory:
        return None
    text = passage.chunk.text
    found = anchor(quote, text)
    if found is None:
        raise CallFailed("quote not found", "the quote is not in the passage", retryable=True)
    known = f"{passage.title}\n{passage.date}\n{target}"
    if ungrounded(memory, text, question, known):
        return Retold(" ".join(found.quote.split()), found.quote, found.start, found.stop, "quote")
    return Retold(memory, found.quote, found.start, found.stop, "model")
