"""What every act of staff is made of: a store, a name for the trail, and one noted transaction."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from swsllm_nb.proxy.audit import note
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Work

__all__ = ["BATCH", "Acts", "Credentials", "Done"]

BATCH = 25
"""Accounts of one transaction: calls wait for no longer than a few milliseconds."""

_AT_ONCE = 4


@dataclass(frozen=True)
class Credentials:
    """An account with what its student needs, shown once and never again.

    ``key`` is "" where the student takes it from the page.
    """

    account: Account
    password: str = field(repr=False)
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Done:
    """What became of one account of a selection: the account as it now stands, or why not."""

    name: str
    sentence: str | None = None
    account: Account | None = None
    credentials: Credentials | None = None


def _to_nobody(_: object) -> None:
    return


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Acts:
    """The hand of one member of staff; ``author`` is the name that stands in ledger and trail.

    Of what is done to many accounts, ``progress`` is told how many more are done, and ``made`` each
    password once it holds: what that raises, ends the act. Where ``stopped``, no more is begun.
    """

    store: Store
    secret: Secret
    author: str
    progress: Callable[[int], Any] = field(default=_to_nobody, repr=False)
    made: Callable[[Sequence[Credentials]], Any] = field(default=_to_nobody, repr=False)
    stopped: Callable[[], bool] = field(default=_never, repr=False)

    async def _one(
        self, name: str, act: str, work: Callable[[str], Work[Account]], **details: Any
    ) -> Account:
        """An act on the account of a name and its note, in one transaction."""

        def noted() -> Work[Account]:
            account = yield from work(name)
            yield from note(self.author, act, account.id, **details)
            return account

        return await self.store.write(noted)

    async def note_export(self, act: str, account_id: int | None = None, **details: Any) -> None:
        """What is taken away as a file stands in the trail before it is read."""
        await self.store.write(partial(note, self.author, act, account_id, **details))

    async def _each(
        self, names: Sequence[str], act: str, work: Callable[[str], Work[Account]], **details: Any
    ) -> list[Done]:
        """A transaction for each account, a few at a time: calls are to go on meanwhile."""
        turns = asyncio.Semaphore(_AT_ONCE)

        async def one(name: str) -> Done:
            async with turns:
                try:
                    done = Done(name, account=await self._one(name, act, work, **details))
                except (ValueError, StoreUnavailable) as error:
                    done = Done(name, sentence=str(error))
            self.progress(1)
            return done

        return await asyncio.gather(*map(one, dict.fromkeys(names)))
