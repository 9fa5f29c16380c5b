"""What the reads of each page take over a long ledger, on SQLite and on PostgreSQL.

    python tests/benchmarks/pages.py [ROWS] [ACCOUNTS]

A course of 60 days, 1,000 accounts and 1,000,000 calls unless told otherwise, summed up as a
serving process would. Each read is timed through the store as a page asks it; the aim is a median
well under 50 ms on a machine that does nothing else. Last the proof of all of it, which is longer.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

HERE = Path(__file__).parents[1]
sys.path.insert(0, str(HERE))

from postgres import _programs, database_of_its_own, running_postgres  # noqa: E402
from stores import Place, execute  # noqa: E402

from swsllm_nb.proxy import books, listing, overview, receipts, refused  # noqa: E402
from swsllm_nb.proxy.account_table import AccountQuery, list_accounts  # noqa: E402
from swsllm_nb.proxy.receipts import Wanted  # noqa: E402
from swsllm_nb.proxy.store import Store  # noqa: E402
from swsllm_nb.proxy.work import Work  # noqa: E402

DAYS = 60
ROUNDS = 20

ACCOUNTS = """
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < $1)
    INSERT INTO accounts (id, name, full_name, email, password_hash, budget_pico, created_at)
    SELECT n, 'student' || n, 'Student Number ' || n, 'student' || n || '@uni.example', '',
        5000000000000, $2 FROM numbers
"""
GRANTS = """
    INSERT INTO ledger (kind, account_id, at, amount_pico, reason, author)
    SELECT 'grant', id, created_at, budget_pico, 'first budget', 'a benchmark' FROM accounts
