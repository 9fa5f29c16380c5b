"""The course's database in a file: one thread writes, and commits the work of many calls at once.

A group commit makes ``synchronous=FULL`` nearly free when many calls wait for the disk: an
acknowledged cent survives a power loss.
"""

import asyncio
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from filelock import FileLock, Timeout

from swsllm_nb.proxy import schema
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["DATABASE_NAME", "SqliteDatabase", "serving_alone"]

DATABASE_NAME: Final = "swsllm.sqlite3"

_BUSY_TIMEOUT_SECONDS = 30
_GROUP_LIMIT = 256

Result = TypeVar("Result")


class _Clock:
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


class SqliteDatabase:
    """SQLite in a folder (see ``Database``). Many processes may use it; one should serve.

    A process is alive while it holds the lock on its file under ``processes/``.
    """

    shared = False

    def __init__(self, folder: Path) -> None:
        self.owner = secrets.token_hex(8)
        self.path = folder / DATABASE_NAME
        self._processes = folder / "processes"
        self._opened = ExitStack()

    async def open(self) -> None:
        self._processes.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._processes.mkdir(exist_ok=True)
        with ExitStack() as opened:
            clock = _Clock()
            writing = _connect(self.path, clock)
            opened.callback(writing.close)
            _migrate(writing)
            self._writer = _Worker(writing, clock, "BEGIN IMMEDIATE")
            opened.callback(self._writer.close)
            clock = _Clock()
            self._reader = _Worker(_connect(self.path, clock), clock, "BEGIN")
            opened.callback(self._reader.close)
            alive = FileLock(self._processes / f"{self.owner}.lock")
            opened.callback(Path(alive.lock_file).unlink, missing_ok=True)
            opened.enter_context(alive)
            self._opened = opened.pop_all()

    async def close(self) -> None:
        self._opened.close()

    async def migrate(self, rehearse: bool) -> tuple[int, int]:
        if rehearse and not self.path.exists():
            return 0, schema.NEWEST
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with closing(_connect(self.path, _Clock())) as connection:
            return _migrate(connection, rehearse), schema.NEWEST

    async def write(self, work: Callable[[], Work[Result]]) -> Result:
        return await self._writer.run(work)

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        return await self._reader.run(work)

    async def dead_owners(self) -> Sequence[str]:
        owners = await self.read(_owners_of_holds)
        return [owner for owner in owners if owner != self.owner and self._has_died(owner)]

    def _has_died(self, owner: str) -> bool:
        lock = FileLock(self._processes / f"{owner}.lock", timeout=0)
        try:
            with lock:
                Path(lock.lock_file).unlink(missing_ok=True)
        except Timeout:
            return False
        return True


