"""What a call cost that was stopped or broke off is asked of the proxy afterwards, and filed."""

import threading
import time
from collections.abc import Callable
from typing import Final

from swsllm_nb.notebook.calls import Call, CallLog
from swsllm_nb.notebook.ledger import LedgerCall, settled

__all__ = ["NoLedger", "Settler"]

_FIRST_SECONDS: Final = 0.1
_LONGEST_SECONDS: Final = 15.0
_PATIENCE_SECONDS: Final = 600.0
"""The proxy reads an answer to its end though the caller left: only then is its cost known."""


class NoLedger(Exception):
    """The server keeps none, so that there is no use in asking it again."""


class Settler:
    """Asks in a thread of its own, which delays no cell and lives only while rows are open.

    ``fetch`` gives what the ledger knows of a call by now, or None; it may raise NoLedger, and
    whatever else it raises means that it is asked again later.
    """

    def __init__(self, log: CallLog, fetch: Callable[[Call], LedgerCall | None]) -> None:
        self._log = log
        self._fetch = fetch
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._open: dict[str, _OpenRow] = {}
        self._thread: threading.Thread | None = None
        self._ended = False

    def add(self, row_id: str, call: Call) -> None:
        """Settles the log's row as soon as the proxy knows its cost; returns at once."""
        with self._lock:
            if self._ended:
                return
            self._open[row_id] = _OpenRow(call)
            self._changed.set()
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="swsllm-settler", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return  # as when the interpreter ends; ``reconcile`` will settle it
                self._thread = thread

    def close(self) -> None:
        """Asks no more."""
        with self._lock:
            self._ended = True
            self._open.clear()
            self._changed.set()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._open:
                    self._thread = None
                    return
                self._changed.clear()
                due_at = min(row.due_at for row in self._open.values())
            if self._changed.wait(max(0.0, due_at - time.monotonic())):
                continue
            with self._lock:
                now = time.monotonic()
                due = {name: row for name, row in self._open.items() if row.due_at <= now}
            for row_id, row in due.items():
                self._ask(row_id, row)

    def _ask(self, row_id: str, row: "_OpenRow") -> None:
        try:
            known = self._fetch(row.call)
        except NoLedger:
            self.close()
            return
        except Exception:
            # No network, or a key that was replaced: later it may be there again.
            known = None
        if known is not None and known.cost_pico is not None:
            self._log.put({row_id: settled(row.call, known)})
            row.gives_up_at = 0.0
        row.wait_longer()
        if time.monotonic() > row.gives_up_at:
            with self._lock:
                self._open.pop(row_id, None)


class _OpenRow:
    def __init__(self, call: Call) -> None:
        self.call = call
        self.due_at = time.monotonic() + _FIRST_SECONDS
        self.gives_up_at = time.monotonic() + _PATIENCE_SECONDS
        self._delay = _FIRST_SECONDS

    def wait_longer(self) -> None:
        self._delay = min(2 * self._delay, _LONGEST_SECONDS)
        self.due_at = time.monotonic() + self._delay
