"""The database, whichever it is: one atomic decision per call, and nothing held for ever."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stores import KEY_HASH, Place, account_named, execute, intent, run, set_cap

from swsllm_nb.money import pico_from_usd
from swsllm_nb.proxy import accounts, books, ledger, listing, schema
from swsllm_nb.proxy.accounts import Limits, NewAccount
from swsllm_nb.proxy.course import keep_secret_check
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.errors import (
    BudgetExhausted,
    BudgetReserved,
    NotAllowed,
    StoreUnavailable,
    TooManyCalls,
    Unauthenticated,
)
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Outcome
from swsllm_nb.proxy.migrations import Migration
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.proxy.work import Database, Work, ask
from swsllm_nb.wire import Usage


def test_of_320_calls_at_once_exactly_as_many_are_admitted_as_the_budget_holds(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        calls = (store.reserve(intent(holder, number, 7)) for number in range(320))
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert len(results) - len(refused) == 1000 // 7
        assert {type(error) for error in refused} == {BudgetReserved}

    run(place, act)


def test_two_processes_on_one_database_admit_no_more_than_one_would(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async with place.store() as other:
            calls = [
                chosen.reserve(intent(holder, number, 7))
                for number, chosen in enumerate([store, other] * 100)
            ]
            results = await asyncio.gather(*calls, return_exceptions=True)
            admitted = [result for result in results if not isinstance(result, BaseException)]
            assert len(admitted) == 1000 // 7
            await asyncio.gather(
                *(other.close_hold(hold, Outcome("released", 0)) for hold in admitted)
            )

    run(place, act)


def test_a_hold_is_closed_exactly_once_whoever_tries_again(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 600))
        settled = Outcome("settled", 123, Usage(1, 2))
        others = [Outcome("released", 0), Outcome("unconfirmed", 600), settled]
        await store.close_hold(hold, settled)
        for account in [await store.close_hold(hold, outcome) for outcome in others]:
            assert (account.spend_pico, account.reserved_pico) == (123, 0)

    run(place, act)


def test_a_refusal_is_final_only_if_no_call_in_flight_could_change_it(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 600))
        with pytest.raises(BudgetReserved, match="held for calls that are still running"):
            await store.reserve(intent(holder, 2, 600))
        await store.close_hold(hold, Outcome("settled", 500))
        with pytest.raises(BudgetExhausted, match="teaching staff"):
            await store.reserve(intent(holder, 3, 600))
        assert (await store.reserve(intent(holder, 4, 500))).hold_pico == 500

    run(place, act)


def test_a_key_that_died_since_it_was_looked_up_admits_nothing(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        new = NewKey(b"another", "sws-5678")
        await store.write(lambda: accounts.new_key("ada", new))
        assert await store.key_holder(KEY_HASH) is None
        with pytest.raises(Unauthenticated):
            await store.reserve(intent(holder, 1, 1))
        renewed = await store.key_holder(new.hash)
        assert renewed is not None
        await store.reserve(intent(renewed, 2, 1))
        await store.write(lambda: accounts.set_enabled("ada", False))
        assert await store.key_holder(new.hash) is None
        with pytest.raises(Unauthenticated, match="switched off"):
            await store.reserve(intent(renewed, 3, 1))

    run(place, act)


def test_an_account_may_have_as_many_calls_at_once_as_its_limit_says(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        holds = [await store.reserve(intent(holder, number, 1)) for number in range(3)]
        with pytest.raises(TooManyCalls, match="3 of your calls are still running"):
            await store.reserve(intent(holder, 3, 1))
        await store.close_hold(holds[0], Outcome("released", 0))
        await store.reserve(intent(holder, 4, 1))

    run(place, act, in_flight=3)


def test_a_minute_has_as_many_calls_as_its_limit_says_and_a_clock_that_jumped_locks_nobody_out(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        rates = [(await store.reserve(intent(holder, number, 1))).rate for number in range(3)]
        assert [rate.remaining for rate in rates] == [2, 1, 0]
        with pytest.raises(TooManyCalls, match="3 calls within a minute") as refused:
            await store.reserve(intent(holder, 3, 1))
        assert 18 <= refused.value.retry_after_seconds <= 20
        await execute(store, "UPDATE accounts SET paced_until_micros = paced_until_micros * 2")
        assert (await store.reserve(intent(holder, 4, 1))).rate.remaining == 2

    run(place, act, per_minute=3)


def test_a_call_that_is_refused_for_good_is_told_so_whatever_else_is_full(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await store.reserve(intent(holder, 1, 400))
        with pytest.raises(TooManyCalls):
            await store.reserve(intent(holder, 2, 400))
        with pytest.raises(BudgetExhausted):
            await store.reserve(intent(holder, 3, 1001))

    run(place, act, in_flight=1, per_minute=1)


def test_dates_and_models_of_an_account_are_decided_with_the_call(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async def limited(**stated: Any) -> None:
            await store.write(lambda: accounts.set_limits("ada", Limits(**stated)))
            await store.reserve(intent(holder, 1, 1))

        with pytest.raises(NotAllowed, match="can be used from 2099"):
            await limited(valid_from="2099-01-01T00:00:00.000000Z")
        with pytest.raises(NotAllowed, match="until 2020"):
            await limited(valid_from="", valid_until="2020-01-01T00:00:00.000000Z")
        with pytest.raises(NotAllowed, match="may not use gpt-4o-mini-2024-07-18; it may use o3"):
            await limited(valid_until="", allowed_models=("o3-mini-2025-01-31",))
        await limited(allowed_models=("gpt-4o-mini",))
        await execute(store, "UPDATE ledger SET request_id = 'req_0' WHERE kind = 'call'")
        await limited(allowed_models="")

    run(place, act)


def test_the_cap_of_the_course_holds_over_all_accounts_together(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        bob = NewAccount("bob", 1000, "", NewKey(b"bob", "sws-bob0"))
        await store.write(lambda: accounts.add_account(bob, "a test"))
        other = await store.key_holder(b"bob")
        assert other is not None
        await set_cap(store, 1200)
        calls = [
            store.reserve(intent(who, number, 50))
            for number, who in enumerate([holder, other] * 20)
        ]
        results = await asyncio.gather(*calls, return_exceptions=True)
        holds = [result for result in results if isinstance(result, ledger.Hold)]
        assert len(holds) == 1200 // 50
        with pytest.raises(BudgetReserved, match="whole course"):
            await store.reserve(intent(holder, 100, 50))
        for hold in holds:
            await store.close_hold(hold, Outcome("settled", 50))
        with pytest.raises(BudgetExhausted, match="whole course"):
            await store.reserve(intent(holder, 101, 50))
        await set_cap(store, None)
        await store.reserve(intent(holder, 102, 50))

    run(place, act)


def test_accounts_that_call_at_once_do_not_break_the_cap_of_the_course(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        holders = [holder]
        for number in range(9):
            new = NewAccount(f"no {number}", 1000, "", NewKey(bytes([number]), "sws-none"))
            await store.write(lambda new=new: accounts.add_account(new, "a test"))  # type: ignore[misc]
            other = await store.key_holder(bytes([number]))
            assert other is not None
            holders.append(other)
        await set_cap(store, 300)
        calls = [store.reserve(intent(holders[at % 10], at, 100)) for at in range(40)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(result, ledger.Hold) for result in results) == 3

    run(place, act)


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        (row,) = await execute(store, "PRAGMA synchronous")
        assert row["synchronous"] == 2

    run(Place(tmp_path), act)


def test_a_cap_that_is_lifted_while_a_call_waits_for_its_account_holds_it_no_more(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        database: Any = store._database
        await set_cap(store, 1)
        async with database._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT id FROM accounts FOR UPDATE")
            call = asyncio.create_task(store.reserve(intent(holder, 1, 10)))
            async with asyncio.timeout(4):
                while not await execute(store, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0.01)
            await set_cap(store, None)
        assert (await call).hold_pico == 10

    run(Place(tmp_path, fresh_database()), act)


def test_a_grant_adds_to_the_budget_and_takes_back_only_what_is_left(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await store.reserve(intent(holder, 1, 600))
        with pytest.raises(ValueError, match=r"Only \$0\.0000000004 of ada's budget is left"):
            await store.write(lambda: accounts.grant("ada", -401, "too much", "a test"))
        await store.write(lambda: accounts.grant("ada", -400, "all of it", "a test"))
        await store.write(lambda: accounts.grant("ada", 50, "for the exam", "a test"))
        account = await account_named(store, "ada")
        assert (account.budget_pico, account.remaining_pico) == (650, 50)
        rows = (await store.read(lambda: books.usage(account.id))).rows
        assert [(row["granted_usd"], row["reason"]) for row in rows if row["kind"] == "grant"] == [
            ("0.000000001", "first budget"),
            ("-0.0000000004", "all of it"),
            ("0.00000000005", "for the exam"),
        ]

    run(place, act)


def test_a_deleted_account_leaves_its_ledger_and_no_name(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 600))
        gone = await store.write(lambda: accounts.delete_account("ada"))
        with pytest.raises(Unauthenticated):
            await store.reserve(intent(holder, 2, 1))
        assert (await store.close_hold(hold, Outcome("settled", 100))).spend_pico == 100
        assert await store.accounts() == []
        assert gone.name == f"deleted-{gone.id}"
        with pytest.raises(ValueError, match=r"'deleted-[0-9]+' was deleted"):
            await store.write(lambda: accounts.new_key(gone.name, NewKey(b"2", "sws-2")))
        again = NewAccount("ada", 5, "", NewKey(b"again", "sws-ada1"))
        await store.write(lambda: accounts.add_account(again, "a test"))
        await store.write(lambda: accounts.edit("ada", new_name="grace"))
        with pytest.raises(ValueError, match="already"):
            await store.write(lambda: accounts.edit("grace", new_name=gone.name))

    run(place, act)


def test_usage_that_is_learned_after_a_sweep_becomes_one_adjustment(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 600))
        (row,) = await execute(store, "SELECT owner FROM ledger WHERE state = 'held'")
        assert await store.write(lambda: ledger.sweep(row["owner"])) == 1
        assert (await account_named(store, "ada")).spend_pico == 600
        for _ in range(2):
            account = await store.close_hold(hold, Outcome("settled", 100, Usage(1, 1)))
            assert (account.spend_pico, account.reserved_pico, account.in_flight) == (100, 0, 0)
        rows = (await store.read(lambda: books.usage(holder.account.id))).rows
        assert [row["kind"] for row in rows] == ["grant", "call", "adjustment"]
        assert rows[2]["adjusts_id"] == rows[1]["id"]

    run(place, act)


def test_an_unconfirmed_call_is_credited_once_and_a_settled_one_never(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        for number, state in enumerate(["unconfirmed", "settled"]):
            hold = await store.reserve(intent(holder, number, 300))
            await store.close_hold(hold, Outcome(state, 300))  # type: ignore[arg-type]
        await store.write(lambda: accounts.credit("req_0", "the server fell over", "a teacher"))
        for request_id, fault in (("req_0", "already"), ("req_1", "settled"), ("req_2", "no call")):
            with pytest.raises(ValueError, match=fault):
                await store.write(lambda wanted=request_id: accounts.credit(wanted, "", ""))  # type: ignore[misc]
        assert (await account_named(store, "ada")).spend_pico == 300

    run(place, act)


def test_the_holds_of_a_dead_owner_are_charged_and_those_of_a_living_one_stay(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await store.reserve(intent(holder, 1, 100))
        await store.reserve(intent(holder, 2, 100))
        died = "UPDATE ledger SET owner = 'died long ago' WHERE request_id = 'req_2'"
        await execute(store, died)
        async with place.store() as newcomer:
            account = await account_named(newcomer, "ada")
            assert (account.spend_pico, account.reserved_pico) == (100, 100)
            rows = (await newcomer.read(lambda: books.usage(account.id))).rows
            assert [row["state"] for row in rows] == [None, "held", "unconfirmed"]
            assert rows[-1]["reason"] == Doubt.PROXY_DIED

    run(place, act)


def test_the_dead_are_swept_while_others_serve_and_not_only_when_they_start(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async with place.store(beat_seconds=0.05) as living:
            await store.reserve(intent(holder, 1, 100))
            await execute(store, "UPDATE ledger SET owner = 'died' WHERE request_id = 'req_1'")
            async with asyncio.timeout(20):
                while (await account_named(living, "ada")).reserved_pico:
                    await asyncio.sleep(0.01)

    run(place, act)


def test_an_error_in_one_of_many_works_undoes_that_one_alone(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        twice = intent(holder, 1, 10)
        results = await asyncio.gather(
            store.reserve(twice),
            store.reserve(twice),
            store.reserve(intent(holder, 2, 10)),
            return_exceptions=True,
        )
        kinds = [type(result).__name__ for result in results]
        assert sorted(kinds) in (
            ["Hold", "Hold", "IntegrityError"], ["Hold", "Hold", "UniqueViolationError"]
        )  # fmt: skip
        assert (await account_named(store, "ada")).reserved_pico == 20

    run(place, act)


def test_what_follows_in_a_group_that_sqlite_undid_is_not_written_by_halves(tmp_path: Path) -> None:
    add_one = "UPDATE accounts SET spend_pico = spend_pico + 1"

    def on_a_full_disk() -> Any:
        yield ask("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    def by_halves() -> Any:
        yield ask(add_one)
        raise ValueError("in the middle")

    async def act(store: Store, _: KeyHolder) -> None:
        works = (on_a_full_disk, by_halves)
        results = await asyncio.gather(*map(store.write, works), return_exceptions=True)
        assert [type(result) for result in results] == [StoreUnavailable, ValueError]
        assert (await account_named(store, "ada")).spend_pico == 0

    run(Place(tmp_path), act)


def test_a_settlement_is_tried_again_while_the_database_is_away(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 100))
        honest, tries = store._database.write, 0

        async def away_at_first(work: Any) -> Any:
            nonlocal tries
            tries += 1
            if tries < 3:
                raise StoreUnavailable("away")
            return await honest(work)

        monkeypatch.setattr(store._database, "write", away_at_first)
        balance = await store.close_hold(hold, Outcome("settled", 40, Usage(1, 1)))
        assert (balance.spend_pico, balance.reserved_pico, tries) == (40, 0, 3)

    run(place, act)


def test_on_a_full_disk_many_calls_are_refused_and_the_books_add_up(tmp_path: Path) -> None:
    def room_for(pages: int) -> Any:
        (row,) = yield ask("PRAGMA page_count")
        yield ask(f"PRAGMA max_page_count = {row['page_count'] + pages}")

    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 1))
        await store.write(lambda: room_for(0))
        calls = (store.reserve(intent(holder, number, 1)) for number in range(2, 1000))
        results = await asyncio.gather(*calls, return_exceptions=True)
        refused = [result for result in results if isinstance(result, BaseException)]
        assert {type(error) for error in refused} == {StoreUnavailable}
        await store.write(lambda: room_for(1000))
        await store.close_hold(hold, Outcome("released", 0))
        assert (await account_named(store, "ada")).reserved_pico == len(results) - len(refused)


def test_a_disk_that_is_full_for_one_of_many_works_lets_none_of_them_through_in_parts(
    tmp_path: Path,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        database: Any = store._database
        connection = database._writer._connection

        def filling() -> Work[None]:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            connection.execute(f"PRAGMA max_page_count = {pages + 1}")
            sql = "INSERT INTO models (id, document, author, changed_at) VALUES ('a', $1, '', '')"
            yield ask(sql, "x" * 100_000)

        def spending_without_a_row() -> Work[None]:
            yield ask("UPDATE accounts SET spend_pico = spend_pico + 1")
            raise ValueError("only half of it was done")

        results = await asyncio.gather(
            store.reserve(intent(holder, 1, 10)),
            store.write(filling),
            store.write(spending_without_a_row),
            return_exceptions=True,
        )
        kinds = [type(result).__name__ for result in results]
        assert kinds == ["Hold", "StoreUnavailable", "ValueError"]
        assert (await account_named(store, "ada")).reserved_pico == 10

    run(Place(tmp_path), act)


def test_what_was_acknowledged_is_committed(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async with raw(place) as execute_raw:
            for number in range(1, 20):
                await store.reserve(intent(holder, number, 1))
                (row,) = await execute_raw("SELECT reserved_pico FROM accounts")
                assert row[0] == number

    run(place, act)


def test_a_file_that_is_damaged_for_a_moment_stops_no_later_call(tmp_path: Path) -> None:
    class Damaged:
        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def execute(self, sql: str) -> None:
            writer._connection = self.connection
            raise sqlite3.DatabaseError("database disk image is malformed")

    writer: Any = None

    async def act(store: Store, holder: KeyHolder) -> None:
        nonlocal writer
        database: Any = store._database
        writer = database._writer
        writer._connection = Damaged(writer._connection)
        async with asyncio.timeout(10):
            await store.reserve(intent(holder, 1, 10))

    run(Place(tmp_path), act)


def test_a_hold_whose_commit_nobody_heard_of_is_withdrawn(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        database: Any = store._database
        honest = database.write

        async def deaf(work: Any) -> Any:
            monkeypatch.setattr(database, "write", honest)
            await honest(work)
            raise StoreUnavailable("the connection broke at the commit")

        monkeypatch.setattr(database, "write", deaf)
        with pytest.raises(StoreUnavailable):
            await store.reserve(intent(holder, 1, 100))
        async with asyncio.timeout(20):
            while (await account_named(store, "ada")).reserved_pico:
                await asyncio.sleep(0.01)
        (row,) = await execute(store, "SELECT state FROM ledger WHERE request_id = 'req_1'")
        assert row["state"] == "released"

    run(place, act)


def test_an_account_of_that_name_is_made_once(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        new = NewAccount("ada", 1, "", NewKey(b"2", ""))
        with pytest.raises(ValueError, match="already"):
            await store.write(lambda: accounts.add_account(new, ""))

    run(place, act)


def test_usage_is_paged_and_filtered_and_is_ones_own(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        async def usage(account_id: int = holder.account.id, **wanted: Any) -> books.UsagePage:
            return await store.read(lambda: books.usage(account_id, **wanted))

        for number in range(5):
            await store.reserve(intent(holder, number, 1))
        first = await usage(limit=4)
        assert first.next_cursor is not None
        second = await usage(limit=4, after=first.next_cursor)
        assert second.next_cursor is None
        assert [row["request_id"] for row in first.rows + second.rows] == [
            None, "req_0", "req_1", "req_2", "req_3", "req_4"
        ]  # fmt: skip
        (one,) = (await usage(request_id="req_3")).rows
        assert (one["request_id"], one["cost_usd"], one["hold_usd"]) == (
            "req_3", None, "0.000000000001"
        )  # fmt: skip
        assert (await usage(since=one["at"])).rows[0] == one
        assert (await usage(holder.account.id + 1)).rows == []

    run(place, act)


def test_money_is_summed_exactly_where_floats_would_drift(place: Place) -> None:
    cent_parts = [pico_from_usd("0.1"), pico_from_usd("0.2"), 1, 10**11 + 1]

    async def act(store: Store, holder: KeyHolder) -> None:
        for number, charged in enumerate(cent_parts * 10):
            hold = await store.reserve(intent(holder, number, charged))
            account = await store.close_hold(hold, Outcome("settled", charged))
        assert account.spend_pico == sum(cent_parts) * 10

    run(place, act, budget_pico=10**13)


def test_the_check_finds_a_sum_that_is_off_and_a_cost_that_is_not_its_usage(place: Place) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(replace(intent(holder, 1, 10**9)))
        cost = 150_000 * 10 + 600_000 * 2
        await store.close_hold(hold, Outcome("settled", cost, Usage(10, 2)))
        check = await store.read(books.check)
        assert check.adds_up
        assert (check.calls, check.spend_pico, check.held) == (1, cost, 0)
        await execute(store, "UPDATE ledger SET amount_pico = amount_pico + 1 WHERE kind = 'call'")
        broken = await store.read(books.check)
        assert [row["name"] for row in broken.differences] == ["ada"]
        assert broken.wrong_costs == ["req_1"]
        await execute(store, "UPDATE ledger SET amount_pico = amount_pico - 1 WHERE kind = 'call'")

    run(place, act, budget_pico=10**10)


def test_the_secret_of_a_course_is_recognised(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        for check, known in ((b"one", True), (b"one", True), (b"two", False)):
            assert (await store.write(lambda c=check: keep_secret_check(c))) is known  # type: ignore[misc]

    run(place, act)


async def _as_first_released(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of version 1, with an account, an open hold and a settled call."""
    with monkeypatch.context() as old:
        old.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        old.setattr(schema, "NEWEST", 1)
        old.setattr(schema, "differences", _nothing)
        await place.database().migrate(rehearse=False)
    async with raw(place) as execute_raw:
        for statement in _FIRST_ROWS:
            await execute_raw(statement)


