"""The class at a glance: what was spent on what, and who may need a word."""

from stores import Place, account_named, execute, run
from test_listing import add, spend

from swsllm_nb.proxy import accounts, overview
from swsllm_nb.proxy.overview import CourseOverview
from swsllm_nb.proxy.receipts import Day
from swsllm_nb.proxy.store import KeyHolder, Store

REFUSED = (
    "INSERT INTO refusals (account_id, hour, code, model, refusals, last_at) "
    "VALUES ($1, substr(utc_now(), 1, 13), $2, '', 3, utc_now())"
)


async def seen(store: Store) -> CourseOverview:
    return await store.read(overview.course_overview)


def test_the_days_and_models_of_the_class_are_the_same_summed_up_or_not(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        bob = await add(store, "bob", 500)
        for number, (holder, pico) in enumerate(((ada, 100), (bob, 40), (ada, 7)), start=1):
            await spend(store, holder, number, pico)
        await execute(store, "UPDATE ledger SET at = '2026-01-01' WHERE kind = 'grant'")
        for day, number in ((2, 1), (2, 2), (4, 3)):
            moved = f"UPDATE ledger SET at = $1 WHERE request_id = 'req_{number}'"
            await execute(store, moved, f"2026-01-0{day}T09:00:00.000000Z")
        await store.write(lambda: accounts.credit("req_1", "away", "a test"))
        moved = "UPDATE ledger SET at = '2026-01-04' WHERE kind = 'adjustment'"
        await execute(store, moved)
        for _ in range(2):
            found = await seen(store)
            assert found.days == [
                Day("2026-01-01", 1500, 0), Day("2026-01-02", 0, 140), Day("2026-01-04", 0, -93),
            ]  # fmt: skip
            assert [(row.day, row.calls, row.amount_pico) for row in found.by_model] == [
                ("2026-01-02", 2, 140), ("2026-01-04", 1, -93),
            ]  # fmt: skip
            sums = found.sums
            assert (sums.accounts, sums.budget_pico, sums.spend_pico) == (2, 1500, 47)
            assert (sums.unconfirmed_pico, sums.cap_pico) == (47, None)
            await store.sum_up()

    run(place, act)


def test_what_a_deleted_account_did_not_spend_is_in_no_budget_any_more(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await spend(store, ada, 1, 100)
        await store.write(lambda: accounts.delete_account("ada"))
        found = await seen(store)
        assert (found.sums.accounts, found.sums.budget_pico, found.sums.spend_pico) == (0, 100, 100)
        (today,) = found.days
        assert (today.granted_pico, today.spend_pico) == (100, 100)

    run(place, act)


def test_who_is_near_the_limit_stuck_or_idle_is_named(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        for number, (name, pico) in enumerate(
            (("fast", 800), ("low", 950), ("gone", 1000), ("slow", 1), ("stuck", 1))
        ):
            await spend(store, await add(store, name), number, pico)
        await add(store, "away")
        await store.write(lambda: accounts.set_enabled("away", False))
        for name in ("stuck", "ada"):
            account = await account_named(store, name)
            await execute(store, REFUSED, account.id, "insufficient_quota")
        slow = await account_named(store, "slow")
        await execute(store, REFUSED, slow.id, "model_not_found")
        await spend(store, await holder_again(store, "slow"), 99, 1)
        found = await seen(store)
        assert [one.account.name for one in found.near_limit] == ["gone", "low", "fast"]
        assert [one.listed.account.name for one in found.stuck] == ["ada", "stuck"]
        assert {(one.refusals, one.code) for one in found.stuck} == {(3, "insufficient_quota")}
        assert [one.account.name for one in found.idle] == ["ada"]

    run(place, act)


async def holder_again(store: Store, name: str) -> KeyHolder:
    holder = await store.key_holder(name.encode())
    assert holder is not None
    return holder


def test_an_empty_course_has_an_overview_too(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        await execute(store, "DELETE FROM ledger")
        await execute(store, "DELETE FROM keys")
        await execute(store, "DELETE FROM accounts")
        found = await seen(store)
        assert (found.days, found.by_model, found.near_limit) == ([], [], [])
        assert (found.sums.accounts, found.sums.budget_pico) == (0, 0)

    run(place, act)
