"""The race: clients × databases × processes, every way a call can end, and an invoice to compare.

The upstream always uses the whole cap and adds up its own bill; the promises P1 to P8 are those of
the design. Deaths of processes are in ``test_deaths.py``.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import aiohttp
import pytest
from billing import BillingUpstream
from fleets import Fleet, fleet_of
from race import Answer, Call, Race, check_snapshots, deal

from swsllm_nb.money import usd_text

CALLS = {2: 26, 8: 52, 64: 156}
MOST_OUTPUT_TOKENS = 16_384
TIGHT = 1.05


def fleet_param(kind: str, processes: int, *options: str) -> Any:
    name = "-".join((kind, str(processes), *options)).replace("---workers-", "-workers-")
    marks = [pytest.mark.slow] if processes == 4 or "4" in options else []
    return pytest.param((kind, processes, options), marks=marks, id=name)


FLEETS = [fleet_param(kind, number) for kind in ("sqlite", "postgres") for number in (1, 2, 4)]
WORKERS = [fleet_param("postgres", 1, "--workers", number) for number in ("2", "4")]
CLIENTS = [2, 8, pytest.param(64, marks=pytest.mark.slow)]


@pytest.fixture(scope="module", params=FLEETS + WORKERS)
def fleet(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    billing: BillingUpstream,
) -> Iterator[Fleet]:
    kind, processes, options = request.param
    folder = tmp_path_factory.mktemp("fleet")
    with fleet_of(request, folder, billing.base_url, kind) as made:
        for _ in range(processes):
            made.start(*options)
        yield made


_races = count()


@pytest.mark.parametrize("clients", CLIENTS)
def test_no_race_overspends_a_budget(fleet: Fleet, billing: BillingUpstream, clients: int) -> None:
    calls = deal(f"race-{next(_races)}", CALLS[clients], seed=clients)
    total_pico = sum(call.bound_pico(call.cap or 4096) for call in calls)
    name = f"ada {clients}"
    key = fleet.add_account(name, usd_text(total_pico // 3))
    race = Race(fleet, billing, name, key)
    asyncio.run(race.run(clients, calls, race.top_up, race.change_key))
    check_snapshots(race)
    check_ledger(race, calls)
    check_refusals(race)
    check_old_keys(race)
    check_what_is_left(race)
    fleet.proxies[0].assert_adds_up()
    assert billing.wrongs == []


def check_ledger(race: Race, calls: list[Call]) -> None:
    """P3 to P5: every call closed once and for what the upstream billed, or for its whole bound."""
    rows = race.fleet.calls(race.account)
    assert len({row["request_id"] for row in rows}) == len(rows)
    by_tag = rows_by_tag(race, calls, rows)
    bills = defaultdict(list)
    for line in race.upstream.bill:
        bills[line.tag].append(line.pico)
    for call in calls:
        charged = by_tag.get(call.tag, [])
        assert {row["state"] for row in charged} <= {call.ending.state}, (call, charged)
        for row in charged:
            check_charge(call, row)
        amounts = sum(row["amount_pico"] for row in charged)
        billed = sum(bills[call.tag])
        assert amounts == billed if call.ending.told else amounts >= billed, (call, charged)
        assert len(charged) == len(bills[call.tag]) or not call.ending.billed
    account = race.fleet.account(race.account)
    billed = race.upstream.billed_pico(calls[0].tag.rpartition("-")[0])
    assert 0 < billed <= account["spend_pico"] <= account["budget_pico"]
    assert (account["reserved_pico"], account["in_flight"]) == (0, 0)


def check_charge(call: Call, row: dict[str, Any]) -> None:
    assert row["breach"] is None
    assert row["hold_pico"] == call.bound_pico(row["cap_tokens"])
    if call.cap is not None:
        assert row["cap_tokens"] == call.cap
    if row["state"] == "unconfirmed":
        assert row["amount_pico"] == row["hold_pico"]
    if row["state"] == "settled":
        assert row["amount_pico"] <= row["hold_pico"]
        if row["prompt_tokens"] >= 1000:
            assert row["hold_pico"] <= TIGHT * row["amount_pico"]


def rows_by_tag(race: Race, calls: list[Call], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The ledger's rows of each call: by request id, or where the client saw none by the cap."""
    tags = {answer.request_id: answer.call.tag for answer in race.answers}
    caps = {call.cap: call.tag for call in calls if call.cap is not None}
    found = defaultdict(list)
    for row in rows:
        found[tags.get(row["request_id"]) or caps[row["cap_tokens"]]].append(row)
    return found


def check_refusals(race: Race) -> None:
    """P8: a final refusal means unspent money that does not suffice, any other a hold."""
    rows = race.fleet.calls(race.account)
    finals = [answer for answer in race.answers if answer.code == "insufficient_quota"]
    assert finals
    for answer in finals:
        spend = sum(r["amount_pico"] for r in rows if r["finished_at"] <= answer.seen_at)
        unspent = race.budget_pico(answer.sent_at, most=False) - spend
        assert unspent < answer.call.bound_pico(), answer
        assert answer.status == 429
        assert answer.headers["x-should-retry"] == "false"
    for answer in race.answers:
        if answer.code == "rate_limit_exceeded":
            check_retryable(race, answer, rows)


def check_retryable(race: Race, answer: Answer, rows: list[dict[str, Any]]) -> None:
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) > 0
    assert "x-should-retry" not in answer.headers
    before = [seen for seen in race.snapshots if seen["seen_at"] <= answer.sent_at]
    spend = before[-1]["spend_pico"] if before else 0
    unspent = race.budget_pico(answer.seen_at, most=True) - spend
    assert unspent >= answer.call.bound_pico(), answer
    # A hold is closed a little before the commit that gives its money back.
    since = (datetime.fromisoformat(answer.sent_at) - timedelta(seconds=1)).isoformat()
    assert any(row["at"] <= answer.seen_at and row["finished_at"] >= since for row in rows), answer


def check_old_keys(race: Race) -> None:
    """P6: nothing is admitted with a key that was replaced, in any process."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session:
            for old in race.old_keys:
                racing = replace(race, key=old)
                for _ in race.fleet.proxies * 2:
                    answer = await racing.ask(session, Call("old-key", "plain", cap=1))
                    assert (answer.status, answer.code) == (401, "invalid_api_key")

    asyncio.run(ask())


def check_what_is_left(race: Race) -> None:
    """P8 at rest, exactly: a call that fits is served, one with a token more is refused."""
    account = race.fleet.account(race.account)
    left = account["budget_pico"] - account["spend_pico"]
    call = Call(f"{race.account.replace(' ', '-')}-last", "plain", cap=1)
    token = call.bound_pico(2) - call.bound_pico(1)
    fitting = (left - call.bound_pico(1)) // token + 1

    async def ask(cap: int) -> str | None:
        async with aiohttp.ClientSession() as session:
            return (await race.ask(session, replace(call, cap=cap))).code

    if 0 < fitting < MOST_OUTPUT_TOKENS:
        assert asyncio.run(ask(fitting + 1)) == "insufficient_quota"
    if fitting > 0:
        assert asyncio.run(ask(min(fitting, MOST_OUTPUT_TOKENS))) is None
    else:
        assert asyncio.run(ask(1)) == "insufficient_quota"
    account = race.fleet.account(race.account)
    assert account["spend_pico"] <= account["budget_pico"]
