"""What the class's sums take over the staff API, on SQLite and on PostgreSQL.

    python tests/benchmarks/class_sums.py [STUDENTS] [CALLS_OF_EACH]

300 students with 5,000 calls each unless told otherwise, over 60 days, three models and eight
exercises, summed up as a serving process would. Each reading is asked for over HTTP, all of its
pages, by a fresh process that is server and reader in one; the memory is the peak of that process
beyond what it took before it asked.
"""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).parents[1]))

from apps import SECRET
from pages import fill, on_both, tidied
from stores import Place

from swsllm_nb.proxy.app import create_app
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.upstream import HttpUpstream
from swsllm_nb.proxy.upstreams import Upstreams

READINGS = {
    "spend": {},
    "spend by day": {"by": "day"},
    "spend by day,model": {"by": "day,model"},
    "spend by day,exercise": {"by": "day,exercise"},
    "spend by account": {"by": "account"},
    "spend by day,account": {"by": "day,account"},
    "grants": {},
    "refusals": {},
    "unconfirmed": {},
    "overview": {},
}
LIMIT = 10_000


async def read(client: httpx2.AsyncClient, what: str) -> int:
    """All pages of a reading; gives their rows."""
    path = f"/staff/api/{what.split()[0]}"
    rows, offset = 0, 0
    while True:
        paging = {} if what == "overview" else {"limit": LIMIT, "offset": offset}
        answer = await client.get(path, params={**READINGS[what], **paging}, timeout=60)
        answer.raise_for_status()
        told = answer.json()
        rows += len(told.get("data", ()))
        offset = told.get("next_offset")
        if offset is None:
            return rows


def peak_mib() -> float:
    # On Linux alone; what getrusage tells is at least the peak of whoever started the process.
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


async def ask(place: Place, key: str) -> None:
    upstream = HttpUpstream("http://127.0.0.1:9/v1", "sk-none")
    async with upstream, place.store() as store:
        offer = Offer(ages=False)
        app = create_app(offer=offer, store=store, upstreams=Upstreams((upstream,)), secret=SECRET)
        headers = {"authorization": f"Bearer {key}"}
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://proxy", headers=headers
        ) as client:
            await read(client, "spend")
            before = peak_mib()
            for what in READINGS:
                took = []
                for _ in range(3):
                    began = time.perf_counter()
                    rows = await read(client, what)
                    took.append((time.perf_counter() - began) * 1000)
                print(f"  {what:24} {sorted(took)[1]:8.1f} ms {rows:8,} rows", flush=True)
            print(f"  memory {peak_mib() - before:8.1f} MiB beyond {before:.1f} MiB", flush=True)


async def measure(name: str, place: Place, students: int, calls: int) -> None:
    async with place.store(beat_seconds=10**6) as store:
        await fill(store, students * calls, students)
        began = time.perf_counter()
        for _ in range(2):
            await store.sum_up()
        print(
            f"{name}: {students * calls:,} calls summed up in {time.perf_counter() - began:.1f} s"
        )
        office = Office(store, SECRET, "a benchmark")
        await office.add_teacher("grace")
        key = await office.new_staff_key("grace")
    await tidied(place)
    words = [sys.executable, __file__, "--ask", str(place.folder), place.url or "", key]
    subprocess.run(words, check=True)  # noqa: ASYNC221


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        folder, url, key = sys.argv[2:]
        asyncio.run(ask(Place(Path(folder), url or None), key))
    else:
        students, calls = (int(word) for word in (sys.argv[1:] or ("300", "5000")))
        on_both(measure, students, calls)
