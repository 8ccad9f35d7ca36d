"""The wire under the endpoint engine: what it sends beside the words, and how much it reads.

Heavy: import it only where calls are made.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2

from core.models.hosts import host_of, is_loopback

MOST_BYTES = 8 * 1024 * 1024
"""Of one response; the longest answers of today's models are a hundredth of it."""
MOST_FILE_BYTES = 512 * 1024 * 1024
"""Of the file that holds a whole batch's answers."""
IDLE_SECONDS = 30.0
_HEADERS = frozenset(
    (b"host", b"authorization", b"content-type", b"content-length", b"transfer-encoding", b"accept", b"connection")
)
"""What goes out; the client would also tell the platform, the versions, and the environment's OpenAI account."""


class TooLarge(httpx2.TransportError):
    """The response is larger than ``MOST_BYTES``."""


class BoundedTransport(httpx2.AsyncHTTPTransport):
    """Sends no header that it need not, takes no compressed response, reads no more than ``most`` bytes of one."""

    def __init__(self, base_url: str, connections: int, most: int = MOST_BYTES) -> None:
        limits = httpx2.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=IDLE_SECONDS
        )
        super().__init__(limits=limits, proxy=_proxy_for(base_url))
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        sent = [(name, value) for name, value in request.headers.raw if name.lower() in _HEADERS]
        # A few compressed bytes can unfold into gigabytes, past any bound on what is read.
        request.headers = httpx2.Headers([*sent, (b"Accept-Encoding", b"identity")])
        response = await super().handle_async_request(request)
        if response.headers.get("content-encoding", "").lower() not in ("", "identity"):
            await response.aclose()
            raise httpx2.DecodingError("the response is compressed, which was not asked for")
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        of_file = request.url.path.endswith("/content")
        response.stream = _Bounded(response.stream, MOST_FILE_BYTES if of_file else self._most)
        return response


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        async for part in self._stream:
            total += len(part)
            if total > self._most:
                raise TooLarge(f"more than {self._most} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _proxy_for(base_url: str) -> str | None:
    """The environment's proxy for a server elsewhere; none is asked about this machine."""
    parts = urlsplit(base_url)
    if is_loopback(host_of(base_url)) or proxy_bypass(parts.hostname or ""):
        return None
    return getproxies().get(parts.scheme)
