"""A real proxy process for tests, and a look into its ledger."""

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from swsllm_nb.catalogue import packaged_rows
from swsllm_nb.proxy import books, course
from swsllm_nb.proxy.office import Credentials, Office
from swsllm_nb.proxy.settings import read_secret
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.work import Work, ask

PREFIX = "/sws-llm-proxy"
START_SECONDS = 30
STOP_SECONDS = 30

Result = TypeVar("Result")


@dataclass(frozen=True)
class RunningProxy:
    """A process that serves, its folder, and its base URL without a slash at the end.

    ``database`` is the address of its PostgreSQL, None for SQLite in the folder.
    """

    base_url: str
    folder: Path
    process: subprocess.Popen[str]
    database: str | None = None

    def add_account(self, name: str, budget_usd: str = "5.00") -> Credentials:
        secret = read_secret(self.folder, {})
        return self.ask(lambda store: Office(store, secret, "a test").add_account(name, budget_usd))

    def ask(self, question: Callable[[Store], Coroutine[Any, Any, Result]]) -> Result:
        """Ask the store as a second process on the same database would."""

        async def run() -> Result:
            async with Store(database_at(self.folder, self.database)) as store:
                return await question(store)

        return asyncio.run(run())

    def write(self, work: Callable[[], Work[Result]]) -> Result:
        """Run a work on the database as a second process would."""
        return self.ask(lambda store: store.write(work))

    def calls(self, account: str) -> list[dict[str, Any]]:
        """The ledger rows of an account's calls, oldest first, as they stand in the database."""

        def rows() -> Work[list[dict[str, Any]]]:
            found = yield ask(
                "SELECT l.* FROM ledger l JOIN accounts a ON a.id = l.account_id "
                "WHERE a.name = $1 AND l.kind = 'call' ORDER BY l.id",
                account,
            )
            return [dict(row) for row in found]

        return self.ask(lambda store: store.read(rows))

    def get(self, path: str) -> Any:
        """The JSON of a page that needs no key."""
        with urllib.request.urlopen(f"{self.base_url}{path}", timeout=30) as answer:
            return json.load(answer)

    def assert_adds_up(self) -> None:
        """P2: budgets, spend and reserved are exactly the sums of their rows."""
        check = self.ask(lambda store: store.read(books.check))
        assert check.adds_up, check


def clean_environment(**extra: str) -> dict[str, str]:
    """This process's environment without a word for or from a proxy."""
    ours = ("SWSLLM_", "OPENAI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | extra


@contextmanager
def running_proxy(
    folder: Path,
    *options: str,
    upstream: str = "practice",
    database: str | None = None,
    **environment: str,
) -> Iterator[RunningProxy]:
    """``swsllm serve`` on a free port; ended, and seen to have ended well, at exit."""
    folder.mkdir(parents=True, exist_ok=True)
    if upstream != "practice":
        asyncio.run(_keep_models_alive(folder, database))
    command = [sys.executable, "-m", "swsllm_nb", "serve", "--upstream", upstream]
    if database is not None:
        environment["SWSLLM_DATABASE"] = database
    process = subprocess.Popen(
        [*command, "--port", "0", "--prefix", PREFIX, "--data", str(folder), *options],
        cwd=folder,
        env=clean_environment(**environment),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        base_url = process.stdout.readline().strip()
        try:
            wait_until_ready(base_url, process)
            yield RunningProxy(base_url, folder, process, database)
        finally:
            end(process)


async def _keep_models_alive(folder: Path, database: str | None) -> None:
    """As staff may: the tests' upstreams serve the course's models after their last day too."""
    rows = {name: {**row, "shutdown_date": None} for name, row in packaged_rows().items()}
    async with Store(database_at(folder, database)) as store:
        known = await store.read(course.model_rows)
        for name in rows.keys() - known:
            await store.write(partial(course.set_model_row, name, rows[name], "a test"))


def end(process: subprocess.Popen[str]) -> None:
    """Stop a process; one that does not stop in time is killed, and the test fails."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def wait_until_ready(base_url: str, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "the proxy ended before it was ready"
        try:
            with urllib.request.urlopen(f"{base_url}/readyz", timeout=5) as answer:
                assert answer.status == 200
                return
        except urllib.error.URLError:
            assert time.monotonic() < deadline, "the proxy was not ready in time"
            time.sleep(0.02)


def workers_of(proxy: RunningProxy) -> list[int]:
    """The process ids of a parent's workers (a helper process of Python's is none)."""
    children = Path(f"/proc/{proxy.process.pid}/task/{proxy.process.pid}/children").read_text()
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.split()}
    return [int(pid) for pid, command in commands.items() if b"spawn_main" in command]
