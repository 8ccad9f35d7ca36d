"""transformers as a text engine: asks that wait together are answered together, in one batch of a worker thread.

Heavy: import it only where calls are made.
"""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from core.errors import ModelError
from core.models.causal_lm import CausalLM
from core.models.generation import Ask, CallFailed, Told

GATHER_SECONDS = 0.01
"""How long the first ask of a batch waits for others: nothing beside the seconds of a batch."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    ask: Ask
    prompt: str
    tokens: int
    future: asyncio.Future[Told]

    @property
    def kind(self) -> tuple[object, ...]:
        """What one batch has in common."""
        return (bool(self.ask.choices), self.ask.max_tokens, self.ask.temperature, self.ask.seed)


class TransformersEngine:
    """A causal language model in this process."""

    def __init__(self, name: str, *, slots: int = 16) -> None:
        self._name = name
        self._slots = slots
        self._model = CausalLM(name)
        self._identity = f"transformers:{name}:{self._model.identity}"
        # One thread: torch uses every core for one batch, and two batches would only wait for one another.
        self._thread = ThreadPoolExecutor(1, "transformers")
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def host(self) -> str:
        return ""

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def holds_schemas(self) -> bool:
        return False

    @property
    def refused_parameters(self) -> frozenset[str]:
        """It answers freely: a schema is not enforced."""
        return frozenset({"response_format"})

    async def ask(self, ask: Ask, within: float) -> Told:
        prompt, tokens = self._rendered(ask)
        future: asyncio.Future[Told] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(ask, prompt, tokens, future))
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        try:
            async with asyncio.timeout(within):
                return await future
        except TimeoutError:
            raise CallFailed("timeout", f"{self._name} did not answer within {within:g} s", retryable=True) from None

    async def close(self) -> None:
        if self._working is not None:
            self._working.cancel()
        await asyncio.to_thread(self._thread.shutdown, cancel_futures=True)

    def _rendered(self, ask: Ask) -> tuple[str, int]:
        tokenizer = self._model.tokenizer
        # Words from outside must not end a turn or open another.
        messages = [{"role": said.role, "content": tokenizer.plain(said.content)} for said in ask.messages]
        prompt = tokenizer.render(messages, add_generation_prompt=True)
        tokens = tokenizer.count(prompt)
        most = self._model.context
        if most and tokens + ask.max_tokens > most:
            raise CallFailed(
                "prompt too long", f"{tokens} tokens and an answer of {ask.max_tokens} exceed {most}", retryable=False
            )
        return prompt, tokens

    async def _work(self) -> None:
        """Answer what waits, batch by batch, until nothing does."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(GATHER_SECONDS)
        while self._waiting:
            kind = self._waiting[0].kind
            batch = [each for each in self._waiting if each.kind == kind and not each.future.done()][: self._slots]
            self._waiting = [each for each in self._waiting if each not in batch and not each.future.done()]
            if not batch:
                continue
            try:
                answers = await loop.run_in_executor(self._thread, self._answer, batch)
            except (RuntimeError, ModelError) as error:  # Out of memory comes as a RuntimeError of torch.
                said = f"{self._name} failed: {(str(error).splitlines() or [type(error).__name__])[0]}"
                answers = [CallFailed("server error", said, retryable=True) for _ in batch]
            for each, answer in zip(batch, answers, strict=True):
                if each.future.done():
                    continue
                if isinstance(answer, CallFailed):
                    each.future.set_exception(answer)
                else:
                    each.future.set_result(answer)

    def _answer(self, batch: list[_Waiting]) -> list[Told | CallFailed]:
        first = batch[0].ask
        if first.choices:
            return [self._choice(each) for each in batch]
        written = self._model.continuations(
            [each.prompt for each in batch], first.max_tokens, first.temperature, first.seed
        )
        told: list[Told | CallFailed] = []
        for each, one in zip(batch, written, strict=True):
            if not one.ended:
                told.append(CallFailed("length", f"the answer was cut at {one.tokens} tokens", retryable=True))
            elif not one.text:
                told.append(CallFailed("empty", f"{self._name} answered with nothing", retryable=True))
            else:
                told.append(Told(one.text, "stop", each.tokens, one.tokens))
        return told

    def _choice(self, each: _Waiting) -> Told:
        """The likeliest choice by its first token, with the probability of every choice's."""
        tokenizer = self._model.tokenizer
        prompt = tokenizer.encode(each.prompt)
        firsts = [tokenizer.encode(choice)[:1] for choice in each.ask.choices]
        scores = self._model.token_log_probabilities(
            [prompt + first for first in firsts], [[len(prompt)]] * len(firsts)
        )
        chances = {choice: math.exp(score[0]) for choice, score in zip(each.ask.choices, scores, strict=True)}
        likeliest = max(chances, key=lambda choice: chances[choice])
        return Told(likeliest, "stop", each.tokens, 1, chances)
