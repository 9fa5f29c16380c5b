"""The openai library's clients, whose every HTTP attempt is seen."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx2
import openai
from openai import AsyncOpenAI, OpenAI, OpenAIError, Stream, Timeout
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.recording import Recorder
from swsllm_nb.notebook.troubles import trouble_of

__all__ = [
    "AsyncOpenAI",
    "ChatCompletion",
    "ChatCompletionChunk",
    "OpenAI",
    "OpenAIError",
    "OtherHost",
    "Pulse",
    "RecordingClient",
    "Stream",
    "Timeout",
    "build_async_client",
    "build_client",
    "fetch_account",
    "fetch_models",
    "fetch_pulse",
    "fetch_usage",
    "trouble_of",
]

_ASK_SECONDS: Final = 5.0
_PAGE_ROWS: Final = 1000
_NOT_NOW: Final = (502, 503, 504)
"""Of a server that is restarted, or has too much to do: they do not say that it lacks a page."""
_HEADERS: Final[Mapping[str, str]] = {"accept-encoding": "gzip, deflate"}
"""What zlib can read: the answers are read on their way."""


@dataclass(frozen=True)
class Pulse:
    """How long a server took to answer, and its clock, None where it tells none."""

    seconds: float
    server_time: datetime | None


class OtherHost(LLMError, OpenAIError):
    """A course key was about to leave for a host that is not its own; nothing was sent there."""


class _Home:
    """The host that a course key belongs to: scheme, name and port."""

    def __init__(self, connection: Connection) -> None:
        self._url = httpx2.URL(connection.base_url)
        self._origin = self._url.origin
        self._key = connection.key

    def check(self, request: httpx2.Request) -> None:
        """Raises OtherHost, unless a key of another's was given for the other host."""
        if request.url.origin == self._origin:
            return
        sent = (str(request.url), *request.headers.values())
        if "authorization" in request.headers and not any(self._key in text for text in sent):
            return
        there, here = _place(request.url), _place(self._url)
        raise OtherHost(
            say(
                f"The course key belongs to {here}, so nothing was sent to {there}. For another "
                "server make a client of its own, with that server's key.",
                f"Der Kurs-Schlüssel gehört zu {here}, deshalb ging nichts an {there}. Für einen "
                "anderen Server braucht es einen eigenen Client mit dessen Schlüssel.",
            )
        )

    async def check_async(self, request: httpx2.Request) -> None:
        self.check(request)


class RecordingClient(openai.DefaultHttpxClient):
    """The library's own HTTP client, with every chat completion reported to the recorder.

    ``send`` is overridden and no transport is given: a transport would lose the proxies that
    HTTPS_PROXY names.
    """

    def __init__(self, recorder: Recorder, home: _Home) -> None:
        # The hook is asked before anything is sent, and again where a redirect leads.
        super().__init__(headers=_HEADERS, event_hooks={"request": [home.check]})
        self._recorder = recorder
        self._here = threading.local()

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
        ticket: Ticket | None = getattr(self._here, "ticket", None)
        if ticket and ticket.stopped:
            raise OpenAIError("The call was stopped before it was tried again.")
        steps = self._recorder.steps(request, ticket)
        try:
            sent = next(steps)
            while True:
                try:
                    response = super().send(sent, stream=stream, **options)
                    if response.status_code >= 400:
                        response.read()
                except BaseException as error:
                    sent = steps.throw(error)
                else:
                    sent = steps.send(response)
        except StopIteration as done:
            answer: httpx2.Response = done.value
            return answer


class AsyncRecordingClient(openai.DefaultAsyncHttpxClient):
    """As RecordingClient; a task that is cancelled leaves its row."""

    def __init__(self, recorder: Recorder, home: _Home) -> None:
        super().__init__(headers=_HEADERS, event_hooks={"request": [home.check_async]})
        self._recorder = recorder

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        steps = self._recorder.steps(request)
        try:
            sent = next(steps)
            while True:
                try:
                    response = await super().send(sent, stream=stream, **options)
                    if response.status_code >= 400:
                        await response.aread()
                except BaseException as error:
                    sent = steps.throw(error)
                else:
                    sent = steps.send(response)
        except StopIteration as done:
            answer: httpx2.Response = done.value
            return answer


def build_client(
    connection: Connection,
    record: Callable[[Call], None],
    whereabouts: Callable[[], Whereabouts],
) -> tuple[OpenAI, RecordingClient]:
    """The library's client and the HTTP client under it. ``record`` is called once per attempt,
    in the thread that made it; ``whereabouts`` when it begins."""
    http_client = RecordingClient(
        Recorder(connection.base_url, record, whereabouts), _Home(connection)
    )
    client = OpenAI(base_url=connection.base_url, api_key=connection.key, http_client=http_client)
    return client, http_client


def build_async_client(
    connection: Connection,
    record: Callable[[Call], None],
    whereabouts: Callable[[], Whereabouts],
) -> AsyncOpenAI:
    """As ``build_client``, for ``await``."""
    http_client = AsyncRecordingClient(
        Recorder(connection.base_url, record, whereabouts), _Home(connection)
    )
    return AsyncOpenAI(
        base_url=connection.base_url, api_key=connection.key, http_client=http_client
    )


def fetch_account(client: OpenAI) -> dict[str, Any] | None:
    """What ``GET /account`` says, or None where the server has no such page.

    Raises OpenAIError where nobody answers for now or the key is refused.
    """
    return _fetch(client, "/account", {})


def fetch_models(client: OpenAI) -> list[dict[str, Any]] | None:
    """The rows of ``GET /models``, or None where the server has no such page.

    Raises OpenAIError as ``fetch_account`` does.
    """
    page = _fetch(client, "/models", {})
    if page is None or not isinstance(page.get("data"), list):
        return None
    rows = page["data"]
    return [row for row in rows if isinstance(row, dict) and isinstance(row.get("id"), str)]


def fetch_pulse(client: OpenAI) -> Pulse:
    """That somebody answers, whatever it is. Raises OpenAIError where nobody does."""
    asking = client.with_options(max_retries=0, timeout=_ASK_SECONDS)
    started_at = time.monotonic()
    try:
        answer = asking.get("/models", cast_to=httpx2.Response)
    except openai.APIStatusError as error:
        answer = error.response
    seconds = time.monotonic() - started_at
    try:
        date = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return Pulse(seconds, None)
    return Pulse(seconds, date if date.tzinfo else None)


def fetch_usage(client: OpenAI, **asked: str) -> list[dict[str, Any]] | None:
    """Every row that ``GET /usage`` lists, oldest first; ``asked`` are its query's fields.

    None where the server has no such page. Raises OpenAIError as ``fetch_account`` does.
    """
    rows: list[dict[str, Any]] = []
    cursor = 0
    while True:
        query = {**asked, "cursor": str(cursor), "limit": str(_PAGE_ROWS)}
        page = _fetch(client, "/usage", query)
        if page is None or not isinstance(page.get("data"), list):
            return None
        rows += (row for row in page["data"] if isinstance(row, dict))
        following = page.get("next_cursor")
        if not isinstance(following, int) or following <= cursor:
            return rows
        cursor = following


def _fetch(client: OpenAI, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
    asking = client.with_options(max_retries=0, timeout=_ASK_SECONDS)
    try:
        page = asking.get(path, cast_to=object, options={"params": dict(query)})
    except openai.AuthenticationError:
        raise
    except openai.APIStatusError as error:
        if error.status_code in _NOT_NOW:
            raise
        return None
    return page if isinstance(page, dict) else None


def _place(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode()}"
