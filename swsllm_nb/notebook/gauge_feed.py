"""Tells whoever follows the budget what it is after each call; it is fetched in a thread."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import Final, TypeAlias

from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.gauge import Budget, Follow, Listener
from swsllm_nb.notebook.spend import spend_of_log
from swsllm_nb.notebook.worker import Worker

__all__ = ["BudgetFeed", "budget_of"]

_IDLE_SECONDS: Final = 1.0
_GATHER_SECONDS: Final = 0.05
_PAUSE_SECONDS: Final = 0.5
"""At least between two fetches: a loop of quick calls is not to double what the proxy is asked."""
_END_SECONDS: Final = 2.0

_Following: TypeAlias = tuple[str, Listener]
"""A server's base URL, and who is told what is left there."""


class BudgetFeed:
    """One notebook's. ``ring`` says that something was spent; the thread lives while there is work.

    Who follows a server hears of calls with any key for it: one that was replaced is followed on.
    """

    def __init__(self, typed_pico: Callable[[], int | None]) -> None:
        self._typed_pico = typed_pico
        self._changing = threading.Lock()
        # Replaced and never changed, so that ring() can look at it without a lock.
        self._followers: tuple[_Following, ...] = ()
        self._rung: SimpleQueue[Course | None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread = Worker("swsllm-budget-feed", self._tell_until_idle, self._is_work)

    def budget(self, course: Course) -> Budget:
        """What is left now, asked in this thread. Raises CallFailed."""
        return budget_of(course, self._typed_pico(), partial(self._follow, course))

    def ring(self, course: Course) -> None:
        """Something was spent: returns at once, waits for no lock, and raises nothing."""
        if self._followers:
            self._rung.put(course)
            self._thread.wake()

    def close(self) -> None:
        """Tells all that it ends, and nobody anything after that; it may be used again."""
        with self._changing:
            followers, self._followers = self._followers, ()
        self._closing.set()
        self._rung.put(None)
        self._thread.join(_END_SECONDS)
        self._closing.clear()
        for _, listener in followers:
            _tell(listener, None)

    def _follow(self, course: Course, listener: Listener) -> Callable[[], None]:
        following = (course.connection.base_url, listener)

        def stop() -> None:
            with self._changing:
                self._followers = tuple(each for each in self._followers if each is not following)

        with self._changing:
            self._followers = (*self._followers, following)
        # What it knows may be of an earlier cell.
        self.ring(course)
        return stop

    def _is_work(self) -> bool:
        return not self._closing.is_set() and not self._rung.empty()

    def _tell_until_idle(self) -> None:
        with suppress(Empty):
            while not self._closing.is_set():
                rung = [self._rung.get(timeout=_IDLE_SECONDS)]
                self._closing.wait(_GATHER_SECONDS)
                with suppress(Empty):
                    while True:
                        rung.append(self._rung.get_nowait())
                # Of several calls to a server the latest tells what is left now.
                for course in {each.connection.base_url: each for each in rung if each}.values():
                    self._tell_of(course)
                self._closing.wait(_PAUSE_SECONDS)

    def _tell_of(self, course: Course) -> None:
        if self._closing.is_set():
            return
        try:
            told = self.budget(course)
        except Exception:
            # Nobody answers, or the key was replaced: whoever follows says so in its own place.
            told = None
        for base_url, listener in self._followers:
            if base_url == course.connection.base_url:
                _tell(listener, told)


def budget_of(course: Course, typed_pico: int | None, follow: Follow | None = None) -> Budget:
    """What the proxy says, or the log where the server keeps no accounts. Raises CallFailed.

    ``typed_pico`` is what was granted where the server does not tell it, None where nobody did.
    """
    account = course.account()
    at = datetime.now(UTC)
    if account is None:
        spend = spend_of_log(course)
        return Budget(
            typed_pico,
            spend.pico,
            at,
            told_by="log",
            unknown_calls=spend.unknown,
            _follow=follow,
        )
    return Budget(
        account.budget_pico,
        account.spend_pico,
        at,
        held_pico=account.reserved_pico,
        until=_moment(account.valid_until),
        contact=account.contact,
        _follow=follow,
    )


def _moment(told: str | None) -> datetime | None:
    """A moment in ISO 8601; None where it is none, or says no zone."""
    try:
        moment = datetime.fromisoformat(told) if told else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None


def _tell(listener: Listener, told: Budget | None) -> None:
    # A front end that went away is no reason to tell the others nothing.
    with suppress(Exception):
        listener(told)
