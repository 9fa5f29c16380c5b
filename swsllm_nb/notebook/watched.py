"""The body of an answer on its way to the caller, read along as it passes."""

import socket
import weakref
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx2

from swsllm_nb.notebook.attempt import Attempt
from swsllm_nb.notebook.errors import Interrupted, LLMError
from swsllm_nb.notebook.keys import hides_key, scrub
from swsllm_nb.notebook.language import say

__all__ = ["Watched", "refuse_own_key", "shut_down", "without_key"]


class Watched(httpx2.SyncByteStream):
    """An answer on its way: decoded, read along, and passed on."""

    def __init__(self, response: httpx2.Response, attempt: Attempt) -> None:
        assert isinstance(response.stream, httpx2.SyncByteStream)
        self._stream = response.stream
        self._attempt = attempt
        self._decode = _decoder(response.headers.get("content-encoding", ""))
        # What is passed on is decoded, so the headers must not promise otherwise.
        for name in ("content-encoding", "content-length"):
            if self._decode is not bytes and name in response.headers:
                del response.headers[name]
        # A stream may be dropped without being closed; that is the last chance for its row.
        weakref.finalize(self, attempt.finish, "closed")

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._attempt.exchange
        try:
            for chunk in self._stream:
                passed_on = exchange.feed(self._decode(chunk))
                if exchange.error_code == "unreadable":
                    break
                if passed_on:
                    yield passed_on
            else:
                yield exchange.end()
        except httpx2.TimeoutException:
            self._attempt.finish("broken", "timeout")
            raise
        except httpx2.HTTPError:
            self._attempt.finish("broken", "cut")
            raise
        except zlib.error as error:
            self._attempt.finish("broken", "unreadable")
            raise httpx2.DecodingError(str(error)) from error
        except KeyboardInterrupt:
            self._attempt.finish("closed")
            raise Interrupted from None
        self._attempt.finish("complete")
        if exchange.error_code == "unreadable":
            raise httpx2.DecodingError("No chat completion came.")

    def close(self) -> None:
        self._stream.close()
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


def without_key(response: httpx2.Response, request: httpx2.Request) -> httpx2.Response:
    """A refusal that was read, as it may be quoted: some servers repeat the key they refuse."""
    text = scrub(response.text, _key_of(request))
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
