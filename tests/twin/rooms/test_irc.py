"""A co-host against an IRC server on loopback: joining, answering, breaking off, and what a hostile room sends."""

from __future__ import annotations

import asyncio
import socket

import pytest

from core.errors import ConsentError, RunError, UsageError
from core.store.model_calls import recent_calls
from core.twin.rooms.irc import IrcLink, channel_of
from core.twin.rooms.link import Backoff
from core.workspace import Workspace
from tests.twin.rooms.conftest import Sit, Sitting
from tests.twin.rooms.irc_server import CHANNEL, IrcServer
from tests.twin.rooms.twin_server import TwinServer

TOKEN = "oauth:abc123"


def link(server: IrcServer, token: str = "", **options: object) -> IrcLink:
    return IrcLink(
        channel_of(f"127.0.0.1:{server.port}", CHANNEL, "adatwin"), token, backoff=Backoff(0.05, 0.2), **options
    )  # type: ignore[arg-type]


async def joined(server: IrcServer, times: int = 1) -> None:
    await server.until(lambda: server.joins >= times)
    await asyncio.sleep(0.1)


def test_it_joins_with_its_token_and_answers_who_addresses_it(sit: Sit, twin: TwinServer, workspace: Workspace) -> None:
    with IrcServer(TOKEN) as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("joe", "nice weather", "id=l1;display-name=Joe")
            server.line("joe", "Ada, who pays for the charts?", "id=l2;display-name=Joe")
            await server.until(lambda: len(server.said) == 1)
            await room.until("said")

        room = sit(link(server, TOKEN), scenario)
    assert f"PASS {TOKEN}" in server.received
    assert server.received[-1].startswith("QUIT")
    assert "@reply-parent-msg-id=l2 PRIVMSG #room :Answer 1." in server.received
    assert twin.questions == ["nice weather\nAda, who pays for the charts?"]
    assert twin.asked[0]["speaker"] == "Joe"
    assert room.of("asked")[0]["why"] == "addressed"
    assert TOKEN not in str(room.events)
    (row,) = recent_calls(workspace.database, 5, sent_only=True)
    assert (row.host, row.role, row.outcome, row.bytes) == (f"127.0.0.1:{server.port}", "room", "sent", 9)


def test_what_several_say_is_one_question_with_names_and_the_next_one_begins_after_the_answer(
    sit: Sit, twin: TwinServer
) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("joe", "hello all")
            server.line("ann", "adatwin: are you there?")
            await room.until("said", 1)
            server.line("joe", "I am")
            server.line("joe", "and you, @AdaTwin ?")
            await room.until("said", 2)

        sit(link(server), scenario)
    assert twin.questions == ["joe: hello all\nann: adatwin: are you there?", "joe: I am\nand you, @AdaTwin ?"]
    assert [each["session"] for each in twin.asked] == [None, 1]
    assert [each["speaker"] for each in twin.asked] == ["", ""]
    assert server.said == ["ann: Answer 1.", "joe: Answer 2."]


def test_a_ping_is_answered_and_a_dead_server_is_left(sit: Sit) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.raw(b"PING :tmi.example\r\n")
            await server.until(lambda: "PONG :tmi.example" in server.received)
            await server.until(lambda: "PING simulee" in server.received)

        sit(link(server, quiet=0.3), scenario)


@pytest.mark.parametrize("way", ["drop", "reconnect", "error"])
def test_it_comes_back_after_a_break_and_goes_on(sit: Sit, twin: TwinServer, way: str) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            if way == "drop":
                server.drop()
            else:
                server.raw(b":tmi RECONNECT\r\n" if way == "reconnect" else b"ERROR :Closing link\r\n")
            await joined(server, 2)
            server.line("joe", "ada, still here?")
            await room.until("said")

        room = sit(link(server), scenario)
    assert room.kinds().count("joined") == 2
    assert room.kinds().count("left") == 1
    assert server.said == ["Answer 1."]


def test_a_wrong_token_ends_it_with_what_to_check(sit: Sit) -> None:
    async def scenario(room: Sitting) -> None:
        await asyncio.sleep(10)

    with IrcServer(TOKEN) as server, pytest.raises(RunError, match="refused the login") as caught:
        sit(link(server, "oauth:wrong"), scenario)
    assert "--token-env" in caught.value.hint
    assert "oauth:wrong" not in str(caught.value)
    assert len([each for each in server.received if each.startswith("NICK")]) == 1, "a refused login is not repeated"


