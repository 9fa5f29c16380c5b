"""Ctrl-C where something is done that must not be left half done."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["stoppable"]


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Gives what says whether Ctrl-C, SIGTERM or a closed terminal asked to stop.

    Nothing else comes of them: whoever acts asks between two transactions.
    """
    asked = False

    def stop(*_: object) -> None:
        nonlocal asked
        asked = True

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    before = {
        # Under nohup a closed terminal is to be ignored.
        number: signal.signal(number, stop)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
