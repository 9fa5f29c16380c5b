"""What a call cost that was stopped or broke off is asked of the proxy afterwards, and filed."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final

from swsllm_nb.notebook.calls import Call, CallLog
from swsllm_nb.notebook.ledger import LedgerCall, settled
from swsllm_nb.notebook.worker import Worker

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
        self._arrived: SimpleQueue[tuple[str, Call] | None] = SimpleQueue()
        self._open: dict[str, _OpenRow] = {}
        self._ended = False
        self._thread = Worker("swsllm-settler", self._run, self._is_work)

    def add(self, row_id: str, call: Call) -> None:
        """Settles the log's row as soon as the proxy knows its cost; returns at once."""
        if not self._ended:
            self._arrived.put((row_id, call))
            self._thread.wake()

    def close(self) -> None:
        """Asks no more."""
        self._ended = True
        self._arrived.put(None)

    def _is_work(self) -> bool:
        return not self._ended and not self._arrived.empty()

    def _run(self) -> None:
        while not self._ended:
            due_at = min((row.due_at for row in self._open.values()), default=0.0)
            try:
                # Without open rows it waits for none either.
                seconds = max(0.0, due_at - time.monotonic())
                arrived = self._arrived.get(block=bool(seconds), timeout=seconds)
            except Empty:
                if not self._open:
                    return
                self._ask_due()
                continue
            if arrived is not None:
                row_id, call = arrived
                self._open[row_id] = _OpenRow(call)
        self._open.clear()

    def _ask_due(self) -> None:
        now = time.monotonic()
        for row_id, row in list(self._open.items()):
            if row.due_at <= now and not self._ended:
                if self._is_settled(row_id, row.call) or now > row.gives_up_at:
                    del self._open[row_id]
                else:
                    row.wait_longer()

    def _is_settled(self, row_id: str, call: Call) -> bool:
        try:
            known = self._fetch(call)
        except NoLedger:
            self.close()
            return True
        except Exception:
            # No network, or a key that was replaced: later it may be there again.
            return False
        if known is None or known.cost_pico is None:
            return False
        self._log.put({row_id: settled(call, known)})
        return True


class _OpenRow:
    def __init__(self, call: Call) -> None:
        self.call = call
        self.due_at = time.monotonic() + _FIRST_SECONDS
        self.gives_up_at = time.monotonic() + _PATIENCE_SECONDS
        self._delay = _FIRST_SECONDS

    def wait_longer(self) -> None:
        self._delay = min(2 * self._delay, _LONGEST_SECONDS)
        self.due_at = time.monotonic() + self._delay
