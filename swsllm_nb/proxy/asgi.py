"""The few pieces of ASGI that the completions path is built from."""

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from swsllm_nb import wire
from swsllm_nb.proxy.errors import (
    BadRequest,
    BodyTooLarge,
    ProxyError,
    UnsupportedEncoding,
    error_answer,
    error_body,
    error_code,
)

__all__ = [
    "App",
    "Client",
    "ClientGone",
    "Header",
    "Receive",
    "Scope",
    "Send",
    "has_left",
    "header",
    "read_body",
]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

_REQUEST_ID = wire.REQUEST_ID_HEADER.encode()
_PROCESSING_MS = b"openai-processing-ms"
_JSON = (b"content-type", b"application/json")
_GZIP_WINDOW_BITS = 31


class ClientGone(Exception):
    """The client left before its request was read."""


class Client:
    """The side of the connection that asked. Sending to one that has left does nothing.

    Who takes nothing for too long is cut off by ``proxy.http``, and so has left.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.began = time.perf_counter()
        self.status: int | None = None
        self.error_code: str | None = None
        self._send = send
        self._gone = False

    @property
    def started(self) -> bool:
        return self.status is not None

    async def pass_on(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of an application that knows ASGI itself."""
        if message["type"] == "http.response.start":
            await self.start(message["status"], message.get("headers", ()))
        else:
            await self._deliver(message)

    async def start(self, status: int, headers: Iterable[Header]) -> None:
        self.status = status
        took_ms = int((time.perf_counter() - self.began) * 1000)
        own = (
            (_REQUEST_ID, self.request_id.encode()),
            (_PROCESSING_MS, str(took_ms).encode()),
        )
        await self._deliver(
            {"type": "http.response.start", "status": status, "headers": [*own, *headers]}
        )

    async def write(self, chunk: bytes) -> None:
        await self._deliver({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, chunk: bytes = b"") -> None:
        await self._deliver({"type": "http.response.body", "body": chunk, "more_body": False})

    async def answer(self, status: int, headers: Iterable[Header], body: bytes) -> None:
        """A whole answer in JSON."""
        await self.start(status, (_JSON, *headers, (b"content-length", str(len(body)).encode())))
        await self.end(body)

    async def refuse(self, error: ProxyError, headers: Iterable[Header] = ()) -> None:
        """An error as OpenAI words it; within a stream, as its last event."""
        self.error_code = error_code(error)
        if self.started:
            await self.end(b"data: " + error_body(error) + b"\n\n")
            return
        refusal = error_answer(error)
        fields = [(name.encode(), value.encode()) for name, value in refusal.headers]
        await self.answer(refusal.status, (*headers, *fields), refusal.body)

    async def _deliver(self, message: MutableMapping[str, Any]) -> None:
        if self._gone:
            return
        try:
            await self._send(message)
        except OSError:
            self._gone = True


async def read_body(scope: Scope, receive: Receive, limit_bytes: int) -> bytes:
    """The whole request body, unpacked. Raises BodyTooLarge, UnsupportedEncoding or ClientGone."""
    unpack = _unpacker(header(scope, b"content-encoding"), limit_bytes)
    length = header(scope, b"content-length") or ""
    if length.isdigit() and (len(length) > 18 or int(length) > limit_bytes):
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        chunks.append(chunk if unpack is None else unpack(chunk))
        size += len(chunks[-1])
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        if not message.get("more_body"):
            return b"".join(chunks)


async def has_left(receive: Receive) -> bool:
    """Whether the client of a request whose body is read has hung up by now."""
    try:
        async with asyncio.timeout(0):
            message = await receive()
    except TimeoutError:
        return False
    return bool(message["type"] == "http.disconnect")


def _unpacker(encoding: str | None, limit_bytes: int) -> Callable[[bytes], bytes] | None:
    """What unpacks each piece of a body, never to more than a byte above the limit."""
    if encoding is None or encoding.lower() == "identity":
        return None
    if encoding.lower() not in ("gzip", "x-gzip"):
        raise UnsupportedEncoding(
            f"The content-encoding {encoding[:40]!r} is not known here. Send the body as it is, "
            "or with gzip."
        )
    inflater = zlib.decompressobj(_GZIP_WINDOW_BITS)

    def unpack(chunk: bytes) -> bytes:
        try:
            unpacked = inflater.decompress(chunk, limit_bytes + 1)
        except zlib.error as error:
            raise BadRequest(f"The body is not the gzip that its header says ({error}).") from None
        if inflater.unused_data:
            raise BadRequest("Something follows the gzip in the body. Send one body, packed once.")
        if inflater.unconsumed_tail:
            raise _too_large(limit_bytes)
        return unpacked

    return unpack


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The request is larger than {limit_bytes:,} bytes. Send less text at once."
    )


def header(scope: Scope, name: bytes) -> str | None:
    for field, value in scope["headers"]:
        if field == name:
            return str(value, "latin-1")
    return None
