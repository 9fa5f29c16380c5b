"""Many calls, staff, dying processes and auditors at once, through two processes' stores.

Each seed is one course of events: who acts when, and where each waits, also between the statements
of a transaction on PostgreSQL. What the databases make of it is theirs, so that a seed comes again
only nearly so.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
from office import DIED, Office, new_account, office, priced_intent
from stores import execute, set_cap

from swsllm_nb import pricing
from swsllm_nb.pricing import Bound, Prices
from swsllm_nb.proxy import accounts, books, postgres
from swsllm_nb.proxy.errors import BudgetExhausted, BudgetReserved, TooManyCalls, Unauthenticated
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.ledger import Hold, Outcome
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.store import KeyHolder, Store
from swsllm_nb.proxy.work import Row, Work, ask
from swsllm_nb.wire import Usage

__all__ = ["office"]

SEEDS = range(50)
CALLERS = 10
CALLS = 4
IN_FLIGHT = 4
LOOK_SECONDS = 0.01


@dataclass
class Student:
    """An account, and what the upstream billed it for. ``alone``: no staff, no dying process."""

    name: str
    holder: KeyHolder
    alone: bool
    billed: int = 0
    keys: list[KeyHolder] = field(default_factory=list)

    @property
    def id(self) -> int:
        return self.holder.account.id


@dataclass
class Course:
    """One seed's course of events."""

    seed: int
    stores: Sequence[Store]
    chance: random.Random
    students: list[Student] = field(default_factory=list)
    number: int = 0
    running: int = 0

    @property
    def store(self) -> Store:
        return self.chance.choice(self.stores)

    def next_number(self) -> int:
        self.number += 1
        return self.seed * 100_000 + self.number

    async def pause(self) -> None:
        for _ in range(self.chance.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    async def figures(self, student: Student) -> Account:
        found = {account.id: account for account in await self.store.accounts()}
        return found[student.id]


async def unroll(course: Course) -> None:
    """Let it all happen; afterwards each account has paid what the upstream billed."""
    for number, alone in enumerate((True, False, False)):
        name = f"{course.seed}-{number}"
        budget = course.chance.randrange(300, 1500)
        holder = await new_account(course.store, name, budget, in_flight=IN_FLIGHT)
        course.students.append(Student(name, holder, alone, keys=[holder]))
    course.running = CALLERS
    async with asyncio.TaskGroup() as together:
        for act in (*[_call_again_and_again] * CALLERS, _staff, _audit):
            together.create_task(act(course))
    for student in course.students:
        account = await course.figures(student)
        figures = (account.spend_pico, account.reserved_pico, account.in_flight)
        assert figures == (student.billed, 0, 0), student.name


async def _call_again_and_again(course: Course) -> None:
    try:
        for _ in range(CALLS):
            await course.pause()
            student = course.chance.choice(course.students)
            hold = await _reserve(course, student)
            if hold is not None:
                await course.pause()
                await _end(course, student, hold)
    finally:
        course.running -= 1


async def _reserve(course: Course, student: Student) -> Hold | None:
    chance = course.chance
    prices = Prices(chance.randrange(5), chance.randrange(1, 9))
    cap = chance.randrange(1, 60)
    floor = chance.choice((cap, chance.randrange(1, cap + 1)))
    bound = Bound(40 * prices.input_pico, prices.output_pico, cap, floor)
    intent = priced_intent(student.keys[-1], course.next_number(), prices, bound)
    needed = bound.hold_pico(floor)
    before = await course.figures(student)
    try:
        return await course.store.reserve(intent)
    except BudgetExhausted as final:
        if student.alone and "Your budget" in str(final):
            # Spend only grows here: what is too little at the decision still is.
            after = await course.figures(student)
            assert after.budget_pico - after.spend_pico < needed
    except (BudgetReserved, TooManyCalls):
        may_wait = before.budget_pico - before.spend_pico >= needed
        assert may_wait or not student.alone
    except Unauthenticated:
        assert not student.alone
    return None


async def _end(course: Course, student: Student, hold: Hold) -> None:
    """One of the ways a call ends, often told more than once, and through both processes."""
    usage = Usage(course.chance.randrange(41), course.chance.randrange(hold.cap_tokens + 1))
    cost = pricing.cost(hold.prices, usage)
    settled = Outcome("settled", cost, usage)
    ways: list[tuple[int, list[Callable[[], Awaitable[Any]]]]] = [
        (cost, [_closing(course, hold, settled)] * course.chance.choice((1, 1, 2, 3))),
        (0, [_closing(course, hold, Outcome("released", 0))] * 2),
        (hold.hold_pico, [_closing(course, hold, Outcome("unconfirmed", hold.hold_pico))]),
    ]
    if not student.alone:
        # Its process dies, or only seems to: whoever is first, the bill is what counts.
        died = partial(_die, course, hold)
        ways.append((hold.hold_pico, [died]))
        ways.append((cost, [died, _closing(course, hold, settled), died]))
        ways.append((0, [died, _crediting(course, hold)]))
    billed, acts = course.chance.choice(ways)
    student.billed += billed
    await asyncio.gather(*(act() for act in acts))


def _closing(course: Course, hold: Hold, outcome: Outcome) -> Callable[[], Awaitable[Any]]:
    async def close() -> None:
        await course.pause()
        await course.store.close_hold(hold, outcome)

    return close


async def _die(course: Course, hold: Hold) -> None:
    await course.pause()
    await execute(course.store, DIED, hold.request_id)
    await course.pause()
    await course.store._sweep_the_dead()


def _crediting(course: Course, hold: Hold) -> Callable[[], Awaitable[Any]]:
    """Staff who wait until they can give an unconfirmed call back, and try it twice."""

    def work() -> Work[Account]:
        return accounts.credit(hold.request_id, "the server fell over", "a test")

    async def credit() -> None:
        while (await _state(course, hold)) == "held":
            await course.pause()
        done = await asyncio.gather(
            *(store.write(work) for store in course.stores), return_exceptions=True
        )
        assert sorted(type(result).__name__ for result in done) == ["Account", "ValueError"]

    return credit


async def _state(course: Course, hold: Hold) -> str:
    rows = await course.store.read(lambda: _of_call(hold.request_id))
    return str(rows[0]["state"])


def _of_call(request_id: str) -> Work[Sequence[Row]]:
    return (yield ask("SELECT state FROM ledger WHERE request_id = $1", request_id))


async def _staff(course: Course) -> None:
    while course.running:
        await asyncio.sleep(LOOK_SECONDS)
        student = course.chance.choice(course.students[1:])
        act = course.chance.choice((_grant, _grant, _switch, _renew, _cap))
        await act(course, student)
    await set_cap(course.store, None)


async def _grant(course: Course, student: Student) -> None:
    amount = course.chance.randrange(-300, 400)
    # Where more is asked back than is left.
    with suppress(ValueError):
        await course.store.write(lambda: accounts.grant(student.name, amount, "why", "a test"))


async def _switch(course: Course, student: Student) -> None:
    for enabled in (False, True):
        await course.store.write(lambda on=enabled: accounts.set_enabled(student.name, on))  # type: ignore[misc]
        await course.pause()


async def _renew(course: Course, student: Student) -> None:
    key = NewKey(f"key {course.next_number()}".encode(), "sws-5678")
    await course.store.write(lambda: accounts.new_key(student.name, key))
    holder = await course.store.key_holder(key.hash)
    if holder is not None:
        student.keys.append(holder)


async def _cap(course: Course, student: Student) -> None:
    sums = await course.store.read(books.course_sums)
    room = course.chance.randrange(2000)
    await set_cap(course.store, sums["spend_pico"] + room)
    await course.pause()
    await set_cap(course.store, None)


async def _audit(course: Course) -> None:
    while course.running:
        await asyncio.sleep(LOOK_SECONDS)
        assert await course.store.read(books.differences) == []
        for student in course.students:
            account = await course.figures(student)
            assert account.remaining_pico >= 0, account
            assert 0 <= account.in_flight <= IN_FLIGHT


async def _run_with_pauses(chance: random.Random, connection: Any, work: Work[Any]) -> Any:
    """As ``postgres._run``, but others get their turn between any two statements."""
    rows: Sequence[Row] | None = None
    try:
        while True:
            statement = next(work) if rows is None else work.send(rows)
            for _ in range(chance.choice((0, 0, 1, 3))):
                await asyncio.sleep(0)
            rows = await connection.fetch(statement.sql, *statement.values)
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("seed", range(3))
def test_the_cap_of_a_course_holds_for_many_accounts_that_call_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(postgres, "_run", partial(_run_with_pauses, chance))
    bound = Bound(0, 1, 50, 50)

    async def rush() -> list[Any]:
        holders = [await new_account(office.stores[0], f"{each}", 10_000) for each in range(16)]
        await set_cap(office.stores[0], 400)
        calls = [
            chance.choice(office.stores).reserve(priced_intent(holder, number, Prices(0, 1), bound))
            for number, holder in enumerate(holders * 3)
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    results = office.do(rush())
    assert sum(isinstance(result, Hold) for result in results) == 400 // 50
    assert all(isinstance(result, (Hold, BudgetReserved)) for result in results)


def test_whatever_happens_at_once_each_account_pays_what_the_upstream_billed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in SEEDS:
        chance = random.Random(seed)
        monkeypatch.setattr(postgres, "_run", partial(_run_with_pauses, chance))
        course = Course(seed, office.stores, chance)
        try:
            office.do(unroll(course))
        except BaseException as fault:
            fault.add_note(f"seed {seed}")
            raise
    assert office.books().check.adds_up
