"""Tries of passwords are counted on both databases: guessing ends, a class goes on."""

import asyncio
from functools import partial

import pytest
from stores import Place, execute

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.page import throttle
from swsllm_nb.proxy.store import Store

SECRET = Secret.of_text("1:" + "s" * 40)
CLASSROOM = "10.0.0.1"


async def fails(store: Store, name: str, address: str) -> int:
    """A try with a wrong password; gives the seconds to wait, 0 where it could be made."""
    tried = throttle.subjects(SECRET, name, address)
    return await store.write(partial(throttle.count_try, tried))


async def succeeds(store: Store, name: str, address: str) -> bool:
    tried = throttle.subjects(SECRET, name, address)
    if await store.write(partial(throttle.count_try, tried)):
        return False
    await store.write(partial(throttle.forgive, tried))
    return True


async def pass_time(store: Store, seconds: int) -> None:
    """As if everything had happened so long before."""
    for column in ("last_at", "blocked_until"):
        rows = await execute(store, f"SELECT subject, {column} AS at FROM sign_in_failures")
        for row in rows:
            if row["at"]:
                moved = throttle.later(row["at"], -seconds)
                await execute(
                    store,
                    f"UPDATE sign_in_failures SET {column} = $2 WHERE subject = $1",
                    row["subject"],
                    moved,
                )


def test_guessing_at_one_account_waits_longer_each_time_and_never_an_hour(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            assert [await fails(store, "ada", "10.0.0.9") for _ in range(6)] == [0] * 6
            waits = []
            for _ in range(8):
                waits.append(await fails(store, "ada", "10.0.0.9"))
                await pass_time(store, waits[-1])
                assert await fails(store, "ada", "10.0.0.9") == 0
            assert waits == sorted(waits)
            assert waits[0] <= 16
            assert waits[2] >= 45
            assert waits[-1] <= 301
            await pass_time(store, 7200)
            assert await succeeds(store, "ada", "10.0.0.9")

    asyncio.run(act())


def test_a_crowd_of_tries_at_once_counts_as_many(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            waits = await asyncio.gather(*(fails(store, "ada", "10.0.0.9") for _ in range(20)))
            assert sum(wait == 0 for wait in waits) == 6

    asyncio.run(act())


def test_many_addresses_guess_no_faster_than_one_after_a_while(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            waits = [await fails(store, "ada", f"10.0.{n}.1") for n in range(40)]
            assert waits[30] == 0
            assert 0 < waits[-1] <= 61

    asyncio.run(act())


def test_a_class_behind_one_address_signs_in_whatever_one_of_it_does(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            for number in range(100):
                assert await fails(store, f"student {number}", CLASSROOM) == 0
                assert await succeeds(store, f"student {number}", CLASSROOM)
            for _ in range(20):
                await fails(store, "ada", CLASSROOM)
            assert await succeeds(store, "bob", CLASSROOM)
            assert await succeeds(store, "ada", "10.0.0.2")

    asyncio.run(act())


def test_one_password_for_many_names_is_slowed_to_seconds_and_no_more(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            waits = [await fails(store, f"guess {n}", CLASSROOM) for n in range(210)]
            assert waits[200] == 0
            assert 0 < max(waits) <= 6
            await pass_time(store, 6)
            assert await succeeds(store, "ada", CLASSROOM)

    asyncio.run(act())


@pytest.mark.parametrize(
    ("rule", "first_hour", "later_hour"),
    [("_PAIR", 21, 12), ("_NAME", 91, 60), ("_ADDRESS", 920, 720)],
)
def test_who_guesses_as_fast_as_they_may_has_no_more_tries_than_are_written_down(
    rule: str, first_hour: int, later_hour: int
) -> None:
    counted = getattr(throttle, rule)
    tries, failures, last, now = [0, 0, 0], 0, 0.0, 0.0
    while now < 3 * 3600:
        tries[int(now // 3600)] += 1
        failures = max(0, failures - int((now - last) / counted.drain_seconds)) + 1
        last, now = now, now + counted.block_seconds(failures) + 0.001
    assert tries == [first_hour, later_hour, later_hour]
    assert f"{first_hour} and {later_hour}" in (throttle.__doc__ or "")


def test_names_and_addresses_are_not_kept_and_old_tries_are_forgotten(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            await fails(store, "ada", CLASSROOM)
            for row in await execute(store, "SELECT subject FROM sign_in_failures"):
                assert b"ada" not in row["subject"]
                assert CLASSROOM.encode() not in row["subject"]
            await pass_time(store, 100_000)
            assert await succeeds(store, "bob", "10.0.0.5")
            rows = await execute(store, "SELECT subject FROM sign_in_failures")
            assert len(rows) == 1

    asyncio.run(act())


def test_tries_that_may_not_be_made_leave_nothing_behind(place: Place) -> None:
    async def act() -> None:
        async with place.store() as store:
            for number in range(203):
                await fails(store, f"guess {number}", CLASSROOM)
            before = await execute(store, "SELECT count(*) AS n FROM sign_in_failures")
            assert all([await fails(store, f"more {n}", CLASSROOM) for n in range(50)])
            assert await execute(store, "SELECT count(*) AS n FROM sign_in_failures") == before

    asyncio.run(act())
