"""The course's database as the proxy asks it: accounts, keys, holds, ledger rows."""

import asyncio
import itertools
import logging
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from filelock import FileLock, Timeout

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import ledger
from swsllm_nb.proxy.ledger import Account, Hold, Intent, Outcome
from swsllm_nb.proxy.sqlite import Worker, connect

__all__ = ["DATABASE_NAME", "KeyHolder", "Store", "UsagePage"]

DATABASE_NAME = "swsllm.sqlite3"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeyHolder:
    """The account that a live key belongs to."""

    key_id: int
    account: Account


@dataclass(frozen=True)
class UsagePage:
    """Ledger rows of one account, oldest first, and where the next page begins."""

    rows: list[Mapping[str, Any]]
    next_cursor: int | None


class Store:
    """SQLite in a folder. Many processes may use it; each owns the holds it took.

    A process is alive while it holds the lock on its file under ``processes/``; the holds of
    processes that are not are charged as unconfirmed when a store is opened.
    """

    def __init__(self, folder: Path) -> None:
        self.owner = secrets.token_hex(8)
        self._folder = folder
        self._processes = folder / "processes"
        self._opened = ExitStack()

    async def __aenter__(self) -> Self:
        """Raises OSError or ValueError for a folder or a database that cannot be used."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._processes.mkdir(exist_ok=True)
        path = self._folder / DATABASE_NAME
        with ExitStack() as opened:
            self._write = Worker(connect(path), writes=True)
            opened.callback(self._write.close)
            self._read = Worker(connect(path), writes=False)
            opened.callback(self._read.close)
            alive = FileLock(self._processes / f"{self.owner}.lock")
            opened.callback(Path(alive.lock_file).unlink, missing_ok=True)
            opened.enter_context(alive)
            for owner in await self._write(_owners_of_holds):
                await self._sweep_if_dead(owner)
            self._opened = opened.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._opened.close()

    async def _sweep_if_dead(self, owner: str) -> None:
        lock = FileLock(self._processes / f"{owner}.lock", timeout=0)
        try:
            with lock:
                await self._write(lambda connection: ledger.sweep(connection, owner))
        except Timeout:
            return
        Path(lock.lock_file).unlink(missing_ok=True)

    async def key_holder(self, key_hash: bytes) -> KeyHolder | None:
        """Whose key that is, if it is live and its account enabled."""
        return await self._read(lambda connection: _key_holder(connection, key_hash))

    async def reserve(self, intent: Intent) -> Hold:
        """Take a call's hold, durably. Raises what ``ledger.reserve`` raises."""
        return await self._write(lambda connection: ledger.reserve(connection, intent, self.owner))

    async def close_hold(self, hold: Hold, outcome: Outcome) -> Account:
        """Close a call's hold, durably; gives the account as it then stands.

        A database that is locked or full is tried again for as long as this process lives: an
        answer that was given must not be lost from the books.
        """
        for pause_seconds in _closing_pauses():
            try:
                return await self._write(
                    lambda connection: ledger.close_hold(connection, hold.request_id, outcome)
                )
            except sqlite3.OperationalError:
                log.exception("%s is not settled yet", hold.request_id)
                await asyncio.sleep(pause_seconds)
        raise AssertionError("the pauses never end")

    async def add_account(
        self,
        name: str,
        *,
        budget_pico: int,
        password_hash: str,
        key_hash: bytes,
        key_prefix: str,
        author: str,
    ) -> Account:
        """An account with its first grant and key. Raises ValueError where the name is taken."""

        def work(connection: sqlite3.Connection) -> Account:
            now = ledger.utc_now()
            try:
                (account_id,) = connection.execute(
                    "INSERT INTO accounts (name, password_hash, budget_pico, created_at) "
                    "VALUES (?, ?, ?, ?) RETURNING id",
                    (name, password_hash, budget_pico, now),
                ).fetchone()
            except sqlite3.IntegrityError:
                raise ValueError(f"There is an account {name!r} already.") from None
            connection.execute(
                "INSERT INTO ledger (kind, account_id, at, amount_pico, reason, author) "
                "VALUES ('grant', ?, ?, ?, 'first budget', ?)",
                (account_id, now, budget_pico, author),
            )
            connection.execute(
                "INSERT INTO keys (account_id, hash, prefix, created_at) VALUES (?, ?, ?, ?)",
                (account_id, key_hash, key_prefix, now),
            )
            return ledger.read_account(connection, account_id)

        return await self._write(work)

    async def accounts(self) -> list[Account]:
        return await self._read(_accounts)

    async def account(self, name: str) -> Account | None:
        return next((account for account in await self.accounts() if account.name == name), None)

    async def usage(
        self,
        account_id: int,
        *,
        request_id: str | None = None,
        since: str | None = None,
        until: str | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> UsagePage:
        """Ledger rows of an account; times are UTC in ISO 8601, ``since`` <= at < ``until``."""
        filters = {"request": request_id, "since": since, "until": until}
        page = {"account": account_id, "after": after, "limit": limit + 1, **filters}
        rows = await self._read(lambda connection: connection.execute(_USAGE, page).fetchall())
        shown = rows[:limit]
        return UsagePage(
            [_public_row(row) for row in shown], shown[-1]["id"] if len(rows) > limit else None
        )

    async def differences(self) -> list[Mapping[str, Any]]:
        """The accounts that do not add up; none, unless something is badly wrong."""
        return await self._read(ledger.differences)


_USAGE = """
    SELECT * FROM ledger
    WHERE account_id = :account AND id > :after
      AND (:request IS NULL OR request_id = :request)
      AND (:since IS NULL OR at >= :since) AND (:until IS NULL OR at < :until)
    ORDER BY id LIMIT :limit
"""


def _closing_pauses() -> Iterator[float]:
    return itertools.chain((0.1, 0.5, 2), itertools.repeat(10))


def _owners_of_holds(connection: sqlite3.Connection) -> list[str]:
    rows: Iterable[sqlite3.Row] = connection.execute(
        "SELECT DISTINCT owner FROM ledger WHERE state = 'held'"
    )
    return [row["owner"] for row in rows]


def _key_holder(connection: sqlite3.Connection, key_hash: bytes) -> KeyHolder | None:
    row = connection.execute(
        "SELECT k.id AS key_id, a.* FROM keys k JOIN accounts a ON a.id = k.account_id "
        "WHERE k.hash = ? AND k.revoked_at IS NULL AND a.enabled = 1",
        (key_hash,),
    ).fetchone()
    return row and KeyHolder(row["key_id"], ledger.account_of_row(row))


def _accounts(connection: sqlite3.Connection) -> list[Account]:
    rows = connection.execute("SELECT * FROM accounts ORDER BY name")
    return [ledger.account_of_row(row) for row in rows]


def _public_row(row: sqlite3.Row) -> dict[str, Any]:
    is_call = row["kind"] == "call"
    is_open = row["state"] == "held"
    amount = usd_text(row["amount_pico"])
    return {
        "id": row["id"],
        "at": row["at"],
        "kind": row["kind"],
        "request_id": row["request_id"],
        "state": row["state"],
        "model": row["model"],
        "upstream": row["upstream"],
        "stream": bool(row["stream"]) if is_call else None,
        "prompt_tokens": row["prompt_tokens"],
        "cached_tokens": row["cached_tokens"],
        "cache_write_tokens": row["cache_write_tokens"],
        "completion_tokens": row["completion_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "hold_usd": usd_text(row["hold_pico"]) if is_call else None,
        "cost_usd": None if is_open or row["kind"] == "grant" else amount,
        "granted_usd": amount if row["kind"] == "grant" else None,
        "finished_at": row["finished_at"],
        "reason": row["reason"],
    }
