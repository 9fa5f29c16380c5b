"""A store with one account, on SQLite and on PostgreSQL, for tests that act on it directly."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apps import SECRET

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Bound
from swsllm_nb.proxy import accounts, books
from swsllm_nb.proxy.accounts import NewAccount
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Intent
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.store import KeyHolder, Store, database_at
from swsllm_nb.proxy.work import Database, Work, ask

KEY_HASH = b"hash of a key"

Act = Callable[[Store, KeyHolder], Awaitable[None]]


@dataclass(frozen=True)
class Place:
    """Where a test's database is."""

    folder: Path
    url: str | None = None

    def database(self) -> Database:
        return database_at(self.folder, self.url)

    def store(self, **options: Any) -> Store:
        return Store(self.database(), **options)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("fresh_database")())


@asynccontextmanager
async def store_with_account(place: Place, budget_pico: int) -> AsyncIterator[Any]:
    async with place.store() as store:
        new = NewAccount("ada", budget_pico, "", NewKey(KEY_HASH, "sws-1234"))
        await store.write(lambda: accounts.add_account(new, "a test"))
        holder = await store.key_holder(KEY_HASH)
        assert holder is not None
        yield store, holder
        assert await store.read(books.differences) == []


def run(place: Place, act: Act, budget_pico: int = 1000, **limits: int) -> None:
    """Let a test act on a store whose account has a budget; afterwards everything adds up."""

    async def running() -> None:
        async with store_with_account(place, budget_pico) as (store, holder):
            wide = {"in_flight": 1000, "per_minute": 100_000, **limits}
            await store.write(lambda: accounts.set_limits("ada", accounts.Limits(**wide)))
            await act(store, holder)

    asyncio.run(running())


def intent(holder: KeyHolder, number: int, hold_pico: int) -> Intent:
    """A call that holds just so much."""
    return Intent(
        request_id=f"req_{number}",
        account_id=holder.account.id,
        key_id=holder.key_id,
        model=default_catalogue().default,
        bound=Bound(
            prompt_pico=0, pico_per_cap_token=1, cap_tokens=hold_pico, floor_cap_tokens=hold_pico
        ),
        stream=False,
        upstream="a test",
    )


async def set_cap(store: Store, cap_pico: int | None) -> None:
    """The most that all accounts together may spend, said as staff say it; None lifts it."""
    cap_usd = "" if cap_pico is None else usd_text(cap_pico)
    await Office(store, SECRET, "a test").set_course(cap_usd=cap_usd)


async def account_named(store: Store, name: str) -> Any:
    """The account as it stands."""
    (account,) = [account for account in await store.accounts() if account.name == name]
    return account


async def execute(store: Store, sql: str, *values: Any) -> list[dict[str, Any]]:
    """Any statement, as somebody with the database's own tools could run it."""

    def work() -> Work[list[dict[str, Any]]]:
        rows = yield ask(sql, *values)
        return [dict(row) for row in rows]

    return await store.write(work)