@contextmanager
def serving_alone(folder: Path) -> Iterator[bool]:
    """Whether no other process serves from this folder; none learns so while this one does."""
    lock = FileLock(folder / "serving.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _owners_of_holds() -> Work[list[str]]:
    rows = yield ask("SELECT DISTINCT owner FROM ledger WHERE state = 'held'")
    return [row["owner"] for row in rows]


def _connect(path: Path, clock: _Clock) -> sqlite3.Connection:
    """A connection to the course's database. Raises OSError for a file that is none."""
    try:
        with ExitStack() as opened:
            connection = sqlite3.connect(
                path, timeout=_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
            )
            opened.callback(connection.close)
            connection.row_factory = sqlite3.Row
            connection.create_function("utc_now", 0, clock.text)
            connection.create_function("unix_micros", 0, clock.micros)
            # Holds are taken only while the lock on the process's file is held.
            connection.create_function("owner_lives", 1, lambda _: 1)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA foreign_keys = ON")
            opened.pop_all()
    except sqlite3.Error as error:
        raise OSError(
            f"{path} cannot be used as the course's database ({error}). Check its permissions, or "
            "choose another folder with --data."
        ) from None
    return connection


def _migrate(connection: sqlite3.Connection, rehearse: bool = False) -> int:
    """Bring the database to the newest version; gives the one that it had.

    Raises ValueError for one that is newer, or whose books do not add up afterwards.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        pending = schema.statements("sqlite", version)
        for statement in pending:
            connection.execute(statement)
        if pending:
            _run(connection, schema.check_books())
        connection.execute(f"PRAGMA user_version = {schema.NEWEST}")
    except BaseException:
        connection.rollback()
        raise
    connection.execute("ROLLBACK" if rehearse else "COMMIT")
    return version


@lru_cache(maxsize=256)
def _spelled(sql: str) -> str:
    """A statement as SQLite spells it: its one writer has locked every row already."""
    return sql.replace("$", "?").partition("FOR UPDATE")[0]


def _run(connection: sqlite3.Connection, work: Work[Result]) -> Result:
    """One work from its first statement to its result."""
    rows: Sequence[Row] | None = None
    try:
        while True:
            statement = next(work) if rows is None else work.send(rows)
            rows = connection.execute(_spelled(statement.sql), statement.values).fetchall()
    except StopIteration as end:
        result: Result = end.value
        return result


@dataclass(frozen=True)
class _Job:
    work: Callable[[], Work[Any]]
    result: asyncio.Future[Any]


class _Worker:
    """A thread that runs works one after the other, each whole or not at all.

    A work's result reaches its caller only after the commit that made it durable. A caller that is
    cancelled does not undo its work.
    """

    def __init__(self, connection: sqlite3.Connection, clock: _Clock, begin: str) -> None:
        self._connection = connection
        self._clock = clock
        # A deferred transaction that reads first and then writes fails at once under load.
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name="ledger", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[], Work[Result]]) -> Result:
        result: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put(_Job(work, result))
        return await result

    def close(self) -> None:
        """Finish what is queued, then close the connection."""
        self._jobs.put(None)
        self._thread.join()
        self._connection.close()

    def _serve(self) -> None:
        ends = False
        while not ends and (job := self._jobs.get()) is not None:
            group = [job]
            while len(group) < _GROUP_LIMIT and not self._jobs.empty():
                if (following := self._jobs.get()) is None:
                    ends = True
                    break
                group.append(following)
            answers = self._commit(group)
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self._loop.call_soon_threadsafe(_deliver, group, answers)

    def _commit(self, group: list[_Job]) -> list[Any]:
        """The results of the works, or what each raised; all that did not raise is durable."""
        answers = self._together(group)
        if answers is not None:
            return answers
        # One of them raised when it had written already: it alone must be undone.
        return [each for job in group for each in self._together([job]) or ()]

    def _together(self, group: list[_Job]) -> list[Any] | None:
        """One transaction for all; None where it was undone and they have to go one by one."""
        answers: list[Any] = []
        self._clock.set()
        try:
            self._connection.execute(self._begin)
            for job in group:
                before = self._connection.total_changes
                try:
                    answers.append(_run(self._connection, job.work()))
                except Exception as error:
                    answers.append(error)
                    # On a full disk SQLite has undone it all, and would write on by halves.
                    undone = not self._connection.in_transaction
                    if undone or self._connection.total_changes != before:
                        self._connection.rollback()
                        return [_told(error)] if len(group) == 1 else None
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._connection.rollback()
            return [_told(error)] * len(group)
        return [_told(each) if isinstance(each, Exception) else each for each in answers]


def _told(error: Exception) -> Exception:
    """What a caller is told: a database that is locked, full or broken is away for now."""
    return _unavailable(error) if isinstance(error, sqlite3.OperationalError) else error


def _unavailable(error: sqlite3.Error) -> StoreUnavailable:
    fault = StoreUnavailable(
        f"The proxy's database cannot be written right now ({error}). Nothing was charged; "
        "try again in a moment, and tell the teaching staff if it stays so."
    )
    fault.__cause__ = error
    return fault


def _deliver(group: list[_Job], answers: list[Any]) -> None:
    for job, answer in zip(group, answers, strict=True):
        if job.result.done():
            continue
        if isinstance(answer, BaseException):
            job.result.set_exception(answer)
        else:
            job.result.set_result(answer)
