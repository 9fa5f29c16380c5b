"""A call whose hold is taken: forwarded, its answer passed back as it comes, then settled."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

from swsllm_nb import wire
from swsllm_nb.money import usd_text
from swsllm_nb.proxy.asgi import Client
from swsllm_nb.proxy.errors import ProxyError, UpstreamFailure, UpstreamUnknown, error_body
from swsllm_nb.proxy.refusals import may_have_billed, refusal_of
from swsllm_nb.proxy.settlement import Settlement
from swsllm_nb.proxy.standing import Balance
from swsllm_nb.proxy.upstream import NotSent, Route, UpstreamAnswer, UpstreamLost
from swsllm_nb.sse import DONE, Event, Scanner

__all__ = ["Relay"]

ANSWER_LIMIT_BYTES = 32 * 1024 * 1024
EVENT_LIMIT_BYTES = 4 * 1024 * 1024
READ_OUT_SECONDS = 0.5


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

    async def forward(self, route: Route, body_of: Callable[[], bytes]) -> None:
        """Send the call on, pass its answer back, and settle, whatever happens."""
        try:
            body = body_of()
            self._settlement.sent()
            async with route.post(body) as answer:
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
        finally:
            await self._settlement.close()

    async def _relay_plain(self, answer: UpstreamAnswer) -> None:
        body = bytearray()
        async for chunk in answer.chunks():
            body += chunk
            if len(body) > ANSWER_LIMIT_BYTES:
                raise UpstreamLost("the answer is too long")
        document = _json(bytes(body))
        if not isinstance(document, dict) or "choices" not in document:
            raise UpstreamLost("not a completion")
        self._settlement.learn(document)
        self._settlement.completed()
        account = await self._settlement.account_after()
        headers = [("content-type", "application/json"), *self._headers(account)]
        await self._client.answer(200, headers, bytes(body))

    async def _relay_stream(self, answer: UpstreamAnswer) -> None:
        headers = [
            ("content-type", "text/event-stream; charset=utf-8"),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
            *self._headers(None),
        ]
        await self._client.start(200, headers)
        scanner = Scanner()
        chunks = answer.chunks()
        async for chunk in chunks:
            for event in scanner.feed(chunk):
                if event.is_done:
                    await self._end_stream(event.raw)
                    await _read_out(chunks)
                    return
                if self._passes(event):
                    await self._client.write(event.raw)
            if scanner.pending_bytes > EVENT_LIMIT_BYTES:
                raise UpstreamLost("an event is too long")
        if any(event.is_done for event in scanner.feed(b"\n\n")):
            await self._end_stream(b"data: " + DONE + b"\n\n")
            return
        raise UpstreamLost("the stream ended without [DONE]")

    def _passes(self, event: Event) -> bool:
        """Whether an event goes to the client; learns the usage on the way."""
        if event.data is None or not (b'"usage"' in event.data or b'"error"' in event.data):
            return True
        chunk = _json(event.data)
        if not isinstance(chunk, dict):
            return True
        if chunk.get("error"):
            # What it says may name the teacher's organisation or key.
            raise UpstreamLost("an error in the stream")
        self._settlement.learn(chunk)
        return self._wants_usage or chunk.get("choices") != []

    async def _end_stream(self, done: bytes) -> None:
        """``[DONE]`` follows the commit, unless the disk makes the client wait too long."""
        self._settlement.completed()
        await self._tell_cost(await self._settlement.account_after())
        await self._client.end(done)

    async def _relay_refusal(self, answer: UpstreamAnswer) -> None:
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
            await self._client.end(b"data: " + error_body(error) + b"\n\n")
        else:
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

    def _headers(self, account: Balance | None) -> list[tuple[str, str]]:
        """The request id; where the account is known as it stands after, also the cost."""
        told = self._settlement.cost_fields(account) if account else {}
        costs = [(wire.cost_header(field), usd) for field, usd in told.items()]
        return [(wire.REQUEST_ID_HEADER, self._settlement.hold.request_id), *costs]


async def _read_out(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of a body that has said its last word, so that its connection is kept."""
    with suppress(TimeoutError, UpstreamLost):
        async with asyncio.timeout(READ_OUT_SECONDS):
            async for _ in chunks:
                pass


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