def _nothing() -> Any:
    yield from ()
    return []


class raw:  # noqa: N801
    """The database by its own driver, whatever its version."""

    def __init__(self, place: Place) -> None:
        self.place = place

    async def __aenter__(self) -> Any:
        if self.place.url is None:
            path = self.place.folder / "swsllm.sqlite3"
            self.connection: Any = sqlite3.connect(path, isolation_level=None)

            async def execute(sql: str) -> Any:
                return self.connection.execute(sql).fetchall()

            return execute
        import asyncpg

        self.connection = await asyncpg.connect(self.place.url)
        return self.connection.fetch

    async def __aexit__(self, *_: object) -> None:
        closing = self.connection.close()
        if closing is not None:
            await closing


_FIRST_ROWS = (
    """
    INSERT INTO accounts (id, name, password_hash, budget_pico, spend_pico, reserved_pico,
        created_at) VALUES (1, 'ada', '', 1000, 30, 70, 'then')
    """,
    "INSERT INTO ledger (kind, account_id, at, amount_pico) VALUES ('grant', 1, 'then', 1000)",
    """
    INSERT INTO ledger (kind, account_id, at, amount_pico, request_id, state, hold_pico, owner,
        input_pico, cached_input_pico, output_pico, prompt_tokens, cached_tokens,
        cache_write_tokens, completion_tokens, reasoning_tokens)
    VALUES ('call', 1, 'then', 30, 'req_1', 'settled', 90, 'a', 2, 1, 5, 10, 0, 0, 2, 0)
    """,
    """
    INSERT INTO ledger (kind, account_id, at, request_id, state, hold_pico, owner, input_pico,
        cached_input_pico, output_pico)
    VALUES ('call', 1, 'then', 'req_2', 'held', 70, 'dead', 2, NULL, 5)
    """,
)


