"""The course's database in a file: one connection writes, another one reads."""

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock, Timeout

from swsllm_nb.proxy import schema
from swsllm_nb.proxy.commits import BUSY_TIMEOUT_SECONDS, Clock, Reader, Writer, run_work
from swsllm_nb.proxy.work import Work, ask

__all__ = ["DATABASE_NAME", "SqliteDatabase", "serving_alone"]

DATABASE_NAME: Final = "swsllm.sqlite3"

_CACHE_KIB = 16_000

Result = TypeVar("Result")


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
            writing, clock = _connect(self.path)
            opened.callback(writing.close)
            _migrate(writing, self.path)
            self._writer = Writer(writing, clock)
            opened.callback(self._writer.close)
            reading, clock = _connect(self.path)
            self._reader = Reader(reading, clock)
            opened.callback(self._reader.close)
            alive = FileLock(self._processes / f"{self.owner}.lock")
            opened.callback(Path(alive.lock_file).unlink, missing_ok=True)
            opened.enter_context(alive)
            self._opened = opened.pop_all()

    async def close(self) -> None:
        await self._writer.drain()
        self._opened.close()

    async def migrate(self, rehearse: bool) -> tuple[int, int]:
        if rehearse and not self.path.exists():
            return 0, schema.NEWEST
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection, _ = _connect(self.path)
        with closing(connection):
            return _migrate(connection, self.path, rehearse), schema.NEWEST

    async def write(self, work: Callable[[], Work[Result]]) -> Result:
        return await self._writer.run(work)

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        return await self._reader.run(work)

    async def dead_owners(self) -> Sequence[str]:
        owners = await self.read(_owners_of_holds)
        return [owner for owner in owners if owner != self.owner and self._has_died(owner)]

    async def complete_to_id(self) -> int:
        # Of one writer at a time: ids are given in the order of the commits.
        return await self.read(_newest_id)

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


def _newest_id() -> Work[int]:
    (row,) = yield ask("SELECT coalesce(max(id), 0) AS id FROM ledger")
    newest: int = row["id"]
    return newest


def _connect(path: Path) -> tuple[sqlite3.Connection, Clock]:
    """A connection to the course's database. Raises OSError for a file that is none."""
    clock = Clock()
    try:
        with ExitStack() as opened:
            connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
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
            # Of a person who was deleted nothing is left in the file's free space either.
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            opened.pop_all()
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    return connection, clock


def _unusable(path: Path, error: sqlite3.Error) -> OSError:
    return OSError(
        f"{path} cannot be used as the course's database ({error}). Check its permissions, or "
        "choose another folder with --data."
    )


def _migrate(connection: sqlite3.Connection, path: Path, rehearse: bool = False) -> int:
    """Bring the database to the newest version; gives the one that it had.

    Raises ValueError for one that is newer, or whose books do not add up afterwards, and OSError
    where it cannot be written.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        pending = schema.statements("sqlite", version)
        for statement in pending:
            connection.execute(statement)
        if pending:
            run_work(connection, schema.check_books())
        connection.execute(f"PRAGMA user_version = {schema.NEWEST}")
        connection.execute("ROLLBACK" if rehearse else "COMMIT")
    except BaseException as error:
        connection.rollback()
        if isinstance(error, sqlite3.Error):
            raise _unusable(path, error) from None
        raise
    return version
