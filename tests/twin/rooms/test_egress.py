"""What the twin says in a room elsewhere leaves this machine: only with consent, written down, and nothing private."""

from __future__ import annotations

import asyncio

import pytest

from core.calls.hosts import forget_host, let_host
from core.errors import ConsentError
from core.store.model_calls import recent_calls
from core.twin.rooms.egress import Egress
from core.twin.rooms.link import Backoff
from core.twin.rooms.websocket import WebsocketLink
from core.workspace import Workspace
from tests.twin.rooms.conftest import Sit, Sitting
from tests.twin.rooms.test_websocket import Chat
from tests.twin.rooms.twin_server import TwinServer

PUBLIC, PRIVATE, UNUSED, GONE = "k1", "k2", "k3", "k9"


@pytest.fixture
def corpus(workspace: Workspace) -> Workspace:
    """A passage for training, one for recall only, one for nothing."""
    database = workspace.database
    with database.write():
        for number, use in enumerate(("train", "recall", "none"), 1):
            database.execute(
                "INSERT INTO source (id, uid, location, format, content_hash, use, use_chosen, imported_at)"
                " VALUES (?1, 's' || ?1, 'x', 'x', 'x', ?2, 0, '')",
                (number, use),
            )
            database.execute(
                "INSERT INTO document (id, uid, source_id, position, kind, title, link, date, date_precision,"
                " first_day, last_day, text, language, visibility, reply_to, tags, content_hash)"
                " VALUES (?1, 'd' || ?1, ?1, 0, 'writing', '', '', '', 'unknown', -1, -1, 'x', '', 'public', '',"
                " '[]', 'x')",
                (number,),
            )
            database.execute(
                "INSERT INTO chunk (id, uid, document_id, position, start, stop, text, tokens, last_day)"
                " VALUES (?1, 'c' || ?1, ?1, 0, 0, 1, 'x', 1, -1)",
                (number,),
            )
    return workspace


def elsewhere(port: int, workspace: Workspace) -> WebsocketLink:
    """A link to a host that is not certain to be this machine: 0.0.0.0 leads here, yet is no loopback."""
    egress = Egress(workspace, "join-1", f"0.0.0.0:{port}", "websocket")
    return WebsocketLink(f"ws://0.0.0.0:{port}/chat", "Ada Marlow", check=egress.check, backoff=Backoff(0.05, 0.1))


def test_without_consent_not_even_a_connection_is_made(sit: Sit, workspace: Workspace, unused_port: int) -> None:
    chat = Chat()

    async def scenario(room: Sitting) -> None:
        async with chat.listening(unused_port):
            await asyncio.sleep(5)

    with pytest.raises(ConsentError, match="nobody has allowed") as caught:
        sit(elsewhere(unused_port, workspace), scenario)
    assert caught.value.hint == "simulee consent grant 0.0.0.0"
    assert chat.sockets == []


def test_an_answer_from_private_words_is_made_anew_without_them(
    sit: Sit, corpus: Workspace, twin: TwinServer, unused_port: int
) -> None:
    let_host(corpus, "0.0.0.0")
    shown = {"one?": [PUBLIC], "two?": [PUBLIC, PRIVATE], "three?": [GONE], "four?": [UNUSED]}
    twin.memories = lambda body: shown[body["messages"][-1]["content"].split()[-1]]
    twin.answer = lambda body: f"{'With' if body['memories'] else 'Without'} {body['messages'][-1]['content']}"
    chat = Chat()

    async def scenario(room: Sitting) -> None:
        async with chat.listening(unused_port):
            await room.until("joined")
            for count, word in enumerate(shown, 1):
                await chat.line(name="Joe", text=f"ada, {word}")
                await room.until("said", count)

    room = sit(elsewhere(unused_port, corpus), scenario)
    assert [each["text"] for each in chat.said] == [
        "With ada, one?", "Without ada, two?", "Without ada, three?", "Without ada, four?",
    ]  # fmt: skip
    assert [each["why"].rpartition(": ")[2] for each in room.of("again")] == [
        "for recall only", "nothing is known of it", "used for nothing",
    ]  # fmt: skip
    # What was answered from private words is in no later prompt: each of those sessions ended there.
    sessions = [(each["session"], each["memories"], len(each["messages"])) for each in twin.asked]
    assert sessions == [
        (None, True, 1), (1, True, 1), (None, False, 3), (3, True, 1), (None, False, 5), (5, True, 1), (None, False, 7),
    ]  # fmt: skip
    rows = recent_calls(corpus.database, 9, sent_only=True)
    assert [(row.host, row.about, row.outcome) for row in reversed(rows)] == [
        (f"0.0.0.0:{unused_port}", about, "sent") for about in (("d1",), (), (), ())
    ]


def test_settings_may_let_recalled_words_go(corpus: Workspace) -> None:
    away, here = Egress(corpus, "", "0.0.0.0:1", "irc"), Egress(corpus, "", "127.0.0.1:1", "irc")
    assert away.objection([1, 2]) == "for recall only"
    assert here.objection([1, 2]) == ""
    assert here.objection([3]) == "used for nothing"
    settings = corpus.root / "persona.toml"
    settings.write_text(settings.read_text() + "\n[privacy]\nsend_recall_only = true\n")
    corpus.forget_settings()
    assert away.objection([1, 2]) == ""


def test_consent_that_is_taken_back_holds_for_the_next_line(
    sit: Sit, corpus: Workspace, twin: TwinServer, unused_port: int
) -> None:
    let_host(corpus, "0.0.0.0")
    chat = Chat()

    async def scenario(room: Sitting) -> None:
        async with chat.listening(unused_port):
            await room.until("joined")
            await chat.line(name="Joe", text="ada, one?")
            await room.until("said")
            forget_host(corpus, "0.0.0.0")
            await chat.line(name="Joe", text="ada, two?")
            await asyncio.sleep(5)

    with pytest.raises(ConsentError):
        sit(elsewhere(unused_port, corpus), scenario)
    assert len(chat.said) == len(twin.asked) == 1
