"""One thread that owns a SQLite connection and commits the work of many calls at once.

A group commit makes ``synchronous=FULL`` nearly free when many calls wait for the disk: an
acknowledged cent survives a power loss.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from swsllm_nb.proxy.schema import migrate

__all__ = ["Worker", "connect"]

_BUSY_TIMEOUT_SECONDS = 30
_GROUP_LIMIT = 256

_Result = TypeVar("_Result")


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the course's database, migrated to the newest version.

    Raises OSError for a file that cannot be opened as one, ValueError for one that is newer.
    """
    try:
        with ExitStack() as opened:
            connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            opened.callback(connection.close)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            migrate(connection)
            opened.pop_all()
    except sqlite3.Error as error:
        raise OSError(
            f"{path} cannot be used as the course's database ({error}). Check its permissions, or "
            "choose another folder with --data."
        ) from None
    return connection


@dataclass(frozen=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    result: Future[Any]


class Worker:
    """Runs functions of a connection one after the other, each whole or not at all.

    A function's result reaches its caller only after the commit that made it durable.
    """

    def __init__(self, connection: sqlite3.Connection, *, writes: bool) -> None:
        self._connection = connection
        # A deferred transaction that reads first and then writes fails at once under load.
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    async def __call__(self, work: Callable[[sqlite3.Connection], _Result]) -> _Result:
        result: Future[_Result] = Future()
        self._jobs.put(_Job(work, result))
        return await asyncio.shield(asyncio.wrap_future(result))

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            group = [job]
            ends = False
            while len(group) < _GROUP_LIMIT and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    ends = True
                    break
                group.append(following)
            self._commit(group)
            if ends:
                return

    def _commit(self, group: list[_Job]) -> None:
        answers: list[tuple[Future[Any], Any]] = []
        try:
            self._connection.execute(self._begin)
            answers = [(job.result, self._attempt(job)) for job in group]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            answers = [(job.result, error) for job in group]
        for result, value in answers:
            if isinstance(value, BaseException):
                result.set_exception(value)
            else:
                result.set_result(value)

    def _attempt(self, job: _Job) -> Any:
        """The job's result, or the exception it raised with its own writes undone."""
        self._connection.execute("SAVEPOINT job")
        try:
            value = job.work(self._connection)
        except Exception as error:
            self._connection.execute("ROLLBACK TO job")
            value = error
        self._connection.execute("RELEASE job")
        return value
