"""Who gets the next place: accounts in turn, however many calls one of them sends."""

import asyncio
import random
from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

import pytest

from swsllm_nb.proxy.errors import TooManyCalls, error_answer
from swsllm_nb.proxy.turns import CALLS_PER_ACCOUNT, Turns

SLOTS = 3


class Class:
    """Calls of several accounts, each of which runs until it is told to end."""

    def __init__(self, slots: int = SLOTS) -> None:
        self.turns = Turns(slots)
        self.served: list[int] = []
        self.running = 0
        self.most = 0
        self.calls: list[asyncio.Task[None]] = []
        self.refused = 0
        self.gate = asyncio.Event()

    def send(self, account: int, count: int = 1) -> None:
        self.calls += [asyncio.create_task(self._call(account)) for _ in range(count)]

    async def _call(self, account: int) -> None:
        try:
            async with self.turns.of(account) as turn:
                await turn.comes()
                self.served.append(account)
                self.running += 1
                self.most = max(self.most, self.running)
                await self.gate.wait()
                self.running -= 1
        except TooManyCalls:
            self.refused += 1

    async def end(self) -> None:
        """Let all who run finish, once all who were sent are there."""
        await asyncio.sleep(0)
        self.gate.set()
        await asyncio.gather(*self.calls, return_exceptions=True)


def run(act: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(act, 20))


def test_a_flood_of_one_account_does_not_keep_five_others_waiting() -> None:
    async def act() -> None:
        room = Class()
        room.send(0, 200)
        await asyncio.sleep(0)
        for account in range(1, 6):
            room.send(account)
        await room.end()
        assert room.refused == 200 - CALLS_PER_ACCOUNT
        assert room.served.count(0) == CALLS_PER_ACCOUNT
        # Those that run already, then everybody's turn: the flood has one of six.
        assert sorted(room.served[SLOTS : SLOTS + 6]) == [0, 1, 2, 3, 4, 5]
        assert room.most == SLOTS
        assert room.running == 0

    run(act())


def test_two_floods_are_served_alternately_and_first_come_first_served() -> None:
    async def act() -> None:
        room = Class(slots=1)
        room.send(1, 20)
        room.send(2, 20)
        await room.end()
        contested = room.served[1:39]
        assert all(first != second for first, second in pairwise(contested))

    run(act())


def test_the_sixty_fifth_call_of_an_account_is_told_when_to_come_back() -> None:
    async def act() -> None:
        room = Class(slots=1)
        room.send(1, CALLS_PER_ACCOUNT + 1)
        room.send(2)
        await room.end()
        assert (room.refused, room.served.count(2)) == (1, 1)
        room.send(1)
        await room.end()
        assert room.served.count(1) == CALLS_PER_ACCOUNT + 1

    run(act())
    answer = error_answer(TooManyCalls("Slowly.", retry_after_seconds=3))
    assert (answer.status, dict(answer.headers)["retry-after"]) == (429, "3")


def test_calls_that_give_up_waiting_leave_no_hole_and_lose_no_place() -> None:
    async def act() -> None:
        chance = random.Random(7)
        for _ in range(200):
            room = Class(slots=2)
            for account in range(4):
                room.send(account, chance.randrange(1, 6))
            for _ in range(chance.randrange(1, 8)):
                if chance.random() < 0.3:
                    room.gate.set()
                await asyncio.sleep(0)
                # Some have their place by now and do not know it yet.
                for call in chance.sample(room.calls, 3):
                    call.cancel()
            await room.end()
            later = Class(slots=2)
            later.turns = room.turns
            later.send(9, 5)
            await later.end()
            assert (later.served, later.most) == ([9] * 5, 2)

    run(act())


@pytest.mark.parametrize("moment", ["before its turn", "at its turn"])
def test_a_call_that_is_cancelled_passes_its_place_on(moment: str) -> None:
    async def act() -> None:
        turns = Turns(1)
        await turns.take(1)
        second, third = (asyncio.create_task(turns.take(account)) for account in (2, 3))
        await asyncio.sleep(0)
        if moment == "at its turn":
            turns.give_back()
        second.cancel()
        if moment == "before its turn":
            await asyncio.sleep(0)
            turns.give_back()
        await third
        assert second.cancelled()

    run(act())
