"""An ``openai.OpenAI`` whose every HTTP attempt is seen. Nothing else imports openai."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import httpx2
import openai
from openai import OpenAI, OpenAIError, Stream, Timeout
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from swsllm_nb import wire
from swsllm_nb.notebook.attempt import Attempt, Ticket
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.errors import Interrupted
from swsllm_nb.notebook.exchange import Exchange, asks_for_usage
from swsllm_nb.notebook.troubles import connection_code, is_hopeless, trouble_of
from swsllm_nb.notebook.watched import Watched, refuse_own_key, shut_down, without_key

__all__ = [
    "ChatCompletion",
    "ChatCompletionChunk",
    "OpenAI",
    "OpenAIError",
    "RecordingClient",
    "Stream",
    "Timeout",
    "build_client",
    "fetch_account",
    "trouble_of",
]

_ACCOUNT_SECONDS: Final = 5.0


class RecordingClient(openai.DefaultHttpxClient):
    """The library's own HTTP client, with every chat completion reported to ``record``.

    ``send`` is overridden and no transport is given: a transport would lose the proxies that
    HTTPS_PROXY names.
    """

    def __init__(
        self, record: Callable[[Call], None], whereabouts: Callable[[], Whereabouts]
    ) -> None:
        # What zlib can read: the answers are read on their way.
        super().__init__(headers={"accept-encoding": "gzip, deflate"})
        self._record = record
        self._whereabouts = whereabouts
        self._here = threading.local()
        self._refusing_hosts: set[bytes] = set()

    @contextmanager
    def under(self, ticket: Ticket) -> Iterator[None]:
        """Calls of this thread belong to the ticket meanwhile."""
        self._here.ticket = ticket
        try:
            yield
        finally:
            self._here.ticket = None

    def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        body = _chat_body(request)
        if body is None:
            return super().send(request, stream=stream, **options)
        ticket: Ticket | None = getattr(self._here, "ticket", None)
        if ticket and ticket.stopped:
            raise OpenAIError("The call was stopped before it was tried again.")
        refuse_own_key(request)
        request.headers[wire.WANTS_COST_HEADER] = "1"
        adds_usage = (
            body.get("stream") is True
            and not asks_for_usage(body)
            and request.url.netloc not in self._refusing_hosts
        )
        attempt = self._begin(request, body, ticket, adds_usage)
        try:
            sent = _with_usage_asked(request, body) if adds_usage else request
            response = self._exchange(attempt, sent, stream, options)
            if adds_usage and _refuses_stream_options(response, attempt.exchange):
                # The refused question was the log's own and has no row.
                attempt = self._begin(request, body, ticket, adds_usage=False)
                response = self._exchange(attempt, request, stream, options)
                if response.status_code < 400:
                    self._refusing_hosts.add(request.url.netloc)
        except KeyboardInterrupt:
            attempt.finish("closed")
            raise Interrupted from None
        except OpenAIError:
            attempt.finish("complete")
            raise
        except BaseException as error:
            code = connection_code(error)
            attempt.finish("broken", code)
            if is_hopeless(code):
                # The library does not try again after its own errors.
                raise openai.APIConnectionError(request=request) from error
            raise
        if response.is_closed:
            attempt.finish("complete")
        else:
            response.stream = Watched(response, attempt)
        return response

    def _begin(
        self,
        request: httpx2.Request,
        body: Mapping[str, Any],
        ticket: Ticket | None,
        adds_usage: bool,
    ) -> Attempt:
        retries = request.headers.get("x-stainless-retry-count", "0")
        exchange = Exchange(
            body,
            ticket.whereabouts if ticket else self._whereabouts(),
            attempt=int(retries) if retries.isdecimal() else 0,
            hides_usage=adds_usage,
        )
        return Attempt(exchange, self._record, ticket)

    def _exchange(
        self, attempt: Attempt, request: httpx2.Request, stream: bool, options: dict[str, Any]
    ) -> httpx2.Response:
        """Sends; an answer that is not streamed, and every refusal, is read here."""
        response = super().send(request, stream=stream, **options)
        attempt.hang_up = partial(shut_down, response.extensions.get("network_stream"))
        exchange = attempt.exchange
        exchange.begin(response.status_code, response.headers)
        if response.status_code >= 400:
            response.read()
            response = without_key(response, request)
        if response.is_closed:
            exchange.feed(response.content)
            exchange.end()
            if response.status_code < 400 and exchange.error_code == "unreadable":
                # The library would pass a page of HTML on as if it were an answer.
                raise openai.APIResponseValidationError(response, None)
        if (
            exchange.error_code == wire.INSUFFICIENT_QUOTA
            and wire.SHOULD_RETRY_HEADER not in response.headers
        ):
            # The library would ask three times for money that is not there.
            response.headers[wire.SHOULD_RETRY_HEADER] = "false"
        return response


def build_client(
    connection: Connection,
    record: Callable[[Call], None],
    whereabouts: Callable[[], Whereabouts],
) -> tuple[OpenAI, RecordingClient]:
    """The library's client and the HTTP client under it. ``record`` is called once per attempt,
    in the thread that made it; ``whereabouts`` when it begins."""
    http_client = RecordingClient(record, whereabouts)
    client = OpenAI(base_url=connection.base_url, api_key=connection.key, http_client=http_client)
    return client, http_client


def fetch_account(client: OpenAI) -> dict[str, Any] | None:
    """What ``GET /account`` says, or None where the server has no such page.

    Raises OpenAIError where nobody answers or the key is refused.
    """
    try:
        page = client.with_options(max_retries=0, timeout=_ACCOUNT_SECONDS).get(
            "/account", cast_to=object
        )
    except openai.AuthenticationError:
        raise
    except openai.APIStatusError:
        return None
    return page if isinstance(page, dict) else None


def _chat_body(request: httpx2.Request) -> dict[str, Any] | None:
    """What a chat completion asks; None for any other request."""
    if request.method != "POST" or not request.url.path.endswith("/chat/completions"):
        return None
    try:
        body = json.loads(request.content)
    except (ValueError, httpx2.RequestNotRead):
        return None
    return body if isinstance(body, dict) else None


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
