"""What the class spent, was granted and was refused: summed up in the database, by an index."""

import asyncio
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from stores import Place, execute, intent, run
from test_listing import add

from swsllm_nb.proxy import accounts, readings
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.readings import SPEND_COLUMNS, Part, Period
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.proxy.work import Statement, Work
from swsllm_nb.wire import Usage

ALL = Part(1000)
EVER = Period()


async def call(
    store: Store, holder: KeyHolder, number: int, day: str, exercise: str | None = None
) -> None:
    """A call that cost 7 pico-dollars and has 2 + 1 tokens."""
    asked = replace(intent(holder, number, 10), exercise=exercise)
    hold = await store.reserve(asked)
    await store.close_hold(hold, Outcome("settled", 7, Usage(2, 1)))
    moved = "UPDATE ledger SET at = $1 WHERE request_id = $2"
    await execute(store, moved, f"{day}T10:00:00.000000Z", f"req_{number}")


async def spent(
    store: Store, *by: str, period: Period = EVER, part: Part = ALL
) -> list[tuple[Any, ...]]:
    """Rows as (keys …, calls, cost)."""
    rows = await store.read(lambda: readings.spend(by, period, part))
    return [(*(row[name] for name in by), row["calls"], row["cost_usd"]) for row in rows]


def test_spend_is_told_by_whatever_columns_are_asked_for_summed_up_or_not(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        bob = await add(store, "bob")
        await call(store, ada, 1, "2026-11-01", "ex1")
        await call(store, ada, 2, "2026-11-02", "ex1")
        await store.sum_up()
        await call(store, bob, 3, "2026-11-02", "ex2")
        await call(store, bob, 4, "2026-11-02")
        for _ in range(2):
            assert await spent(store) == [(4, "0.000000000028")]
            assert await spent(store, "day") == [
                ("2026-11-01", 1, "0.000000000007"), ("2026-11-02", 3, "0.000000000021"),
            ]  # fmt: skip
            assert [row[:2] for row in await spent(store, "exercise")] == [
                ("", 1), ("ex1", 2), ("ex2", 1)
            ]  # fmt: skip
            assert [row[:3] for row in await spent(store, "account", "day")] == [
                ("ada", "2026-11-01", 1), ("ada", "2026-11-02", 1), ("bob", "2026-11-02", 2),
            ]  # fmt: skip
            (row,) = await store.read(lambda: readings.spend(["model"], EVER, ALL))
            assert (row["prompt_tokens"], row["completion_tokens"]) == (8, 4)
            await store.sum_up()

    run(place, act)


def test_spend_of_some_days_has_these_days_and_no_others(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number in (1, 2, 3):
            await call(store, ada, number, f"2026-11-0{number}")
        for _ in range(2):
            days = await spent(store, "day", period=Period.of("2026-11-02", "2026-11-02"))
            assert [day for day, *_ in days] == ["2026-11-02"]
            assert len(await spent(store, "day", period=Period.of("2026-11-02", None))) == 2
            assert await spent(store, period=Period.of(None, "2026-10-31")) == [(0, "0.00")]
            assert await spent(store, "day", period=Period.of(None, "2026-10-31")) == []
            await store.sum_up()

    run(place, act)


def test_an_adjustment_is_spend_of_its_calls_model_and_exercise(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        hold = await store.reserve(replace(intent(ada, 1, 10), exercise="ex1"))
        await store.close_hold(hold, Outcome("unconfirmed", 10))
        await store.write(lambda: accounts.credit("req_1", "away", "a test"))
        for _ in range(2):
            assert await spent(store, "exercise") == [("ex1", 1, "0.00")]
            await store.sum_up()

    run(place, act)


def test_rows_come_in_parts_that_make_up_the_whole(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number in range(1, 6):
            await call(store, ada, number, f"2026-11-0{number}")
        whole = await spent(store, "day", "account")
        parts = [await spent(store, "day", "account", part=Part(2, at)) for at in (0, 2, 4)]
        assert [len(part) for part in parts] == [2, 2, 1]
        assert [row for part in parts for row in part] == whole

    run(place, act)


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [("soon", None, "'soon' is not a day"), ("2026-11-02", "2026-11-01", "No day is from")],
)
def test_what_are_no_days_is_refused_in_words(since: str, until: str | None, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Period.of(since, until)


def test_spend_is_not_told_by_what_it_cannot_be_told_by() -> None:
    with pytest.raises(ValueError, match=r"'key', but by day, model, exercise, account"):
        next(readings.spend(["day", "key"], EVER, ALL))


def test_grants_are_told_with_whom_and_why(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await store.write(lambda: accounts.grant("ada", 5, "a project", "prof"))
        await store.write(lambda: accounts.grant("ada", -2, "too much", "prof"))
        rows = await store.read(lambda: readings.grants(EVER, ALL))
        assert [(row["account"], row["amount_usd"], row["reason"]) for row in rows] == [
            ("ada", "0.000000001", "first budget"),
            ("ada", "0.000000000005", "a project"),
            ("ada", "-0.000000000002", "too much"),
        ]
        assert await store.read(lambda: readings.grants(Period.of(None, "2000-01-01"), ALL)) == []

    run(place, act)


def test_refusals_are_told_by_the_hour(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for hour in ("2026-11-01T23", "2026-11-02T00"):
            await execute(
                store,
                "INSERT INTO refusals (account_id, hour, code, model, refusals, last_at) "
                "VALUES ($1, $2, 'insufficient_quota', 'gpt-4o', 3, $3)",
                ada.account.id, hour, f"{hour}:30:00.000000Z",
            )  # fmt: skip
        (row,) = await store.read(
            lambda: readings.refusals(Period.of("2026-11-01", "2026-11-01"), ALL)
        )
        assert row == {
            "hour": "2026-11-01T23", "account": "ada", "code": "insufficient_quota",
            "model": "gpt-4o", "refusals": 3, "last_at": "2026-11-01T23:30:00.000000Z",
        }  # fmt: skip

    run(place, act)


def test_unconfirmed_charges_are_told_with_what_became_of_them(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number in (1, 2):
            hold = await store.reserve(intent(ada, number, 10))
            await store.close_hold(hold, Outcome("unconfirmed", 10))
        await call(store, ada, 3, "2026-11-01")
        await store.write(lambda: accounts.credit("req_1", "away", "a test"))
        rows = await store.read(lambda: readings.unconfirmed(ALL))
        told = [(row["account"], row["request_id"], row["adjusted_usd"]) for row in rows]
        assert told == [("ada", "req_1", "-0.00000000001"), ("ada", "req_2", None)]
        assert {row["cost_usd"] for row in rows} == {"0.00000000001"}

    run(place, act)


_MANY = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000)
"""
_ROWS = (
    f"""
    {_MANY} INSERT INTO ledger (kind, account_id, at, amount_pico, request_id, state, hold_pico)
    SELECT 'call', 1, '2026-' || (10 + n / 10000) || '-' || (10 + n % 20) || 'T10:00:00.000000Z', 0,
        'many_' || n, CASE WHEN n % 500 = 0 THEN 'unconfirmed' ELSE 'settled' END, 0 FROM numbers
    """,
    f"""
    {_MANY} INSERT INTO daily SELECT '2026-' || (10 + n % 3) || '-' || (10 + n % 20), n, 'x', '', 1,
        1, 1, 0 FROM numbers
    """,
    f"""
    {_MANY} INSERT INTO course_daily SELECT '2026-' || (10 + n % 3) || '-' || (10 + n % 20),
        'x' || n, '', 1, 1, 1, 0 FROM numbers
    """,
    f"""
    {_MANY} INSERT INTO refusals SELECT n, '2026-' || (10 + n % 3) || '-' || (10 + n % 20) || 'T10',
        'x', '', 1, '' FROM numbers
    """,
    "UPDATE course SET summed_up_to_id = 19900",
)
_WHOLE = re.compile(
    r"SCAN (ledger|l|adjusted|later|daily|course_daily|refusals)\b|"
    r".*Seq Scan on (ledger|daily|course_daily|refusals)\b"
)
_WEEK = Period("2026-11-10", "2026-11-12")
_READINGS = {
    **{f"spend by {name}": (readings.spend, [name], _WEEK, ALL) for name in SPEND_COLUMNS},
    "spend by all": (readings.spend, SPEND_COLUMNS, _WEEK, ALL),
    "spend in all": (readings.spend, (), _WEEK, ALL),
    "grants": (readings.grants, _WEEK, ALL),
    "refusals": (readings.refusals, _WEEK, ALL),
    "unconfirmed": (readings.unconfirmed, ALL),
}


def statements(work: Work[Any]) -> Iterator[Statement]:
    """What a reading asks the database after it has learned how far the days are summed up."""
    statement = next(work)
    while "utc_now" in statement.sql:
        statement = work.send([{"summed_up_to_id": 19_900, "now": "2026-11-23T10:00:00.000000Z"}])
    yield statement


async def plans(place: Place) -> dict[str, str]:
    """How the database would go about each reading."""
    asked = {
        name: statement
        for name, (reading, *words) in _READINGS.items()
        for statement in statements(reading(*words))
    }
    if place.url is None:
        with closing(sqlite3.connect(place.database().path)) as raw:  # type: ignore[attr-defined]
            return {
                name: "\n".join(
                    row[3]
                    for row in raw.execute(f"EXPLAIN QUERY PLAN {sql.replace('$', '?')}", values)
                )
                for name, (sql, values) in asked.items()
            }
    connection = await asyncpg.connect(place.url)
    try:
        await connection.execute("VACUUM ANALYZE")
        return {
            name: "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {sql}", *values))
            for name, (sql, values) in asked.items()
        }
    finally:
        await connection.close()


def test_no_reading_looks_through_a_whole_table_that_grows(place: Place) -> None:
    async def running() -> dict[str, str]:
        async with place.store() as store:
            await add(store, "ada")
            for statement in _ROWS:
                await execute(store, statement)
        return await plans(place)

    for name, plan in asyncio.run(running()).items():
        for line in plan.splitlines():
            assert not _WHOLE.match(line) or "ledger_unconfirmed" in line, f"{name}:\n{plan}"
        assert "INDEX" in plan.upper(), f"{name}:\n{plan}"
