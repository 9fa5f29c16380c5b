"""The whole ledger, row by row, for whoever wants to reckon for themselves."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from swsllm_nb.proxy.accounts import named
from swsllm_nb.proxy.books import public_row
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Work, ask

__all__ = ["COLUMNS", "Wanted", "pages"]

_ROWS_AT_ONCE = 1000

COLUMNS: Final = (
    "account", "id", "at", "kind", "request_id", "state", "model", "exercise", "upstream",
    "stream", "prompt_tokens", "cached_tokens", "cache_write_tokens", "completion_tokens",
    "reasoning_tokens", "hold_usd", "cost_usd", "granted_usd", "finished_at", "reason",
    "adjusts_id",
)  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which rows; None means all. Times are UTC in ISO 8601, ``since`` <= at < ``until``."""

    account: str | None = None
    since: str | None = None
    until: str | None = None


async def pages(store: Store, wanted: Wanted) -> AsyncIterator[list[dict[str, Any]]]:
    """Rows with the name of their account, the oldest first, a thousand at a time.

    Raises ValueError where there is no such account.
    """
    account_id = None
    if wanted.account is not None:
        account_id = (await store.read(partial(named, wanted.account))).id
    after = 0
    while rows := await store.read(partial(_rows, account_id, wanted, after)):
        after = rows[-1]["id"]
        yield rows


def _rows(account_id: int | None, wanted: Wanted, after: int) -> Work[list[dict[str, Any]]]:
    rows = yield ask(_ROWS, after, account_id, wanted.since, wanted.until, _ROWS_AT_ONCE)
    return [{"account": row["account"], **public_row(row)} for row in rows]


_ROWS = """
    SELECT l.*, accounts.name AS account FROM ledger l
    JOIN accounts ON accounts.id = l.account_id
    WHERE l.id > $1 AND (CAST($2 AS BIGINT) IS NULL OR l.account_id = $2)
      AND (CAST($3 AS TEXT) IS NULL OR l.at >= $3) AND (CAST($4 AS TEXT) IS NULL OR l.at < $4)
    ORDER BY l.id LIMIT $5
"""
