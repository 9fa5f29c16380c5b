"""What is decided about each request of a client, in steps that any kind of client can take."""

import json
from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any, TypeAlias

import httpx2

from swsllm_nb import wire
from swsllm_nb.notebook.attempt import Attempt, Ticket
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.errors import Interrupted
from swsllm_nb.notebook.exchange import Exchange
from swsllm_nb.notebook.payload import asks_for_usage
from swsllm_nb.notebook.troubles import as_final, connection_code
from swsllm_nb.notebook.watched import refuse_own_key, shut_down, watch, without_key

__all__ = ["Recorder", "Steps", "chat_body"]

Steps: TypeAlias = Generator[httpx2.Request, httpx2.Response, httpx2.Response]
"""Yields a request to send and is sent its answer, a refusal read to its end; returns the
caller's answer. What goes wrong on the way is thrown in, and comes out again."""


class Recorder:
    """Reports every attempt at a chat completion to ``record``, in the thread that made it.

    What goes to another host than ``base_url`` is another account's, and has no row.
    """

    def __init__(
        self,
        base_url: str,
        record: Callable[[Call], None],
        whereabouts: Callable[[], Whereabouts],
    ) -> None:
        self._origin = httpx2.URL(base_url).origin
        self._record = record
        self._whereabouts = whereabouts
        self._refusing_hosts: set[bytes] = set()

    def steps(self, request: httpx2.Request, ticket: Ticket | None = None) -> Steps:
        body = chat_body(request)
        if body is None or request.url.origin != self._origin:
            return (yield request)
        refuse_own_key(request)
        adds_usage = (
            body.get("stream") is True
            and not asks_for_usage(body)
            and request.url.netloc not in self._refusing_hosts
        )
        attempt = self._begin(request, body, ticket, adds_usage)
        try:
            response = yield _with_usage_asked(request, body) if adds_usage else request
            response = _read_head(response, attempt)
            if adds_usage and _refuses_stream_options(response, attempt.exchange):
                # The refused question was the log's own and has no row.
                attempt = self._begin(request, body, ticket, adds_usage=False)
                response = _read_head((yield request), attempt)
                if response.status_code < 400:
                    self._refusing_hosts.add(request.url.netloc)
        except Exception as error:
            code = connection_code(error)
            attempt.finish("broken", code)
            final = as_final(code, request)
            if final:
                raise final from error
            raise
        except KeyboardInterrupt:
            attempt.finish("closed")
            raise Interrupted from None
        except BaseException:
            # A task that was cancelled.
            attempt.finish("closed")
            raise
        if response.is_closed:
            attempt.finish("complete")
        else:
            watch(response, attempt)
        return response

    def _begin(
        self,
        request: httpx2.Request,
        body: Mapping[str, Any],
        ticket: Ticket | None,
        adds_usage: bool,
    ) -> Attempt:
        retries = request.headers.get("x-stainless-retry-count", "0")
        whereabouts = ticket.whereabouts if ticket else self._whereabouts()
        exchange = Exchange(
            body,
            whereabouts,
            attempt=int(retries[:9]) if retries.isdecimal() else 0,
            hides_usage=adds_usage,
        )
        request.headers[wire.WANTS_COST_HEADER] = "1"
        request.headers[wire.CLIENT_ID_HEADER] = exchange.client_id
        exercise = wire.exercise_name(whereabouts.exercise)
        if exercise is not None:
            request.headers.encoding = "utf-8"
            request.headers[wire.EXERCISE_HEADER] = exercise
        return Attempt(exchange, self._record, ticket)


def chat_body(request: httpx2.Request) -> dict[str, Any] | None:
    """What a chat completion asks; None for any other request."""
    if request.method != "POST" or not request.url.path.endswith("/chat/completions"):
        return None
    try:
        body = json.loads(request.content)
    except (ValueError, RecursionError, httpx2.RequestNotRead):
        return None
    return body if isinstance(body, dict) else None


def _read_head(response: httpx2.Response, attempt: Attempt) -> httpx2.Response:
    """Of an answer that is not streamed, and of every refusal, the body as well.

    Raises DecodingError where the answer is none, such as a page of HTML.
    """
    if response.status_code >= 400:
        response = without_key(response)
    attempt.hang_up = partial(shut_down, response.extensions.get("network_stream"))
    exchange = attempt.exchange
    exchange.begin(response.status_code, response.headers)
    if response.is_closed:
        exchange.feed(response.content)
        exchange.end()
        if response.status_code < 400 and exchange.error_code == "unreadable":
            raise httpx2.DecodingError("No chat completion came.")
    if (
        exchange.error_code == wire.INSUFFICIENT_QUOTA
        and wire.SHOULD_RETRY_HEADER not in response.headers
    ):
        # The library would ask three times for money that is not there.
        response.headers[wire.SHOULD_RETRY_HEADER] = "false"
    return response


def _with_usage_asked(request: httpx2.Request, body: Mapping[str, Any]) -> httpx2.Request:
    options = body.get("stream_options")
    wanted = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    headers = request.headers.copy()
    del headers["content-length"]
    return httpx2.Request(
        request.method,
        request.url,
        headers=headers,
        content=json.dumps({**body, "stream_options": wanted}).encode(),
        extensions=request.extensions,
    )


def _refuses_stream_options(response: httpx2.Response, exchange: Exchange) -> bool:
    """A 400 that names the field, or that says nothing a program could read."""
    if response.status_code not in (400, 422):
        return False
    if exchange.error_param:
        return exchange.error_param.startswith("stream_options")
    text = response.text
    return "stream_options" in text or not text.lstrip().startswith("{")
