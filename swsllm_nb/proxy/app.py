"""The proxy as one ASGI application: the completions path, and the views around it."""

import logging
import re
import time
from collections.abc import Callable, MutableMapping, Sequence
from random import Random
from typing import Any

from swsllm_nb import wire
from swsllm_nb.proxy.access import Callers
from swsllm_nb.proxy.asgi import App, Client, Receive, Scope, Send, header
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.calllog import CallLog
from swsllm_nb.proxy.completions import Completions
from swsllm_nb.proxy.errors import MethodNotAllowed, ProxyFault
from swsllm_nb.proxy.forwarded import Network
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.page import PublicAddress, pages_over
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.turns import Turns
from swsllm_nb.proxy.upstream import CONNECTIONS
from swsllm_nb.proxy.upstreams import Upstreams
from swsllm_nb.proxy.views import create_views

__all__ = ["create_app"]

LONG_READINGS = 2
"""At once: more would only take the interpreter, and the memory, from one another."""

_COMPLETIONS_METHODS = (b"allow", b"POST, OPTIONS")

_CLIENT_ID = wire.CLIENT_ID_HEADER.encode()
_MAY_BE_IN_AN_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)

_faults = logging.getLogger(__name__)


def create_app(
    *,
    offer: Offer,
    store: Store,
    upstreams: Upstreams,
    secret: Secret,
    prefix: str = "",
    public_url: str | None = None,
    trusted_proxies: Sequence[Network] = (),
    log: CallLog | None = None,
) -> App:
    """Serves under ``prefix`` and, for a front proxy that strips it, without; with and without /v1.

    ``prefix`` is empty or begins with a slash and ends without one. ``public_url`` is where people
    find the page; None means a numeric address. ``trusted_proxies`` are believed for whom they
    speak. ``log`` gets a line per call.
    """
    callers = Callers(secret, store)
    turns, readings = Turns(CONNECTIONS), Turns(LONG_READINGS)
    completions = Completions(offer, store, upstreams, callers, turns, readings, log)
    views = create_views(offer, store, secret, upstreams.names)
    address = PublicAddress.of(public_url, prefix, trusted_proxies)
    pages = pages_over(store, secret, offer, upstreams.hosts, address)
    new_id = _request_ids()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        client = Client(send, f"{new_id()}{_client_id(scope)}")
        path = _inside(_inside(scope["path"], prefix), "/v1").rstrip("/") or "/"
        try:
            if path != "/chat/completions":
                beside: App = pages if pages.owns(scope, path) else views
                answer = _with_options(scope["method"], client)
                await beside({**scope, "path": path, "root_path": ""}, receive, answer)
            elif scope["method"] == "POST":
                await completions(scope, receive, client)
            else:
                await _other_method(scope["method"], client)
        except Exception:
            _faults.exception("%s %s failed", scope["method"], path)
            if not client.started:
                await client.refuse(ProxyFault("The proxy itself failed. Please try again."))

    return app


def _request_ids() -> Callable[[], str]:
    """Ids that grow with time lie side by side in the ledger's index, however long it is."""
    numbers = Random()  # noqa: S311  an id has to be unique, not secret
    return lambda: f"req_{time.time_ns():016x}{numbers.getrandbits(64):016x}"


def _client_id(scope: Scope) -> str:
    """What a client that names its request adds to the request's id, or nothing."""
    named = header(scope, _CLIENT_ID) or ""
    return f"_{named}" if _MAY_BE_IN_AN_ID.fullmatch(named) else ""


async def _other_method(method: str, client: Client) -> None:
    if method == "OPTIONS":
        await client.start(204, [_COMPLETIONS_METHODS])
        await client.end()
        return
    error = MethodNotAllowed(
        f"Not allowed to {method[:20]} on /chat/completions. Send your question with POST."
    )
    await client.refuse(error, [_COMPLETIONS_METHODS])


def _with_options(method: str, client: Client) -> Send:
    """How a view answers; one that only says which methods it has has answered OPTIONS."""
    if method != "OPTIONS":
        return client.pass_on

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            allowed = next(value for name, value in message["headers"] if name == b"allow")
            await client.start(204, [(b"allow", allowed + b", OPTIONS")])
        elif client.status == 204:
            await client.end()
        else:
            await client.pass_on(message)

    return send


def _inside(path: str, prefix: str) -> str:
    path = "/" + path.lstrip("/")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path.removeprefix(prefix) or "/"
    return path
