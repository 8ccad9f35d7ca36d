"""The embedded model as a writer and a judge for benches, each answer kept in a file: a second run asks nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from core.models.chat_tokenizer import ChatTokenizer, load_tokenizer
from core.models.generation import Ask, CallFailed, Told
from core.models.llamacpp import LlamaServer, Sampling
from core.models.packaged import cache_folder, smollm2_gguf

T = TypeVar("T")
MODEL = "SmolLM2-135M-Instruct"
ATTEMPTS = 3
SLOTS = 4
THREADS = 1
"""More wait for each other where other work shares the cores."""
CHOICE_TOKENS = 40


class LocalAsker:
    """An ``Asker`` over llama.cpp. The server starts with the first ask that the file does not know."""

    def __init__(self, file: Path) -> None:
        self.identity = f"llama.cpp:{MODEL}"
        self.calls = self.reused = 0
        self._file = file
        self._known: dict[str, dict[str, Any]] = {}
        if file.is_file():
            for line in file.read_text("utf-8").splitlines():
                self._known |= json.loads(line)
        self._server: LlamaServer | None = None
        self._tokenizer: ChatTokenizer | None = None
        self._slots = asyncio.Semaphore(SLOTS)

    async def ask(self, ask: Ask, accept: Callable[[Told], T], *, purpose: str, about: Sequence[str]) -> T:
        """At first as likely as can be; an answer that is none is asked for again by chance."""
        for attempt in range(ATTEMPTS):
            varied = ask if attempt == 0 else replace(ask, temperature=0.8, seed=attempt)
            key = hashlib.sha256(json.dumps([self.identity, asdict(varied)]).encode()).hexdigest()
            told = self._known.get(key)
            if told is None:
                async with self._slots:
                    self._start()
                    told = await asyncio.to_thread(self._complete, varied)
                self._known[key] = told
                self.calls += 1
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({key: told}) + "\n")
            else:
                self.reused += 1
            try:
                return accept(Told(**told))
            except CallFailed:
                if attempt + 1 == ATTEMPTS:
                    raise
        raise AssertionError

    def close(self) -> None:
        if self._server is not None:
            self._server.stop()

    def _start(self) -> tuple[LlamaServer, ChatTokenizer]:
        if self._server is None or self._tokenizer is None:
            gguf = smollm2_gguf()
            if gguf is None:
                sys.exit(f"{MODEL} is not installed as a package")
            self._tokenizer = load_tokenizer(MODEL)
            self._server = LlamaServer.start(gguf, context=2048, slots=SLOTS, threads=THREADS)
        return self._server, self._tokenizer

    def _complete(self, ask: Ask) -> dict[str, Any]:
        server, tokenizer = self._start()
        messages = [{"role": said.role, "content": tokenizer.plain(said.content)} for said in ask.messages]
        sampling = Sampling(
            max_tokens=ask.max_tokens, temperature=ask.temperature, seed=ask.seed, schema=ask.schema,
            logprobs=CHOICE_TOKENS if ask.choices else 0,
        )  # fmt: skip
        done = server.completion(tokenizer.render(messages, True), sampling)
        chances = None
        if ask.choices and done.logprobs:
            likeliest = dict(done.logprobs[0].likeliest)
            chances = {
                choice: sum(
                    math.exp(likeliest.get(tokenizer.encode(form)[0], -math.inf))
                    for form in (choice, choice.capitalize())
                )
                for choice in ask.choices
            }
        return {"text": done.text, "finish": done.finish, "chances": chances}


@contextmanager
def local_asker() -> Iterator[LocalAsker]:
    """The asker, with its answers beside the other things that simulee keeps for this user."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    asker = LocalAsker(folder / "bench-answers.jsonl")
    try:
        yield asker
    finally:
        asker.close()
