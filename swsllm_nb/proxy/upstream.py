"""Where calls go: the interface of an upstream, and the one over HTTP (the one user of aiohttp)."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import aiohttp

__all__ = [
    "CONNECTIONS",
    "TOTAL_TIMEOUT_SECONDS",
    "HttpUpstream",
    "NotSent",
    "Page",
    "Route",
    "Upstream",
    "UpstreamAnswer",
    "UpstreamError",
    "UpstreamLost",
    "fetch",
]

CONNECTIONS = 256
"""At once; whoever comes later waits, before any money is held."""

CONNECT_TIMEOUT_SECONDS = 10
ERROR_BODY_LIMIT_BYTES = 64 * 1024
ERROR_BODY_TIMEOUT_SECONDS = 10
PAGE_LIMIT_BYTES = 4 * 1024 * 1024
PAGE_TIMEOUT_SECONDS = 15
READ_TIMEOUT_SECONDS = 600
"""Between two reads; OpenAI's own client waits as long for a whole answer."""
TOTAL_TIMEOUT_SECONDS = 30 * 60
"""For a whole answer, so that one that only drips cannot keep its place for ever."""

_CHECKS_PER_READ_TIMEOUT = 4

_UNSENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
_LOST = (aiohttp.ClientError, TimeoutError, OSError)


class UpstreamError(Exception):
    """The upstream gave no whole answer. ``upstream`` is the name of the one asked, where known.

    UpstreamError
    ├── NotSent       no connection was made, so nothing can have been billed
    └── UpstreamLost  the request may have been billed: cut, timed out, unreadable
    """

    def __init__(self, reason: str, upstream: str | None = None) -> None:
        super().__init__(reason)
        self.upstream = upstream


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
        """The name of the upstream that answers."""
        ...

    @property
    def retry_after_seconds(self) -> float | None:
        """When the upstream asks to be tried again, where it says so."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes; of a refusal, its beginning. Raises UpstreamLost when it is cut."""
        ...


class Route(Protocol):
    """A way to something that answers POST /chat/completions as OpenAI does."""

    @property
    def name(self) -> str:
        """For the ledger: which upstream is to serve a call. Never a secret."""
        ...

    def post(self, body: bytes) -> AbstractAsyncContextManager[UpstreamAnswer]:
        """Send one request body. Raises NotSent or UpstreamLost."""
        ...


class Upstream(Route, Protocol):
    """Something that answers itself."""

    @property
    def host(self) -> str:
        """Where prompts go; "" where they stay on this machine."""
        ...

    async def close(self) -> None: ...


class HttpUpstream:
    """Any OpenAI-compatible server, through one pooled session.

    ``base_url`` is what the openai library calls so: its ``/chat/completions`` is posted to.
    ``key`` is the upstream key; it goes into one header and nowhere else. ``name`` is the host's
    where none is told.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        name: str | None = None,
        connect_timeout_seconds: float = CONNECT_TIMEOUT_SECONDS,
        read_timeout_seconds: float = READ_TIMEOUT_SECONDS,
        total_timeout_seconds: float = TOTAL_TIMEOUT_SECONDS,
    ) -> None:
        self.name = name or urlsplit(base_url).hostname or base_url
        self.host = urlsplit(base_url).hostname or base_url
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.read_timeout_seconds = read_timeout_seconds
        self.total_timeout_seconds = total_timeout_seconds
        self._key = key
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        # Reading is watched by _Call: aiohttp would set a timer anew for every chunk, and that
        # costs a seventh of all work of passing one on.
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connect_timeout_seconds)
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

    def post(self, body: bytes) -> AbstractAsyncContextManager[UpstreamAnswer]:
        return _Call(self, body)

    async def send(self, body: bytes) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many there are at once is decided before: here nobody waits unseen.
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers=self._headers,
            )
        return await self._session.post(self.url, data=body, allow_redirects=False)

    def without_key(self, text: bytes) -> bytes:
        return text.replace(self._key.encode(), b"...") if self._key else text

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


class _Call:
    """One request and its answer, which is given up when it is silent or lasts for too long."""

    def __init__(self, upstream: HttpUpstream, body: bytes) -> None:
        self._upstream = upstream
        self._body = body

    async def __aenter__(self) -> "_HttpAnswer":
        upstream = self._upstream
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + upstream.total_timeout_seconds
        try:
            async with asyncio.timeout(upstream.read_timeout_seconds):
                response = await upstream.send(self._body)
        except _UNSENT as error:
            raise NotSent(type(error).__name__, upstream.name) from error
        except _LOST as error:
            raise UpstreamLost(type(error).__name__, upstream.name) from error
        self._response = response
        self._answer = _HttpAnswer(response, upstream)
        self._reads = self._silences = 0
        self._watch()
        return self._answer

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        self._response.release()

    def _watch(self) -> None:
        pause = self._upstream.read_timeout_seconds / _CHECKS_PER_READ_TIMEOUT
        until = min(self._loop.time() + pause, self._ends_at)
        self._timer = self._loop.call_at(until, self._check)

    def _check(self) -> None:
        silent = self._answer.reads == self._reads
        self._silences = self._silences + 1 if silent else 0
        self._reads = self._answer.reads
        too_long = self._loop.time() >= self._ends_at
        if too_long or self._silences >= _CHECKS_PER_READ_TIMEOUT:
            # Whoever is reading gets an error.
            self._response.close()
        else:
            self._watch()


class _HttpAnswer:
    def __init__(self, response: aiohttp.ClientResponse, upstream: HttpUpstream) -> None:
        self._response = response
        self._upstream = upstream
        self.status = response.status
        self.upstream = upstream.name
        self.reads = 0

    @property
    def retry_after_seconds(self) -> float | None:
        return _retry_after_seconds(self._response.headers)

    async def chunks(self) -> AsyncIterator[bytes]:
        if self.status != 200:
            yield await self._refusal()
            return
        read = self._response.content.readany
        try:
            while chunk := await read():
                self.reads += 1
                yield chunk
        except _LOST as error:
            raise UpstreamLost(type(error).__name__, self.upstream) from error

    async def _refusal(self) -> bytes:
        """The beginning of an error's body, whatever became of its end, without our key."""
        body = b""
        with suppress(*_LOST):
            async with asyncio.timeout(ERROR_BODY_TIMEOUT_SECONDS):
                while len(body) < ERROR_BODY_LIMIT_BYTES:
                    chunk = await self._response.content.readany()
                    if not chunk:
                        break
                    body += chunk
        return self._upstream.without_key(body)


@dataclass(frozen=True)
class Page:
    """The beginning of a page, and its Date header."""

    status: int
    date: str | None
    body: bytes


async def fetch(url: str, key: str | None) -> Page:
    """GET a page that costs nothing. Raises UpstreamError, without the key, where there is none."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=PAGE_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            body = b""
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > PAGE_LIMIT_BYTES:
                    break
            return Page(answer.status, answer.headers.get("date"), body)
    except _LOST as error:
        raise UpstreamError(str(error) or "no answer in time") from error


def _retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer asks for; a date, which few servers send, is read as nothing."""
    for name, seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        stated = headers.get(name, "")
        if stated.isascii() and stated.replace(".", "", 1).isdigit() and len(stated) < 10:
            return float(stated) * seconds
    return None
