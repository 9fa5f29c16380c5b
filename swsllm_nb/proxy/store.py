"""The course's database as the proxy asks it, whichever database it is."""

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from swsllm_nb.proxy import accounts, daily, ledger
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.ledger import Hold, Intent, Outcome
from swsllm_nb.proxy.standing import ACCOUNT, Account, Balance, account_of_row
from swsllm_nb.proxy.work import Database, Work, ask

__all__ = ["KeyHolder", "Store", "database_at"]

BEAT_SECONDS = 5
_BEATS_IN_DOUBT = 15

log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True)
class KeyHolder:
    """The account that a live key belongs to."""

    key_id: int
    account: Account


def database_at(folder: Path, url: str | None) -> Database:
    """PostgreSQL at an address, else SQLite in the folder."""
    if url is None:
        from swsllm_nb.proxy.sqlite import SqliteDatabase

        return SqliteDatabase(folder)
    from swsllm_nb.proxy.postgres import PostgresDatabase

    return PostgresDatabase(url)


class Store:
    """An open database. While it is open this process lives; the holds of dead ones are swept."""

    def __init__(self, database: Database, *, beat_seconds: float = BEAT_SECONDS) -> None:
        self._database = database
        self._beat_seconds = beat_seconds
        self._doubtful: dict[str, int] = {}

    @property
    def shared(self) -> bool:
        """Whether many processes may serve from it."""
        return self._database.shared

    async def __aenter__(self) -> Self:
        """Raises OSError or ValueError for a database that cannot be used."""
        await self._database.open()
        try:
            await self._sweep_the_dead()
        except BaseException:
            await self._database.close()
            raise
        self._beating = asyncio.create_task(self._beat())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._beating.cancel()
        with suppress(asyncio.CancelledError):
            await self._beating
        with suppress(StoreUnavailable):
            await self._withdraw_doubtful()
        await self._database.close()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._beat_seconds)
            try:
                await self._sweep_the_dead()
                await self._withdraw_doubtful()
            except Exception:
                log.exception("no sign of life was given; trying again")

    async def _sweep_the_dead(self) -> None:
        for owner in await self._database.dead_owners():
            swept = await self.write(lambda owner=owner: ledger.sweep(owner))  # type: ignore[misc]
            log.warning("%s calls of a process that died are charged as unconfirmed", swept)

    async def read(self, work: Callable[[], Work[Result]]) -> Result:
        """Run a work that only reads. Raises StoreUnavailable, and what the work raises."""
        return await self._database.read(work)

    async def write(self, work: Callable[[], Work[Result]]) -> Result:
        """Run a work durably. Raises StoreUnavailable, and what the work raises."""
        return await self._database.write(work)

    async def reserve(self, intent: Intent) -> Hold:
        """Take a call's hold, durably. Raises what ``ledger.reserve`` raises."""
        owner = self._database.owner
        try:
            return await self._database.write(lambda: ledger.reserve(intent, owner))
        except StoreUnavailable:
            # The commit may have come through, or yet come, although nobody heard of it.
            self._doubtful[intent.request_id] = _BEATS_IN_DOUBT
            raise

    async def _withdraw_doubtful(self) -> None:
        """Release what was held for calls that were refused because the database was away."""
        if self._doubtful:
            owner, doubtful = self._database.owner, self._doubtful
            await self.write(lambda: ledger.withdraw(owner, doubtful.keys()))
            self._doubtful = {name: left - 1 for name, left in doubtful.items() if left > 1}

    async def close_hold(self, hold: Hold, outcome: Outcome) -> Balance:
        """Close a call's hold, durably; gives the account's balance as it then stands.

        Whatever is wrong with the database, it is tried again for as long as this process lives: an
        answer that was given must not be lost from the books.
        """
        for pause_seconds in _closing_pauses():
            try:
                balance = await self.write(lambda: ledger.close_hold(hold.request_id, outcome))
            except Exception:
                log.exception("%s is not settled yet", hold.request_id)
                await asyncio.sleep(pause_seconds)
            else:
                assert balance is not None, "a hold that was taken is in the ledger"
                return balance
        raise AssertionError("the pauses never end")

    async def key_holder(self, key_hash: bytes) -> KeyHolder | None:
        """Whose key that is, if it is live and its account enabled."""
        return await self.read(lambda: _key_holder(key_hash))

    async def accounts(self) -> list[Account]:
        return await self.read(accounts.all_accounts)

    async def sum_up(self) -> None:
        """Bring the sums by day up to date; see ``daily``."""
        complete_to_id = await self._database.complete_to_id()
        while await self.write(lambda: daily.sum_up(complete_to_id)):
            pass

    async def check(self) -> None:
        """Raises StoreUnavailable where the database does not answer."""
        await self.read(_nothing)


def _closing_pauses() -> Iterator[float]:
    return itertools.chain((0.1, 0.5, 2), itertools.repeat(10))


def _nothing() -> Work[None]:
    yield ask("SELECT 1")


def _key_holder(key_hash: bytes) -> Work[KeyHolder | None]:
    rows = yield ask(
        f"SELECT {ACCOUNT}, keys.id AS key_id FROM keys JOIN accounts ON accounts.id = account_id "
        "WHERE hash = $1 AND revoked_at IS NULL AND enabled = 1",
        key_hash,
    )
    return KeyHolder(rows[0]["key_id"], account_of_row(rows[0])) if rows else None
