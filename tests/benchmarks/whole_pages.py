"""What pages weigh, and how long the server takes for them, over a long ledger.

    python tests/benchmarks/whole_pages.py [ROWS] [ACCOUNTS]

The course of ``pages.py``: 1,000 accounts and 1,000,000 calls unless told otherwise. Each page is
asked for as a signed-in student or teacher would, without a network. ``computing`` is this process
alone, by its own clock, which other programs on the machine do not slow down. The aims: 60 kB and
50 ms.
"""

import statistics
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
sys.path[:0] = [str(HERE), str(HERE / "benchmarks")]

from pages import fill, on_both, tidied  # noqa: E402
from stores import Place, execute  # noqa: E402

from swsllm_nb.proxy.auth import Secret  # noqa: E402
from swsllm_nb.proxy.offer import Offer  # noqa: E402
from swsllm_nb.proxy.page import PublicAddress, pages_over, sessions  # noqa: E402
from swsllm_nb.proxy.store import Store  # noqa: E402

ROUNDS = 15
TEACHER, STUDENT = "a teacher's session", "a student's session"
PATHS = (
    "/", "/?status=unconfirmed", "/models-and-prices", "/your-data",
    "/staff", "/staff/accounts", "/staff/accounts?sort=-spend", "/staff/accounts?sort=-last_call",
    "/staff/accounts?q=number+77", "/staff/accounts?page=20", "/staff/accounts/7",
    "/staff/accounts/7?status=unconfirmed", "/staff/invoice", "/staff/models",
    "/staff/models/row?model=gpt-4o", "/staff/course", "/staff/trail", "/staff/team",
)  # fmt: skip
COOKIES = f"swsllm-staff={TEACHER}; swsllm-session={STUDENT}"


async def answered(pages: Any, path: str) -> int:
    """The bytes of a page, which has to be one."""
    path, _, query = path.partition("?")
    sizes = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200, (path, message)
        sizes.append(len(message.get("body", b"")))

    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query.encode(),
        "root_path": "", "scheme": "http", "http_version": "1.1", "client": ("127.0.0.1", 5000),
        "headers": [(b"host", b"127.0.0.1"), (b"cookie", COOKIES.encode())],
    }  # fmt: skip
    await pages(scope, receive, send)
    return sum(sizes)


async def measure(name: str, place: Place, rows: int, accounts: int) -> None:
    secret = Secret.of_text("1:" + "x" * 40)
    async with place.store(beat_seconds=10**6) as store:
        await fill(store, rows, accounts)
        await store.sum_up()
        await tidied(place)
        await sign_in(store, secret)
        address = PublicAddress.of(None, "")
        pages = pages_over(store, secret, Offer(ages=False), {"practice": None}, address)
        print(f"{name}: {rows:,} rows, {accounts:,} accounts")
        for path in PATHS:
            took, computed = [], []
            for _ in range(ROUNDS):
                began, computing = time.perf_counter(), time.process_time()
                size = await answered(pages, path)
                took.append((time.perf_counter() - began) * 1000)
                computed.append((time.process_time() - computing) * 1000)
            print(
                f"  {path:40} {size / 1000:5.1f} kB {statistics.median(took):6.1f} ms, "
                f"worst {max(took[1:]):6.1f} ms, computing {statistics.median(computed):5.1f} ms"
            )


async def sign_in(store: Store, secret: Secret) -> None:
    await execute(
        store,
        "INSERT INTO staff (name, password_hash, password_is_initial, created_at) "
        "VALUES ('a teacher', '', 0, utc_now())",
    )
    await execute(store, "UPDATE accounts SET password_is_initial = 0")
    for area, number, token in (("staff", 1, TEACHER), ("student", 7, STUDENT)):
        token_hash = secret.keyed_hash("session", token)
        await store.write(partial(sessions.begin, area, number, token_hash, None))


if __name__ == "__main__":
    on_both(measure, *map(int, sys.argv[1:]))