"""
CALLS = """
    WITH RECURSIVE numbers (n) AS
        (SELECT CAST($1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < $2),
    calls AS (SELECT n, (n * 7919) % $3 + 1 AS account_id, n % 500 = 0 AS doubtful,
        200 + n % 800 AS prompt, 50 + n % 400 AS completion FROM numbers)
    INSERT INTO ledger (kind, account_id, at, amount_pico, request_id, state, owner, upstream,
        model, stream, hold_pico, cap_tokens, prices, prompt_tokens, cached_tokens,
        cache_write_tokens, completion_tokens, reasoning_tokens, finished_at,
        exercise)
    SELECT 'call', account_id,
        CAST($4 AS TEXT) || 'T' || (10 + n % 10) || ':' || (10 + n % 50) || ':30.000000Z',
        CASE WHEN doubtful THEN 20000000 ELSE prompt * 1500 + completion * 6000 END,
        'req_' || n || '0123456789abcdef0123456789abcdef',
        CASE WHEN doubtful THEN 'unconfirmed' ELSE 'settled' END, '0123456789abcdef', 'openai',
        CASE n % 3 WHEN 0 THEN 'gpt-4o-2024-11-20' WHEN 1 THEN 'o3-mini-2025-01-31'
            ELSE 'gpt-4o-mini-2024-07-18' END,
        1, 20000000, 4096, '{"input":1500,"output":6000}',
        CASE WHEN doubtful THEN NULL ELSE prompt END, CASE WHEN doubtful THEN NULL ELSE 0 END,
        CASE WHEN doubtful THEN NULL ELSE 0 END, CASE WHEN doubtful THEN NULL ELSE completion END,
        CASE WHEN doubtful THEN NULL ELSE 0 END, $4,
        'ex' || (n % 8 + 1)
    FROM calls
"""
SPEND = """
    UPDATE accounts SET spend_pico = (SELECT CAST(sum(amount_pico) AS BIGINT) FROM ledger l
        WHERE l.account_id = accounts.id AND l.kind <> 'grant'),
        last_call_at = (SELECT max(at) FROM ledger l
            WHERE l.account_id = accounts.id AND l.kind = 'call')
    WHERE id % 20 = $1
"""
REFUSALS = """
    INSERT INTO refusals (account_id, hour, code, model, refusals, last_at)
    SELECT id, CAST($1 AS TEXT) || 'T1' || (id % 10), 'insufficient_quota', '', 3,
        CAST($1 AS TEXT) || 'T19:59:59.000000Z' FROM accounts WHERE id % 10 = 0
"""

Read = Callable[[], Work[Any]]


async def fill(store: Store, rows: int, accounts: int) -> None:
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=DAYS - 1 - number)).isoformat() for number in range(DAYS)]
    await execute(store, ACCOUNTS, accounts, f"{days[0]}T08:00:00.000000Z")
    await execute(store, GRANTS)
    for number, day in enumerate(days):
        first, last = rows * number // DAYS + 1, rows * (number + 1) // DAYS
        await execute(store, CALLS, first, last, accounts, day)
        await execute(store, REFUSALS, day)
    for part in range(20):
        await execute(store, SPEND, part)


async def tidied(place: Place) -> None:
    """As PostgreSQL's autovacuum leaves tables that have grown for weeks."""
    if place.url is not None:
        connection = await asyncpg.connect(place.url)
        await connection.execute("VACUUM ANALYZE")
        await connection.close()


def reads(rows: int) -> dict[str, Read]:
    """The reads of pages, by what they show."""
    middle = rows // 2
    return {
        **{
            f"accounts by {sort}": lambda sort=sort: list_accounts(  # type: ignore[misc]
                AccountQuery(sort=sort, descending=True, limit=50)
            )
            for sort in ("name", "spend", "last_call", "pace", "status")
        },
        "accounts, searched": lambda: list_accounts(AccountQuery(search="number 77")),
        "accounts, last page": lambda: list_accounts(AccountQuery(offset=950, limit=50)),
        "one account": lambda: listing.listed_account("student7"),
        "the class": overview.course_overview,
        "receipts, newest": lambda: receipts.receipts(7),
        "receipts, older": lambda: receipts.receipts(7, before_id=middle),
        "receipts, unconfirmed": lambda: receipts.receipts(7, Wanted(status="unconfirmed")),
        "receipts, one model": lambda: receipts.receipts(7, Wanted(model="gpt-4o-2024-11-20")),
        "burn-down": lambda: receipts.burn_down(7),
        "spend by model": lambda: receipts.spend_by_model(7),
        "refusals": lambda: refused.refusals_of(7),
        "GET /usage": lambda: books.usage(7),
    }


Measure = Callable[[str, Place, int, int], Coroutine[Any, Any, None]]


async def timed(store: Store, read: Read) -> list[float]:
    took = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await store.read(read)
        took.append((time.perf_counter() - began) * 1000)
    return took


async def measure(name: str, place: Place, rows: int, accounts: int) -> None:
    async with place.store(beat_seconds=10**6) as store:
        await fill(store, rows, accounts)
        began = time.perf_counter()
        await store.sum_up()
        print(f"{name}: {rows:,} rows summed up in {time.perf_counter() - began:.1f} s")
        await tidied(place)
        for what, read in reads(rows).items():
            took = await timed(store, read)
            best, median, worst = min(took), statistics.median(took), max(took)
            print(f"  {what:24} {median:6.1f} ms, best {best:6.1f} ms, worst {worst:6.1f} ms")
        began = time.perf_counter()
        assert (await store.read(books.check)).adds_up
        print(f"  ledger check {time.perf_counter() - began:19.1f} s")


def on_both(measure: Measure, rows: int = 1_000_000, accounts: int = 1000) -> None:
    """Measure on SQLite, then on PostgreSQL where one is installed."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        asyncio.run(measure("SQLite", Place(folder), rows, accounts))
        programs = _programs()
        if programs is None:
            print("PostgreSQL: none is installed here")
            return
        server = opened.enter_context(running_postgres(programs))
        url = opened.enter_context(database_of_its_own(server))
        asyncio.run(measure("PostgreSQL", Place(folder, url), rows, accounts))


if __name__ == "__main__":
    on_both(measure, *map(int, sys.argv[1:]))
