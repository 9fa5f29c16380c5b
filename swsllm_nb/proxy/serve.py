"""One proxy process: a socket, an upstream, a store, and uvicorn between them."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvicorn

from swsllm_nb.proxy.app import create_app
from swsllm_nb.proxy.calllog import CallLog
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.http import BoundedProtocol
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import check_secret
from swsllm_nb.proxy.settings import PRACTICE, Settings
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.upstream import TOTAL_TIMEOUT_SECONDS, HttpUpstream
from swsllm_nb.proxy.upstreams import Upstreams
from swsllm_nb.tokens import o200k_base

__all__ = ["RunningServer", "StopSignals", "base_url", "bind", "proxy_server", "run_loop", "serve"]


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
        """Serve until told to stop; then running calls finish first.

        Those that are not waited for, as after a second Ctrl-C, are cut and charged for what is
        known of them, while the store is still open.
        """
        await self._server.serve(sockets=[self._listening])
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
            "Try another --port."
        ) from None
    return listening


@asynccontextmanager
async def proxy_server(
    settings: Settings,
    store: Store,
    listening: socket.socket,
    *,
    grace_seconds: int,
    log: CallLog | None = None,
) -> AsyncIterator[RunningServer]:
    """A server over an open store, with its upstream closed at the end.

    A server that is told to stop lets running calls finish for ``grace_seconds``. ``log`` gets a
    line per call.
    """
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
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, proxy_headers=False,
        server_header=False, http=BoundedProtocol, ws="none",
        timeout_graceful_shutdown=grace_seconds, timeout_keep_alive=75,
    )  # fmt: skip
    # The first call should not wait for the tokenizer to be read, nor the first page.
    warming = asyncio.create_task(asyncio.to_thread(o200k_base))
    following = asyncio.create_task(offer.follow(read_rows))
    try:
        yield RunningServer(uvicorn.Server(config), listening)
    finally:
        listening.close()
        following.cancel()
        await warming
        await upstreams.close()
        if log is not None:
            log.flush()


def run_loop(main: Coroutine[Any, Any, None]) -> None:
    """Run in uvloop where it is installed: it is nowhere on Windows, and saves a tenth here."""
    loop_factory = uvicorn.Config("", loop="auto", log_config=None).get_loop_factory()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(main)


async def serve(settings: Settings, listening: socket.socket, signals: StopSignals) -> None:
    """Serve on a socket until a signal says stop."""
    # A call may take as long as its upstream; whoever is in a hurry asks twice.
    grace_seconds = TOTAL_TIMEOUT_SECONDS + 30
    async with Store(database_at(settings.folder, settings.database)) as store:
        await check_secret(store, settings.secret)
        log = CallLog(sys.stderr)
        async with proxy_server(
            settings, store, listening, grace_seconds=grace_seconds, log=log
        ) as server:
            signals.watch(server)
            await server.run()


def base_url(settings: Settings, listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown_host = f"[{host}]" if ":" in host else host
    return f"http://{shown_host}:{port}{settings.prefix}"


def _upstreams(settings: Settings) -> Upstreams:
    if PRACTICE in settings.upstreams:
        from swsllm_nb.proxy.practice import PracticeUpstream

        return Upstreams((PracticeUpstream(),))
    told = settings.upstreams
    return Upstreams([HttpUpstream(one.base_url, one.key, name=one.name) for one in told])
