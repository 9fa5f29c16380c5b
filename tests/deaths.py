"""A fleet whose processes are about to die, and calls that wait meanwhile at the upstream."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from billing import BillingUpstream
from fleets import Fleet, fleet_of
from proxies import RunningProxy
from waiting_calls import Clients, clients_of

from swsllm_nb.proxy.sqlite import DATABASE_NAME

LONG_AGO = "2000-01-01T00:00:00.000000Z"
BUDGET_USD = "10.00"
ADA = "ada"

on_postgres = pytest.mark.parametrize("kind", ["postgres"], indirect=True)


@pytest.fixture(scope="module")
def billing() -> Iterator[BillingUpstream]:
    with BillingUpstream() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
def fleet(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path, billing: BillingUpstream
) -> Iterator[Fleet]:
    """A database without processes yet; in the end everything adds up."""
    with fleet_of(request, tmp_path, billing.base_url, kind) as made:
        yield made
        (row,) = made.rows("SELECT count(*) AS held FROM ledger WHERE state = 'held'")
        assert row["held"] == 0
        made.proxies[-1].assert_adds_up()


@pytest.fixture
def clients(fleet: Fleet, billing: BillingUpstream, tmp_path: Path) -> Iterator[Clients]:
    with clients_of(billing, fleet.add_account(ADA, BUDGET_USD), tmp_path.name) as made:
        yield made


def kill(proxy: RunningProxy) -> None:
    proxy.process.kill()
    proxy.process.wait()


def lose_leases(fleet: Fleet, *owners: str) -> None:
    """As if so many processes had not given a sign of life for a minute."""
    for owner in owners:
        fleet.rows("UPDATE processes SET alive_until = $2 WHERE owner = $1", owner, LONG_AGO)


def sweep_at_once(fleet: Fleet, done: Callable[[], bool]) -> None:
    """Another process, one whose signs of life follow each other quickly, sweeps the dead."""

    async def run() -> None:
        async with fleet.store(beat_seconds=0.1), asyncio.timeout(20):
            while not await asyncio.to_thread(done):
                await asyncio.sleep(0.05)

    asyncio.run(run())


def states(fleet: Fleet) -> list[str]:
    return [row["state"] for row in fleet.calls(ADA)]


def owner_of(fleet: Fleet, request_id: str | None = None) -> str:
    """Who took the hold of a call; without an id, of the last call."""
    rows = fleet.calls(ADA)
    return next(
        row["owner"] for row in reversed(rows) if request_id in (None, row["request_id"])
    )  # fmt: skip


def assert_charged_in_full(fleet: Fleet, rows: list[dict[str, Any]]) -> None:
    assert rows
    for row in rows:
        assert row["state"] == "unconfirmed"
        assert row["amount_pico"] == row["hold_pico"] > 0
    account = fleet.account(ADA)
    assert account["spend_pico"] >= sum(row["amount_pico"] for row in rows)


def assert_billed_exactly(fleet: Fleet, billing: BillingUpstream, clients: Clients) -> None:
    assert set(states(fleet)) == {"settled"}
    assert fleet.account(ADA)["spend_pico"] == billing.billed_pico(clients.prefix)


@contextmanager
def settlement_waits(fleet: Fleet) -> Iterator[None]:
    """While this lasts nobody else can write what the account was charged."""
    if fleet.database is None:
        path = fleet.folder / DATABASE_NAME
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
        return
    with locked_row(fleet.database):
        yield


@contextmanager
def locked_row(url: str) -> Iterator[None]:
    """Hold the account's row in a transaction of another program's."""
    with asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(url))
        runner.run(connection.execute("BEGIN"))
        runner.run(connection.execute("SELECT id FROM accounts FOR UPDATE"))
        try:
            yield
        finally:
            runner.run(connection.execute("ROLLBACK"))
            runner.run(connection.close())
