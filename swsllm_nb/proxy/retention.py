"""Old rows of the ledger become one row per account that carries their sum forward.

So ``spend`` stays the sum of its rows. Grants are kept, and so is a call that was adjusted since.
The row that carries forward is an adjustment that names no call, dated as the newest of its calls:
neither an account's pace nor its last days change.
"""

from datetime import datetime, timedelta

from swsllm_nb.proxy.audit import PROXY
from swsllm_nb.proxy.daily import SUMS, moment
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["prune"]

CALLS_AT_ONCE = 200
"""So many are pruned in a moment on SQLite, where all else waits for it."""

_PRUNABLE = """
    FROM ledger l WHERE account_id = $1 AND at < $2 AND id <= $3
      AND kind <> 'grant' AND adjusts_id IS NULL
      AND NOT EXISTS (SELECT 1 FROM ledger later WHERE later.adjusts_id = l.id
                      AND (later.at >= $2 OR later.id > $3))
"""
_GONE = f"""
    WITH calls AS (SELECT id {_PRUNABLE} AND id <= $4), gone AS (
        SELECT id FROM calls UNION ALL
        SELECT id FROM ledger WHERE adjusts_id IN (SELECT id FROM calls)
    )
"""


async def prune(store: Store) -> int:
    """Prune what is older than the course's setting; gives the number of accounts it changed."""
    cutoff = await store.read(_cutoff_day)
    if cutoff is None:
        return 0
    await store.write(lambda: _prune_refusals(cutoff))
    account_ids = await store.read(lambda: _with_old_rows(cutoff))
    changed = 0
    for account_id in account_ids:
        pruned = more = await _prune_some(store, account_id, cutoff)
        while more:
            # What was just carried forward is carried on with the next calls.
            await store.sum_up()
            more = await _prune_some(store, account_id, cutoff)
        changed += pruned
    return changed


async def _prune_some(store: Store, account_id: int, cutoff: str) -> bool:
    return await store.write(lambda: _prune_account(account_id, cutoff))


def _cutoff_day() -> Work[str | None]:
    """The first UTC day that is kept, or None where all are."""
    (row,) = yield ask("SELECT retention_days, utc_now() AS now FROM course")
    if row["retention_days"] is None:
        return None
    today = datetime.fromisoformat(row["now"]).date()
    return (today - timedelta(days=row["retention_days"])).isoformat()


def _prune_refusals(cutoff: str) -> Work[None]:
    yield ask("DELETE FROM refusals WHERE hour < $1", cutoff)


def _with_old_rows(cutoff: str) -> Work[list[int]]:
    """Accounts with something to prune, or with several rows that could be one."""
    rows = yield ask(
        """
        SELECT account_id FROM daily WHERE day < $1 AND calls > 0
        UNION
        SELECT account_id FROM ledger WHERE kind = 'adjustment' AND adjusts_id IS NULL
        GROUP BY account_id HAVING count(*) > 1
        ORDER BY 1
        """,
        cutoff,
    )
    return [row["account_id"] for row in rows]


def _prune_account(account_id: int, cutoff: str) -> Work[bool]:
    """Carry some old rows forward; False where all that is old is one row already."""
    yield ask("SELECT id FROM accounts WHERE id = $1 FOR UPDATE", account_id)
    upto = (yield from moment()).summed_up_to_id
    found = yield ask(
        f"SELECT id, kind {_PRUNABLE} ORDER BY id LIMIT {CALLS_AT_ONCE}", account_id, cutoff, upto
    )
    if not any(row["kind"] == "call" for row in found) and len(found) < 2:
        return False
    which = (account_id, cutoff, upto, found[-1]["id"])
    groups = yield ask(
        f"""
        {_GONE} SELECT substr(l.at, 1, 10) AS day, coalesce(l.model, adjusted.model, '') AS model,
            coalesce(l.exercise, adjusted.exercise, '') AS exercise,
            max(l.at) AS last_at, {SUMS} WHERE l.id IN (SELECT id FROM gone)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        *which,
    )
    # Before the old rows go: SQLite gives the newest row's id again.
    yield ask(
        "INSERT INTO ledger (kind, account_id, at, amount_pico, reason, author) "
        "VALUES ('adjustment', $1, $2, $3, $4, $5)",
        account_id, max(row["last_at"] for row in groups),
        sum(row["amount_pico"] for row in groups),
        f"all calls before {cutoff}, carried forward", PROXY,
    )  # fmt: skip
    yield ask(f"{_GONE} DELETE FROM ledger WHERE id IN (SELECT id FROM gone)", *which)
    for row in groups:
        yield from _take_out("daily", "account_id = $6", row, account_id)
    for row in groups:
        yield from _take_out("course_daily", "$6 > 0", row, account_id)
    yield ask(
        "DELETE FROM daily WHERE account_id = $1 AND day < $2 AND calls = 0 AND amount_pico = 0",
        account_id, cutoff,
    )  # fmt: skip
    return True


def _take_out(table: str, whose: str, row: Row, account_id: int) -> Work[None]:
    yield ask(
        f"UPDATE {table} SET calls = calls - $1, prompt_tokens = prompt_tokens - $2, "
        "completion_tokens = completion_tokens - $3, amount_pico = amount_pico - $4 "
        f"WHERE day = $5 AND {whose} AND model = $7 AND exercise = $8",
        row["calls"], row["prompt_tokens"], row["completion_tokens"], row["amount_pico"],
        row["day"], account_id, row["model"], row["exercise"],
    )  # fmt: skip
