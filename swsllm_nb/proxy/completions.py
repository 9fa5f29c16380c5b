"""POST /chat/completions: authenticate, read, price, bound, reserve, forward, stream, settle."""

import asyncio
import json
import logging
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from swsllm_nb import pricing, wire
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Bound, Catalogue
from swsllm_nb.proxy.access import authenticate
from swsllm_nb.proxy.asgi import Client, ClientGone, Receive, Scope, Send, header, read_body
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import (
    BadRequest,
    ProxyError,
    UpstreamFailure,
    UpstreamUnknown,
    error_body,
)
from swsllm_nb.proxy.ledger import Account, Hold, Intent, Outcome
from swsllm_nb.proxy.refusals import refusal_of
from swsllm_nb.proxy.request import ChatRequest, read_chat_request
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.upstream import NotSent, Upstream, UpstreamAnswer, UpstreamLost
from swsllm_nb.sse import DONE, Event, Scanner

__all__ = ["Completions"]

BODY_LIMIT_BYTES = 4 * 1024 * 1024
ERROR_BODY_LIMIT_BYTES = 64 * 1024
COUNT_IN_THREAD_CHARACTERS = 20_000
COMMIT_PATIENCE_SECONDS = 2

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Completions:
    """The endpoint, as a bare ASGI application."""

    catalogue: Catalogue
    store: Store
    upstream: Upstream
    secret: Secret

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req_{token_hex(16)}"
        client = Client(send)
        try:
            holder = await authenticate(header(scope, "authorization"), self.secret, self.store)
            body = await read_body(receive, BODY_LIMIT_BYTES)
            request = read_chat_request(body, self.catalogue)
            intent = Intent(
                request_id=request_id,
                account_id=holder.account.id,
                key_id=holder.key_id,
                model=request.model,
                bound=await _bound(request),
                stream=request.stream,
                upstream=self.upstream.name,
                owner=self.store.owner,
            )
            hold = await self.store.reserve(intent)
        except ClientGone:
            return
        except ProxyError as error:
            await client.refuse(error, [(wire.REQUEST_ID_HEADER, request_id)])
        else:
            wants_cost = header(scope, wire.WANTS_COST_HEADER) == "1"
            call = _Call(self.store, client, request, hold, wants_cost)
            pseudonym = self.secret.safety_identifier(hold.account_id)
            await call.forward(self.upstream, request.upstream_body(hold.cap_tokens, pseudonym))


async def _bound(request: ChatRequest) -> Bound:
    if request.prompt_characters() > COUNT_IN_THREAD_CHARACTERS:
        tokens = await asyncio.to_thread(request.prompt_tokens)
    else:
        tokens = request.prompt_tokens()
    try:
        return pricing.bound(
            request.model, tokens, stated_cap=request.stated_cap, choices=request.choices
        )
    except ValueError:
        raise BadRequest(
            f"This model's maximum context length is {request.model.context_tokens} tokens, and "
            f"your messages may take up to {tokens}. Please reduce their length.",
            param="messages",
            code="context_length_exceeded",
        ) from None


