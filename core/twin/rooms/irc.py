"""The link to an IRC channel, as Twitch speaks it and as other servers do.

One connection after another, each until it breaks: CAP, PASS, NICK, USER, JOIN, then lines. TLS everywhere but on
loopback. The token stands in a variable of the environment and is in no event. Only the channel is heard: whispers,
private messages and notices are never answered (RFC 2812 3.3.2).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

from core.errors import RunError, UsageError
from core.models.hosts import as_written, is_loopback, spellings
from core.twin.rooms.irc_message import LONGEST_RECEIVED, LONGEST_SENT, Message, read_message, write_message
from core.twin.rooms.link import FIRST_TRIES, STEADY, Backoff, News, addressing
from core.twin.rooms.pace import Flood
from core.twin.rooms.room import Heard
from core.twin.rooms.splitting import LineSplitter
from core.twin.rooms.text import LONGEST_LINE, Limits, clean, clean_name

TWITCH = "irc.chat.twitch.tv:6697"
CAPABILITIES = ("twitch.tv/tags", "twitch.tv/commands", "message-tags")
CONNECT_WITHIN = 15.0
JOIN_WITHIN = 60.0
QUIET = 240.0
"""Seconds without a byte, after which the server is asked whether it is there; Twitch asks every five minutes."""
PONG_WITHIN = 20.0
WRITE_WITHIN = 20.0
RELAYED = 80
"""Bytes of user, host and marks that a server puts before a relayed message, beside the nick."""
NOTICES = 5
"""Of a server in a minute that are told."""
OTHER_NICKS = 3
_NICK = re.compile(r"[A-Za-z0-9_\-\[\]\\`^{|}]{1,32}")
_CHANNEL = re.compile(r"[#&][^\s,:\x00-\x1f\x7f]{1,63}")
_ACTION = re.compile(r"\x01ACTION (.*?)\x01?")
_NO_LOGIN = ("login authentication failed", "improperly formatted auth", "login unsuccessful", "invalid nick")
_NOT_JOINED = {
    "403": "there is no such channel", "405": "too many channels", "471": "it is full", "473": "it is for the invited",
    "474": "this nick is banned from it", "475": "it has a key", "476": "that is no channel",
    "477": "the nick must be registered first", "489": "it wants TLS", "520": "it is for operators",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Channel:
    """Which channel, where, by which name."""

    server: str
    """``name:port``."""
    channel: str
    nick: str

    @property
    def twitch(self) -> bool:
        return f".{spellings(self.server)[1]}".endswith(".twitch.tv")


def channel_of(server: str, channel: str, nick: str) -> Channel:
    """A channel as a person names it. Raises UsageError for a name that is none."""
    host = as_written(server or TWITCH)
    if host and host != TWITCH and not re.search(r":\d+$", host):
        host = f"{host}:{6667 if is_loopback(f'{host}:6667') else 6697}"
    if not host or int(host.rpartition(":")[2]) > 65535:
        raise UsageError(f"{server!r} names no server", "write it as in irc.example.org:6697")
    channel = channel if channel[:1] in "#&" and channel else f"#{channel}"
    if not _CHANNEL.fullmatch(channel):
        raise UsageError(f"{channel!r} is no channel", "--channel '#name'")
    if not _NICK.fullmatch(nick):
        raise UsageError(f"{nick!r} is no nick", "--nick NAME: letters, digits and _, without spaces")
    found = Channel(host, channel, nick)
    return Channel(host, channel.lower(), nick.lower()) if found.twitch else found


class _Again(Exception):
    """This connection is over; another one may hold."""

    def __init__(self, why: str, at_once: bool = False) -> None:
        super().__init__(why)
        self.at_once = at_once


class IrcLink:
    """One channel of one server."""

    patient = False

    def __init__(
        self,
        channel: Channel,
        token: str = "",
        *,
        check: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        quiet: float = QUIET,
        join_within: float = JOIN_WITHIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``check`` is asked before each connection whether the host may be spoken to, and raises where not."""
        self.host = channel.server
        self.place = channel.channel
        self.nick = channel.nick
        self.ready = False
        self._channel = channel
        self._token = token
        self._check = check
        self._backoff = backoff or Backoff()
        self._quiet = quiet
        self._join_within = join_within
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None
        self._capabilities: set[str] = set()
        self._open = 0
        self._joined_once = False
        self._leaving = False
        self._notices = Flood(NOTICES, 60.0)

    def limits(self, lines: int, characters: int) -> Limits:
        """As in ``Link``: IRC's 512 bytes hold the line as the server relays it, and Twitch takes 500 characters."""
        around = len(f":{self.nick}!@ PRIVMSG {self.place} :\r\n".encode()) + RELAYED
        return Limits(min(characters, 500), LONGEST_SENT - around, lines)

    async def listen(self) -> AsyncGenerator[Heard | News, None]:
        """As in ``Link``. A server that was never reached is given up after a few attempts."""
        failures = 0
        while not self._leaving:
            self._check()
            began = self._clock()
            at_once = False
            try:
                async with aclosing(self._connection()) as connection:
                    async for each in connection:
                        yield each
                why = "the connection ended"
            except _Again as again:
                why, at_once = str(again), again.at_once
            except ssl.SSLCertVerificationError as error:
                raise RunError(
                    f"{self.host} has no certificate to be trusted: {error.verify_message}", "check --server"
                ) from None
            except TimeoutError:
                why = f"{self.host} does not answer"
            except OSError as error:
                why = error.strerror or str(error) or type(error).__name__
            finally:
                await self._drop()
            if self._leaving:
                return
            held = self._clock() - began > STEADY
            failures = 1 if held else failures + 1
            if not self._joined_once and failures >= FIRST_TRIES:
                raise RunError(f"{self.host} cannot be reached: {why}", "check --server and the network")
            pause = 0.0 if at_once and failures == 1 else self._backoff.pause(failures)
            yield News("left", {"why": clean(why, 200), "again_in": round(pause, 2)})
            await asyncio.sleep(pause)

    async def say(self, text: str, to: Heard | None) -> str:
        """As in ``Link``. IRC tells no id of what was said."""
        tags = {}
        if to is not None and to.id and "twitch.tv/tags" in self._capabilities:
            tags = {"reply-parent-msg-id": to.id}
        elif to is not None and to.id and "message-tags" in self._capabilities:
            tags = {"+draft/reply": to.id}
        if not self.ready:
            raise ConnectionError("not in the room")
        await self._send("PRIVMSG", self.place, text, tags=tags)
        return ""

    def opening(self, to: Heard | None, group: bool) -> str:
        """The words before an answer that say whom it answers, where no tag does."""
        tagged = to is not None and to.id and self._capabilities & {"twitch.tv/tags", "message-tags"}
        return "" if to is None or tagged else addressing(to.name, group)

    async def close(self) -> None:
        """Say good-bye and hang up."""
        self._leaving = True
        if self._writer is not None:
            with contextlib.suppress(OSError, ValueError, TimeoutError):
                await self._send("QUIT", "good-bye")
        await self._drop()

    async def _connection(self) -> AsyncGenerator[Heard | News, None]:
        """One connection, from its first byte to its last."""
        name, port = spellings(self.host)[1], int(self.host.rpartition(":")[2])
        secure = None if is_loopback(self.host) else ssl.create_default_context()
        async with asyncio.timeout(CONNECT_WITHIN):
            reader, self._writer = await asyncio.open_connection(name, port, ssl=secure)
        yield News("connected", {"server": self.host, "tls": secure is not None})
        await self._introduce()
        splitter = LineSplitter(LONGEST_RECEIVED)
        until = self._clock() + self._join_within
        asked_at: float | None = None
        while True:
            wait = PONG_WITHIN if asked_at is not None else self._quiet
            if not self.ready:
                wait = max(0.01, min(wait, until - self._clock()))
            try:
                async with asyncio.timeout(wait):
                    data = await reader.read(4096)
            except TimeoutError:
                if not self.ready and self._clock() >= until:
                    raise _Again(f"not in {self.place} after {self._join_within:.0f} s") from None
                if asked_at is not None:
                    raise _Again("the server is silent") from None
                asked_at = self._clock()
                await self._send("PING", "simulee")
                continue
            asked_at = None
            if not data:
                raise _Again("the server closed the connection")
            for line in splitter.push(data):
                message = read_message(line)
                taken = await self._take(message) if message is not None else None
                if taken is not None:
                    yield taken
            if not self.ready and self._clock() >= until:
                raise _Again(f"not in {self.place} after {self._join_within:.0f} s")

    async def _introduce(self) -> None:
        self.nick = self._channel.nick
        self._capabilities = set()
        self._open = len(CAPABILITIES)
        for each in CAPABILITIES:
            await self._send("CAP", "REQ", each)
        if self._token:
            token = self._token
            if self._channel.twitch and not token.startswith("oauth:"):
                token = f"oauth:{token}"
            await self._send("PASS", token)
        await self._send("NICK", self.nick)
        await self._send("USER", self.nick, "0", "*", self.nick)

    async def _take(self, message: Message) -> Heard | News | None:
        """Answer what the protocol asks, and return what the room should know."""
        match message.command:
            case "PING":
                await self._send("PONG", message.param(-1).encode()[:400].decode(errors="ignore"))
            case "PRIVMSG":
                return self._heard(message)
            case "CAP":
                await self._capability(message)
            case "001":
                self.nick = message.param(0) if _NICK.fullmatch(message.param(0)) else self.nick
                await self._send("JOIN", self.place)
            case "JOIN" if self._is_us(message.nick) and self._is_here(message.param(0)):
                return self._joined()
            case "366" if self._is_here(message.param(1)):
                return self._joined()
            case "NICK" if self._is_us(message.nick) and _NICK.fullmatch(message.param(0)):
                self.nick = message.param(0)
            case "432" | "433" | "436" | "437" if not self.ready:
                await self._another_nick()
            case "464" | "465":
                raise self._refused(message.param(-1))
            case "RECONNECT":
                raise _Again("the server asks to connect again", at_once=True)
            case "ERROR":
                raise _Again(f"the server says: {message.param(-1)}")
            case "KICK" if self._is_here(message.param(0)) and self._is_us(message.param(1)):
                raise RunError(
                    f"put out of {self.place} by {clean_name(message.nick)}: {clean(message.param(2), 200)}",
                    "ask them before joining again",
                )
            case "NOTICE":
                return self._notice(message)
            case code if code in _NOT_JOINED and self._is_here(message.param(1)) and not self.ready:
                raise RunError(f"cannot join {self.place}: {_NOT_JOINED[code]}", "check --channel and --nick")
        return None

    def _heard(self, message: Message) -> Heard | None:
        if not self._is_here(message.param(0)) or not message.nick or len(message.params) < 2:
            return None
        text, tags = message.params[1], message.tags
        if text.startswith("\x01"):
            action = _ACTION.fullmatch(text)
            if action is None:
                return None
            text = f"*{action[1]}*"
        text = clean(text, LONGEST_LINE)
        login = clean_name(message.nick)
        shown = clean_name(tags.get("display-name", ""))
        badges = tags.get("badges", "").split(",")
        answered = tags.get("reply-parent-user-login", "")
        if not text or not login:
            return None
        return Heard(
            # A display name that is not the same name in other letters would hide who speaks.
            name=shown if shown.casefold() == login.casefold() else login,
            text=text,
            login=login,
            id=clean(tags.get("id", "") or tags.get("msgid", ""), 100),
            reply_to=clean(tags.get("reply-parent-msg-id", "") or tags.get("+draft/reply", ""), 100),
            to_us=bool(answered) and self._is_us(answered),
            bot="bot" in tags or any(each.startswith("bot") for each in badges),
            host=self._channel.twitch and "broadcaster/1" in badges,
        )

    async def _capability(self, message: Message) -> None:
        verdict = message.param(1).upper()
        if verdict not in ("ACK", "NAK") or not self._open:
            return
        if verdict == "ACK":
            self._capabilities.update(each for each in message.param(-1).split() if each in CAPABILITIES)
        self._open -= 1
        if not self._open:
            await self._send("CAP", "END")

    async def _another_nick(self) -> None:
        if len(self.nick) - len(self._channel.nick) >= OTHER_NICKS or self._channel.twitch:
            raise RunError(f"the nick {self._channel.nick} is taken or not allowed here", "--nick another one")
        self.nick += "_"
        await self._send("NICK", self.nick)

    def _notice(self, message: Message) -> News | None:
        text = clean(message.param(-1), 300)
        if not self.ready and any(each in text.lower() for each in _NO_LOGIN):
            raise self._refused(text)
        if "!" in message.source or not text or not self._notices.lets("", self._clock()):
            return None
        return News("notice", {"text": text})

    def _joined(self) -> News | None:
        if self.ready:
            return None
        self.ready = self._joined_once = True
        return News("joined", {"place": self.place, "nick": self.nick})

    def _refused(self, told: str) -> RunError:
        return RunError(
            f"{self.host} refused the login of {self.nick}: {clean(told, 200)}",
            "check the token in the variable that --token-env names, and that it is of this nick",
        )

    def _is_us(self, nick: str) -> bool:
        return nick.casefold() == self.nick.casefold()

    def _is_here(self, channel: str) -> bool:
        return channel.casefold() == self.place.casefold()

    async def _send(self, command: str, *params: str, tags: dict[str, str] | None = None) -> None:
        if self._writer is None:
            raise ConnectionError("not connected")
        self._writer.write(write_message(command, *params, tags=tags))
        async with asyncio.timeout(WRITE_WITHIN):
            await self._writer.drain()

    async def _drop(self) -> None:
        self.ready = False
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(2.0):
                    await writer.wait_closed()
