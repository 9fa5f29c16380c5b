"""uvicorn's HTTP protocol with bounds: on a request's head, and on the time that a client takes.

Without them one client can hold a connection for ever by sending or reading slowly, and the parser
takes a request line of any length. Malformed HTTP is answered in OpenAI's envelope.
"""

import asyncio
import socket
from secrets import token_hex
from typing import Any, Literal

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from swsllm_nb.proxy.errors import (
    BadRequest,
    HeadTooLarge,
    ProxyError,
    RequestTimeout,
    error_answer,
)

__all__ = ["BoundedProtocol"]


class BoundedProtocol(HttpToolsProtocol):
    """One connection. One clock runs while the client owes the rest of a request, one while it
    does not take what was sent; an idle connection is closed by uvicorn's own.
    """

    head_limit_bytes = 64 * 1024
    head_seconds: float = 20
    body_seconds: float = 60
    stall_seconds: float = 30
    send_buffer_bytes = 128 * 1024

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._reading: Literal["head", "body"] | None = None
        self._owed: Literal["head", "body"] | None = None
        self._owed_clock: asyncio.TimerHandle | None = None
        self._stall_clock: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._head_bytes = 0
        self._fault: ProxyError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The system's own grows to megabytes, and hides whether a client reads them.
        transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, self.send_buffer_bytes
        )
        self._watch_request()

    def connection_lost(self, exc: Exception | None) -> None:
        for clock in (self._owed_clock, self._stall_clock):
            if clock is not None:
                clock.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Another protocol is not offered: the request is answered as it is.
            pass
        except httptools.HttpParserError:
            self._refuse(self._fault or BadRequest("The request is not HTTP that can be read."))
            return
        if self._reading is not None and self._head_bytes > self.head_limit_bytes:
            self._refuse(self._head_too_large())
            return
        self._watch_request()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading = "head"

    def on_header(self, name: bytes, value: bytes) -> None:
        # What follows a body in chunks is no header: a front proxy has not looked at it.
        if self._reading == "head":
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._head_bytes > self.head_limit_bytes and self._long_head():
            self._fault = self._head_too_large()
            raise self._fault
        self._reading = "body"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        # From here on only what is no body counts: chunk extensions, and fields behind the body.
        self._head_bytes = 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._reading = None
        self._head_bytes = 0

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            # What is still to be written keeps a closing connection open.
            self._watch_sending()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_sending()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._stall_clock is not None and not self.transport.is_closing():
            self._stall_clock.cancel()
            self._stall_clock = None

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_sending()

    def _long_head(self) -> bool:
        """Whether the head alone is too long: what came in one piece may be mostly body."""
        fields = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.url) + fields > self.head_limit_bytes

    def _head_too_large(self) -> HeadTooLarge:
        return HeadTooLarge(
            f"The request line and the headers are longer than {self.head_limit_bytes:,} bytes. "
            "Send the question in the body."
        )

    def _watch_request(self) -> None:
        """Let the clock run that fits what the client owes, and no other."""
        answering = self.cycle is not None and not self.cycle.response_complete
        owed = self._reading or (None if answering else "head")
        if owed == self._owed:
            return
        self._owed = owed
        if self._owed_clock is not None:
            self._owed_clock.cancel()
            self._owed_clock = None
        if owed is not None:
            seconds = self.head_seconds if owed == "head" else self.body_seconds
            self._owed_clock = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        self._owed_clock = None
        if self._reading is None:
            self.transport.close()
            return
        seconds = self.head_seconds if self._reading == "head" else self.body_seconds
        self._refuse(
            RequestTimeout(
                f"The {self._reading} of the request did not come within {seconds:g} seconds. "
                "Please try again."
            )
        )

    def _watch_sending(self) -> None:
        if self._stall_clock is not None:
            self._stall_clock.cancel()
        self._unsent_bytes = self.transport.get_write_buffer_size()
        self._stall_clock = self.loop.call_later(self.stall_seconds, self._look_at_sending)

    def _look_at_sending(self) -> None:
        """Cut off a client that took nothing since the last look; its call goes on to its end."""
        self._stall_clock = None
        if self.transport.get_write_buffer_size() < self._unsent_bytes:
            self._watch_sending()
        else:
            self.transport.abort()

    def _refuse(self, error: ProxyError) -> None:
        """Answer what never became a request, unless another answer is on its way, and close."""
        if self._may_answer():
            answer = error_answer(error)
            head = (
                b"content-type: application/json\r\ncontent-length: %d\r\n"
                b"x-request-id: req_%s\r\nconnection: close\r\n\r\n"
                % (len(answer.body), token_hex(16).encode())
            )
            self.transport.write(STATUS_LINE[answer.status] + head + answer.body)
        self.transport.close()
        self._watch_sending()

    def _may_answer(self) -> bool:
        cycle = self.cycle
        if self.transport.is_closing() or self.pipeline:
            return False
        if self._reading == "body":
            return cycle is None or not cycle.response_started
        return cycle is None or cycle.response_complete
