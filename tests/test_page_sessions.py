"""Sessions on both databases: whose a token is, until when, and that others end with it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from stores import Place, execute

from swsllm_nb.proxy import own, teaching
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import sessions
from swsllm_nb.proxy.page.sessions import Area
from swsllm_nb.proxy.store import Store

SECRET = Secret.of_text("1:" + "s" * 40)
AREAS: tuple[Area, ...] = ("student", "staff")


async def people(store: Store) -> dict[Area, int]:
    """A student and a teacher; gives the id of each."""
    office = Office(store, SECRET, "a test")
    ada = await office.add_account("ada", "5.00", full_name="Ada Lovelace")
    await office.add_teacher("lehr")
    (teacher,) = await store.read(teaching.all_teachers)
    return {"student": ada.account.id, "staff": teacher.id}


def acting(place: Place, act: Callable[[Store, dict[Area, int]], Awaitable[None]]) -> None:
    async def running() -> None:
        async with place.store() as store:
            await act(store, await people(store))

    asyncio.run(running())


@pytest.mark.parametrize("area", AREAS)
def test_a_token_stands_for_one_person_in_one_half_until_it_ends(place: Place, area: Area) -> None:
    async def act(store: Store, ids: dict[Area, int]) -> None:
        other: Area = "staff" if area == "student" else "student"
        await store.write(partial(sessions.begin, area, ids[area], b"token", None))
        found = await store.read(partial(sessions.find, area, b"token"))
        assert found is not None
        person, to_be_noted = found
        assert (person.id, person.area, to_be_noted) == (ids[area], area, False)
        assert person.must_change_password
        assert (person.account is not None) == (area == "student")
        assert await store.read(partial(sessions.find, other, b"token")) is None
        assert await store.read(partial(sessions.find, area, b"another")) is None
        await store.write(partial(sessions.begin, area, ids[area], b"new", b"token"))
        assert await store.read(partial(sessions.find, area, b"token")) is None
        await store.write(partial(sessions.end, b"new"))
        assert await store.read(partial(sessions.find, area, b"new")) is None

    acting(place, act)


def test_who_chooses_a_password_is_signed_out_everywhere_and_nobody_else_is(place: Place) -> None:
    async def act(store: Store, ids: dict[Area, int]) -> None:
        for area in AREAS:
            for token in (b"here", b"there"):
                name = area.encode() + token
                await store.write(partial(sessions.begin, area, ids[area], name, None))
        await store.write(partial(own.set_password, ids["student"], "hash", initial=False))
        assert await store.read(partial(sessions.find, "student", b"studenthere")) is None
        assert await store.read(partial(sessions.find, "staff", b"staffhere")) is not None
        await store.write(partial(teaching.set_teacher_password, ids["staff"], "x", initial=False))
        assert await execute(store, "SELECT * FROM sessions") == []

    acting(place, act)


def test_a_session_that_is_used_lives_and_those_that_are_over_are_cleared_away(
    place: Place,
) -> None:
    async def act(store: Store, ids: dict[Area, int]) -> None:
        begin = partial(sessions.begin, "student", ids["student"])
        await store.write(lambda: begin(b"used", None))
        await store.write(lambda: begin(b"idle", None))
        moment = sessions.later((await store.read(sessions.now)), -7 * 3600)
        await execute(store, "UPDATE sessions SET seen_at = $1", moment)
        found = await store.read(partial(sessions.find, "student", b"used"))
        assert found is not None
        assert found[1]
        await store.write(partial(sessions.note_seen, b"used"))
        hours_ago = sessions.later(moment, -2 * 3600)
        await execute(
            store, "UPDATE sessions SET seen_at = $1 WHERE token_hash = $2", hours_ago, b"idle"
        )
        assert await store.read(partial(sessions.find, "student", b"idle")) is None
        await store.write(lambda: begin(b"next", None))
        rows = await execute(store, "SELECT token_hash FROM sessions")
        assert sorted(row["token_hash"] for row in rows) == [b"next", b"used"]

    acting(place, act)