def test_a_database_of_the_first_version_is_migrated_with_all_its_money(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> None:
        await _as_first_released(place, monkeypatch)
        assert await place.database().migrate(rehearse=True) == (1, schema.NEWEST)
        assert await place.database().migrate(rehearse=False) == (1, schema.NEWEST)
        assert await place.database().migrate(rehearse=False) == (schema.NEWEST, schema.NEWEST)
        async with place.store() as store:
            account = await account_named(store, "ada")
            assert (account.budget_pico, account.spend_pico, account.in_flight) == (1000, 100, 0)
            check = await store.read(books.check)
            assert check.adds_up
            assert check.unconfirmed == 1
            one = await store.read(lambda: listing.listed_account("ada"))
            assert one is not None
            assert one.last_call_at == "then"

    asyncio.run(running())


def test_the_days_of_a_database_without_exercises_keep_their_sums_also_of_pruned_rows(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> None:
        with monkeypatch.context() as old:
            old.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:4])
            old.setattr(schema, "NEWEST", 4)
            await place.database().migrate(rehearse=False)
        async with raw(place) as execute_raw:
            for statement in _SUMMED_ROWS:
                await execute_raw(statement)
        assert await place.database().migrate(rehearse=False) == (4, schema.NEWEST)
        async with place.store() as store:
            assert (await store.read(books.check)).adds_up
            for table in ("daily", "course_daily"):
                (day,) = await execute(store, f"SELECT * FROM {table}")
                assert (day["exercise"], day["calls"], day["amount_pico"]) == ("", 0, 30)

    asyncio.run(running())


