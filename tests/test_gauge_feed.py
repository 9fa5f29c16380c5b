"""Whoever follows the budget is told after each call, and no cell waits for it."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from cells import KEY, Cell
from fake_openai import FakeOpenAI, Scripted
from IPython.core.interactiveshell import InteractiveShell

import swsllm_nb
from swsllm_nb.notebook import gauge_feed
from swsllm_nb.notebook.calls import CallLog
from swsllm_nb.notebook.errors import CallFailed
from swsllm_nb.notebook.gauge import Budget, Listener

SECONDS = 20
ASKED = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def account(spend_usd: str = "0.00") -> dict[str, str]:
    left = f"{5 - float(spend_usd):.2f}"
    return {"budget_usd": "5.00", "spend_usd": spend_usd, "remaining_usd": left}


@pytest.fixture(autouse=True)
def accounts(connected: FakeOpenAI, monkeypatch: pytest.MonkeyPatch) -> FakeOpenAI:
    """Keeps accounts; whoever follows is told soon, so that silence is seen soon as well."""
    monkeypatch.setattr(gauge_feed, "_PAUSE_SECONDS", 0.01)
    connected.pages["/account"] = account()
    return connected


def follow(listener: Listener) -> Callable[[], None]:
    start = swsllm_nb.budget()._follow
    assert start is not None
    return start(listener)


class Told:
    """What a follower was told; the first, at once, is taken already."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Budget | None] = SimpleQueue()
        self.stop = follow(self._queue.put)
        assert self.next() is not None

    def next(self) -> Budget | None:
        return self._queue.get(timeout=SECONDS)

    def is_silent(self) -> bool:
        try:
            return self._queue.get(timeout=0.3) is None
        except Empty:
            return True


def ask_by_magic(shell: InteractiveShell) -> None:
    Cell(shell, "%%llm\nHi").result.raise_error()


def ask_by_function(_shell: InteractiveShell) -> None:
    swsllm_nb.ask("Hi")


def ask_by_client(_shell: InteractiveShell) -> None:
    swsllm_nb.client().chat.completions.create(**ASKED)


def ask_in_a_loop_of_events(_shell: InteractiveShell) -> None:
    async def ask() -> None:
        async with swsllm_nb.async_client() as client:
            await client.chat.completions.create(**ASKED)

    asyncio.run(ask())


@pytest.mark.parametrize(
    "ask", [ask_by_magic, ask_by_function, ask_by_client, ask_in_a_loop_of_events]
)
def test_a_call_from_any_cell_is_told(
    shell: InteractiveShell, accounts: FakeOpenAI, ask: Callable[[InteractiveShell], None]
) -> None:
    told = Told()
    accounts.pages["/account"] = account("1.25")
    ask(shell)
    budget = told.next()
    assert budget is not None
    assert budget.spent_pico == 1_250_000_000_000


def test_a_refused_call_is_told_as_well(shell: InteractiveShell, accounts: FakeOpenAI) -> None:
    told = Told()
    accounts.pages["/account"] = account("5.00")
    Cell(shell, "%%llm -m o3-mini -t 0\nHi")
    assert told.is_silent(), "nothing was sent"
    accounts.answers.append(Scripted(status=400, body="no"))
    Cell(shell, "%%llm\nHi")
    budget = told.next()
    assert budget is not None
    assert budget.left_pico == 0


def test_a_cell_does_not_wait_for_whoever_follows(shell: InteractiveShell) -> None:
    may_go_on, was_reached = threading.Event(), threading.Event()

    def slow(_budget: Budget | None) -> None:
        was_reached.set()
        assert may_go_on.wait(SECONDS)

    follow(slow)
    assert was_reached.wait(SECONDS)
    ask_by_magic(shell)
    ask_by_function(shell)
    may_go_on.set()


def test_a_loop_of_quick_calls_asks_the_proxy_a_few_times_and_ends_with_the_last(
    shell: InteractiveShell, accounts: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gauge_feed, "_PAUSE_SECONDS", 0.5)
    told = Told()
    before, began = len(accounts.requests), time.monotonic()
    for number in range(1, 31):
        accounts.pages["/account"] = account(f"{number / 100:.2f}")
        swsllm_nb.ask("Hi")
    while True:
        budget = told.next()
        assert budget is not None
        if budget.spent_pico == 300_000_000_000:
            break
    fetched = [each for each in accounts.requests[before:] if each.path.endswith("/account")]
    assert 1 <= len(fetched) <= (time.monotonic() - began) / 0.5 + 1


