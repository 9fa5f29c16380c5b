"""Places for calls at the upstreams, given to accounts in turn."""

import asyncio
from collections import Counter, deque
from types import TracebackType
from typing import Self

from swsllm_nb.proxy.errors import TooManyCalls

__all__ = ["CALLS_PER_ACCOUNT", "Turn", "Turns"]

CALLS_PER_ACCOUNT = 64
"""That wait or run in one process: many more than an account may have in flight."""

_RETRY_AFTER_SECONDS = 10


class Turns:
    """``slots`` places; who finds none waits.

    A place that gets free goes to the account that has waited longest for its turn, and within an
    account to the call that came first: one loop does not stand before the whole class.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._calls: Counter[int] = Counter()
        # In the order of their turns; an account that waits for nothing is not in it.
        self._waiting: dict[int, deque[asyncio.Future[None]]] = {}

    def of(self, account_id: int) -> "Turn":
        """``async with turns.of(account_id) as turn`` counts a call of an account.

        Raises TooManyCalls where the account has too many already.
        """
        return Turn(self, account_id)

    def enter(self, account_id: int) -> None:
        if self._calls[account_id] >= CALLS_PER_ACCOUNT:
            raise TooManyCalls(
                f"{CALLS_PER_ACCOUNT} calls of your account are waiting or running already. "
                "Let some of them finish, and send fewer at once.",
                retry_after_seconds=_RETRY_AFTER_SECONDS,
            )
        self._calls[account_id] += 1

    def leave(self, account_id: int) -> None:
        self._calls[account_id] -= 1
        if not self._calls[account_id]:
            del self._calls[account_id]

    async def take(self, account_id: int) -> bool:
        """Take a place; whether it had to be waited for."""
        if self._free:
            self._free -= 1
            return False
        place = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(account_id, deque())
        queue.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._give_up(account_id, place)
            else:
                self.give_back()
            raise
        return True

    def give_back(self) -> None:
        while self._waiting:
            turn = next(iter(self._waiting))
            queue = self._waiting.pop(turn)
            place = queue.popleft()
            if queue:
                self._waiting[turn] = queue
            # One that was cancelled just now has not yet given up.
            if not place.done():
                place.set_result(None)
                return
        self._free += 1

    def _give_up(self, account_id: int, place: asyncio.Future[None]) -> None:
        queue = self._waiting.get(account_id)
        if queue and place in queue:
            queue.remove(place)
            if not queue:
                del self._waiting[account_id]


class Turn:
    """A call that is being read, then waits, then has its place."""

    def __init__(self, turns: Turns, account_id: int) -> None:
        self._turns = turns
        self._account_id = account_id
        self._has_place = False

    async def __aenter__(self) -> Self:
        self._turns.enter(self._account_id)
        return self

    async def comes(self) -> bool:
        """Wait for a place, where none is free; whether that was so."""
        waited = await self._turns.take(self._account_id)
        self._has_place = True
        return waited

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._has_place:
            self._turns.give_back()
        self._turns.leave(self._account_id)
