"""A class that never was: the same for a seed, plausible, and exact to the pico-dollar."""

import asyncio
import json
from collections import Counter
from pathlib import Path

from apps import SECRET
from click.testing import CliRunner
from stores import Place, execute

from swsllm_nb.cli import commands
from swsllm_nb.proxy import books, overview, readings
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.readings import Part, Period
from swsllm_nb.proxy.rehearsal import Rehearsal, Rehearsed, rehearse
from swsllm_nb.proxy.store import Store

SMALL = Rehearsal(students=40, weeks=9, calls=3000, seed=7)
ALL = Part(10_000)


async def made(store: Store, wanted: Rehearsal = SMALL) -> Rehearsed:
    return await rehearse(Office(store, SECRET, "a test"), wanted)


def test_the_books_of_a_rehearsal_add_up_on_either_database(place: Place) -> None:
    async def running() -> None:
        async with place.store() as store:
            told = await made(store)
            check = await store.read(books.check)
            assert check.adds_up, check
            assert (check.accounts, check.calls, check.held) == (40, told.calls, 0)
            (course,) = await execute(store, "SELECT summed_up_to_id AS upto FROM course")
            (ledger,) = await execute(store, "SELECT max(id) AS newest FROM ledger")
            assert course["upto"] == ledger["newest"]

    asyncio.run(running())


def test_a_class_has_all_that_a_class_has(tmp_path: Path) -> None:
    async def running() -> None:
        async with Place(tmp_path).store() as store:
            told = await made(store)
            ever = Period()
            days = await store.read(lambda: readings.spend(["day"], ever, ALL))
            assert days[0]["day"] >= told.begins
            assert days[-1]["day"] < told.ends
            exercises = await store.read(lambda: readings.spend(["exercise"], ever, ALL))
            assert [row["exercise"] for row in exercises] == ["", "ex1", "ex2", "ex3"]
            refusals = await store.read(lambda: readings.refusals(ever, ALL))
            assert sum(row["refusals"] for row in refusals) == told.refusals > 0
            grants = await store.read(lambda: readings.grants(ever, ALL))
            reasons = Counter(row["reason"] for row in grants)
            assert reasons["first budget"] == 40
            assert reasons["asked for more"] > 0
            doubtful = await store.read(lambda: readings.unconfirmed(ALL))
            assert {row["adjusted_usd"] is None for row in doubtful} == {True, False}
            seen = await store.read(overview.course_overview)
            assert seen.near_limit
            assert seen.idle

    asyncio.run(running())


def test_at_no_time_an_account_has_spent_more_than_it_was_granted(tmp_path: Path) -> None:
    async def running() -> None:
        async with Place(tmp_path).store() as store:
            await made(store)
            left: Counter[int] = Counter()
            for row in await execute(
                store, "SELECT account_id, kind, amount_pico FROM ledger ORDER BY at, id"
            ):
                sign = 1 if row["kind"] == "grant" else -1
                left[row["account_id"]] += sign * row["amount_pico"]
                assert left[row["account_id"]] >= 0

    asyncio.run(running())


def test_the_same_seed_makes_the_same_class(tmp_path: Path) -> None:
    async def rows(folder: str, seed: int) -> list[dict[str, object]]:
        async with Place(tmp_path / folder).store() as store:
            await made(store, Rehearsal(students=5, weeks=3, calls=100, seed=seed))
            return await execute(store, "SELECT * FROM ledger ORDER BY id")

    async def running() -> None:
        first = await rows("first", 1)
        assert await rows("again", 1) == first
        assert await rows("other", 2) != first

    asyncio.run(running())


def test_a_rehearsal_at_the_prompt_gives_a_staff_key_and_touches_no_course(tmp_path: Path) -> None:
    words = ["rehearse", "--data", str(tmp_path / "new"), "--json"]
    small = ["--students", "1", "--weeks", "1", "--calls", "1"]
    ran = CliRunner().invoke(commands, [*words, *small])
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["staff_key"].startswith("sws-")
    again = CliRunner().invoke(commands, [*words, *small])
    assert again.exit_code == 1
    assert "There is a course already" in again.stderr
