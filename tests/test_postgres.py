"""The PostgreSQL server of the tests: there, alone, new enough, and gone afterwards."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from postgres import OLDEST_VERSION

HOLD_A_SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
from postgres import _programs, running_postgres
with running_postgres(_programs()) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def fetch(url: str, statement: str) -> Any:
    async def run() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(run())


def test_each_test_has_a_database_of_its_own(fresh_database: Callable[[], str]) -> None:
    one, other = fresh_database(), fresh_database()
    fetch(one, "CREATE TABLE accounts (id bigint)")
    assert fetch(one, "SELECT count(*) FROM accounts") == 0
    assert fetch(other, "SELECT to_regclass('accounts')::text") is None
    assert int(fetch(other, "SHOW server_version_num")) >= OLDEST_VERSION * 10_000


def test_two_hundred_clients_may_connect(postgres_url: str) -> None:
    assert fetch(postgres_url, "SHOW max_connections") == "200"


def test_the_server_outlives_nobody_even_after_kill_9(postgres_url: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_A_SERVER, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        folder = Path(url.partition("host=")[2])
        pid = int((folder / "cluster" / "postmaster.pid").read_text().split()[0])
        holder.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.02)
    shutil.rmtree(folder)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # One that ended and that nobody has waited for yet.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(") ")[2][0] != "Z"
