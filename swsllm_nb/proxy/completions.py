"""POST /chat/completions: authenticate, read, price, bound, reserve, forward, stream, settle."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from swsllm_nb import pricing, wire
from swsllm_nb.pricing import Bound
from swsllm_nb.proxy.access import Callers
from swsllm_nb.proxy.asgi import Client, ClientGone, Receive, Scope, has_left, header, read_body
from swsllm_nb.proxy.calllog import CallLine, CallLog
from swsllm_nb.proxy.errors import BadRequest, ProxyError
from swsllm_nb.proxy.ledger import Intent
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.relay import Relay
from swsllm_nb.proxy.request import ChatRequest, read_chat_request
from swsllm_nb.proxy.settlement import Settlement
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.turns import Turns
from swsllm_nb.proxy.upstreams import Upstreams

__all__ = ["Completions"]

BODY_LIMIT_BYTES = 4 * 1024 * 1024
READ_AT_ONCE_BYTES = 20_000
"""What is longer keeps everybody waiting while it is read and counted."""

_WANTS_COST = wire.WANTS_COST_HEADER.encode()
_EXERCISE = wire.EXERCISE_HEADER.encode()


@dataclass(frozen=True)
class Completions:
    """The endpoint. Each call leaves a line in ``log``, where there is one."""

    offer: Offer
    store: Store
    upstreams: Upstreams
    callers: Callers
    turns: Turns
    readings: Turns
    log: CallLog | None

    async def __call__(self, scope: Scope, receive: Receive, client: Client) -> None:
        line = CallLine(client.request_id, datetime.now(UTC))
        try:
            await self._answer(scope, receive, client, line)
        except ClientGone:
            client.error_code = "client_gone"
        except ProxyError as error:
            await client.refuse(error)
        finally:
            if self.log is not None:
                line.status, line.error = client.status, client.error_code
                line.seconds = round(time.perf_counter() - client.began, 6)
                self.log.write(line)

    async def _answer(self, scope: Scope, receive: Receive, client: Client, line: CallLine) -> None:
        caller = await self.callers.caller(header(scope, b"authorization"))
        line.account_id = caller.account_id
        async with self.turns.of(caller.account_id) as turn:
            body = await read_body(scope, receive, BODY_LIMIT_BYTES)
            request, bound = await self._read(body, caller.account_id)
            line.model, line.stream = request.model.id, request.stream
            route = self.upstreams.route(request.model)
            intent = Intent(
                request_id=client.request_id,
                account_id=caller.account_id,
                key_id=caller.key_id,
                model=request.model,
                bound=bound,
                stream=request.stream,
                upstream=route.name,
                exercise=_exercise(scope),
            )
            if await turn.comes() and await has_left(receive):
                raise ClientGone
            hold = await self.store.reserve(intent)
            line.upstream = route.name
            relay = Relay(
                client,
                Settlement(self.store, hold),
                stream=request.stream,
                wants_usage=request.wants_usage,
                wants_cost=header(scope, _WANTS_COST) == "1",
            )
            try:
                await relay.forward(
                    route, lambda: request.upstream_body(hold.cap_tokens, caller.pseudonym)
                )
            finally:
                line.settled(hold, relay.outcome)
                if relay.first_byte_at is not None and relay.sent_at is not None:
                    line.first_byte_seconds = round(relay.first_byte_at - client.began, 6)
                    line.upstream_seconds = round(relay.first_byte_at - relay.sent_at, 6)

    async def _read(self, body: bytes, account_id: int) -> tuple[ChatRequest, Bound]:
        """Read and bound a request; a long one off the event loop, and one account in turn."""
        if len(body) <= READ_AT_ONCE_BYTES:
            return _bounded(body, self.offer)
        async with self.readings.of(account_id) as reading:
            await reading.comes()
            return await asyncio.to_thread(_bounded, body, self.offer)


def _exercise(scope: Scope) -> str | None:
    """What the client says that the call is for; whatever cannot be kept is left out."""
    named = header(scope, _EXERCISE)
    if not named:
        return None
    try:
        return wire.exercise_name(named.encode("latin-1").decode())
    except UnicodeDecodeError:
        return None


def _bounded(body: bytes, offer: Offer) -> tuple[ChatRequest, Bound]:
    request = read_chat_request(body, offer)
    tokens = request.prompt_tokens()
    try:
        bound = pricing.bound(
            request.model, tokens, stated_cap=request.stated_cap, choices=request.choices
        )
    except ValueError:
        raise BadRequest(
            f"This model's maximum context length is {request.model.context_tokens} tokens, and "
            f"your messages may take up to {tokens}. Please reduce their length.",
            param="messages",
            code="context_length_exceeded",
        ) from None
    return request, bound
