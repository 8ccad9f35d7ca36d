"""Lines of a pipe: who says what in them, whatever they hold."""

from __future__ import annotations

import asyncio
import os

from hypothesis import given
from hypothesis import strategies as st

from core.twin.rooms.lines import NOBODY, StdinLink, heard_line
from tests.twin.rooms.conftest import Sit, Sitting
from tests.twin.rooms.twin_server import TwinServer


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_line_is_beyond_reading(line: bytes) -> None:
    heard = heard_line(line)
    assert heard is None or (heard.text and heard.name and "\n" not in heard.name + heard.text)


def test_a_name_stands_before_a_colon_or_in_json() -> None:
    def told(line: str) -> tuple[str, str] | None:
        heard = heard_line(line.encode())
        return (heard.name, heard.text) if heard else None

    assert told("Joe Smith: hello: you") == ("Joe Smith", "hello: you")
    assert told("hello there") == (NOBODY, "hello there")
    assert told("see https://example.org/x") == (NOBODY, "see https://example.org/x")
    assert told('{"name": "Joe", "text": "hi", "other": [1]}') == ("Joe", "hi")
    assert told('{"text": "hi"}') == (NOBODY, "hi")
    assert told('{"name": "Joe"}') is None
    assert told("  ") is None


def test_a_pipe_is_answered_line_by_line_to_its_end(sit: Sit, twin: TwinServer) -> None:
    twin.seconds = 0.1
    reading, writing = os.pipe()
    os.write(
        writing,
        b"joe: morning\njoe: ada, one?\n{bad json\n\n" + b"x" * 20_000 + b"\njoe: nothing\nann: ada, two?\nada, last",
    )
    os.close(writing)

    async def scenario(room: Sitting) -> None:
        await asyncio.sleep(30)

    room = sit(StdinLink("Ada Marlow", reading), scenario)
    os.close(reading)
    assert twin.questions == ["morning\nada, one?", "joe: nothing\nann: ada, two?", "guest: ada, last"]
    assert [each["text"] for each in room.of("said")] == ["Answer 1.", "Answer 2.", "Answer 3."]
    assert room.of("passed over") == [{"not_lines": 1, "too_long": 1}]