def test_without_a_follower_nothing_is_asked_and_no_thread_runs(
    shell: InteractiveShell, accounts: FakeOpenAI
) -> None:
    told = Told()
    told.stop()
    before = len(accounts.requests)
    ask_by_magic(shell)
    assert told.is_silent()
    assert [each.method for each in accounts.requests[before:]] == ["POST"]


def test_a_follower_that_fails_keeps_nothing_from_the_others(
    shell: InteractiveShell, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(_budget: Budget | None) -> None:
        raise RuntimeError("the front end is gone")

    follow(broken)
    told = Told()
    ask_by_magic(shell)
    assert told.next() is not None
    assert "front end" not in capfd.readouterr().err


def test_a_lost_proxy_is_told_as_nothing_and_told_again_when_it_is_back(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeOpenAI() as first:
        first.pages["/account"] = account()
        monkeypatch.setenv("SWSLLM_BASE_URL", first.base_url)
        told = Told()
    with pytest.raises(CallFailed):
        swsllm_nb.budget()
    assert told.next() is None
    with FakeOpenAI(port=first.port) as again:
        again.pages["/account"] = account("2.00")
        ask_by_magic(shell)
        budget = told.next()
    assert budget is not None
    assert budget.spent_pico == 2 * 10**12


def test_a_replaced_key_is_followed_on_and_another_server_is_not(
    shell: InteractiveShell, accounts: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told()
    with FakeOpenAI() as other:
        swsllm_nb.client(other.base_url, KEY).chat.completions.create(**ASKED)
        assert told.is_silent()
    swsllm_nb.client(accounts.base_url, "sk-another-0123456789").chat.completions.create(**ASKED)
    assert told.next() is not None
    assert accounts.requests[-1].headers["authorization"] == "Bearer sk-another-0123456789"


def test_a_top_up_that_a_later_budget_shows_is_told_too(
    shell: InteractiveShell, accounts: FakeOpenAI
) -> None:
    told = Told()
    accounts.pages["/account"] = account("0.00") | {"budget_usd": "7.00", "remaining_usd": "7.00"}
    swsllm_nb.budget()
    budget = told.next()
    assert budget is not None
    assert budget.granted_pico == 7 * 10**12


def test_where_the_extension_is_unloaded_it_is_said_once(
    shell: InteractiveShell, accounts: FakeOpenAI
) -> None:
    told = Told()
    before = len(accounts.requests)
    swsllm_nb.unload_ipython_extension(shell)
    assert told.next() is None
    assert told.is_silent()
    assert len(accounts.requests) == before


def test_a_budget_is_told_by_the_log_where_the_server_keeps_no_accounts(
    shell: InteractiveShell, accounts: FakeOpenAI
) -> None:
    del accounts.pages["/account"]
    told = Told()
    Cell(shell, "%llm budget 5.00").result.raise_error()
    ask_by_magic(shell)
    while (budget := told.next()) is not None and not budget.spent_pico:
        assert budget.told_by == "log"
    assert budget is not None
    assert budget.granted_pico == 5 * 10**12
    assert float(budget.spent_usd) == pytest.approx(swsllm_nb.log()["cost_usd"].sum())


def test_what_is_learned_of_a_call_later_rings_as_well(tmp_path: Path) -> None:
    log, rung = CallLog(tmp_path / "log.sqlite3"), []
    log.listen(lambda: rung.append(1))
    log.put({})
    assert len(rung) == 1
    log.clear()
    assert len(rung) == 2
    log.close()


@pytest.mark.parametrize("told", ["2027-02-14T23:00:00+00:00", "2027-02-14", "soon", 5, None, ""])
def test_an_end_that_is_no_moment_is_no_end(accounts: FakeOpenAI, told: object) -> None:
    accounts.pages["/account"] = account() | {"valid_until": told, "contact": told}
    until = swsllm_nb.budget().until
    assert (until is not None) == (isinstance(told, str) and told.endswith("+00:00"))
