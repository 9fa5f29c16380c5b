"""Old rows are carried forward: fewer rows, and the same sums to the pico-dollar."""

import asyncio
from datetime import UTC, datetime, timedelta

from stores import Place, account_named, execute, intent, run
from test_listing import add

from swsllm_nb.proxy import accounts, books, listing, overview, receipts, retention
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.wire import Usage

KEPT_DAYS = 30


def days_ago(days: int) -> str:
    moment = datetime.now(UTC) - timedelta(days=days)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def call(store: Store, holder: KeyHolder, number: int, days: int, pico: int = 10) -> None:
    hold = await store.reserve(intent(holder, number, pico))
    await store.close_hold(hold, Outcome("unconfirmed", pico))
    moved = "UPDATE ledger SET at = $1 WHERE request_id = $2"
    await execute(store, moved, days_ago(days), f"req_{number}")


async def keep(store: Store, days: int = KEPT_DAYS) -> None:
    await execute(store, "UPDATE course SET retention_days = $1", days)


async def prune(store: Store) -> int:
    """Prune, and see that nothing adds up to anything else than before."""
    await store.sum_up()
    before = await account_named(store, "ada")
    changed = await retention.prune(store)
    assert (await store.read(books.check)).adds_up
    await store.sum_up()
    check = await store.read(books.check)
    assert check.adds_up, check
    assert await account_named(store, "ada") == before
    return changed


async def rows(store: Store) -> list[tuple[str, str | None, int]]:
    found = await execute(
        store, "SELECT kind, request_id, amount_pico FROM ledger ORDER BY account_id, at, id"
    )
    return [(row["kind"], row["request_id"], row["amount_pico"]) for row in found]


