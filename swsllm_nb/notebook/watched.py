"""The body of an answer on its way to the caller, read along as it passes."""

import socket
import weakref
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2

from swsllm_nb.notebook.attempt import Attempt

__all__ = ["shut_down", "watch"]


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
        return self._attempt.exchange.feed(self._decode(chunk))

    def _end(self) -> bytes:
        return self._attempt.exchange.end()

    def _leave(self, error: BaseException) -> None:
        if isinstance(error, httpx2.TimeoutException):
            self._attempt.finish("broken", "timeout")
        elif isinstance(error, Exception):
            self._attempt.finish("broken", "cut")
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


def _decoder(encoding: str) -> Callable[[bytes], bytes]:
    if encoding.strip().lower() not in ("gzip", "deflate"):
        return bytes
    # 32 + 15: both the gzip and the zlib header are recognised.
    return zlib.decompressobj(wbits=47).decompress
