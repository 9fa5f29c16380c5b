"""POST /chat/completions: authenticate, read, price, bound, reserve, forward, stream, settle."""

import asyncio
from dataclasses import dataclass
from secrets import token_hex

from swsllm_nb import pricing, wire
from swsllm_nb.pricing import Bound, Catalogue
from swsllm_nb.proxy.access import authenticate
from swsllm_nb.proxy.asgi import Client, ClientGone, Receive, Scope, Send, header, read_body
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import BadRequest, ProxyError
from swsllm_nb.proxy.ledger import Intent
from swsllm_nb.proxy.relay import Relay
from swsllm_nb.proxy.request import ChatRequest, read_chat_request
from swsllm_nb.proxy.settlement import Settlement
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.upstream import Upstream

__all__ = ["Completions"]

BODY_LIMIT_BYTES = 4 * 1024 * 1024
COUNT_IN_THREAD_CHARACTERS = 20_000


@dataclass(frozen=True)
class Completions:
    """The endpoint, as a bare ASGI application."""

    catalogue: Catalogue
    store: Store
    upstream: Upstream
    secret: Secret
    slots: asyncio.Semaphore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = f"req_{token_hex(16)}"
        client = Client(send)
        wants_cost = header(scope, wire.WANTS_COST_HEADER) == "1"
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
            )
            async with self.slots:
                settlement = Settlement(self.store, await self.store.reserve(intent))
                await self._forward(client, request, settlement, wants_cost)
        except ClientGone:
            return
        except ProxyError as error:
            await client.refuse(error, [(wire.REQUEST_ID_HEADER, request_id)])

    async def _forward(
        self, client: Client, request: ChatRequest, settlement: Settlement, wants_cost: bool
    ) -> None:
        hold = settlement.hold
        pseudonym = self.secret.safety_identifier(hold.account_id)
        relay = Relay(
            client,
            settlement,
            stream=request.stream,
            wants_usage=request.wants_usage,
            wants_cost=wants_cost,
        )
        await relay.forward(
            self.upstream, lambda: request.upstream_body(hold.cap_tokens, pseudonym)
        )


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