def test_what_is_older_than_the_setting_becomes_one_row_per_account(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        bob = await add(store, "bob")
        for number, (holder, days) in enumerate(
            ((ada, 90), (ada, 60), (bob, 50), (ada, 40), (ada, 1))
        ):
            await call(store, holder, number, days, 10**number)
        assert await prune(store) == 0
        await keep(store)
        assert await prune(store) == 2
        assert await rows(store) == [
            ("adjustment", None, 1011), ("call", "req_4", 10_000), ("grant", None, 20_000),
            ("adjustment", None, 100), ("grant", None, 1000),
        ]  # fmt: skip
        assert await prune(store) == 0

    run(place, act, budget_pico=20_000)


def test_old_rows_leave_the_sums_of_their_own_exercise(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number, (exercise, days) in enumerate((("ex1", 90), ("ex2", 90), ("ex1", 1))):
            await call(store, ada, number, days)
            named = "UPDATE ledger SET exercise = $1 WHERE request_id = $2"
            await execute(store, named, exercise, f"req_{number}")
        await keep(store)
        assert await prune(store) == 1
        left = await execute(
            store, "SELECT exercise, calls, amount_pico FROM daily ORDER BY exercise"
        )
        assert [tuple(row.values()) for row in left] == [("", 0, 20), ("ex1", 1, 10)]

    run(place, act)


def test_later_runs_carry_on_with_the_same_row(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number, days in enumerate((90, 60, 20, 1)):
            await call(store, ada, number, days)
        for kept, left in ((70, 3), (50, 2), (10, 1)):
            await keep(store, kept)
            assert await prune(store) == 1
            (carried, *calls) = [row for row in await rows(store) if row[0] != "grant"]
            assert carried == ("adjustment", None, 10 * (4 - left))
            assert len(calls) == left

    run(place, act)


def test_a_call_that_was_adjusted_lately_stays_and_goes_together_with_its_adjustment(
    place: Place,
) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number in range(3):
            await call(store, ada, number, 90)
        await store.write(lambda: accounts.credit("req_1", "away", "a test"))
        await keep(store)
        assert await prune(store) == 1
        kept = [row for row in await rows(store) if row[0] != "grant"]
        assert kept == [
            ("call", "req_1", 10), ("adjustment", None, 20), ("adjustment", None, -10),
        ]  # fmt: skip
        moved = "UPDATE ledger SET at = $1 WHERE adjusts_id IS NOT NULL"
        await execute(store, moved, days_ago(80))
        await execute(store, "UPDATE course SET summed_up_to_id = 0")
        for table in ("daily", "course_daily"):
            await execute(store, f"DELETE FROM {table}")
        assert await prune(store) == 1
        assert [row for row in await rows(store) if row[0] != "grant"] == [("adjustment", None, 20)]

    run(place, act)


def test_what_is_held_or_not_summed_up_yet_is_not_pruned(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await call(store, ada, 1, 90)
        await store.reserve(intent(ada, 2, 10))
        await execute(store, "UPDATE ledger SET at = $1", days_ago(90))
        await call(store, ada, 3, 90)
        await keep(store)
        assert await prune(store) == 1
        left = [row[1] for row in await rows(store) if row[0] == "call"]
        assert sorted(str(name) for name in left) == ["req_2", "req_3"]

    run(place, act)


async def many_calls(store: Store, ada: KeyHolder) -> None:
    """A thousand old calls that cost a pico-dollar each."""
    await call(store, ada, 0, 90, 1)
    copied = "kind, account_id, at, amount_pico, state, hold_pico, model, key_id"
    await execute(
        store,
        f"""
        WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 999)
        INSERT INTO ledger ({copied}, request_id)
        SELECT {copied}, request_id || '_' || n FROM ledger, numbers WHERE kind = 'call'
        """,
    )
    await execute(store, "UPDATE accounts SET spend_pico = 1000")
    await keep(store)
    await store.sum_up()


def test_many_calls_become_one_row_in_small_steps(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await many_calls(store, ada)
        assert await prune(store) == 1
        assert await rows(store) == [("adjustment", None, 1000), ("grant", None, 2000)]

    run(place, act, budget_pico=2000)


def test_many_calls_are_pruned_by_several_processes_at_once(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await many_calls(store, ada)
        async with place.store() as other:
            await asyncio.gather(
                *(retention.prune(one) for one in (store, other) * 2),
                *(one.sum_up() for one in (store, other) * 2),
            )
            await other.sum_up()
        await prune(store)
        assert await rows(store) == [("adjustment", None, 1000), ("grant", None, 2000)]

    run(place, act, budget_pico=2000)


def test_new_calls_are_counted_after_everything_was_pruned(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        hold = await store.reserve(intent(ada, 1, 10))
        await store.close_hold(hold, Outcome("released", 0))
        await execute(store, "UPDATE ledger SET at = $1", days_ago(90))
        await keep(store)
        assert await prune(store) == 1
        await call(store, ada, 2, 0)
        await store.sum_up()
        assert (await store.read(books.check)).adds_up
        (spent,) = await execute(store, "SELECT sum(calls) AS calls FROM daily")
        assert spent["calls"] == 1

    run(place, act)


def test_pages_show_the_same_money_after_pruning(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        hold = await store.reserve(intent(ada, 1, 100))
        await store.close_hold(hold, Outcome("settled", 70, Usage(1, 1)))
        await execute(store, "UPDATE ledger SET at = $1 WHERE kind = 'call'", days_ago(90))
        await execute(store, 'UPDATE ledger SET prices = \'{"input":30,"output":40}\'')
        await call(store, ada, 2, 1)
        await keep(store)

        async def shown() -> tuple[object, ...]:
            class_days = (await store.read(overview.course_overview)).days
            days = await store.read(lambda: receipts.burn_down(ada.account.id))
            one = await store.read(lambda: listing.listed_account("ada"))
            assert one is not None
            return class_days, days, one.pace_pico, one.last_call_at

        before = await shown()
        assert await prune(store) == 1
        assert await shown() == before
        page = await store.read(lambda: receipts.receipts(ada.account.id))
        (carried,) = [one for one in page.receipts if one.status == "adjustment"]
        assert (carried.amount_pico, carried.request_id) == (70, None)
        assert str(carried.reason).startswith("all calls before 20")

    run(place, act)
