"""What the upstream should have billed, and the list of accounts, on both databases."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from office import new_account
from stores import Place, execute

from swsllm_nb.proxy.account_table import found, found_names, page_of
from swsllm_nb.proxy.invoice import billable
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.tables import Asked

CALL = """
    INSERT INTO ledger (kind, account_id, at, request_id, state, model, hold_pico, amount_pico,
        prompt_tokens, completion_tokens)
    VALUES ('call', 1, $1, $2, $3, $4, 1000, $5, 10, 20)
"""


def run(place: Place, test: Callable[[Store], Awaitable[None]]) -> None:
    async def running() -> None:
        async with place.store(beat_seconds=10**6) as store:
            await test(store)

    asyncio.run(running())


@pytest.mark.parametrize("summed_up", [False, True])
def test_an_invoice_is_between_what_is_certain_and_what_may_have_been_billed(
    place: Place, summed_up: bool
) -> None:
    async def test(store: Store) -> None:
        await new_account(store, "ada", 10**6)
        calls = [
            ("2027-01-31T23:59:59.999999Z", "before", "settled", "mini", 1),
            ("2027-02-01T00:00:00.000000Z", "first", "settled", "mini", 20),
            ("2027-02-28T23:59:59.999999Z", "last", "unconfirmed", "large", 300),
            ("2027-02-10T00:00:00.000000Z", "free", "released", "large", 0),
            ("2027-03-01T00:00:00.000000Z", "after", "settled", "mini", 4000),
        ]
        for call in calls:
            await execute(store, CALL, *call)
        await execute(
            store,
            "INSERT INTO ledger (kind, account_id, at, amount_pico, adjusts_id) SELECT "
            "'adjustment', 1, '2027-02-28T23:59:59.999999Z', -300, id FROM ledger "
            "WHERE request_id = 'last'",
        )
        if summed_up:
            await store.sum_up()
        sums = await store.read(lambda: billable("2027-02-01", "2027-02-28"))
        assert (sums.least_pico, sums.most_pico, sums.charged_pico) == (20, 320, 20)
        assert [(one.model, one.calls, one.amount_pico) for one in sums.models] == [
            ("mini", 1, 20),
            ("large", 2, 0),
        ]
        nothing = await store.read(lambda: billable("2030-01-01", "2030-01-31"))
        assert (nothing.models, nothing.most_pico) == ([], 0)

    run(place, test)


def test_accounts_are_found_as_people_spell_and_sort_them(place: Place) -> None:
    async def test(store: Store) -> None:
        people = {"zoe": "Zoë Müller", "oe": "Öztürk", "ol": "Olsen", "gone": "Öde"}
        for number, (name, full_name) in enumerate(people.items(), 1):
            await new_account(store, name, 10**12 * number)
            await execute(
                store, "UPDATE accounts SET full_name = $2 WHERE name = $1", name, full_name
            )
        await execute(store, "UPDATE accounts SET deleted_at = utc_now() WHERE name = 'gone'")
        await execute(store, CALL, "2027-01-01T00:00:00.000000Z", "one", "settled", "mini", 7)
        assert await found_names(store, Asked(sort="full_name")) == ["ol", "oe", "zoe"]
        assert await found_names(store, Asked(search="OZTÜRK")) == ["oe"]
        assert await found_names(store, Asked(only="deleted")) == ["gone"]
        for sort, names in (
            ("-budget", ["ol", "oe", "zoe"]),
            ("last_call", ["zoe", "oe", "ol"]),
            ("-pace", ["oe", "ol", "zoe"]),
        ):
            shown = await page_of(store, Asked(sort=sort))
            assert sorted(one.account.name for one in shown.rows) == sorted(names)
            everyone = await found(store, Asked(sort=sort))
            assert [one.account.name for one in shown.rows] == [
                one.account.name for one in everyone
            ]
            assert shown.rows == everyone
        first = (await page_of(store, Asked(sort="last_call"))).rows[0]
        assert (first.account.name, first.full_name) == ("zoe", "Zoë Müller")

    run(place, test)
