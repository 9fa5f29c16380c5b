"""Several proxy processes on one database, and a look into it that no store takes part in."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from postgres import database_of_its_own
from proxies import RunningProxy, running_proxy

from swsllm_nb.proxy import accounts
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.sqlite import DATABASE_NAME
from swsllm_nb.proxy.store import Store, database_at

SECRET = "1:a secret that all processes of a fleet have in common"  # as SWSLLM_SECRET
WIDE = accounts.Limits(in_flight=10_000, per_minute=1_000_000)


@dataclass
class Fleet:
    """Processes on one database: of SQLite in one folder, of PostgreSQL each with its own."""

    folder: Path
    upstream: str
    database: str | None
    proxies: list[RunningProxy] = field(default_factory=list)
    _stack: ExitStack = field(default_factory=ExitStack)

    def start(self, *options: str, upstream: str | None = None) -> RunningProxy:
        """One more process; ``upstream`` where it is not that of the others."""
        number = len(self.proxies)
        folder = self.folder if self.database is None else self.folder / str(number)
        proxy = self._stack.enter_context(
            running_proxy(
                folder, *options, upstream=upstream or self.upstream, database=self.database,
                SWSLLM_SECRET=SECRET, SWSLLM_UPSTREAM_KEY="sk-upstream",
            )
        )  # fmt: skip
        self.proxies.append(proxy)
        return proxy

    @property
    def urls(self) -> list[str]:
        return [f"{proxy.base_url}/chat/completions" for proxy in self.proxies]

    def store(self, **options: float) -> Store:
        """A store as another process on the same database would have it."""
        return Store(database_at(self.folder, self.database), **options)

    def add_account(self, name: str, budget_usd: str) -> str:
        """A new account without limits beside its budget; gives its key."""

        async def run() -> str:
            async with self.store() as store:
                added = await Office(store, secret(), "a test").add_account(name, budget_usd)
                await store.write(lambda: accounts.set_limits(name, WIDE))
                return added.key

        return asyncio.run(run())

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Any statement, by a connection that renews no lease and sweeps nobody."""
        if self.database is None:
            with closing(sqlite3.connect(self.folder / DATABASE_NAME, timeout=30)) as connection:
                connection.row_factory = sqlite3.Row
                with connection:
                    found = connection.execute(sql.replace("$", "?"), values).fetchall()
                return [dict(row) for row in found]
        return asyncio.run(_fetch(self.database, sql, values))

    def calls(self, account: str) -> list[dict[str, Any]]:
        return self.rows(
            "SELECT l.* FROM ledger l JOIN accounts a ON a.id = l.account_id "
            "WHERE l.kind = 'call' AND a.name = $1 ORDER BY l.id",
            account,
        )

    def account(self, name: str) -> dict[str, Any]:
        (row,) = self.rows("SELECT * FROM accounts WHERE name = $1", name)
        return row

    def wait(self, done: Callable[[], Any], seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not come in time"
            time.sleep(0.02)

    def wait_until_nothing_is_held(self, account: str, seconds: float = 20) -> None:
        self.wait(lambda: self.account(account)["in_flight"] == 0, seconds)


def secret() -> Secret:
    return Secret.of_text(SECRET)


async def _fetch(url: str, sql: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(url)
    try:
        return [dict(row) for row in await connection.fetch(sql, *values)]
    finally:
        await connection.close()


@contextmanager
def fleet_of(
    request: pytest.FixtureRequest, folder: Path, upstream: str, kind: str, processes: int = 0
) -> Iterator[Fleet]:
    """An empty database of a kind with that many processes; all have ended at exit."""
    with ExitStack() as stack:
        url = None
        if kind == "postgres":
            server = request.getfixturevalue("postgres_url")
            url = stack.enter_context(database_of_its_own(server))
        fleet = Fleet(folder, upstream, url)
        stack.enter_context(fleet._stack)
        for _ in range(processes):
            fleet.start()
        yield fleet
