"""The engines on this machine answer asks with the packaged model: freely, to a schema, and by a choice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Literal

import pytest
from pydantic import BaseModel

from core.calls.caller import open_caller
from core.calls.structured import read_json
from core.models.generation import Ask, CallFailed, Said, TextEngine, Told
from core.models.roles import load_text_engine
from core.settings import EngineName, RoleSettings
from core.store.model_calls import recent_calls
from core.workspace import SETTINGS_FILE, Workspace

pytestmark = pytest.mark.slow

SMOLLM2 = "SmolLM2-135M-Instruct"


class Verdict(BaseModel):
    useful: bool
    color: Literal["red", "blue"]


def ask(words: str, max_tokens: int = 24, **fields: object) -> Ask:
    return Ask((Said("system", "Answer briefly."), Said("user", words)), max_tokens, **fields)  # type: ignore[arg-type]


def with_engine(name: EngineName, work: Callable[[TextEngine], object]) -> None:
    async def run() -> None:
        engine = load_text_engine("writer", RoleSettings(engine=name, model=SMOLLM2, concurrency=2))
        try:
            await work(engine)  # type: ignore[misc]
        finally:
            await engine.close()

    asyncio.run(run())


def test_llamacpp_answers_to_a_schema_and_tells_the_chances_of_a_choice() -> None:
    async def work(engine: TextEngine) -> None:
        assert (engine.host, engine.slots) == ("", 2)
        told = await engine.ask(
            ask("Is tea useful, and which color has the sea?", 40, schema=Verdict.model_json_schema()), 120
        )
        assert read_json(told, Verdict).color in ("red", "blue")
        assert told.prompt_tokens > 10
        chosen = await engine.ask(ask("Is fire hot? Say yes or no.", 1, choices=("Yes", "No")), 120)
        assert chosen.chances is not None
        assert set(chosen.chances) == {"Yes", "No"}
        assert 0 < sum(chosen.chances.values()) <= 1.0001

    with_engine("llama.cpp", work)


def test_llamacpp_starts_again_after_its_server_died() -> None:
    async def work(engine: TextEngine) -> None:
        first = await engine.ask(ask("Name a color."), 120)
        engine._server._process.kill()  # type: ignore[attr-defined]
        engine._server._process.wait()  # type: ignore[attr-defined]
        assert (await engine.ask(ask("Name a color."), 120)).text == first.text

    with_engine("llama.cpp", work)


def test_engines_of_one_model_share_a_server_until_the_last_one_closes() -> None:
    async def work(engine: TextEngine) -> None:
        other = load_text_engine("judge", RoleSettings(engine="llama.cpp", model=SMOLLM2, concurrency=2))
        both = await asyncio.gather(*(each.ask(ask("Name a color."), 120) for each in (engine, other)))
        server = engine._server  # type: ignore[attr-defined]
        assert both[0].text == both[1].text
        assert other._server is server  # type: ignore[attr-defined]
        await other.close()
        assert server.is_alive()
        assert (await engine.ask(ask("Name a color."), 120)).text == both[0].text
        await engine.close()
        assert not server.is_alive()

    with_engine("llama.cpp", work)


def test_llamacpp_says_that_an_answer_was_cut() -> None:
    async def work(engine: TextEngine) -> None:
        with pytest.raises(CallFailed) as failed:
            await engine.ask(ask("Tell me a long story.", 3), 120)
        assert failed.value.reason == "length"

    with_engine("llama.cpp", work)


def test_transformers_answers_what_waits_together_as_it_would_one_by_one() -> None:
    wanted = [ask("Name a color.", 24), ask("Tell me about a fruit.", 24)]

    async def work(engine: TextEngine) -> None:
        async def told(each: Ask) -> str:
            try:
                return (await engine.ask(each, 240)).text
            except CallFailed as failure:
                return failure.reason

        together = await asyncio.gather(*(told(each) for each in wanted))
        assert together == [await told(each) for each in wanted]
        assert await told(ask("Tell me a long story.", 3)) == "length"
        chosen = await engine.ask(ask("Is fire hot? Say yes or no.", 1, choices=("Yes", "No")), 240)
        assert chosen.chances is not None
        assert chosen.text == max(chosen.chances, key=chosen.chances.__getitem__)
        assert await told(ask("word " * 9000)) == "prompt too long"

    with_engine("transformers", work)


def test_a_writer_on_llamacpp_is_asked_once_for_each_thing(workspace: Workspace) -> None:
    path = workspace.root / SETTINGS_FILE
    path.write_text(path.read_text() + f'[models.writer]\nengine = "llama.cpp"\nmodel = "{SMOLLM2}"\nconcurrency = 2\n')
    wanted = ask("Is tea useful, and which color has the sea?", 40, schema=Verdict.model_json_schema())

    def accept(told: Told) -> Verdict:
        return read_json(told, Verdict)

    async def work() -> Verdict:
        async with open_caller(workspace, "writer", "r") as caller:
            return await caller.ask(wanted, accept, purpose="retell", about=())

    assert asyncio.run(work()) == asyncio.run(work())
    (row,) = recent_calls(workspace.database, 10)
    assert (row.host, row.outcome, row.engine, row.model) == ("", "answered", "llama.cpp", SMOLLM2)
    assert json.loads(workspace.database.value("SELECT value FROM call_cache"))["finish"] == "stop"
