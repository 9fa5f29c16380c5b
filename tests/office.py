"""Two processes' stores on one database, for tests that keep books of their own beside it."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest
from stores import Place, execute, intent

from swsllm_nb.pricing import Bound, Prices
from swsllm_nb.proxy import accounts, books
from swsllm_nb.proxy.accounts import NewAccount
from swsllm_nb.proxy.books import Check
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Intent
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.proxy.work import Row, Work, ask

Result = TypeVar("Result")

DIED = "UPDATE ledger SET owner = 'its ' || request_id WHERE state = 'held' AND request_id = $1"
"""What a call looks like whose process, one of its own, is no more."""

_NEVER_BY_ITSELF = 10**6


@dataclass(frozen=True)
class Books:
    """All that the database says, as one snapshot."""

    accounts: dict[int, Account]
    calls: dict[str, Row]
    check: Check


def all_books() -> Work[Books]:
    rows = yield ask(f"SELECT {ACCOUNT} FROM accounts")
    calls = yield ask("SELECT * FROM ledger WHERE kind = 'call'")
    return Books(
        {row["id"]: account_of_row(row) for row in rows},
        {row["request_id"]: row for row in calls},
        (yield from books.check()),
    )


def everything_removed() -> Work[None]:
    for table in ("ledger", "keys", "accounts", "daily", "course_daily"):
        yield ask(f"DELETE FROM {table}")
    yield ask("UPDATE course SET cap_pico = NULL, summed_up_to_id = 0")


class Office:
    """Two stores of one place, and a loop to use them from code that does not wait.

    They look for the dead only when they are told to.
    """

    def __init__(self, place: Place, runner: asyncio.Runner) -> None:
        self.place = place
        self._runner = runner
        self.stores = [place.store(beat_seconds=_NEVER_BY_ITSELF) for _ in range(2)]

    def do(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(coroutine)

    def books(self) -> Books:
        return self.do(self.stores[0].read(all_books))

    def execute(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return self.do(execute(self.stores[0], sql, *values))

    def empty(self) -> None:
        """As new; whoever lives says so, so that a long test loses no lease."""
        self.do(self.stores[0].write(everything_removed))
        for store in self.stores:
            self.sweep(store)

    def sweep(self, store: Store) -> None:
        self.do(store._sweep_the_dead())

    def restart(self, which: int) -> None:
        self.do(self.stores[which].__aexit__(None, None, None))
        self.stores[which] = self.place.store(beat_seconds=_NEVER_BY_ITSELF)
        self.do(self.stores[which].__aenter__())


@pytest.fixture
def office(place: Place) -> Iterator[Office]:
    if place.url is not None:
        # What waits for each other in a circle is sorted out at once, and not after a second.
        place = replace(place, url=f"{place.url}&deadlock_timeout=20ms")
    with asyncio.Runner() as runner:
        opened = Office(place, runner)
        for store in opened.stores:
            opened.do(store.__aenter__())
        yield opened
        for store in opened.stores:
            opened.do(store.__aexit__(None, None, None))


async def new_account(store: Store, name: str, budget_pico: int, **limits: int) -> KeyHolder:
    """An account that may do much, unless limits say less; whoever holds its first key."""
    key = NewKey(f"first key of {name}".encode(), "sws-1234")
    await store.write(lambda: accounts.add_account(NewAccount(name, budget_pico, "", key), "test"))
    wide = {"in_flight": 1000, "per_minute": 100_000, **limits}
    await store.write(lambda: accounts.set_limits(name, accounts.Limits(**wide)))
    holder = await store.key_holder(key.hash)
    assert holder is not None
    return holder


def priced_intent(holder: KeyHolder, number: int, prices: Prices, bound: Bound) -> Intent:
    """A call with a bound and prices of its own."""
    plain = intent(holder, number, 1)
    return replace(plain, bound=bound, model=replace(plain.model, prices=prices))
