"""Sums by day: each row of the ledger counted once, whoever counts and whenever it commits."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
from stores import Place, execute, intent, run

from swsllm_nb.proxy import accounts, books, daily
from swsllm_nb.proxy.accounts import NewAccount
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.wire import Usage


async def call(store: Store, holder: KeyHolder, number: int, cost_pico: int = 10) -> None:
    hold = await store.reserve(intent(holder, number, cost_pico))
    await store.close_hold(hold, Outcome("unconfirmed", cost_pico))


async def summed(store: Store, table: str = "daily") -> list[tuple[int, int]]:
    rows = await execute(store, f"SELECT calls, amount_pico FROM {table} ORDER BY day, model")
    return [(row["calls"], row["amount_pico"]) for row in rows]


async def adds_up(store: Store) -> bool:
    return not await store.read(daily.unlike_the_ledger)


def test_each_call_and_adjustment_is_counted_once_however_often_the_sums_are_brought_up_to_date(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await call(store, holder, 1)
        await call(store, holder, 2)
        await store.sum_up()
        await store.sum_up()
        assert await summed(store) == [(2, 20)] == await summed(store, "course_daily")
        await store.write(lambda: accounts.credit("req_1", "the upstream was away", "a test"))
        await call(store, holder, 3)
        await store.sum_up()
        assert await summed(store) == [(3, 20)] == await summed(store, "course_daily")
        assert await adds_up(store)

    run(place, act)


def test_calls_are_summed_up_by_exercise_and_an_adjustment_goes_to_that_of_its_call(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        for number, exercise in enumerate(("ex1", "ex2", "ex1", None)):
            hold = await store.reserve(replace(intent(holder, number, 10), exercise=exercise))
            await store.close_hold(hold, Outcome("unconfirmed", 10))
        await store.write(lambda: accounts.credit("req_1", "the upstream was away", "a test"))
        await store.sum_up()
        for table in ("daily", "course_daily"):
            rows = await execute(
                store, f"SELECT exercise, calls, amount_pico FROM {table} ORDER BY exercise"
            )
            assert [tuple(row.values()) for row in rows] == [
                ("", 1, 10),
                ("ex1", 2, 20),
                ("ex2", 1, 0),
            ]
        assert await adds_up(store)

    run(place, act)


def test_what_is_still_held_is_counted_when_it_is_closed_and_holds_back_what_came_after(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await call(store, holder, 1)
        held = await store.reserve(intent(holder, 2, 10))
        await call(store, holder, 3)
        await store.sum_up()
        assert await summed(store) == [(1, 10)]
        await store.close_hold(held, Outcome("settled", 7, Usage(1, 1)))
        await store.sum_up()
        assert await summed(store) == [(3, 27)]
        assert await adds_up(store)

    run(place, act)


def test_a_long_ledger_is_summed_up_in_small_steps(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await call(store, holder, 1, 1)
        copied = "kind, account_id, at, amount_pico, state, hold_pico, model, key_id"
        await execute(
            store,
            f"""
            WITH RECURSIVE numbers (n) AS
                (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
            INSERT INTO ledger ({copied}, request_id)
            SELECT {copied}, request_id || '_' || n FROM ledger, numbers WHERE kind = 'call'
            """,
        )
        await execute(store, "UPDATE accounts SET spend_pico = 2501")
        (newest,) = await execute(store, "SELECT max(id) AS id FROM ledger")
        steps = itertools.count(1)
        while await store.write(lambda: daily.sum_up(newest["id"])):
            next(steps)
        assert next(steps) == 6
        assert await summed(store) == [(2501, 2501)]
        assert await adds_up(store)

    run(place, act, budget_pico=3000)


def test_many_processes_that_sum_up_at_once_while_calls_run_count_each_row_once(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        new = NewAccount("bob", 10_000, "", NewKey(b"bob", "sws-bob0"))
        await store.write(lambda: accounts.add_account(new, "a test"))
        await store.write(lambda: accounts.set_limits("bob", accounts.Limits(in_flight=1000)))
        bob = await store.key_holder(b"bob")
        assert bob is not None
        async with place.store() as second, place.store() as third:
            stores = [store, second, third]

            async def calling(number: int) -> None:
                await call(stores[number % 3], (holder, bob)[number % 2], number)
                await stores[number // 7 % 3].sum_up()

            await asyncio.gather(*(calling(number) for number in range(120)))
            for one in stores:
                await one.sum_up()
        assert sum(calls for calls, _ in await summed(store)) == 120
        assert await adds_up(store)

    run(place, act, budget_pico=10_000)


def test_ledger_check_notices_a_day_that_was_changed(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await call(store, holder, 1)
        await store.sum_up()
        assert (await store.read(books.check)).wrong_days == []
        for change in ("+ 1", "- 1"):
            await execute(store, f"UPDATE daily SET amount_pico = amount_pico {change}")
            check = await store.read(books.check)
            assert check.adds_up == (change == "- 1")
        await execute(store, "DELETE FROM course_daily")
        check = await store.read(books.check)
        assert [row["amount_pico"] for row in check.wrong_days] == [-10]

    run(place, act)


def test_a_row_that_is_committed_after_younger_ones_is_waited_for(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    place = Place(tmp_path, fresh_database())

    async def act(store: Store, holder: KeyHolder) -> None:
        bob = NewAccount("bob", 1000, "", NewKey(b"bob", "sws-bob0"))
        await store.write(lambda: accounts.add_account(bob, "a test"))
        other = await store.key_holder(b"bob")
        assert other is not None
        slow = await asyncpg.connect(place.url)
        try:
            late = slow.transaction()
            await late.start()
            await slow.execute("SELECT id FROM accounts WHERE id = $1 FOR UPDATE", other.account.id)
            await slow.execute(
                "INSERT INTO ledger (kind, account_id, at, amount_pico) "
                "VALUES ('adjustment', $1, utc_now(), 5)",
                other.account.id,
            )
            await slow.execute(
                "UPDATE accounts SET spend_pico = spend_pico + 5 WHERE id = $1", other.account.id
            )
            await call(store, holder, 1)
            for _ in range(3):
                await store.sum_up()
            assert await summed(store) == []
            await late.commit()
            await store.sum_up()
            assert sorted(await summed(store)) == [(0, 5), (1, 10)]
            assert await adds_up(store)
        finally:
            await slow.close()

    run(place, act)
