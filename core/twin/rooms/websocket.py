"""The link to a chat behind a websocket, by aiohttp: small JSON messages both ways, as ``core.twin.rooms.lines`` tells.

The twin's own are ``{"name": nick, "text": …, "id": …, "reply_to": id of the line that it answers, or null}``.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from types import SimpleNamespace
from urllib.parse import urlsplit

import aiohttp

from core.errors import RunError, UsageError
from core.models.hosts import host_of, is_loopback
from core.twin.rooms.lines import heard_json
from core.twin.rooms.link import FIRST_TRIES, STEADY, Backoff, News
from core.twin.rooms.room import Heard
from core.twin.rooms.text import Limits, clean

CONNECT_WITHIN = 15.0
HEARTBEAT = 30.0
"""Seconds between two pings; a server that does not answer one is gone."""
LARGEST_MESSAGE = 64 * 1024
REFUSED = frozenset((400, 401, 403, 404, 405, 410, 426))
"""Statuses that trying again does not mend."""


def checked_url(url: str, has_token: bool) -> str:
    """The address. Raises UsageError for one that is none, or that would show a token to everybody on the way."""
    try:
        parts = urlsplit(url)
        name, secret = parts.hostname, bool(parts.username or parts.password)
        _ = parts.port
    except ValueError:
        name, secret = None, False
    if not name or parts.scheme not in ("ws", "wss"):
        raise UsageError(f"{clean(url, 200)!r} is no websocket", "write it as in wss://chat.example.org/room")
    if secret:
        raise UsageError("a password does not belong into an address", "--token-env NAME")
    if has_token and parts.scheme == "ws" and not is_loopback(host_of_websocket(url)):
        raise UsageError("a token goes only over wss://", "name a wss:// address, or leave out --token-env")
    return url


def host_of_websocket(url: str) -> str:
    """``name:port`` of an address."""
    return host_of("http" + url[2:])


class _Elsewhere(Exception):
    """The server sends on to another address."""


class WebsocketLink:
    """One websocket, opened again when it breaks."""

    patient = False

    def __init__(
        self,
        url: str,
        nick: str,
        token: str = "",
        *,
        check: Callable[[], None] = lambda: None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``check`` as in ``IrcLink``; the token goes as a bearer's."""
        self.host = host_of_websocket(url)
        self.place = clean(url, 200)
        self.nick = nick
        self.ready = False
        self._url = url
        self._token = token
        self._check = check
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._joined_once = False
        self._leaving = False

    def limits(self, lines: int, characters: int) -> Limits:
        return Limits(characters, lines=lines)

    def opening(self, to: Heard | None, group: bool) -> str:
        return ""

    async def listen(self) -> AsyncGenerator[Heard | News, None]:
        """As in ``Link``."""
        failures = 0
        while not self._leaving:
            self._check()
            began = self._clock()
            try:
                async with aclosing(self._connection()) as connection:
                    async for each in connection:
                        yield each
                why = "the server closed the connection"
            except _Elsewhere:
                raise RunError(f"{self.host} sends on to another address", "name that address instead") from None
            except aiohttp.WSServerHandshakeError as error:
                if error.status in REFUSED:
                    raise RunError(
                        f"{self.host} refused the websocket: status {error.status}", "check the address and the token"
                    ) from None
                why = f"status {error.status}"
            except (aiohttp.ClientError, OSError) as error:
                why = str(error) or type(error).__name__
            finally:
                self._socket, self.ready = None, False
            if self._leaving:
                return
            failures = 1 if self._clock() - began > STEADY else failures + 1
            if not self._joined_once and failures >= FIRST_TRIES:
                raise RunError(f"{self.host} cannot be reached: {clean(why, 200)}", "check the address")
            pause = self._backoff.pause(failures)
            yield News("left", {"why": clean(why, 200), "again_in": round(pause, 2)})
            await asyncio.sleep(pause)

    async def say(self, text: str, to: Heard | None) -> str:
        """As in ``Link``."""
        if self._socket is None or self._socket.closed:
            raise ConnectionError("not connected")
        own = secrets.token_hex(8)
        message = {"name": self.nick, "text": text, "id": own, "reply_to": (to.id or None) if to else None}
        async with asyncio.timeout(CONNECT_WITHIN):
            await self._socket.send_str(json.dumps(message, ensure_ascii=False))
        return own

    async def close(self) -> None:
        self._leaving = True
        if self._socket is not None:
            await self._socket.close()

    async def _connection(self) -> AsyncGenerator[Heard | News, None]:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        traces = aiohttp.TraceConfig()
        traces.on_request_redirect.append(_stay_here)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN)
        # No proxy of the environment: consent was given for this host alone.
        async with aiohttp.ClientSession(timeout=timeout, trace_configs=[traces], trust_env=False) as session:
            async with asyncio.timeout(CONNECT_WITHIN):
                self._socket = await session.ws_connect(
                    self._url, headers=headers, heartbeat=HEARTBEAT, max_msg_size=LARGEST_MESSAGE
                )
            async with self._socket as socket:
                self.ready = self._joined_once = True
                yield News("joined", {"place": self.place, "nick": self.nick})
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT and (heard := heard_json(message.data)) is not None:
                        yield heard


async def _stay_here(_session: aiohttp.ClientSession, _context: SimpleNamespace, _params: object) -> None:
    raise _Elsewhere
