"""The few pieces of ASGI that the completions path is built from."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from swsllm_nb.proxy.errors import BodyTooLarge, ProxyError, error_answer

__all__ = ["App", "Client", "Receive", "Scope", "Send", "header", "read_body"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SEND_TIMEOUT_SECONDS = 30


class ClientGone(Exception):
    """The client left before its request was read."""


class Client:
    """The side of the connection that asked. Sending to one that has left does nothing.

    A client that takes nothing for 30 s counts as gone: its call goes on to its true end.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._gone = False
        self.started = False

    async def pass_on(self, message: MutableMapping[str, Any]) -> None:
        """Send a message of an application that knows ASGI itself."""
        self.started = True
        await self._bounded(message)

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        self.started = True
        fields = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        await self._bounded({"type": "http.response.start", "status": status, "headers": fields})

    async def write(self, chunk: bytes) -> None:
        await self._bounded({"type": "http.response.body", "body": chunk, "more_body": True})

    async def end(self, chunk: bytes = b"") -> None:
        await self._bounded({"type": "http.response.body", "body": chunk, "more_body": False})

    async def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        length = ("content-length", str(len(body)))
        await self.start(status, [*headers, length])
        await self.end(body)

    async def refuse(self, error: ProxyError, headers: Iterable[tuple[str, str]]) -> None:
        """An error as OpenAI words it."""
        refusal = error_answer(error)
        fields = [("content-type", "application/json"), *headers, *refusal.headers]
        await self.answer(refusal.status, fields, refusal.body)

    async def _bounded(self, message: MutableMapping[str, Any]) -> None:
        if self._gone:
            return
        try:
            async with asyncio.timeout(_SEND_TIMEOUT_SECONDS):
                await self._send(message)
        except (TimeoutError, OSError):
            self._gone = True


async def read_body(receive: Receive, limit_bytes: int) -> bytes:
    """The whole request body. Raises BodyTooLarge, or ClientGone."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit_bytes:
            raise BodyTooLarge(
                f"The request is larger than {limit_bytes:,} bytes. Send less text at once."
            )
        if not message.get("more_body"):
            return b"".join(chunks)


def header(scope: Scope, name: str) -> str | None:
    wanted = name.encode()
    for field, value in scope["headers"]:
        if field == wanted:
            return str(value, "latin-1")
    return None
