"""The course's database on PostgreSQL (15 and newer): one transaction for each work.

Never several calls in one batch: two concurrent one-statement batches admitted 160 of 100.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import asyncpg

from swsllm_nb.proxy import schema
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["PostgresDatabase"]

_CONNECTIONS = 10
_PATIENCE_SECONDS: Final = 10
_SLEEP_SECONDS: Final = 5
"""Who stops so long inside a transaction (a machine that fell asleep) gives its locks back."""

_LEASE_SECONDS: Final = 60
_BEATS_UNTIL_DEAD: Final = 3
_LOCK_OF_MIGRATIONS: Final = 0x737773  # any number that no one else uses in this database

_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
# What a server says that stops, is full or read-only, or lets nobody in: no fault of a statement.
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # of a connection that was cut: asyncpg's issues 784 and 1069
    asyncpg.QueryCanceledError,
    TimeoutError,
    OSError,
)

Result = TypeVar("Result")


class _Mark(NamedTuple):
    """The ledger's newest row, and a transaction younger than all that have an older one's id.

    (Each has its number before it takes an id, since it locks the account first.)
    """

    newest_id: int
    transaction: int


class PostgresDatabase:
    """A database on PostgreSQL (see ``Database``), for any number of processes.

    A process is alive while its lease, a row of ``processes``, is: renewed with each sign of life,
    by the database's clock. A lease that ran out is believed only when it is seen unrenewed three
    signs of life in a row: a clock that jumped, or a database that was away, kills nobody.
    """

    shared = True

    def __init__(self, url: str) -> None:
        self.owner = secrets.token_hex(8)
        self._url = url
        self._suspects: dict[str, tuple[str, int]] = {}
        self._complete_to_id = 0
        self._mark: _Mark | None = None

    async def open(self) -> None:
        await self.migrate(rehearse=False)
        try:
            self._pool = await asyncpg.create_pool(
                self._url, min_size=1, max_size=_CONNECTIONS, timeout=_PATIENCE_SECONDS,
                command_timeout=_PATIENCE_SECONDS,
                server_settings={
                    "idle_in_transaction_session_timeout": f"{_SLEEP_SECONDS * 1000}"
                },
            )  # fmt: skip
        except (*_AWAY, asyncpg.PostgresError, ValueError) as error:
            raise _unusable(self._url, error) from None
        try:
            await self.write(lambda: _begin_lease(self.owner))
        except BaseException as error:
            self._pool.terminate()
            if isinstance(error, (*_AWAY, asyncpg.PostgresError, StoreUnavailable)):
                raise _unusable(self._url, error) from None
            raise

    async def close(self) -> None:
        with suppress(StoreUnavailable):
            await self.write(lambda: _end_lease(self.owner))
        await self._pool.close()

    async def migrate(self, rehearse: bool) -> tuple[int, int]:
        # A connection of its own: a long ledger takes longer than any call may.
        try:
            connection = await asyncpg.connect(self._url, timeout=_PATIENCE_SECONDS)
        except (*_AWAY, asyncpg.PostgresError, ValueError) as error:
            raise _unusable(self._url, error) from None
        try:
            migrating = connection.transaction()
            await migrating.start()
            before = await _migrate(connection)
            await (migrating.rollback() if rehearse else migrating.commit())
        except (*_AWAY, asyncpg.PostgresError) as error:
            raise _unusable(self._url, error) from None
        finally:
            await connection.close()
        return before, schema.NEWEST

    async def write(self, work: Callable[[], Work[Result]]) -> Result:
        while True:
            try:
                async with self._connection() as connection, connection.transaction():
                    return await _run(connection, work())
            except _CONFLICTS:
                continue

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        async with (
            self._connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            return await _run(connection, work())

    async def dead_owners(self) -> Sequence[str]:
        if not await self.write(lambda: _renew_lease(self.owner)):
            # Whoever thought us dead has charged our holds: a new life begins without them.
            self.owner = secrets.token_hex(8)
            await self.write(lambda: _begin_lease(self.owner))
        expired = await self.read(_expired_leases)
        self._suspects = {
            owner: (until, self._seen(owner, until) + 1) for owner, until in expired.items()
        }
        for owner, (until, seen) in self._suspects.items():
            if seen >= _BEATS_UNTIL_DEAD:
                await self.write(lambda owner=owner, until=until: _bury(owner, until))  # type: ignore[misc]
        return await self.read(_owners_without_lease)

    async def complete_to_id(self) -> int:
        mark = self._mark
        if mark is None:
            mark = self._mark = await self.write(_newest_mark)
        if await self.read(_oldest_transaction) >= mark.transaction:
            self._complete_to_id, self._mark = mark.newest_id, None
        return self._complete_to_id

    def _seen(self, owner: str, until: str) -> int:
        known, seen = self._suspects.get(owner, ("", 0))
        return seen if known == until else 0

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        try:
            async with self._pool.acquire(timeout=_PATIENCE_SECONDS) as connection:
                yield connection
        except _AWAY as error:
            raise StoreUnavailable(
                "The proxy's database does not answer right now. Try again in a moment, and tell "
                "the teaching staff if it stays so."
            ) from error


async def _run(connection: Any, work: Work[Result]) -> Result:
    """One work from its first statement to its result."""
    rows: Sequence[Row] | None = None
    try:
        while True:
            statement = next(work) if rows is None else work.send(rows)
            rows = await connection.fetch(statement.sql, *statement.values)
    except StopIteration as end:
        result: Result = end.value
        return result


async def _migrate(connection: Any) -> int:
    """Inside a transaction: bring the database to the newest version; gives the one that it had.

    Raises ValueError for one that is newer, or whose books do not add up afterwards.
    """
    await connection.execute(f"SELECT pg_advisory_xact_lock({_LOCK_OF_MIGRATIONS})")
    await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
    version: int = await connection.fetchval("SELECT max(version) FROM schema_version") or 0
    pending = schema.statements("postgres", version)
    for statement in pending:
        await connection.execute(statement)
    if pending:
        await _run(connection, schema.check_books())
    await connection.execute("DELETE FROM schema_version")
    await connection.execute("INSERT INTO schema_version VALUES ($1)", schema.NEWEST)
    return version


def _begin_lease(owner: str) -> Work[None]:
    yield ask(f"INSERT INTO processes VALUES ($1, {_LEASE_END})", owner)


def _renew_lease(owner: str) -> Work[bool]:
    rows = yield ask(
        f"UPDATE processes SET alive_until = {_LEASE_END} WHERE owner = $1 RETURNING owner", owner
    )
    return bool(rows)


_LEASE_END = f"utc_text(clock_timestamp() + interval '{_LEASE_SECONDS} seconds')"


def _end_lease(owner: str) -> Work[None]:
    yield ask("DELETE FROM processes WHERE owner = $1", owner)


def _expired_leases() -> Work[dict[str, str]]:
    rows = yield ask("SELECT owner, alive_until FROM processes WHERE alive_until <= utc_now()")
    return {row["owner"]: row["alive_until"] for row in rows}


def _bury(owner: str, until: str) -> Work[None]:
    yield ask("DELETE FROM processes WHERE owner = $1 AND alive_until = $2", owner, until)


def _owners_without_lease() -> Work[list[str]]:
    rows = yield ask(
        "SELECT DISTINCT l.owner FROM ledger l LEFT JOIN processes p ON p.owner = l.owner "
        "WHERE l.state = 'held' AND p.owner IS NULL"
    )
    return [row["owner"] for row in rows]


def _newest_mark() -> Work[_Mark]:
    (newest,) = yield ask("SELECT coalesce(max(id), 0) AS id FROM ledger")
    (own,) = yield ask("SELECT CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) AS number")
    return _Mark(newest["id"], own["number"])


def _oldest_transaction() -> Work[int]:
    """The oldest that has not ended."""
    (row,) = yield ask(
        "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT) AS number"
    )
    oldest: int = row["number"]
    return oldest


def _unusable(url: str, error: Exception) -> OSError:
    """In words, and without the password that the address may carry."""
    parts = urlsplit(url)
    place = f"{parts.path.lstrip('/')} on {parts.hostname or 'this machine'}"
    return OSError(f"The database {place} cannot be used: {error or type(error).__name__}")
