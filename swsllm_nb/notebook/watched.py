"""The body of an answer on its way to the caller, read along as it passes."""

import socket
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2

from swsllm_nb.notebook.attempt import Attempt
from swsllm_nb.notebook.errors import Interrupted, LLMError
from swsllm_nb.notebook.keys import hides_key, scrub
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.troubles import connection_code

__all__ = ["refuse_own_key", "shut_down", "watch", "without_key"]


def watch(response: httpx2.Response, attempt: Attempt) -> None:
    """From now on the answer is decoded and read along; ``attempt`` ends when it does."""
    stream = response.stream
    decode = _decoder(response.headers.get("content-encoding", ""))
    # What is passed on is decoded, so the headers must not promise otherwise.
    for name in ("content-encoding", "content-length"):
        if decode is not bytes and name in response.headers:
            del response.headers[name]
    if isinstance(stream, httpx2.AsyncByteStream):
        response.stream = _AsyncWatched(stream, attempt, decode)
    else:
        response.stream = _SyncWatched(stream, attempt, decode)
    # A stream may be dropped without being closed; that is the last chance for its row.
    weakref.finalize(response.stream, attempt.finish, "closed")


class _Watched:
    def __init__(self, stream: Any, attempt: Attempt, decode: Callable[[bytes], bytes]) -> None:
        self._stream = stream
        self._attempt = attempt
        self._decode = decode

    def _take(self, chunk: bytes) -> bytes:
        try:
            decoded = self._decode(chunk)
        except zlib.error as error:
            raise httpx2.DecodingError(str(error)) from error
        return self._readable(self._attempt.exchange.feed(decoded))

    def _end(self) -> bytes:
        return self._readable(self._attempt.exchange.end())

    def _readable(self, passed_on: bytes) -> bytes:
        if self._attempt.exchange.error_code == "unreadable":
            raise httpx2.DecodingError("No chat completion came.")
        return passed_on

    def _leave(self, error: BaseException) -> None:
        if isinstance(error, Exception):
            self._attempt.finish("broken", connection_code(error))
        else:
            self._attempt.finish("closed")


class _SyncWatched(_Watched, httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                passed_on = self._take(chunk)
                if passed_on:
                    yield passed_on
            yield self._end()
        except KeyboardInterrupt as error:
            self._leave(error)
            raise Interrupted from None
        except BaseException as error:
            self._leave(error)
            raise
        self._attempt.finish("complete")

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._attempt.finish("closed")


class _AsyncWatched(_Watched, httpx2.AsyncByteStream):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                passed_on = self._take(chunk)
                if passed_on:
                    yield passed_on
            yield self._end()
        except BaseException as error:
            self._leave(error)
            raise
        self._attempt.finish("complete")

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._attempt.finish("closed")


def shut_down(network_stream: Any) -> None:
    """Closing does not wake a thread that reads, and the server would not hear of it."""
    raw_socket = network_stream and network_stream.get_extra_info("socket")
    if raw_socket:
        with suppress(OSError):
            raw_socket.shutdown(socket.SHUT_RDWR)


def refuse_own_key(request: httpx2.Request) -> None:
    """Raises LLMError where the key of a call stands in its own body, or in its address."""
    if hides_key(f"{request.url} {request.content.decode('utf-8', 'replace')}", _key_of(request)):
        raise LLMError(
            say(
                "Your key stands in what was to be sent, so nothing was sent: a key does not "
                "belong into a question. Take it out; if others may have seen it, replace it on "
                "the course page.",
                "In dem, was gesendet werden sollte, steht der eigene Schlüssel; es wurde nichts "
                "gesendet: Ein Schlüssel gehört nicht in eine Frage. Bitte herausnehmen und auf "
                "der Kursseite ersetzen, falls andere ihn gesehen haben können.",
            )
        )


def without_key(response: httpx2.Response) -> httpx2.Response:
    """A refusal that was read, as it may be quoted: some servers repeat the key they refuse."""
    text = scrub(response.text, _key_of(response.request))
    if text == response.text:
        return response
    headers = response.headers.copy()
    for name in ("content-encoding", "content-length"):
        headers.pop(name, None)
    return httpx2.Response(
        response.status_code,
        headers=headers,
        content=text.encode(response.encoding or "utf-8", "replace"),
        request=response.request,
        extensions=response.extensions,
    )


def _key_of(request: httpx2.Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer ")


def _decoder(encoding: str) -> Callable[[bytes], bytes]:
    if encoding.strip().lower() not in ("gzip", "deflate"):
        return bytes
    # 32 + 15: both the gzip and the zlib header are recognised.
    return zlib.decompressobj(wbits=47).decompress