class _Call:
    """A call whose hold is taken; whatever happens, it is closed exactly once."""

    def __init__(
        self, store: Store, client: Client, request: ChatRequest, hold: Hold, wants_cost: bool
    ) -> None:
        self._store = store
        self._client = client
        self._request = request
        self._hold = hold
        self._wants_cost = wants_cost
        self._usage: wire.Usage | None = None
        self._released = False
        self._closing: asyncio.Task[Account] | None = None

    async def forward(self, upstream: Upstream, body: bytes) -> None:
        """Send the call on, pass its answer back, and settle."""
        try:
            async with upstream.post(body) as answer:
                if answer.status != 200:
                    await self._relay_refusal(answer)
                elif self._request.stream:
                    await self._relay_stream(answer)
                else:
                    await self._relay_plain(answer)
        except NotSent:
            self._released = True
            await self._fail(
                UpstreamFailure(
                    "The proxy could not reach the model's server. Nothing was charged; "
                    "try again, and tell the teaching staff if it stays so."
                )
            )
        except UpstreamLost:
            await self._fail(
                UpstreamUnknown(
                    "The model's server broke off the answer. It may have billed the call, so its "
                    f"upper bound of ${usd_text(self._hold.hold_pico)} is charged as unconfirmed; "
                    "ask the teaching staff for it back."
                )
            )
        finally:
            await self._settled()

    async def _relay_plain(self, answer: UpstreamAnswer) -> None:
        body = b"".join([chunk async for chunk in answer.chunks()])
        try:
            self._usage = wire.usage_from_body(json.loads(body))
        except ValueError:
            raise UpstreamLost("not JSON") from None
        account = await self._settled()
        headers = [
            ("content-type", answer.headers.get("content-type", "application/json")),
            *self._headers(account),
        ]
        await self._client.answer(200, headers, body)

    async def _relay_stream(self, answer: UpstreamAnswer) -> None:
        headers = [
            ("content-type", answer.headers.get("content-type", "text/event-stream")),
            ("cache-control", "no-cache"),
            ("x-accel-buffering", "no"),
            *self._headers(),
        ]
        await self._client.start(200, headers)
        scanner = Scanner()
        async for chunk in answer.chunks():
            for event in scanner.feed(chunk):
                if event.data == DONE:
                    await self._end_stream(event)
                    return
                if self._passes(event):
                    await self._client.write(event.raw)
        raise UpstreamLost("the stream ended without [DONE]")

    def _passes(self, event: Event) -> bool:
        """Whether an event goes to the client; learns the usage on the way."""
        if event.data is None or b'"usage"' not in event.data:
            return True
        try:
            chunk: Any = json.loads(event.data)
        except ValueError:
            return True
        self._usage = wire.usage_from_body(chunk) or self._usage
        only_usage = isinstance(chunk, dict) and chunk.get("choices") == []
        return self._request.wants_usage or not only_usage

    async def _end_stream(self, done: Event) -> None:
        """``[DONE]`` follows the commit, unless the disk makes the client wait too long."""
        closing = self._close()
        await asyncio.wait([closing], timeout=COMMIT_PATIENCE_SECONDS)
        if self._wants_cost and closing.done() and not closing.exception():
            await self._client.write(wire.cost_comment(self._cost(closing.result())))
        await self._client.end(done.raw)

    async def _relay_refusal(self, answer: UpstreamAnswer) -> None:
        body = b""
        async for chunk in answer.chunks():
            body += chunk[: ERROR_BODY_LIMIT_BYTES - len(body)]
        error = refusal_of(answer.status, body)
        self._released = not isinstance(error, UpstreamUnknown)
        await self._fail(error)

    async def _fail(self, error: ProxyError) -> None:
        account = await self._settled()
        if self._client.started:
            if self._wants_cost:
                await self._client.write(wire.cost_comment(self._cost(account)))
            await self._client.end(b"data: " + error_body(error) + b"\n\n")
        else:
            await self._client.refuse(error, self._headers(account))

    def _close(self) -> asyncio.Task[Account]:
        if self._closing is None:
            self._closing = asyncio.create_task(self._store.close_hold(self._hold, self._outcome()))
        return self._closing

    async def _settled(self) -> Account:
        return await asyncio.shield(self._close())

    def _outcome(self) -> Outcome:
        if self._usage is not None:
            charged = pricing.cost(self._hold.prices, self._usage)
            if charged > self._hold.hold_pico:
                log.error(
                    "bound broken: %s cost %s pico-dollars, held %s",
                    self._hold.request_id,
                    charged,
                    self._hold.hold_pico,
                )
            return Outcome("settled", charged, self._usage)
        if self._released:
            return Outcome("released", 0)
        return Outcome("unconfirmed", self._hold.hold_pico)

    def _headers(self, account: Account | None = None) -> list[tuple[str, str]]:
        """The request id; where the account is known as it stands after, also the cost."""
        told = self._cost(account) if account else {}
        costs = [(wire.cost_header(field), usd) for field, usd in told.items()]
        return [(wire.REQUEST_ID_HEADER, self._hold.request_id), *costs]

    def _cost(self, account: Account) -> dict[str, str]:
        charged = self._outcome().charged_pico
        return {
            "cost_usd": usd_text(charged),
            "remaining_usd": usd_text(account.remaining_pico),
            "budget_usd": usd_text(account.budget_pico),
        }
