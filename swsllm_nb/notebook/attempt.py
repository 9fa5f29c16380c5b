"""One HTTP attempt and its row, and the ticket by which a question holds its attempts."""

import threading
from collections.abc import Callable

from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.exchange import Ending, Exchange

__all__ = ["Attempt", "Ticket"]


class Ticket:
    """One question's hold on its HTTP attempts: their rows, and the means to stop them."""

    def __init__(self, whereabouts: Whereabouts) -> None:
        self.whereabouts = whereabouts
        self.calls: list[Call] = []
        self.stopped = False
        self._attempt: Attempt | None = None

    def stop(self) -> None:
        """Ends the running attempt from another thread: its row is written now, not later."""
        self.stopped = True
        if self._attempt:
            hang_up = self._attempt.hang_up
            self._attempt.finish("closed")
            hang_up()

    def follow(self, attempt: "Attempt") -> None:
        self._attempt = attempt


class Attempt:
    """Files the row of one attempt, exactly once, whichever thread comes first.

    ``hang_up`` breaks the connection under a thread that waits for it, once there is one.
    """

    def __init__(
        self, exchange: Exchange, record: Callable[[Call], None], ticket: Ticket | None
    ) -> None:
        self.exchange = exchange
        self.hang_up: Callable[[], None] = _no_connection
        self._record = record
        self._ticket = ticket
        self._once = threading.Lock()
        if ticket:
            ticket.follow(self)

    def finish(self, ending: Ending, error_code: str = "") -> None:
        if not self._once.acquire(blocking=False):
            return
        self.hang_up = _no_connection
        call = self.exchange.call(ending, error_code)
        if self._ticket:
            self._ticket.calls.append(call)
        self._record(call)


def _no_connection() -> None:
    pass
