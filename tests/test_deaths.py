"""Processes that are killed or told to stop, at every point of a call: nothing is lost or freed."""

import asyncio
import subprocess

import pytest
from billing import BillingUpstream, silent_upstream
from deaths import (
    ADA,
    assert_billed_exactly,
    assert_charged_in_full,
    kill,
    lose_leases,
    on_postgres,
    owner_of,
    settlement_waits,
    states,
    sweep_at_once,
)
from fleets import Fleet
from proxies import RunningProxy
from race import Race, check_snapshots, deal
from waiting_calls import Clients

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.store import Store

SWEPT_WITHIN_SECONDS = 25


@pytest.mark.slow
def test_a_proxy_killed_at_any_point_frees_nothing_and_leaves_nothing_held(
    fleet: Fleet, billing: BillingUpstream, clients: Clients
) -> None:
    with silent_upstream() as silent:
        before_asking, other = fleet.start(upstream=silent), fleet.start()
        clients.at_gate(other, billing, "waits-early")
        clients.at_gate(other, billing, "waits-mid-stream")
        clients.at_gate(other, billing, "waits-at-done")
        settling = clients.at_gate(other, billing, "waits-at-done")
        settling_tag = clients.tags[-1]
        # Last, for an upstream that does not answer at all is given up after 10 s.
        clients.call(before_asking, "plain")
        fleet.wait(lambda: states(fleet) == ["held"] * 5)
        with settlement_waits(fleet):
            billing.open_gate(settling_tag)
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
    check_snapshots(race)
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
