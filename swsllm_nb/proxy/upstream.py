"""Where calls go: the interface of an upstream, and the one over HTTP (the one user of aiohttp)."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp

__all__ = [
    "CONNECTIONS",
    "HttpUpstream",
    "NotSent",
    "Upstream",
    "UpstreamAnswer",
    "UpstreamError",
    "UpstreamLost",
]

CONNECTIONS = 256
"""At once; whoever comes later waits, before any money is held."""

CONNECT_TIMEOUT_SECONDS = 10
ERROR_BODY_LIMIT_BYTES = 64 * 1024
READ_TIMEOUT_SECONDS = 600
"""Between two reads; OpenAI's own client waits as long for a whole answer."""

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


class UpstreamError(Exception):
    """The upstream gave no whole answer.

    UpstreamError
    ├── NotSent       no connection was made, so nothing can have been billed
    └── UpstreamLost  the request may have been billed: cut, timed out, unreadable
    """


class NotSent(UpstreamError):
    """No connection was made, so nothing can have been billed."""


class UpstreamLost(UpstreamError):
    """The connection was lost after the request may have been read."""


class UpstreamAnswer(Protocol):
    """An answer whose status is known and whose body is still to come."""

    @property
    def status(self) -> int: ...

    @property
    def upstream(self) -> str:
        """The name of the upstream that gave it."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; of a refusal, its beginning. Raises UpstreamLost when it is cut."""
        ...


class Upstream(Protocol):
    """Something that answers POST /chat/completions as OpenAI does."""

    @property
    def name(self) -> str:
        """For the ledger: which upstream served a call. Never a secret."""
        ...

    def post(self, body: bytes) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Send one request body. Raises NotSent or UpstreamLost."""
        ...

    async def close(self) -> None: ...


class _HttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, upstream: str, key: str | None) -> None:
        self.upstream = upstream
        self._response = response
        self._key = key
        self.status = response.status

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.status != 200:
            yield await self._refusal()
            return
        try:
            async for chunk in self._response.content.iter_any():
                yield chunk
        except _LOST as error:
            raise UpstreamLost(type(error).__name__) from error

    async def _refusal(self) -> bytes:
        """The beginning of an error's body, whatever became of its end, without our key."""
        body = b""
        try:
            while len(body) < ERROR_BODY_LIMIT_BYTES:
                chunk = await self._response.content.readany()
                if not chunk:
                    break
                body += chunk
        except _LOST:
            pass
        return body.replace(self._key.encode(), b"...") if self._key else body


class HttpUpstream:
    """Any OpenAI-compatible server, through one pooled session.

    ``base_url`` is what the openai library calls so: its ``/chat/completions`` is posted to.
    ``key`` is the upstream key; it goes into one header and nowhere else.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
    ) -> None:
        self.name = urlsplit(base_url).hostname or base_url
        self._url = base_url.rstrip("/") + "/chat/completions"
        self._key = key
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=connect_timeout_seconds, sock_read=read_timeout_seconds
        )
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[UpstreamAnswer]:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                timeout=self._timeout,
                headers=self._headers,
            )
        try:
            response = await self._session.post(self._url, data=body, allow_redirects=False)
        except _UNSENT as error:
            raise NotSent(type(error).__name__) from error
        except _LOST as error:
            raise UpstreamLost(type(error).__name__) from error
        async with response:
            yield _HttpAnswer(response, self.name, self._key)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
