"""Who may ask, and how often: what stands before every handler of the server."""

from __future__ import annotations

import math
import secrets
import time
import traceback
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from core.errors import SimuleeError
from core.twin.protocol import LARGEST_BODY
from core.twin.serving.refusals import Refusal, of_defect, of_error, stopping, too_busy

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost"})
"""What a request may call this server: a page that points a name of its own at loopback is refused."""
HEALTH = "/health"
"""The one path without a token: it tells whether the server takes questions, and nothing else."""
CLIENT_GONE = 499
"""The status that nobody receives, as nginx counts it."""
MOST_CONNECTIONS = 512
"""Requests under way at once, whatever they ask: what each holds is bounded, and so is all of it."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Pace:
    """A bucket of tokens: so many requests a minute, a minute's worth of them at once."""

    def __init__(self, per_minute: int) -> None:
        """0 is no cap."""
        self._per_second = per_minute / 60
        self._most = self._left = float(per_minute)
        self._at = time.monotonic()

    def take(self) -> int:
        """0 for a request that may pass, else the seconds after which one may."""
        if not self._per_second:
            return 0
        moment = time.monotonic()
        self._left = min(self._most, self._left + (moment - self._at) * self._per_second)
        self._at = moment
        if self._left < 1:
            return math.ceil((1 - self._left) / self._per_second)
        self._left -= 1
        return 0


class Guard:
    """The middleware: host, token, pace; and every failure in the form of OpenAI."""

    def __init__(self, token: str, pace: Pace) -> None:
        self._token = token.encode()
        self._pace = pace
        self._open = 0
        self.last = time.monotonic()
        """When something was asked last."""
        self.draining = False

    def middleware(self) -> Middleware:
        """For aiohttp's application."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            self._open += 1
            try:
                self._admit(request)
                return await handler(request)
            except Refusal as refusal:
                return refusal.response()
            except web.HTTPRequestEntityTooLarge:
                return Refusal(413, f"a request may hold {LARGEST_BODY} bytes", "too_large").response()
            except web.HTTPException as error:
                return Refusal(error.status, f"{request.method} {request.path}: {error.reason}", "not_found").response()
            except SimuleeError as error:
                return of_error(error).response()
            except ConnectionError:
                # The client has gone: there is nobody to answer, and nothing to log.
                return web.Response(status=CLIENT_GONE)
            except Exception as error:  # What breaks one answer must not end the server; the log keeps it.
                traceback.print_exception(error)
                return of_defect(error).response()
            finally:
                self._open -= 1
                if request.path != HEALTH:
                    self.last = time.monotonic()

        return guard

    def _admit(self, request: web.Request) -> None:
        """Raises Refusal."""
        name = request.host.rpartition(":")[0] or request.host
        if name.lower() not in LOOPBACK_NAMES:
            raise Refusal(403, "this server answers only to 127.0.0.1 and localhost", "wrong_host")
        if request.path == HEALTH:
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(
            token.strip().encode(errors="replace"), self._token
        ):
            raise Refusal(401, "a bearer token is needed: it is in the token file", "invalid_api_key")
        if self.draining:
            raise stopping()
        if self._open > MOST_CONNECTIONS:
            raise too_busy(f"{MOST_CONNECTIONS} requests are under way", 1)
        wait = self._pace.take()
        if wait:
            raise too_busy("there are too many requests a minute: [twin] requests_per_minute is the cap", wait)
