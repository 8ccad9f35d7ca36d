"""Once turns make room, the engine reads the beginning of the next prompt while nobody asks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import ModelError
from core.models.packaged import SMOLLM2
from core.prompts.commands import Command
from core.twin.chat import Answer, ChatOptions, Conversation
from core.twin.guard import Withheld
from core.twin.protocol import Finished
from core.twin.serving.answering import Spoken
from core.twin.serving.channel import Whole
from core.twin.serving.work import Work
from core.twin.speaking import Prepared, Speaking
from core.twin.speech import LlamaVoice, Manner, Reading
from core.workspace import Workspace
from tests.twin.scripted import ScriptedParts, ScriptedVoice

LONG = "The long and the short of it is this. " + "It went on and on. " * 60
ROPE = "Tell me about rope, for the {}th time, from the yard to the harbor."


def _common(left: Sequence[int], right: Sequence[int]) -> int:
    return next((at for at, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), len(left))


def test_what_is_read_ahead_is_the_next_prompt_up_to_its_question(embedded_ada: Workspace) -> None:
    parts = ScriptedParts(embedded_ada, lambda _: LONG)
    try:
        conversation = Conversation(parts, ChatOptions(memories=False))
        tokenizer = parts.renderer(SMOLLM2).tokenizer
        read: list[tuple[int, ...]] = []
        ahead: tuple[int, ...] = ()
        for number in range(9):
            question = ROPE.format(number)
            prepared = conversation.prepare(question)
            if ahead:
                kept = _common(prepared.tokens, ahead)
                after = tokenizer.decode(prepared.tokens[kept:])
                assert after.startswith(question)
                assert prepared.told_in_lines > 0
            speaking = Speaking(prepared)
            list(speaking)
            assert isinstance(conversation.finish(prepared, speaking), Answer)
            ahead = conversation.ahead(prepared)
            read += [ahead] if ahead else []
        assert 2 <= len(read) <= 4, "turns make room now and then, not with every answer"
    finally:
        parts.close()


def test_after_an_answer_the_turn_is_read_that_the_next_question_may_lean_on(
    embedded_ada: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = ScriptedParts(embedded_ada, lambda _: "The big one, that December.")
    try:
        conversation = Conversation(parts, ChatOptions())
        read: list[str] = []
        monkeypatch.setattr(parts.recollector, "look_ahead", read.append)
        conversation.look_ahead()
        assert read == []
        for _ in conversation.ask("Which storm took the sheds?"):
            pass
        conversation.look_ahead()
        assert read == ["Which storm took the sheds? The big one, that December."]
    finally:
        parts.close()


class UnderWay:
    """A request whose answer is said by a script, and what it could do ahead."""

    begun = None

    def __init__(self, ahead: Callable[[], None] | None, says: Callable[[str], str] = lambda _: "So it was.") -> None:
        self.first = Prepared(0, "p", (1,), Manner(), ScriptedVoice(says), Withheld([], 8))
        self.log: list[str] = []
        self._ahead = ahead

    def further(self, choice: int) -> Prepared:
        return self.first

    def followed(self, prepared: Prepared, commands: Sequence[Command], said: str) -> Prepared:
        raise AssertionError

    def finish(self, prepared: Prepared, speaking: Speaking) -> Spoken | None:
        self.log.append("finished")
        told = Finished(session_id=1, notes=[], message_id=1, receipts=[], memories=[], missed=[])
        return Spoken(speaking.text, "stop", (1, 3), told)

    def ahead(self) -> Callable[[], None] | None:
        self.log.append("ahead")
        return self._ahead

    def ahead_done(self) -> None:
        self.log.append("done")

    def end(self) -> None:
        """Nothing was kept."""


async def _answered(work: Work, asked: UnderWay) -> list[object]:
    async with work.events(lambda: asked, 1, False, "") as events:
        return [event async for event in events]


def _with_work(do: Callable[[Work], object]) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as thread:
            work = Work(thread, 1, 4)
            try:
                await do(work)  # type: ignore[misc]
                await work.drain(10)
            finally:
                work.close()

    asyncio.run(run())


def test_the_answer_does_not_wait_for_what_is_read_ahead() -> None:
    async def see(work: Work) -> None:
        answered = asyncio.Event()
        loop = asyncio.get_running_loop()

        def read() -> None:
            # Ends only once the client has its answer.
            asyncio.run_coroutine_threadsafe(answered.wait(), loop).result(20)
            asked.log.append("read")

        asked = UnderWay(read)
        events = await _answered(work, asked)
        assert [type(event) for event in events] == [Whole]
        assert "read" not in asked.log
        answered.set()
        await work.drain(10)
        assert asked.log == ["finished", "ahead", "read", "done"]

    _with_work(see)


def test_while_somebody_waits_nothing_is_read_ahead() -> None:
    async def see(work: Work) -> None:
        gone = threading.Event()

        def says(_: str) -> str:
            gone.wait(20)
            return "So it was."

        first, second = UnderWay(lambda: None), UnderWay(lambda: None, says)
        waiting = [asyncio.create_task(_answered(work, each)) for each in (first, second)]
        await waiting[0]
        while work.busy > 1:
            await asyncio.sleep(0.01)
        gone.set()
        await waiting[1]
        await work.drain(10)
        assert first.log == ["finished"]
        assert second.log == ["finished", "ahead", "done"]

    _with_work(see)


def test_an_engine_that_fails_at_it_is_let_go_and_the_next_is_answered() -> None:
    async def see(work: Work) -> None:
        def read() -> None:
            raise ModelError("the server is gone", "ask again")

        asked, another = UnderWay(read), UnderWay(None)
        assert len(await _answered(work, asked)) == 1
        assert len(await _answered(work, another)) == 1
        await work.drain(10)
        assert asked.log == ["finished", "ahead", "done"]
        assert work.busy == 0

    _with_work(see)


@pytest.mark.slow
def test_llama_keeps_what_it_has_read(embedded_ada: Workspace) -> None:
    voice = LlamaVoice(embedded_ada, SMOLLM2, None, 1024)
    try:
        assert isinstance(voice, Reading)
        tokens = list(range(200, 500))
        voice.read(tokens)
        told = voice._server.completion([*tokens, 600, 601])
        assert told.cached_tokens >= len(tokens) - 1
    finally:
        voice.close()
