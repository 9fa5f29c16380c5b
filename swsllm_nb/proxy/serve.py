"""One proxy process: a socket, an upstream, a store, and uvicorn between them."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from swsllm_nb.pricing import default_catalogue
from swsllm_nb.proxy import staff
from swsllm_nb.proxy.app import create_app
from swsllm_nb.proxy.settings import PRACTICE, Settings
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.upstream import READ_TIMEOUT_SECONDS, HttpUpstream, Upstream
from swsllm_nb.tokens import o200k_base

__all__ = ["RunningServer", "StopSignals", "base_url", "bind", "proxy_server", "serve"]


class StopSignals:
    """Ctrl-C, SIGTERM and a closed terminal stop the server, however early they come.

    uvicorn handles the first two while it serves, and afterwards raises them again for whoever
    was there before: that is this, which then has nothing left to do.
    """

    def __init__(self) -> None:
        self._server: RunningServer | None = None
        self._raised = False
        for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGBREAK"):
            number = getattr(signal, name, None)
            # Under nohup a closed terminal is to be ignored.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._stop)

    def watch(self, server: "RunningServer") -> None:
        self._server = server
        if self._raised:
            server.stop()

    def _stop(self, *_: object) -> None:
        self._raised = True
        if self._server:
            self._server.stop()


class RunningServer:
    """A server that is about to answer."""

    def __init__(self, server: uvicorn.Server, listening: socket.socket) -> None:
        self._server = server
        self._listening = listening

    async def run(self) -> None:
        """Serve until told to stop; then running calls finish first."""
        await self._server.serve(sockets=[self._listening])

    def stop(self) -> None:
        self._server.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, in words, where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    if os.name == "posix":
        # Elsewhere it would let two servers share the port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Is another program using it? "
            "Try another --port."
        ) from None
    return listening


@asynccontextmanager
async def proxy_server(
    settings: Settings, store: Store, listening: socket.socket, *, grace_seconds: int
) -> AsyncIterator[RunningServer]:
    """A server over an open store, with its upstream closed at the end.

    A server that is told to stop lets running calls finish for ``grace_seconds``.
    """
    upstream = _upstream(settings)
    app = create_app(
        catalogue=default_catalogue(),
        store=store,
        upstream=upstream,
        secret=settings.secret,
        prefix=settings.prefix,
    )
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, timeout_graceful_shutdown=grace_seconds, timeout_keep_alive=75,
    )  # fmt: skip
    # The first call should not wait for the tokenizer to be read, nor the first page.
    warming = asyncio.create_task(asyncio.to_thread(o200k_base))
    try:
        yield RunningServer(uvicorn.Server(config), listening)
    finally:
        listening.close()
        await warming
        await upstream.close()


async def serve(settings: Settings, listening: socket.socket, signals: StopSignals) -> None:
    """Serve on a socket until a signal says stop."""
    # A call may take as long as its upstream; whoever is in a hurry asks twice.
    grace_seconds = READ_TIMEOUT_SECONDS + 30
    async with Store(database_at(settings.folder, settings.database)) as store:
        await staff.check_secret(store, settings.secret)
        async with proxy_server(settings, store, listening, grace_seconds=grace_seconds) as server:
            signals.watch(server)
            await server.run()


def base_url(settings: Settings, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown_host = f"[{host}]" if ":" in host else host
    return f"http://{shown_host}:{port}{settings.prefix}"


def _upstream(settings: Settings) -> Upstream:
    if settings.upstream == PRACTICE:
        from swsllm_nb.proxy.practice import PracticeUpstream

        return PracticeUpstream()
    return HttpUpstream(settings.upstream, settings.upstream_key)