_SUMMED_ROWS = (
    """
    INSERT INTO accounts (id, name, password_hash, budget_pico, spend_pico, created_at)
    VALUES (1, 'ada', '', 0, 30, 'then')
    """,
    "INSERT INTO ledger (kind, account_id, at, amount_pico) VALUES ('adjustment', 1, 'then', 30)",
    "INSERT INTO daily VALUES ('then', 1, '', 0, 0, 0, 30)",
    "INSERT INTO course_daily VALUES ('then', '', 0, 0, 0, 30)",
    "UPDATE course SET summed_up_to_id = 1",
)


def test_a_migration_after_which_the_books_would_not_add_up_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> None:
        await _as_first_released(place, monkeypatch)
        async with raw(place) as execute_raw:
            await execute_raw("UPDATE accounts SET spend_pico = 31")
        with pytest.raises(ValueError, match="nothing was changed"):
            await place.database().migrate(rehearse=False)
        async with raw(place) as execute_raw:
            assert len(await execute_raw("SELECT input_pico FROM ledger")) == 3

    asyncio.run(running())


def test_a_migration_may_take_longer_than_a_call(
    fresh_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Migration(("SELECT pg_sleep(1.5)",))
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, long))
    monkeypatch.setattr(schema, "NEWEST", schema.NEWEST + 1)
    monkeypatch.setattr("swsllm_nb.proxy.postgres._PATIENCE_SECONDS", 1)

    async def act(store: Store, holder: KeyHolder) -> None:
        await store.reserve(intent(holder, 1, 10))

    run(Place(tmp_path, fresh_database()), act)


