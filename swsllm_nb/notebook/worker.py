"""A thread in the background that lives only while there is work."""

import threading
from collections.abc import Callable

__all__ = ["Worker"]


class Worker:
    """Runs ``run``, which returns when it has been idle; again while there ``is_work``.

    ``wake`` waits for no lock: it may be called by what the garbage collector calls, at any moment
    and in any thread.
    """

    def __init__(self, name: str, run: Callable[[], None], is_work: Callable[[], bool]) -> None:
        self._name = name
        self._run = run
        self._is_work = is_work
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Sees to it that the thread runs. Where no thread can be had, as when the interpreter
        ends, nothing happens."""
        # A fork has the object and not the thread.
        if (self._thread and self._thread.is_alive()) or not self._starting.acquire(blocking=False):
            return
        try:
            thread = threading.Thread(target=self._main, name=self._name, daemon=True)
            thread.start()
            self._thread = thread
        except RuntimeError:
            self._thread = None
        finally:
            self._starting.release()

    def join(self, seconds: float) -> None:
        """Waits at most so long for the thread's end."""
        thread = self._thread
        if thread:
            thread.join(seconds)

    def _main(self) -> None:
        while True:
            self._run()
            # Who wakes from now on finds no thread, and who did before left work behind.
            self._thread = None
            if not self._is_work() or not self._starting.acquire(blocking=False):
                return
            self._thread = threading.current_thread()
            self._starting.release()
