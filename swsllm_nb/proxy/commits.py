"""Works on SQLite connections: a thread that reads, and a group commit for what is written.

A group commit makes ``synchronous=FULL`` nearly free when many calls wait for the disk: an
acknowledged cent survives a power loss. Statements run in the event loop's own thread, which takes
some ten microseconds each; only waiting, for the disk and for other processes, has another one.
(With the statements there as well, each of them waited for the interpreter: four times slower.)
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.work import Row, Work

__all__ = ["BUSY_TIMEOUT_SECONDS", "Clock", "Reader", "Writer", "run_work"]

BUSY_TIMEOUT_SECONDS = 30
"""For another process that writes; calls of this one wait no longer than their clients."""

_BUSY_PAUSE_SECONDS = 0.002
_OUR_MISTAKES = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
_GROUP_LIMIT = 256

Result = TypeVar("Result")


class Clock:
    """The time of a transaction, as PostgreSQL's ``now()``: read once for all of it."""

    def __init__(self) -> None:
        self.set()

    def set(self) -> None:
        now = datetime.now(UTC)
        self._text = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._micros = round(now.timestamp() * 1_000_000)

    def text(self) -> str:
        return self._text

    def micros(self) -> int:
        return self._micros


@lru_cache(maxsize=256)
def _spelled(sql: str) -> str:
    """A statement as SQLite spells it: its one writer has locked every row already."""
    return sql.replace("$", "?").partition("FOR UPDATE")[0]


def run_work(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    """One work from its first statement to its result, inside a transaction."""
    rows: Sequence[Row] | None = None
    try:
        while True:
            statement = next(work) if rows is None else work.send(rows)
            rows = connection.execute(_spelled(statement.sql), statement.values).fetchall()
    except StopIteration as end:
        result: Result = end.value
        return result


class _Thread:
    """Does things one after the other; each is told to the event loop when it is done."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None]
        self._orders = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    def do(self, action: Callable[[], Result], then: Callable[[Result], None]) -> None:
        self._orders.put((action, then))

    def close(self) -> None:
        self._orders.put(None)
        self._thread.join()

    def _serve(self) -> None:
        while order := self._orders.get():
            action, then = order
            done = action()
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._loop.call_soon_threadsafe(then, done)


class Reader:
    """Runs works that only read, one after the other, each on one state of the database."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock
        self._thread = _Thread("ledger reader")

    async def run(self, work: Callable[[], Work[Result]]) -> Result:
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._thread.do(lambda: self._read(work), lambda answer: _deliver(result, answer))
        return await result

    def close(self) -> None:
        self._thread.close()
        self._connection.close()

    def _read(self, work: Callable[[], Work[Any]]) -> Any:
        self._clock.set()
        try:
            self._connection.execute("BEGIN")
            return run_work(self._connection, work())
        except Exception as error:
            return _told(error)
        finally:
            with suppress(sqlite3.Error):
                self._connection.rollback()


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Work[Any]]
    result: asyncio.Future[Any]


class Writer:
    """Runs works that write, one after the other, each whole or not at all.

    Those that come while the disk is at work on a group are the next group. A result reaches its
    caller only after the commit that made it durable; a caller that is cancelled undoes nothing.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Job] = []
        self._at_work = False
        self._idle: asyncio.Future[None] | None = None
        self._thread = _Thread("ledger writer")

    async def run(self, work: Callable[[], Work[Result]]) -> Result:
        result: asyncio.Future[Result] = self._loop.create_future()
        self._waiting.append(_Job(work, result))
        if not self._at_work:
            self._at_work = True
            self._loop.call_soon(self._next_group)
        return await result

    async def drain(self) -> None:
        """Wait until all that was asked for is done."""
        if self._at_work:
            self._idle = self._loop.create_future()
            await self._idle

    def close(self) -> None:
        self._thread.close()
        self._connection.close()

    def _next_group(self) -> None:
        if self._try_to_begin():
            self._decide()
        else:
            self._thread.do(self._wait_to_begin, self._begun)

    def _try_to_begin(self) -> bool:
        # A deferred transaction that reads first and then writes would fail at once under load.
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error:
            return False
        return True

    def _wait_to_begin(self) -> Exception | None:
        """Another process writes: it is asked again until it has done so."""
        patience_ends_at = time.monotonic() + BUSY_TIMEOUT_SECONDS
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                if time.monotonic() >= patience_ends_at:
                    return error
                time.sleep(_BUSY_PAUSE_SECONDS)
            else:
                return None

    def _begun(self, fault: Exception | None) -> None:
        if fault is None:
            self._decide()
        else:
            group, self._waiting = self._waiting, []
            self._finished(group, [fault] * len(group))

    def _decide(self) -> None:
        """Run the statements of a group; the thread then commits them."""
        group = self._waiting[:_GROUP_LIMIT]
        del self._waiting[:_GROUP_LIMIT]
        self._clock.set()
        answers: list[Any] = []
        for number, job in enumerate(group):
            before = self._connection.total_changes
            try:
                answers.append(run_work(self._connection, job.work()))
            except Exception as error:
                answers.append(error)
                # On a full disk SQLite has undone it all, and would write on by halves.
                undone = not self._connection.in_transaction
                if self._connection.total_changes == before and not undone:
                    continue
                # It had written already: it is undone, with those before it, and these run again.
                with suppress(sqlite3.Error):
                    self._connection.rollback()
                self._waiting[:0] = [*group[:number], *group[number + 1 :]]
                _deliver(job.result, _told(error))
                # Not from here: as many may fail as there are calls, each within the one before.
                self._loop.call_soon(self._go_on)
                return
        self._thread.do(self._commit, lambda fault: self._committed(group, answers, fault))

    def _commit(self) -> Exception | None:
        try:
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            return error
        return None

    def _committed(self, group: list[_Job], answers: list[Any], fault: Exception | None) -> None:
        self._finished(group, answers if fault is None else [fault] * len(group))

    def _finished(self, group: list[_Job], answers: list[Any]) -> None:
        for job, answer in zip(group, answers, strict=True):
            _deliver(job.result, _told(answer) if isinstance(answer, Exception) else answer)
        self._go_on()

    def _go_on(self) -> None:
        if self._waiting:
            self._next_group()
        else:
            self._at_work = False
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)


def _told(error: Exception) -> Exception:
    """What a caller is told: a database that is locked, full or broken is away for now."""
    if not isinstance(error, sqlite3.DatabaseError) or isinstance(error, _OUR_MISTAKES):
        return error
    fault = StoreUnavailable(
        f"The proxy's database cannot be used right now ({error}). Nothing was charged; "
        "try again in a moment, and tell the teaching staff if it stays so."
    )
    fault.__cause__ = error
    return fault


def _deliver(result: asyncio.Future[Any], answer: Any) -> None:
    if result.done():
        return
    if isinstance(answer, Exception):
        result.set_exception(answer)
    else:
        result.set_result(answer)
