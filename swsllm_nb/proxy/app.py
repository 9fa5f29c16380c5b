"""The proxy as one ASGI application: the completions path, and the views around it."""

import asyncio
import logging

from swsllm_nb.proxy.asgi import App, Client, Receive, Scope, Send
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.completions import Completions
from swsllm_nb.proxy.errors import ProxyFault
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.upstream import CONNECTIONS
from swsllm_nb.proxy.upstreams import Upstreams
from swsllm_nb.proxy.views import create_views

__all__ = ["create_app"]

log = logging.getLogger(__name__)


def create_app(
    *, offer: Offer, store: Store, upstreams: Upstreams, secret: Secret, prefix: str = ""
) -> App:
    """Serves under ``prefix`` and, for a front proxy that strips it, without; with and without /v1.

    ``prefix`` is empty or begins with a slash and ends without one.
    """
    slots = asyncio.Semaphore(CONNECTIONS)
    completions = Completions(offer, store, upstreams, secret, slots)
    views = create_views(offer, store, secret, upstreams.names)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path = _inside(_inside(scope["path"], prefix), "/v1").rstrip("/") or "/"
        client = Client(send)
        target = completions if path == "/chat/completions" and scope["method"] == "POST" else views
        try:
            await target({**scope, "path": path, "root_path": ""}, receive, client.pass_on)
        except Exception:
            log.exception("%s %s failed", scope["method"], path)
            if not client.started:
                await client.refuse(ProxyFault("The proxy itself failed. Please try again."), [])

    return app


def _inside(path: str, prefix: str) -> str:
    path = "/" + path.lstrip("/")
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        path = path.removeprefix(prefix) or "/"
    return path
