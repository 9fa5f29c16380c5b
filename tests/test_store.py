"""The database: one atomic decision per call, exact sums, and nothing held for ever."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swsllm_nb.money import pico_from_usd
from swsllm_nb.pricing import Bound, default_catalogue
from swsllm_nb.proxy.errors import BudgetExhausted, BudgetReserved, Unauthenticated
from swsllm_nb.proxy.ledger import Intent, Outcome
from swsllm_nb.proxy.store import DATABASE_NAME, KeyHolder, Store
from swsllm_nb.wire import Usage

KEY_HASH = b"hash of a key"

Act = Callable[[Store, KeyHolder], Awaitable[None]]


@asynccontextmanager
async def store_with_account(folder: Path, budget_pico: int) -> AsyncIterator[Any]:
    async with Store(folder) as store:
        await store.add_account(
            "ada",
            budget_pico=budget_pico,
            password_hash="",
            key_hash=KEY_HASH,
            key_prefix="sws-1234",
            author="a test",
        )
        holder = await store.key_holder(KEY_HASH)
        assert holder is not None
        yield store, holder
        assert await store.differences() == []


def run(folder: Path, act: Act, budget_pico: int = 1000) -> None:
    async def running() -> None:
        async with store_with_account(folder, budget_pico) as (store, holder):
            await act(store, holder)

    asyncio.run(running())


def intent(store: Store, holder: KeyHolder, number: int, hold_pico: int) -> Intent:
    return Intent(
        request_id=f"req_{number}",
        account_id=holder.account.id,
        key_id=holder.key_id,
        model=default_catalogue().default,
        bound=Bound(
            prompt_pico=0, pico_per_cap_token=1, cap_tokens=hold_pico, floor_cap_tokens=hold_pico
        ),
        stream=False,
        upstream="a test",
    )


def test_of_320_calls_at_once_exactly_as_many_are_admitted_as_the_budget_holds(
    tmp_path: Path,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        calls = (store.reserve(intent(store, holder, number, 7)) for number in range(320))
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert len(results) - len(refused) == 1000 // 7
        assert {type(error) for error in refused} == {BudgetReserved}

    run(tmp_path, act)


def test_two_processes_on_one_file_admit_no_more_than_one_would(tmp_path: Path) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async with Store(tmp_path) as other:
            calls = [
                chosen.reserve(intent(chosen, holder, number, 7))
                for number, chosen in enumerate([store, other] * 100)
            ]
            results = await asyncio.gather(*calls, return_exceptions=True)
            admitted = [result for result in results if not isinstance(result, BaseException)]
            assert len(admitted) == 1000 // 7

    run(tmp_path, act)


def test_a_hold_is_closed_exactly_once_whoever_tries_again(tmp_path: Path) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(store, holder, 1, 600))
        settled = Outcome("settled", 123, Usage(1, 2))
        others = [Outcome("released", 0), Outcome("unconfirmed", 600), settled]
        await store.close_hold(hold, settled)
        for account in [await store.close_hold(hold, outcome) for outcome in others]:
            assert (account.spend_pico, account.reserved_pico) == (123, 0)

    run(tmp_path, act)


def test_a_refusal_is_final_only_if_no_call_in_flight_could_change_it(tmp_path: Path) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(store, holder, 1, 600))
        with pytest.raises(BudgetReserved, match="held for calls that are still running"):
            await store.reserve(intent(store, holder, 2, 600))
        await store.close_hold(hold, Outcome("settled", 500))
        with pytest.raises(BudgetExhausted, match="teaching staff"):
            await store.reserve(intent(store, holder, 3, 600))
        assert (await store.reserve(intent(store, holder, 4, 500))).hold_pico == 500

    run(tmp_path, act)


@pytest.mark.parametrize(
    "change", ["UPDATE keys SET revoked_at = 'now'", "UPDATE accounts SET enabled = 0"]
)
def test_a_key_that_died_since_it_was_looked_up_admits_nothing(tmp_path: Path, change: str) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        connection = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        connection.execute(change)
        connection.close()
        assert await store.key_holder(KEY_HASH) is None
        with pytest.raises(Unauthenticated):
            await store.reserve(intent(store, holder, 1, 1))

    run(tmp_path, act)


def test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay(
    tmp_path: Path,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        living = intent(store, holder, 1, 100)
        await store.reserve(living)
        store.owner = "died long ago"
        await store.reserve(replace(living, request_id="req_2"))
        async with Store(tmp_path) as newcomer:
            account = await newcomer.account("ada")
            assert account is not None
            assert (account.spend_pico, account.reserved_pico) == (100, 100)
            rows = (await newcomer.usage(account.id)).rows
            assert [row["state"] for row in rows] == [None, "held", "unconfirmed"]

    run(tmp_path, act)


def test_an_error_in_one_of_many_works_undoes_that_one_alone(tmp_path: Path) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        twice = intent(store, holder, 1, 10)
        results = await asyncio.gather(
            store.reserve(twice),
            store.reserve(twice),
            store.reserve(intent(store, holder, 2, 10)),
            return_exceptions=True,
        )
        assert [type(result).__name__ for result in results] == ["Hold", "IntegrityError", "Hold"]
        account = await store.account("ada")
        assert account is not None
        assert account.reserved_pico == 20

    run(tmp_path, act)


def test_an_account_of_that_name_is_made_once(tmp_path: Path) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        with pytest.raises(ValueError, match="already"):
            await store.add_account(
                "ada", budget_pico=1, password_hash="", key_hash=b"2", key_prefix="", author=""
            )

    run(tmp_path, act)


def test_usage_is_paged_and_filtered_and_is_ones_own(tmp_path: Path) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        for number in range(5):
            await store.reserve(intent(store, holder, number, 1))
        first = await store.usage(holder.account.id, limit=4)
        assert first.next_cursor is not None
        second = await store.usage(holder.account.id, limit=4, after=first.next_cursor)
        assert second.next_cursor is None
        assert [row["request_id"] for row in first.rows + second.rows] == [
            None, "req_0", "req_1", "req_2", "req_3", "req_4"
        ]  # fmt: skip
        (one,) = (await store.usage(holder.account.id, request_id="req_3")).rows
        assert (one["request_id"], one["cost_usd"], one["hold_usd"]) == (
            "req_3", None, "0.000000000001"
        )  # fmt: skip
        assert (await store.usage(holder.account.id, since=one["at"])).rows[0] == one
        assert (await store.usage(holder.account.id + 1)).rows == []

    run(tmp_path, act)


def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    run(tmp_path, lambda store, _: store.accounts())  # type: ignore[arg-type, return-value]
    connection = sqlite3.connect(tmp_path / DATABASE_NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ValueError, match="install a newer"):
        run(tmp_path, lambda store, _: store.accounts())  # type: ignore[arg-type, return-value]
    assert list((tmp_path / "processes").iterdir()) == []


def test_money_is_summed_exactly_where_floats_would_drift(tmp_path: Path) -> None:
    cent_parts = [pico_from_usd("0.1"), pico_from_usd("0.2"), 1, 10**11 + 1]

    async def act(store: Store, holder: KeyHolder) -> None:
        for number, charged in enumerate(cent_parts * 10):
            hold = await store.reserve(intent(store, holder, number, charged))
            account = await store.close_hold(hold, Outcome("settled", charged))
        assert account.spend_pico == sum(cent_parts) * 10

    run(tmp_path, act, budget_pico=10**13)
