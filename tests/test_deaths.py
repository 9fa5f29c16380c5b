"""Processes that are killed, stopped or cut off from their database: nothing is lost or freed."""

import asyncio
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from billing import BillingUpstream, silent_upstream
from fleets import Fleet, fleet_of
from proxies import RunningProxy
from race import Race, deal
from waiting_calls import Clients, clients_of

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.sqlite import DATABASE_NAME
from swsllm_nb.proxy.store import Store

LONG_AGO = "2000-01-01T00:00:00.000000Z"
SWEPT_WITHIN_SECONDS = 25
BUDGET_USD = "10.00"
ADA = "ada"


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


on_postgres = pytest.mark.parametrize("kind", ["postgres"], indirect=True)


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


@pytest.mark.slow
def test_a_proxy_killed_at_any_point_frees_nothing_and_leaves_nothing_held(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    with silent_upstream() as silent:
        before_asking, other = fleet.start(upstream=silent), fleet.start()
        clients.call(before_asking, "plain")
        fleet.wait(lambda: states(fleet) == ["held"])
        clients.at_gate(other, billing, "waits-early")
        clients.at_gate(other, billing, "waits-mid-stream")
        clients.at_gate(other, billing, "waits-at-done")
        settling = clients.at_gate(other, billing, "waits-at-done")
        with settlement_waits(fleet):
            billing.open_gate(clients.tags[-1])
            # It is given its answer after 2 s, although that is not settled.
            assert settling.result(timeout=20).done
            assert states(fleet) == ["held"] * 5
            kill(before_asking)
            kill(other)
    held = fleet.calls(ADA)
    living = fleet.start()
    if fleet.database is not None:
        watch_others_being_swept(fleet, billing, clients, living)
    swept = fleet.calls(ADA)[: len(held)]
    assert [row["hold_pico"] for row in swept] == [row["hold_pico"] for row in held]
    assert_charged_in_full(fleet, swept)
    assert fleet.account(ADA)["in_flight"] == 0
    assert clients.call(living, "stream").result().done
    assert fleet.account(ADA)["spend_pico"] >= billing.billed_pico(clients.prefix)


def watch_others_being_swept(
    fleet: Fleet, billing: BillingUpstream, clients: Clients, living: RunningProxy
) -> None:
    """The dead are swept by a living process, whose own long stream never is."""
    dead = {row["owner"] for row in fleet.calls(ADA)}
    assert len(dead) == 2
    long_stream = clients.at_gate(living, billing, "waits-mid-stream")
    assert states(fleet) == ["held"] * 6, "their leases still run"
    # To a clock that jumped the living one has not been heard of either.
    lose_leases(fleet, *dead, owner_of(fleet))
    fleet.wait(lambda: states(fleet)[:5] == ["unconfirmed"] * 5, SWEPT_WITHIN_SECONDS)
    assert states(fleet)[5] == "held"
    billing.open_gate(clients.tags[-1])
    assert long_stream.result().done
    fleet.wait(lambda: states(fleet)[5] == "settled")


def test_a_load_goes_on_after_its_proxy_was_killed(fleet: Fleet, billing: BillingUpstream) -> None:
    fleet.start()
    calls = deal(f"killed-{id(fleet)}", 39, seed=39)
    total_pico = sum(call.bound_pico(call.cap or 4096) for call in calls)
    key = fleet.add_account(ADA, usd_text(total_pico))
    race = Race(fleet, billing, ADA, key)

    async def kill_and_start_again(_: Store) -> None:
        kill(fleet.proxies[0])
        killed = {row["owner"] for row in await asyncio.to_thread(fleet.calls, ADA)}
        await asyncio.to_thread(fleet.start)
        fleet.proxies.pop(0)
        if fleet.database is not None:
            await asyncio.to_thread(lose_leases, fleet, *killed)

    asyncio.run(race.run(8, calls, kill_and_start_again))
    for seen in race.snapshots:
        assert seen["spend_pico"] + seen["reserved_pico"] <= seen["budget_pico"]
        assert seen["differences"] == []
    billed = billing.billed_pico(f"killed-{id(fleet)}")
    assert 0 < billed <= fleet.account(ADA)["spend_pico"] <= total_pico
    assert sum(answer.status == 200 for answer in race.answers) > 10


def test_a_proxy_that_is_told_to_stop_settles_every_running_call_with_its_true_usage(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    stopping = fleet.start()
    names = ("waits-early", "waits-mid-stream", "waits-at-done") * 3
    heard = [clients.at_gate(stopping, billing, name) for name in names]
    stopping.process.terminate()
    # Whoever comes now is not admitted.
    fleet.wait(lambda: clients.call(stopping, "plain").result().status is None)
    clients.open_gates(billing)
    assert [each.result().status for each in heard] == [200] * len(names)
    assert stopping.process.wait(20) == 0
    assert_billed_exactly(fleet, billing, clients)
    if fleet.database is not None:
        assert fleet.rows("SELECT * FROM processes") == []


def test_calls_whose_settlement_found_the_database_away_are_settled_when_it_is_back(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    proxy = fleet.start()
    names = ("waits-early", "waits-mid-stream", "waits-at-done", "waits-at-done")
    heard = [clients.at_gate(proxy, billing, name) for name in names]
    with database_away(fleet):
        clients.open_gates(billing)
        assert [each.result().status for each in heard] == [200] * len(names)
        if fleet.database is not None:
            refused = clients.call(proxy, "plain").result()
            assert refused.status == 503
    fleet.wait_until_nothing_is_held(ADA)
    assert_billed_exactly(fleet, billing, clients)


@contextmanager
def database_away(fleet: Fleet) -> Iterator[None]:
    """Every connection is cut and none is let in; of SQLite, somebody has locked the file."""
    if fleet.database is None:
        with settlement_waits(fleet):
            yield
        return
    name = urlsplit(fleet.database).path.lstrip("/")
    elsewhere = Fleet(fleet.folder, "", fleet.database.replace(f"/{name}?", "/postgres?"))
    elsewhere.rows(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        elsewhere.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        yield
    finally:
        elsewhere.rows(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


@on_postgres
def test_a_process_that_slept_past_its_lease_learns_late_and_begins_a_new_life(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    sleeper = fleet.start()
    heard = clients.at_gate(sleeper, billing, "waits-mid-stream")
    old_owner = owner_of(fleet)
    sleeper.process.send_signal(signal.SIGSTOP)
    try:
        lose_leases(fleet, old_owner)
        sweep_at_once(fleet, lambda: states(fleet) == ["unconfirmed"])
        assert_charged_in_full(fleet, fleet.calls(ADA))
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    billing.open_gate(clients.tags[-1])
    assert heard.result().done
    fleet.wait(lambda: clients.call(sleeper, "plain").result().status == 200)
    assert owner_of(fleet) != old_owner, "it has a new lease"
    # What the sleeper learned late is a row of its own; the one that was swept stays.
    (adjustment,) = fleet.rows("SELECT * FROM ledger WHERE kind = 'adjustment'")
    swept = fleet.calls(ADA)[0]
    assert adjustment["adjusts_id"] == swept["id"]
    assert swept["state"] == "unconfirmed"
    assert fleet.account(ADA)["spend_pico"] == billing.billed_pico(clients.prefix)


@on_postgres
def test_a_process_without_its_lease_admits_nothing(fleet: Fleet, clients: Clients) -> None:
    proxy = fleet.start()
    assert clients.call(proxy, "plain").result().status == 200
    owner = owner_of(fleet)
    refused = None
    while refused is None:  # unless it has just given a sign of life
        lose_leases(fleet, owner)
        heard = clients.call(proxy, "plain").result()
        refused = heard if heard.status != 200 else None
    assert refused.status == 503
    assert b"proxy_unavailable" in refused.body
    fleet.wait(lambda: clients.call(proxy, "plain").result().status == 200)


@on_postgres
def test_a_worker_that_was_killed_is_replaced_and_its_holds_are_swept(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    proxy = fleet.start("--workers", "2")
    fleet.wait(lambda: len(workers_of(proxy)) == 2)
    heard = []
    fleet.wait(
        lambda: (
            heard.append(clients.at_gate(proxy, billing, "waits-mid-stream"))
            or len({row["owner"] for row in fleet.calls(ADA)}) == 2
        )
    )
    victim, survivor = workers_of(proxy)
    subprocess.run(["kill", "-9", victim], check=True)
    fleet.wait(lambda: len(new := workers_of(proxy)) == 2 and victim not in new)
    cut = next(each.result() for each in heard if each.done() and each.result().status is None)
    dead = owner_of(fleet, cut.request_id)
    lost = [row["request_id"] for row in fleet.calls(ADA) if row["owner"] == dead]
    lose_leases(fleet, dead)
    sweep_at_once(fleet, lambda: "unconfirmed" in states(fleet))
    rows = fleet.calls(ADA)
    assert [row["request_id"] for row in rows if row["state"] != "held"] == lost
    assert_charged_in_full(fleet, [row for row in rows if row["owner"] == dead])
    clients.open_gates(billing)
    assert sum(each.result().done for each in heard) == len(heard) - len(lost)
    assert survivor in workers_of(proxy)
    fleet.wait_until_nothing_is_held(ADA)
    assert clients.call(proxy, "plain").result().status == 200


def workers_of(proxy: RunningProxy) -> list[str]:
    """The process ids of a proxy's workers, oldest first."""
    listed = subprocess.run(
        ["ps", "-ww", "--ppid", str(proxy.process.pid), "-o", "pid=,args="],
        capture_output=True,
        text=True,
    )
    return [line.split()[0] for line in listed.stdout.splitlines() if "spawn_main" in line]


@on_postgres
def test_a_process_that_sleeps_inside_a_transaction_does_not_lock_its_account_for_ever(
    fleet: Fleet, clients: Clients
) -> None:
    sleeper, other = fleet.start(), fleet.start()
    assert fleet.database is not None
    with locked_row(fleet.database):
        heard = clients.call(sleeper, "plain")
        fleet.wait(lambda: waits_for_a_lock(fleet))
        sleeper.process.send_signal(signal.SIGSTOP)
    try:
        # The sleeper's transaction has the row now, and nobody who would end it.
        fleet.wait(lambda: clients.call(other, "plain").result().status == 200, seconds=40)
    finally:
        sleeper.process.send_signal(signal.SIGCONT)
    heard.result()
    fleet.wait_until_nothing_is_held(ADA)


def waits_for_a_lock(fleet: Fleet) -> bool:
    return bool(fleet.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
