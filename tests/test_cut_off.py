"""Processes that lose their database, or their place in it: nothing is lost, and all goes on."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from billing import BillingUpstream
from deaths import (
    ADA,
    assert_billed_exactly,
    assert_charged_in_full,
    locked_row,
    lose_leases,
    on_postgres,
    owner_of,
    settlement_waits,
    states,
    sweep_at_once,
)
from fleets import Fleet
from race import Race, check_snapshots, deal
from waiting_calls import Clients

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.store import Store


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
def test_connections_that_are_cut_under_load_lose_no_money(
    fleet: Fleet, billing: BillingUpstream
) -> None:
    fleet.start()
    calls = deal(f"cut-{id(fleet)}", 52, seed=52)
    total_pico = sum(call.bound_pico(call.cap or 4096) for call in calls)
    race = Race(fleet, billing, ADA, fleet.add_account(ADA, usd_text(total_pico)))

    async def cut_connections(_: Store) -> None:
        await asyncio.to_thread(
            fleet.rows,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )

    asyncio.run(race.run(8, calls, *[cut_connections] * 20))
    check_snapshots(race)
    assert 500 not in {answer.status for answer in race.answers}
    billed = billing.billed_pico(f"cut-{id(fleet)}")
    assert 0 < billed <= fleet.account(ADA)["spend_pico"] <= total_pico
    settled = [row for row in fleet.calls(ADA) if row["state"] == "settled"]
    known = sum(
        line.pico for line in billing.bill if line.tag.startswith("cut") and line.ending.told
    )
    assert sum(row["amount_pico"] for row in settled) == known


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