def test_a_database_of_a_newer_program_is_refused(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def running() -> None:
        await place.database().migrate(rehearse=False)
        monkeypatch.setattr(schema, "NEWEST", 1)
        with pytest.raises(ValueError, match="install a newer"):
            async with place.store():
                pass
        assert list((place.folder).glob("processes/*")) == []

    asyncio.run(running())


@pytest.fixture
def on_postgres(fresh_database: Any, tmp_path: Path) -> Place:
    return Place(tmp_path, fresh_database())


LEASE_RAN_OUT = "UPDATE processes SET alive_until = $1"


@asynccontextmanager
async def opened(place: Place) -> AsyncIterator[Database]:
    database = place.database()
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def test_a_lease_that_looks_run_out_after_a_jump_of_the_clock_sweeps_nobody(
    on_postgres: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        await store.reserve(intent(holder, 1, 100))
        async with opened(on_postgres) as watching:
            for second in range(5):
                await execute(store, LEASE_RAN_OUT, f"2020-01-01T00:00:0{second}.000000Z")
                assert await watching.dead_owners() == []
                assert await store._database.dead_owners() == []
        assert (await account_named(store, "ada")).reserved_pico == 100

    run(on_postgres, act)


def test_a_process_that_does_not_renew_its_lease_is_dead_and_admits_nothing_until_it_knows(
    on_postgres: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        hold = await store.reserve(intent(holder, 1, 100))
        stalled = store._database
        owner = stalled.owner
        async with opened(on_postgres) as watching:
            await execute(store, LEASE_RAN_OUT, "2020-01-01T00:00:00.000000Z")
            assert [await watching.dead_owners() for _ in range(3)] == [[], [], [owner]]
            await watching.write(lambda: ledger.sweep(owner))
        with pytest.raises(StoreUnavailable, match="lost its place"):
            await store.reserve(intent(holder, 2, 100))
        await stalled.dead_owners()
        assert stalled.owner != owner
        await store.reserve(intent(holder, 3, 100))
        account = await store.close_hold(hold, Outcome("settled", 40, Usage(1, 1)))
        assert (account.spend_pico, account.reserved_pico) == (40, 100)

    run(on_postgres, act)
