"""A small IRC server on loopback, in a thread: it registers clients, relays lines, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

CHANNEL = "#room"


class IrcServer:
    """One channel. What clients sent stands in ``received``, what they said in the channel in ``said``."""

    def __init__(
        self, token: str = "", taken: tuple[str, ...] = (), banned: bool = False, silent: bool = False
    ) -> None:
        self.token = token
        self.taken = taken
        self.banned = banned
        self.silent = silent
        self.received: list[str] = []
        self.joins = 0
        self.port = 0
        self._writers: list[asyncio.StreamWriter] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> IrcServer:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def said(self) -> list[str]:
        head = f"PRIVMSG {CHANNEL} :"
        return [each.partition(head)[2] for each in list(self.received) if head in each]

    def raw(self, data: bytes) -> None:
        """Send bytes to everyone who is here, as they are."""
        for writer in self._writers:
            self._loop.call_soon_threadsafe(writer.write, data)

    def line(self, nick: str, text: str, tags: str = "", channel: str = CHANNEL) -> None:
        """Somebody says something."""
        head = f"@{tags} " if tags else ""
        self.raw(f"{head}:{nick}!{nick}@host.example PRIVMSG {channel} :{text}\r\n".encode())

    def drop(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            self._loop.call_soon_threadsafe(writer.transport.abort)

    def wait(self, holds: Callable[[], bool], seconds: float = 15.0) -> bool:
        """Until something holds; from the test's own thread."""
        until = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True

    async def until(self, holds: Callable[[], bool], seconds: float = 15.0) -> None:
        """The same on a test's own loop. Raises AssertionError with what was received."""
        until = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < until, self.received
            await asyncio.sleep(0.01)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._run())
        self._loop.close()

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._client, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        await asyncio.sleep(0.05)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        nick, given, registered = "*", "", False

        def send(text: str) -> None:
            writer.write(f"{text}\r\n".encode())

        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while data := await reader.readline():
                text = data.decode("utf-8", "strict").removesuffix("\r\n")
                self.received.append(text)
                bare = text.partition(" ")[2] if text.startswith("@") else text
                command, _, rest = bare.partition(" ")
                rest = rest.removeprefix(":")
                if command == "CAP" and rest.startswith("REQ"):
                    wanted = rest.partition(":")[2]
                    send(f":irc.test CAP * {'ACK' if wanted == 'twitch.tv/tags' else 'NAK'} :{wanted}")
                elif command == "PASS":
                    given = rest
                elif command == "NICK":
                    nick = rest
                    if nick in self.taken:
                        send(f":irc.test 433 * {nick} :Nickname is already in use")
                        nick = "*"
                    elif registered is False and given != self.token:
                        send(":irc.test NOTICE * :Login authentication failed")
                if not registered and nick != "*" and given == self.token and command in ("NICK", "USER"):
                    registered = True
                    send(f":irc.test 001 {nick} :Welcome")
                elif command == "JOIN":
                    if self.banned:
                        send(f":irc.test 474 {nick} {CHANNEL} :Cannot join channel (+b)")
                    elif not self.silent:
                        self.joins += 1
                        send(f":{nick}!{nick}@host.example JOIN {CHANNEL}")
                elif command == "PING":
                    send(f":irc.test PONG irc.test {rest}")
                elif command == "QUIT":
                    break
        self._writers.remove(writer)
        writer.close()
