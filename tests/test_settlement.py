"""What a call is charged, from what was learned of it and however it ended."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from stores import Place, account_named, intent, run

from swsllm_nb.proxy.body import Told, read_told
from swsllm_nb.proxy.ledger import Hold
from swsllm_nb.proxy.pace import Rate
from swsllm_nb.proxy.settlement import Settlement
from swsllm_nb.proxy.sqlite import DATABASE_NAME
from swsllm_nb.proxy.store import KeyHolder, Store

BUDGET_PICO = 10**9
HOLD_PICO = 10**8


def chunk(prompt: Any, completion: int, choices: Any = None, tier: str | None = None) -> Told:
    document = {
        "choices": [{"index": 0}] if choices is None else choices,
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion},
        "service_tier": tier,
    }
    told = read_told(json.dumps(document).encode())
    assert told is not None
    return told


def settlement_of(hold_pico: int = HOLD_PICO) -> Settlement:
    from swsllm_nb.catalogue import default_catalogue

    model = default_catalogue().default
    hold = Hold("req_1", 1, model.id, model.prices, 100, hold_pico, Rate(120, 119, 0.5))
    return Settlement(None, hold)  # type: ignore[arg-type]


def test_nothing_is_charged_before_the_call_was_sent_and_all_of_the_hold_after() -> None:
    settlement = settlement_of()
    assert settlement.outcome.state == "released"
    settlement.sent()
    assert (settlement.outcome.state, settlement.outcome.charged_pico) == (
        "unconfirmed", HOLD_PICO
    )  # fmt: skip
    settlement.release()
    assert (settlement.outcome.state, settlement.outcome.charged_pico) == ("released", 0)


def test_a_running_count_is_no_last_word_until_the_answer_is_complete() -> None:
    settlement = settlement_of()
    settlement.sent()
    settlement.learn(chunk(10, 2))
    assert settlement.outcome.state == "unconfirmed"
    settlement.completed()
    assert settlement.outcome.charged_pico == 10 * 150_000 + 2 * 600_000


def test_the_usage_of_a_chunk_without_choices_is_the_last_word() -> None:
    settlement = settlement_of()
    settlement.sent()
    settlement.learn(chunk(10, 2, choices=[]))
    assert settlement.outcome.state == "settled"


def test_a_tier_that_nobody_asked_for_is_a_breach_whatever_it_costs() -> None:
    settlement = settlement_of()
    settlement.sent()
    settlement.learn(chunk(10, 2, choices=[], tier="default"))
    assert settlement.outcome.breach is None
    settlement.learn(chunk(10, 2, choices=[], tier="priority"))
    assert settlement.outcome.breach == "service_tier"


def test_a_cost_above_the_hold_is_a_breach_and_charged() -> None:
    settlement = settlement_of(hold_pico=10)
    settlement.learn(chunk(10, 2, choices=[]))
    assert settlement.outcome.charged_pico == 10 * 150_000 + 2 * 600_000
    assert settlement.outcome.breach == "bound"


def test_the_outcome_names_the_upstream_that_served() -> None:
    settlement = settlement_of()
    settlement.upstream = "second.example.org"
    assert settlement.outcome.upstream == "second.example.org"


def test_counts_only_grow() -> None:
    settlement = settlement_of()
    settlement.learn(chunk(10, 50))
    settlement.learn(chunk(10, 1))
    settlement.completed()
    assert settlement.outcome.charged_pico == 10 * 150_000 + 50 * 600_000


@pytest.mark.parametrize("count", [10**9, 10**19, 2**63, -1, 1.5, True, "5", None])
def test_a_count_that_cannot_be_is_not_charged_but_the_hold_is(count: Any) -> None:
    settlement = settlement_of()
    settlement.sent()
    settlement.learn(chunk(count, 1))
    settlement.completed()
    assert settlement.outcome.state == "unconfirmed"


def test_a_broken_bound_is_charged_in_truth_and_said_loudly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        settlement = Settlement(store, await store.reserve(intent(holder, 1, 1000)))
        settlement.sent()
        settlement.learn(chunk(10, 1))
        settlement.completed()
        await settlement.close()
        account = await settlement.account_after()
        assert account is not None
        assert account.spend_pico == 10 * 150_000 + 600_000

    run(Place(tmp_path), act, BUDGET_PICO)
    assert caplog.text.count("bound broken") == 1


def test_a_database_that_is_locked_when_the_call_ends_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swsllm_nb.proxy.commits.BUSY_TIMEOUT_SECONDS", 0.05)
    monkeypatch.setattr("swsllm_nb.proxy.settlement.COMMIT_PATIENCE_SECONDS", 0.2)

    async def act(store: Store, holder: KeyHolder) -> None:
        settlement = Settlement(store, await store.reserve(intent(holder, 1, HOLD_PICO)))
        settlement.sent()
        settlement.learn(chunk(10, 1))
        settlement.completed()
        other = sqlite3.connect(tmp_path / DATABASE_NAME, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert await settlement.account_after() is None
        other.execute("ROLLBACK")
        other.close()
        await asyncio.wait_for(settlement.close(), 30)
        account = await account_named(store, "ada")
        assert (account.spend_pico, account.reserved_pico) == (10 * 150_000 + 600_000, 0)

    run(Place(tmp_path), act, BUDGET_PICO)
