"""One proxy process: a socket, an upstream, a store, and uvicorn between them."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import uvicorn

from swsllm_nb.proxy.app import create_app
from swsllm_nb.proxy.asgi import App
from swsllm_nb.proxy.calllog import CallLog
from swsllm_nb.proxy.chores import chores
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.http import BoundedProtocol
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import check_secret
from swsllm_nb.proxy.refused import Refused
from swsllm_nb.proxy.settings import PRACTICE, Settings
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.upstream import TOTAL_TIMEOUT_SECONDS, HttpUpstream
from swsllm_nb.proxy.upstreams import Upstreams
from swsllm_nb.tokenizer import o200k_base

if TYPE_CHECKING:
    from swsllm_nb.proxy.metrics import Metrics

__all__ = [
    "RunningServer", "StopSignals", "address_of", "base_url", "bind", "proxy_server", "run_loop",
    "serve",
]  # fmt: skip


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

    def __init__(self, server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        self._server = server
        self._sockets = sockets

    async def run(self) -> None:
        """Serve until told to stop; then running calls finish first.

        Those that are not waited for, as after a second Ctrl-C, are cut and charged for what is
        known of them, while the store is still open.
        """
        await self._server.serve(sockets=self._sockets)
        while running := list(self._server.server_state.tasks):
            for task in running:
                task.cancel()
            await asyncio.wait(running)

    def stop(self) -> None:
        self._server.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError, in words, where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once only where the socket says that it is TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        # Elsewhere it would let two servers share the port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise OSError(
            f"Cannot listen on {host}:{port} ({error.strerror}). Is another program using it? "
            "Try another port."
        ) from None
    return listening


@asynccontextmanager
async def proxy_server(
    settings: Settings,
    store: Store,
    listening: socket.socket,
    *,
    grace_seconds: int,
    log_to: TextIO | None = None,
    metrics: "Metrics | None" = None,
) -> AsyncIterator[RunningServer]:
    """A server over an open store, with its chores; its upstream is closed at the end.

    A server that is told to stop lets running calls finish for ``grace_seconds``. ``log_to`` gets a
    line per call; ``metrics`` are served on their own socket.
    """
    log = CallLog(log_to, (refused := Refused()).count, *([metrics.count] if metrics else ()))
    upstreams = _upstreams(settings)
    offer = Offer(ages=PRACTICE not in settings.upstreams)
    read_rows = partial(store.read, model_rows)
    await offer.refresh(read_rows)
    app = create_app(
        offer=offer,
        store=store,
        upstreams=upstreams,
        secret=settings.secret,
        prefix=settings.prefix,
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        log=log,
    )
    sockets = [listening, *([metrics.listening] if metrics else [])]
    served = metrics.beside(app) if metrics else app
    server = uvicorn.Server(_uvicorn_config(served, grace_seconds))
    # The first call should not wait for the tokenizer to be read, nor the first page.
    warming = asyncio.create_task(asyncio.to_thread(o200k_base))
    following = asyncio.create_task(offer.follow(read_rows))
    try:
        async with chores(store, refused):
            yield RunningServer(server, sockets)
    finally:
        for one in sockets:
            one.close()
        following.cancel()
        await warming
        await upstreams.close()
        log.flush()


def _uvicorn_config(app: App, grace_seconds: int) -> uvicorn.Config:
    return uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, http=BoundedProtocol, ws="none",
        timeout_graceful_shutdown=grace_seconds, timeout_keep_alive=75,
    )  # fmt: skip


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run in uvloop where it is installed: it is nowhere on Windows, and saves a tenth here."""
    loop_factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


async def serve(
    settings: Settings,
    listening: socket.socket,
    metrics_listening: socket.socket | None,
    signals: StopSignals,
) -> None:
    """Serve on a socket, and metrics on another one, until a signal says stop."""
    # A call may take as long as its upstream; whoever is in a hurry asks twice.
    grace_seconds = TOTAL_TIMEOUT_SECONDS + 30
    async with Store(database_at(settings.folder, settings.database)) as store:
        await check_secret(store, settings.secret)
        metrics = _metrics(store, metrics_listening)
        async with proxy_server(
            settings, store, listening,
            grace_seconds=grace_seconds, log_to=sys.stderr, metrics=metrics,
        ) as server:  # fmt: skip
            signals.watch(server)
            await server.run()


def base_url(settings: Settings, listening: socket.socket) -> str:
    return f"{address_of(listening)}{settings.prefix}"


def address_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown_host = f"[{host}]" if ":" in host else host
    return f"http://{shown_host}:{port}"


def _metrics(store: Store, listening: socket.socket | None) -> "Metrics | None":
    if listening is None:
        return None
    from swsllm_nb.proxy.metrics import Metrics

    return Metrics(store, listening)


def _upstreams(settings: Settings) -> Upstreams:
    if PRACTICE in settings.upstreams:
        from swsllm_nb.proxy.practice import PracticeUpstream

        return Upstreams((PracticeUpstream(),))
    told = settings.upstreams
    return Upstreams([HttpUpstream(one.base_url, one.key, name=one.name) for one in told])
