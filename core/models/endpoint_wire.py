"""The connection of one request, cut from outside: a thread that waits for a server's bytes cannot look at the time.

Timeouts of a client bound one read each, and a server that sends a byte now and then, or interim responses for ever,
never lets one pass. So a timer shuts the connection down, under TLS and proxies alike, and the read ends.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

Why = Literal["", "late", "stopped"]
_CONNECTED = "connection.connect_tcp.complete"
"""The first that the client tells of a connection, before anything is said over it."""


class Wire:
    """One request's; its client tells ``told`` what it does."""

    def __init__(self, within: float) -> None:
        """It is cut after so many seconds, whatever is said over it; ``close`` must follow."""
        self.why: Why = ""
        """Why it was cut."""
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(within, self.cut, ("late",))
        self._timer.daemon = True
        self._timer.start()

    def told(self, event: str, info: Mapping[str, Any]) -> None:
        """httpcore's ``trace`` extension."""
        if event != _CONNECTED:
            return
        with self._lock:
            # One of our own for the same connection: TLS takes the client's from it.
            self._socket = info["return_value"].get_extra_info("socket").dup()
            if self.why:
                self._shut()

    def cut(self, why: Why) -> None:
        """End the connection, now or as soon as there is one; for any thread."""
        with self._lock:
            self.why = self.why or why
            self._shut()

    def close(self) -> None:
        """Nothing is to be cut any more."""
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def _shut(self) -> None:
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # The server was faster.


class Wires:
    """The connections to one server that are under way."""

    def __init__(self) -> None:
        self._under_way: set[Wire] = set()
        self._stopped = False
        self._lock = threading.Lock()

    @contextmanager
    def wire(self, within: float) -> Iterator[Wire]:
        """One more, for so many seconds."""
        wire = Wire(within)
        with self._lock:
            self._under_way.add(wire)
            stopped = self._stopped
        try:
            if stopped:
                wire.cut("stopped")
            yield wire
        finally:
            with self._lock:
                self._under_way.discard(wire)
            wire.close()

    def stop(self) -> None:
        """Cut all of them, and whatever comes after."""
        with self._lock:
            self._stopped = True
            under_way = list(self._under_way)
        for wire in under_way:
            wire.cut("stopped")
