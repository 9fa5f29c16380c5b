"""The table of accounts: searched, sorted and paged in the database, with pace and last call."""

import pytest
from stores import Place, execute, intent, run

from swsllm_nb.proxy import accounts, listing
from swsllm_nb.proxy.account_table import SORTS, AccountQuery, list_accounts
from swsllm_nb.proxy.accounts import NewAccount
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.listing import Listed
from swsllm_nb.proxy.store import KeyHolder, Store


async def add(store: Store, name: str, budget_pico: int = 1000) -> KeyHolder:
    key = NewKey(name.encode(), "sws-1234")
    await store.write(lambda: accounts.add_account(NewAccount(name, budget_pico, "", key), "test"))
    holder = await store.key_holder(key.hash)
    assert holder is not None
    return holder


async def spend(store: Store, holder: KeyHolder, number: int, pico: int) -> None:
    hold = await store.reserve(intent(holder, number, pico))
    await store.close_hold(hold, Outcome("unconfirmed", pico))


async def names(store: Store, **query: object) -> list[str]:
    asked = AccountQuery(**query)  # type: ignore[arg-type]
    page = await store.read(lambda: list_accounts(asked))
    return [listed.account.name for listed in page.accounts]


async def listed(store: Store, name: str) -> Listed:
    one = await store.read(lambda: listing.listed_account(name))
    assert one is not None
    return one


def test_accounts_are_sorted_by_any_column_and_paged_with_their_number(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        bob = await add(store, "Bob", 2000)
        await add(store, "cleo", 500)
        await spend(store, bob, 1, 700)
        await spend(store, ada, 2, 100)
        await store.reserve(intent(bob, 3, 50))
        assert await names(store) == ["ada", "Bob", "cleo"]
        expected = {
            "budget": "cleo ada Bob", "spend": "cleo ada Bob", "reserved": "ada cleo Bob",
            "remaining": "cleo ada Bob", "pace": "cleo ada Bob",
        }  # fmt: skip
        for sort, order in expected.items():
            assert await names(store, sort=sort) == order.split(), sort
        assert await names(store, sort="spend", descending=True) == ["Bob", "ada", "cleo"]
        for sort in SORTS:
            assert len(await names(store, sort=sort)) == 3
        query = AccountQuery(sort="spend", limit=2, offset=2)
        page = await store.read(lambda: list_accounts(query))
        assert ([one.account.name for one in page.accounts], page.total) == (["Bob"], 3)
        beyond = AccountQuery(offset=50)
        page = await store.read(lambda: list_accounts(beyond))
        assert (page.accounts, page.total) == ([], 3)
        assert await names(store, sort="last_call") == ["ada", "Bob", "cleo"]
        never_called_is_last_either_way = ["Bob", "ada", "cleo"]
        by_last_call = await names(store, sort="last_call", descending=True)
        assert by_last_call == never_called_is_last_either_way

    run(place, act)


def test_a_search_finds_a_part_of_name_full_name_or_address_and_takes_signs_as_they_are(
    place: Place,
) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        for name in ("st_10", "sta10", "50%", "back\\slash", "o'brien"):
            await add(store, name)
        await execute(
            store,
            "UPDATE accounts SET full_name = 'Ada Lovelace', email = 'ada@uni.example' "
            "WHERE name = 'ada'",
        )
        for wanted, found in {
            "st_1": ["st_10"], "%": ["50%"], "\\": ["back\\slash"], "O'B": ["o'brien"],
            "love": ["ada"], "UNI.ex": ["ada"], "nobody": [], "'; DROP TABLE x": [],
        }.items():  # fmt: skip
            assert await names(store, search=wanted) == found, wanted

    run(place, act)


def test_an_account_is_listed_with_how_it_stands(place: Place) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        assert (await listed(store, "ada")).status == "active"
        await spend(store, ada, 1, 900)
        assert (await listed(store, "ada")).status == "low"
        await spend(store, ada, 2, 100)
        assert (await listed(store, "ada")).status == "used up"
        for column, moment, status in (
            ("valid_from", "2999-01-01T00:00:00Z", "not yet"),
            ("valid_until", "2000-01-01T00:00:00Z", "ended"),
        ):
            await execute(store, f"UPDATE accounts SET {column} = $1", moment)
            assert (await listed(store, "ada")).status == status
        await store.write(lambda: accounts.set_enabled("ada", False))
        assert (await listed(store, "ada")).status == "disabled"
        await store.write(lambda: accounts.delete_account("ada"))
        assert (await listed(store, "deleted-1")).status == "deleted"
        assert await names(store) == []
        assert await names(store, status="deleted") == ["deleted-1"]

    run(place, act)


def test_pace_and_last_call_are_the_same_before_and_after_the_ledger_is_summed_up(
    place: Place,
) -> None:
    async def act(store: Store, ada: KeyHolder) -> None:
        await add(store, "idle")
        for number, pico in enumerate((100, 240, 7), start=1):
            await spend(store, ada, number, pico)
        old = "UPDATE ledger SET at = $1 WHERE request_id = 'req_1'"
        await execute(store, old, "2026-01-01T12:00:00.000000Z")
        (newest,) = await execute(store, "SELECT max(at) AS at FROM ledger WHERE kind = 'call'")
        for _ in range(2):
            one = await listed(store, "ada")
            assert (one.pace_pico, one.last_call_at) == (247 // 7, newest["at"])
            assert one.days_left == (1000 - 347) // (247 // 7)
            other = await listed(store, "idle")
            assert (other.pace_pico, other.last_call_at, other.days_left) == (0, None, None)
            await store.sum_up()

    run(place, act)


def test_an_order_or_a_status_that_is_none_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"not sorted by 'name; DROP', but by name, full_name"):
        AccountQuery(sort="name; DROP")
    with pytest.raises(ValueError, match="No account is 'rich'"):
        AccountQuery(status="rich")
