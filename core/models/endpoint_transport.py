"""The wire under the endpoint engine: what it sends beside the words, and how much it reads.

It is aiohttp's, under the ``openai`` client: a call costs a third of the processor time that it costs with the client's
own, whose pool looks at every connection for every call. Heavy: import it only where calls are made.
"""

from __future__ import annotations

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2

from core.errors import ModelError
from core.models.hosts import host_of, is_loopback

MOST_BYTES = 8 * 1024 * 1024
"""Of one response; the longest answers of today's models are a hundredth of it."""
MOST_FILE_BYTES = 512 * 1024 * 1024
"""Of the file that holds a whole batch's answers."""
CONNECT_WITHIN = 10.0
IDLE_SECONDS = 30.0
PIECE = 64 * 1024
_HEADERS = frozenset(("authorization", "content-type", "accept"))
"""What goes out; the client would also tell the platform, the versions, and the environment's OpenAI account."""


class TooLarge(httpx2.TransportError):
    """The response is larger than is read of one."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Sends no header that it need not, follows no redirect, takes no compressed response, reads only so much.

    Of the environment only a proxy is taken, and none on the way to this machine; no cookies, no ``.netrc``.
    """

    def __init__(self, base_url: str, connections: int, most: int = MOST_BYTES) -> None:
        self._connections = connections
        self._most = most
        self._proxy = proxy_for(base_url)
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises httpx2's own errors, which the client knows."""
        headers = {name: value for name, value in request.headers.items() if name.lower() in _HEADERS}
        # A few compressed bytes can unfold into gigabytes, past any bound on what is read.
        headers["Accept-Encoding"] = "identity"
        try:
            async with self._opened().request(
                request.method,
                str(request.url),
                data=await request.aread(),
                headers=headers,
                allow_redirects=False,
                proxy=self._proxy,
            ) as response:
                if response.headers.get("Content-Encoding", "").lower() not in ("", "identity"):
                    raise httpx2.DecodingError("the response is compressed, which was not asked for")
                of_file = request.url.path.endswith("/content")
                content = await _read(response, MOST_FILE_BYTES if of_file else self._most)
                return httpx2.Response(
                    response.status, headers=list(response.headers.items()), content=content, request=request
                )
        except aiohttp.ClientConnectorError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        except TimeoutError as error:
            raise httpx2.ConnectTimeout("no connection in time", request=request) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise httpx2.RemoteProtocolError(str(error) or type(error).__name__, request=request) from error
        except ValueError as error:
            raise httpx2.LocalProtocolError(str(error), request=request) from error

    async def aclose(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        # Only now: a session belongs to the event loop in which it is made.
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=IDLE_SECONDS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
                trust_env=False,
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    async for piece in response.content.iter_chunked(PIECE):
        total += len(piece)
        if total > most:
            raise TooLarge(f"more than {most} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def proxy_for(base_url: str) -> str | None:
    """The environment's proxy for a server elsewhere; none is asked about this machine. Raises ModelError for one that
    cannot be used; it may hold a password, and is not repeated."""
    parts = urlsplit(base_url)
    if is_loopback(host_of(base_url)) or proxy_bypass(parts.hostname or ""):
        return None
    proxy = getproxies().get(parts.scheme)
    if not proxy:
        return None
    # Without a scheme it is HTTP, as it is to curl.
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    try:
        asked = urlsplit(proxy)
        usable = asked.scheme in ("http", "https") and bool(asked.hostname) and asked.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ModelError(
            f"the environment's proxy for {parts.scheme} is no HTTP proxy",
            f"set {parts.scheme}_proxy to one such as http://proxy.example:3128, or name the host in no_proxy",
        )
    return proxy