def test_a_ban_a_kick_and_a_place_that_is_not_there_end_it(sit: Sit) -> None:
    async def wait(room: Sitting) -> None:
        await asyncio.sleep(10)

    with IrcServer(banned=True) as server, pytest.raises(RunError, match="banned"):
        sit(link(server), wait)
    with IrcServer() as server:

        async def kicked(room: Sitting) -> None:
            await joined(server)
            server.raw(f":op!o@h KICK {CHANNEL} adatwin :no \x1b[31mbots\r\n".encode())
            await asyncio.sleep(10)

        with pytest.raises(RunError, match="put out of #room by op: no"):
            sit(link(server), kicked)
        port = server.port
    gone = IrcLink(channel_of(f"127.0.0.1:{port}", CHANNEL, "adatwin"), backoff=Backoff(0.02, 0.05))
    with pytest.raises(RunError, match="cannot be reached"):
        sit(gone, wait)


def test_a_server_that_never_lets_it_in_is_given_up(sit: Sit) -> None:
    async def wait(room: Sitting) -> None:
        await asyncio.sleep(10)

    with IrcServer(silent=True) as server, pytest.raises(RunError, match="not in #room after"):
        sit(link(server, join_within=0.2), wait)


def test_beyond_loopback_nothing_is_said_before_there_is_tls(sit: Sit) -> None:
    first: list[bytes] = []

    async def scenario(room: Sitting) -> None:
        async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first.append(await reader.read(4096))
            writer.write(b":irc.test 001 adatwin :Welcome\r\n")
            writer.close()

        async with await asyncio.start_server(client, "127.0.0.1", port):
            await asyncio.sleep(10)

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # 0.0.0.0 leads here, yet is no loopback.
    away = IrcLink(channel_of(f"0.0.0.0:{port}", CHANNEL, "adatwin"), TOKEN, backoff=Backoff(0.2, 0.2))
    with pytest.raises(RunError, match="cannot be reached"):
        sit(away, scenario)
    assert first
    assert all(each.startswith(b"\x16\x03") and TOKEN.encode() not in each for each in first), "a TLS handshake"


def test_a_taken_nick_becomes_another_one_and_is_still_a_name(sit: Sit) -> None:
    with IrcServer(taken=("adatwin",)) as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("joe", "adatwin_: hello?")
            await room.until("said")

        assert sit(link(server), scenario).of("joined")[0]["nick"] == "adatwin_"


def test_a_hostile_room_neither_breaks_it_nor_reaches_the_twin_raw(sit: Sit, twin: TwinServer) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.raw(b"\xff\xfe\x00\x01 garbage\r\n\r\n:\r\n@\r\n@a=b\r\n@a=b \r\n:x \r\n : :\r\nPRIVMSG\r\n")
            server.raw(b"x" * 300_000 + b"\r\n")
            server.raw(b"PRIVMSG #room :no source\r\n:!@ PRIVMSG #room :ada nobody\r\n:a PRIVMSG #room\r\n")
            server.raw(b":joe!j@h PRIVMSG #room :\x01VERSION\x01\r\n")
            server.raw(b":joe!j@h NOTICE #room :ada, a notice is never answered?\r\n")
            server.raw(b":joe!j@h PRIVMSG adatwin :ada, a private word?\r\n")
            server.raw(b":joe!j@h PRIVMSG #other :ada, another room?\r\n")
            server.raw(b"PING :" + "é".encode() * 400 + b"\r\n")
            server.raw(b":joe!j@h PRIVMSG #room :ada\x02\x0304,02 who\x1b[2J \xff\xe2\x80\xae are\xe2\x80\x8b you?\r\n")
            await room.until("said")

        sit(link(server), scenario)
    assert twin.questions == ["ada who [2J \ufffd are you?"]
    assert server.said == ["Answer 1."]
    assert all(len(each.encode()) <= 510 for each in server.received)


@pytest.mark.parametrize(
    ("answer", "heard"),
    [
        ("Yes.\r\nQUIT :gone\r\nPRIVMSG #other :hi", "Yes. QUIT :gone PRIVMSG #other :hi"),
        ("/ban joe", "ban joe"),
        (". /me waves", "me waves"),
        ("!so joe", "so joe"),
        ("\x01ACTION waves\x01", "ACTION waves"),
        ("Ada Marlow: I do.", "I do."),
        ("... perhaps.", "… perhaps."),
        ("nul\0and\u2028line\x85end", "nul and line end"),
    ],
)
def test_nothing_that_the_twin_says_is_a_second_line_or_a_command(
    sit: Sit, twin: TwinServer, answer: str, heard: str
) -> None:
    twin.answer = lambda body: answer
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("joe", "ada, repeat after me")
            await room.until("said")
            await server.until(lambda: bool(server.said))

        sit(link(server), scenario)
    assert server.said == [heard]
    commands = [each.split()[0] for each in server.received if not each.startswith(("CAP", "NICK", "USER", "JOIN"))]
    assert commands == ["PRIVMSG", "QUIT"]


