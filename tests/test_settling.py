"""Asking afterwards what stopped calls cost: in a thread that ends when nothing is left to ask."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_calls import CALL

from swsllm_nb.notebook.calls import Call, CallLog
from swsllm_nb.notebook.ledger import LedgerCall
from swsllm_nb.notebook.settling import NoLedger, Settler

STOPPED = replace(CALL, status="interrupted", cost_pico=None, cost_source="unknown")
SECONDS = 10


@pytest.fixture
def log(tmp_path: Path) -> CallLog:
    return CallLog(tmp_path / "calls.sqlite")


def asked_of(log: CallLog, act: Callable[[Settler], LedgerCall | None]) -> threading.Thread:
    """The thread of a settler that has asked once for a stopped call, and did ``act`` then."""
    has_asked = threading.Event()

    def fetch(_: Call) -> LedgerCall | None:
        threads.append(threading.current_thread())
        try:
            return act(settler)
        finally:
            has_asked.set()

    threads: list[threading.Thread] = []
    settler = Settler(log, fetch)
    settler.add(log.append(STOPPED), STOPPED)
    assert has_asked.wait(SECONDS)
    return threads[0]


def test_its_thread_ends_when_it_is_closed_while_it_asks(log: CallLog) -> None:
    def close(settler: Settler) -> None:
        settler.close()

    thread = asked_of(log, close)
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_its_thread_ends_at_a_server_that_keeps_no_ledger(log: CallLog) -> None:
    def refuse(_: Settler) -> None:
        raise NoLedger

    thread = asked_of(log, refuse)
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_its_thread_ends_when_it_is_closed_with_rows_still_open(log: CallLog) -> None:
    settlers: list[Settler] = []

    def know_nothing(settler: Settler) -> None:
        settlers.append(settler)

    thread = asked_of(log, know_nothing)
    assert thread.is_alive()
    settlers[0].close()
    thread.join(SECONDS)
    assert not thread.is_alive()
