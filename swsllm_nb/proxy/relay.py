"""A call whose hold is taken: forwarded, its answer passed back as it comes, then settled."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

from swsllm_nb import wire
from swsllm_nb.money import usd_text
from swsllm_nb.proxy.asgi import Client, Header
from swsllm_nb.proxy.body import read_told
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.errors import ProxyError, UpstreamFailure, UpstreamUnknown
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.refusals import may_have_billed, refusal_of
from swsllm_nb.proxy.settlement import Settlement
from swsllm_nb.proxy.standing import Balance
from swsllm_nb.proxy.upstream import NotSent, Route, UpstreamAnswer, UpstreamLost
from swsllm_nb.sse import DONE, Event, Scanner

__all__ = ["Relay"]

ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
EVENT_LIMIT_BYTES = 4 * 1024 * 1024
READ_OUT_SECONDS = 0.5

_STREAM_HEADERS: tuple[Header, ...] = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)
_COST_HEADERS = tuple((field, wire.cost_header(field).encode()) for field in wire.COST_FIELDS)


class Relay:
    """Passes one answer back. ``wants_usage``: the client itself asked for a stream's usage."""

    def __init__(
        self,
        client: Client,
        settlement: Settlement,
        *,
        stream: bool,
        wants_usage: bool,
        wants_cost: bool,
    ) -> None:
        self._client = client
        self._settlement = settlement
        self._stream = stream
        self._wants_usage = wants_usage
        self._wants_cost = wants_cost
        self.sent_at: float | None = None
        self.first_byte_at: float | None = None

    @property
    def outcome(self) -> Outcome:
        """How the call is, or by now would be, settled."""
        return self._settlement.outcome

    async def forward(self, route: Route, body_of: Callable[[], bytes]) -> None:
        """Send the call on, pass its answer back, and settle, whatever happens."""
        try:
            body = body_of()
            self._settlement.sent()
            self.sent_at = time.perf_counter()
            async with route.post(body) as answer:
                self.first_byte_at = time.perf_counter()
                self._settlement.upstream = answer.upstream
                self._settlement.doubt = Doubt.BROKEN_OFF
                if answer.status != 200:
                    await self._relay_refusal(answer)
                elif self._stream:
                    await self._relay_stream(answer)
                else:
                    await self._relay_plain(answer)
        except NotSent:
            self._settlement.release()
            await self._fail(
                UpstreamFailure(
                    "The proxy could not reach the model's server. Nothing was charged; "
                    "try again, and tell the teaching staff if it stays so."
                )
            )
        except UpstreamLost:
            await self._fail(self._broken_off())
        except BaseException:
            self._settlement.doubt = Doubt.PROXY_FAILED
            raise
        finally:
            await self._settlement.close()

    async def _relay_plain(self, answer: UpstreamAnswer) -> None:
        body = bytearray()
        async for chunk in answer.chunks():
            body += chunk
            if len(body) > ANSWER_LIMIT_BYTES:
                raise self._lost(Doubt.TOO_LONG)
        told = read_told(bytes(body))
        if told is None or not told.is_completion:
            raise self._lost(Doubt.UNREADABLE)
        self._settlement.learn(told)
        self._settlement.completed()
        account = await self._settlement.account_after()
        await self._client.answer(200, self._headers(account), bytes(body))

    async def _relay_stream(self, answer: UpstreamAnswer) -> None:
        await self._client.start(200, (*_STREAM_HEADERS, *self._headers(None)))
        scanner = Scanner()
        chunks = answer.chunks()
        async for chunk in chunks:
            if not scanner.pending_bytes and _is_ordinary(chunk):
                await self._client.write(chunk)
                continue
            done = await self._pass_events(scanner.feed(chunk))
            if done is not None:
                await self._end_stream(done.raw)
                await _read_out(chunks)
                return
            if scanner.pending_bytes > EVENT_LIMIT_BYTES:
                raise self._lost(Doubt.TOO_LONG)
        if not any(event.is_done for event in scanner.feed(b"\n\n")):
            raise self._lost(Doubt.BROKEN_OFF)
        await self._end_stream(b"data: " + DONE + b"\n\n")

    async def _pass_events(self, events: Iterable[Event]) -> Event | None:
        """Pass on what may be, in one piece, up to the event that ends the stream, if it is there.

        What follows that event is of no one's concern; what precedes an error still is passed on.
        """
        passing: list[bytes] = []
        try:
            for event in events:
                if event.is_done:
                    return event
                if self._passes(event):
                    passing.append(event.raw)
            return None
        finally:
            if passing:
                await self._client.write(b"".join(passing))

    def _passes(self, event: Event) -> bool:
        """Whether an event goes to the client; learns the usage on the way."""
        if event.data is None or _is_silent(event.data):
            return True
        told = read_told(event.data)
        if told is None:
            return True
        if told.error:
            # What it says may name the teacher's organisation or key.
            raise self._lost(Doubt.ERROR_INSIDE)
        self._settlement.learn(told)
        return self._wants_usage or not told.is_without_choices

    async def _end_stream(self, done: bytes) -> None:
        """``[DONE]`` follows the commit, unless the disk makes the client wait too long."""
        self._settlement.completed()
        await self._tell_cost(await self._settlement.account_after())
        await self._client.end(done)

    def _lost(self, doubt: Doubt) -> UpstreamLost:
        self._settlement.doubt = doubt
        return UpstreamLost(doubt)

    async def _relay_refusal(self, answer: UpstreamAnswer) -> None:
        self._settlement.doubt = Doubt.REFUSED
        if not may_have_billed(answer.status, b""):
            self._settlement.release()
        body = b"".join([chunk async for chunk in answer.chunks()])
        if not may_have_billed(answer.status, body):
            self._settlement.release()
        await self._fail(refusal_of(answer.status, body, answer.retry_after_seconds))

    async def _fail(self, error: ProxyError) -> None:
        account = await self._settlement.account_after()
        if self._client.started:
            await self._tell_cost(account)
        await self._client.refuse(error, self._headers(account))

    def _broken_off(self) -> UpstreamUnknown:
        outcome = self._settlement.outcome
        charged = f"${usd_text(outcome.charged_pico)}"
        if outcome.state == "settled":
            return UpstreamUnknown(
                "The model's server broke off the answer. It had said what it used, so that "
                f"{charged} is charged."
            )
        return UpstreamUnknown(
            "The model's server broke off the answer. It may have billed the call, so its "
            f"upper bound of {charged} is charged as unconfirmed; "
            "ask the teaching staff for it back."
        )

    async def _tell_cost(self, account: Balance | None) -> None:
        if self._wants_cost and account:
            await self._client.write(wire.cost_comment(self._settlement.cost_fields(account)))

    def _headers(self, account: Balance | None) -> tuple[Header, ...]:
        """The account's calls per minute; where it is known as it stands after, also the cost."""
        rate = self._settlement.hold.rate
        headers = (
            (b"x-ratelimit-limit-requests", str(rate.limit).encode()),
            (b"x-ratelimit-remaining-requests", str(rate.remaining).encode()),
            (b"x-ratelimit-reset-requests", _duration(rate.reset_seconds).encode()),
        )
        if account is None:
            return headers
        told = self._settlement.cost_fields(account)
        return (*headers, *((name, told[field].encode()) for field, name in _COST_HEADERS))


def _duration(seconds: float) -> str:
    """As OpenAI writes it: ``12ms``, ``1.5s``."""
    return f"{seconds * 1000:.0f}ms" if seconds < 1 else f"{seconds:.3g}s"


def _is_ordinary(chunk: bytes) -> bool:
    """Whether it is whole events of which none ends the stream or tells anything but its text."""
    return chunk.endswith(b"\n\n") and DONE not in chunk and _is_silent(chunk)


def _is_silent(text: bytes) -> bool:
    """Whether a chunk tells neither usage, nor an error, nor another tier than was asked for.

    Nearly all are like this, and counting is ten times as quick as reading them.
    """
    return (
        b'"error"' not in text
        and text.count(b'"usage"') == text.count(b'"usage":null')
        and text.count(b'"service_tier"') == text.count(b'"service_tier":"default"')
    )


async def _read_out(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of a body that has said its last word, so that its connection is kept."""
    with suppress(TimeoutError, UpstreamLost):
        async with asyncio.timeout(READ_OUT_SECONDS):
            async for _ in chunks:
                pass
