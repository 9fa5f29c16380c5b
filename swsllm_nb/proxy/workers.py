"""One serving process, or several on one socket that a parent process looks after."""

import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from typing import TypeAlias

from swsllm_nb.proxy.serve import StopSignals, address_of, base_url, bind, run_loop, serve
from swsllm_nb.proxy.settings import Settings

__all__ = ["run"]

_LOOK_SECONDS = 0.5
_AGAIN_SECONDS = 2

_Sockets: TypeAlias = tuple[socket.socket, socket.socket | None]
"""Where calls come in, and where metrics are asked for."""


def run(settings: Settings, announce: Callable[[str], None], warn: Callable[[str], None]) -> None:
    """Serve until SIGTERM or Ctrl-C; ``announce`` is told the base URL, first of all."""
    with bind(settings.host, settings.port) as listening, ExitStack() as serving:
        metrics = serving.enter_context(bind(*settings.metrics)) if settings.metrics else None
        if settings.workers == 1:
            signals = StopSignals()
        if settings.database is None:
            from swsllm_nb.proxy.sqlite import serving_alone

            if not serving.enter_context(serving_alone(settings.folder)):
                warn(
                    f"Another process serves from {settings.folder} already. Budgets hold all the "
                    "same, but calls wait for each other: stop one, or use PostgreSQL (--database)."
                )
        if settings.workers == 1:
            _announce(settings, listening, metrics, announce)
            run_loop(serve(settings, listening, metrics, signals))
        else:
            if metrics is not None:
                from swsllm_nb.proxy.metrics import SHARED_FOLDER

                counting = tempfile.TemporaryDirectory(prefix="swsllm-metrics-")
                os.environ[SHARED_FOLDER] = serving.enter_context(counting)
            parent = _Workers(settings, (listening, metrics), warn)
            _announce(settings, listening, metrics, announce)
            parent.run()


def _announce(
    settings: Settings,
    listening: socket.socket,
    metrics: socket.socket | None,
    announce: Callable[[str], None],
) -> None:
    announce(base_url(settings, listening))
    if metrics is not None:
        announce(f"Metrics: {address_of(metrics)}/metrics")


class _Workers:
    """Starts the workers, replaces those that die, and passes on the signal to stop."""

    def __init__(self, settings: Settings, sockets: _Sockets, warn: Callable[[str], None]) -> None:
        self._settings = settings
        self._sockets = sockets
        self._warn = warn
        self._context = multiprocessing.get_context("spawn")
        self._stopping = False
        self._has_replaced = False
        self._failed = False
        self._processes: list[BaseProcess] = []
        for name in ("SIGTERM", "SIGINT", "SIGHUP"):
            if signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
                signal.signal(getattr(signal, name), self._stop)

    def run(self) -> None:
        """Raises OSError where no worker can serve from the beginning."""
        while len(self._processes) < self._settings.workers and not self._stopping:
            self._processes.append(self._start())
        while self._processes:
            if self._stopping:
                # Also one that was started while the signal came.
                self._stop()
            connection.wait([process.sentinel for process in self._processes], _LOOK_SECONDS)
            self._processes = [each for each in map(self._looked_after, self._processes) if each]
        if self._failed:
            raise OSError("The workers cannot serve; what each said stands above.")

    def _start(self) -> BaseProcess:
        process = self._context.Process(target=_work, args=(self._settings, self._sockets))
        process.start()
        return process

    def _looked_after(self, process: BaseProcess) -> BaseProcess | None:
        if process.is_alive():
            return process
        if self._stopping:
            return None
        if process.exitcode == _CANNOT_SERVE and not self._has_replaced:
            self._failed = True
            self._stop()
            return None
        self._warn(f"A worker ended with exit code {process.exitcode}; another one is started.")
        if process.exitcode == _CANNOT_SERVE:
            # The others serve on, and a database that is away comes back.
            time.sleep(_AGAIN_SECONDS)
        self._has_replaced = True
        return self._start()

    def _stop(self, *_: object) -> None:
        self._stopping = True
        for process in self._processes:
            if process.is_alive():
                process.terminate()


_CANNOT_SERVE = 3


def _work(settings: Settings, sockets: _Sockets) -> None:
    # A worker is told to stop by its parent alone: Ctrl-C reaches the whole group.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signals = StopSignals()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run_loop(serve(settings, *sockets, signals))
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(_CANNOT_SERVE)


def _end_with_parent() -> None:
    """A parent that was killed could not say so; running calls still finish."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