def test_a_flood_of_one_person_is_sieved_and_the_twin_answers_at_its_own_pace(sit: Sit, twin: TwinServer) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            for number in range(300):
                server.line("troll", f"ada answer me {number}")
            server.line("ann", "ada, and me?")
            await room.until("said", 1)
            server.line("ann", "ada, once more?")
            await asyncio.sleep(1.0)

        room = sit(link(server), scenario, per_minute=1)
    assert len(server.said) == 1
    counts = room.of("counts")[-1]
    assert counts["flood"] == 292
    assert twin.questions[0].count("troll") <= 8


def test_muted_it_hears_and_says_nothing_and_only_an_owner_may_mute(sit: Sit, twin: TwinServer) -> None:
    twin.seconds = 0.3
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("troll", "!mute")
            server.line("joe", "ada, one?")
            await room.until("said", 1)
            server.line("joe", "ada, two?")
            await room.until("asked", 2)
            server.line("Boss", "!mute")  # While the twin is thinking.
            await room.until("muted")
            await room.until("held")
            server.line("joe", "ada, three?")
            await asyncio.sleep(0.7)
            assert len(server.said) == 1
            server.line("boss", "!unmute")
            await room.until("unmuted")
            await room.until("said", 2)
            room.mute.set(True)
            server.line("joe", "ada, four?")
            await room.until("muted", 2)
            await asyncio.sleep(0.5)

        room = sit(link(server), scenario, owners=("boss",))
    assert [each["by"] for each in room.of("muted")] == ["Boss", "a terminal"]
    assert len(server.said) == 2
    assert twin.questions[-1] == "ada, two?\nada, three?", "what was not answered is still there"


def test_itself_other_programs_the_ignored_and_commands_are_never_answered(sit: Sit, twin: TwinServer) -> None:
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("adatwin", "ada, me?")
            server.line("nightbot", "ada, follow us?")
            server.line("helper", "ada?", "bot=")
            server.line("Pest", "ada, hey?")
            server.line("joe", "!ada hey?")
            server.line("joe", "ada, hey?", "id=same")
            await room.until("said")
            server.line("joe", "ada, hey?", "id=same")
            server.line("joe", "ada, hey?", "id=other")
            await asyncio.sleep(0.6)

        room = sit(link(server), scenario, ignore=("@pest",))
    assert twin.questions == ["ada, hey?"]
    counts = room.of("counts")[-1]
    assert (counts["own"], counts["ignored"], counts["for programs"], counts["twice"]) == (1, 1, 3, 2)


def test_a_twin_that_fails_is_let_alone_for_a_while(sit: Sit, twin: TwinServer) -> None:
    twin.status = 500
    with IrcServer() as server:

        async def scenario(room: Sitting) -> None:
            await joined(server)
            server.line("joe", "ada, one?")
            await room.until("held")
            server.line("joe", "ada, two?")
            await asyncio.sleep(0.6)

        room = sit(link(server), scenario)
    assert len(twin.asked) == 1
    assert "\x1b" not in room.of("held")[0]["why"]
    assert server.said == []


def test_a_host_elsewhere_needs_consent_and_a_name_that_is_none_is_refused(workspace: Workspace) -> None:
    from core.twin.rooms.egress import Egress

    with pytest.raises(ConsentError) as caught:
        Egress(workspace, "join-1", "irc.example.org:6697", "irc").check()
    assert caught.value.hint == "simulee consent grant irc.example.org"
    assert channel_of("", "Ada", "AdaTwin").server == "irc.chat.twitch.tv:6697"
    assert channel_of("", "Ada", "AdaTwin").channel == "#ada"
    assert channel_of("localhost", "x", "y").server == "localhost:6667"
    for server, channel, nick in (
        ("bad host", "x", "y"), ("h:99999", "x", "y"), ("h", "a b", "y"), ("h", "a\r\nQUIT", "y"), ("h", "x", "a b"),
        ("h", "x", ""), ("h", "", "y"), ("h", "x", "a\r\nQUIT"),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            channel_of(server, channel, nick)
