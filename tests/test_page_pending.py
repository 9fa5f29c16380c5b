"""What staff were asked is done once, by them and in time, on both databases."""

import asyncio

import pytest
from stores import Place, execute

from swsllm_nb.proxy.chores import chores
from swsllm_nb.proxy.page import pending
from swsllm_nb.proxy.refused import Refused
from swsllm_nb.proxy.store import Store

ASKED = {"act": "grant", "names": ["Ada"], "amount": "2.50"}


def run(place: Place, test) -> None:  # type: ignore[no-untyped-def]
    async def running() -> None:
        async with place.store() as store:
            for name in ("Ms Frizzle", "Mr Ruhle"):
                await execute(
                    store,
                    "INSERT INTO staff (name, password_hash, created_at) "
                    "VALUES ($1, '', utc_now())",
                    name,
                )
            await test(store)

    asyncio.run(running())


def test_an_answer_that_is_sent_twice_counts_once(place: Place) -> None:
    async def test(store: Store) -> None:
        token = await store.write(lambda: pending.keep(1, ASKED))
        taken = await asyncio.gather(
            *(store.write(lambda: pending.take(1, token)) for _ in range(5))
        )
        assert [one for one in taken if one] == [ASKED]

    run(place, test)


def test_nobody_answers_for_another_teacher(place: Place) -> None:
    async def test(store: Store) -> None:
        token = await store.write(lambda: pending.keep(1, ASKED))
        assert await store.write(lambda: pending.take(2, token)) is None
        assert await store.write(lambda: pending.take(1, token)) == ASKED

    run(place, test)


@pytest.mark.parametrize("by_a_new_question", [False, True])
def test_after_an_hour_nothing_is_done_and_nothing_kept(
    place: Place, by_a_new_question: bool
) -> None:
    async def test(store: Store) -> None:
        token = await store.write(lambda: pending.keep(1, ASKED))
        await execute(store, "UPDATE pending SET at = '2020-01-01T00:00:00.000000Z'")
        if by_a_new_question:
            await store.write(lambda: pending.keep(2, ASKED))
            assert len(await execute(store, "SELECT token FROM pending")) == 1
        assert await store.write(lambda: pending.take(1, token)) is None

    run(place, test)


def test_a_serving_process_forgets_what_nobody_answered(place: Place) -> None:
    async def test(store: Store) -> None:
        fresh = await store.write(lambda: pending.keep(1, ASKED))
        await execute(store, "INSERT INTO pending VALUES ('old', 1, '2020-01-01', '{}')")
        async with chores(store, Refused(), beat_seconds=0.01), asyncio.timeout(10):
            while len(left := await execute(store, "SELECT token FROM pending")) > 1:
                await asyncio.sleep(0.01)
        assert left == [{"token": fresh}]

    run(place, test)


def test_of_one_teacher_only_the_newest_questions_wait(place: Place) -> None:
    async def test(store: Store) -> None:
        others = await store.write(lambda: pending.keep(2, ASKED))
        tokens = [await store.write(lambda: pending.keep(1, ASKED)) for _ in range(12)]
        assert await store.write(lambda: pending.take(1, tokens[0])) is None
        assert await store.write(lambda: pending.take(1, tokens[-1])) == ASKED
        assert await store.write(lambda: pending.take(2, others)) == ASKED

    run(place, test)
