"""Refusals: counted without a write, and in the database a moment later."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from proxies import running_proxy
from stores import Place, execute, run

from swsllm_nb.proxy import refused
from swsllm_nb.proxy.calllog import CallLine
from swsllm_nb.proxy.chores import chores
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.refused import Refusals, Refused
from swsllm_nb.proxy.store import KeyHolder, Store


def line(account_id: int | None = 1, **told: object) -> CallLine:
    ended = {"status": 429, "error": "insufficient_quota", "model": "gpt-4o"} | told
    return CallLine("req_1", datetime.now(UTC), account_id, **ended)  # type: ignore[arg-type]


async def kept(store: Store, account_id: int = 1) -> list[Refusals]:
    return await store.read(lambda: refused.refusals_of(account_id))


def test_refusals_of_several_processes_add_up_by_hour_code_and_model(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        async with place.store() as other:
            for one in (store, other):
                counted = Refused()
                for _ in range(3):
                    counted.count(line())
                counted.count(line(error=None, status=400, model=None))
                await counted.flush(one)
                await counted.flush(one)
        found = sorted((row.code, row.model, row.refusals) for row in await kept(store))
        assert found == [("insufficient_quota", "gpt-4o", 6), ("invalid_request_error", "", 2)]

    run(place, act)


def test_only_what_was_refused_to_an_account_counts(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        counted = Refused()
        counted.count(line(account_id=None))
        counted.count(line(status=None, error="client_gone"))
        counted.count(line(status=200, error=None))
        counted.count(line(status=200, error="upstream_failed"))
        counted.count(line(error="<b>\0"))
        await counted.flush(store)
        assert {row.code for row in await kept(store)} == {"upstream_failed", "other"}

    run(place, act)


def test_a_flood_of_different_refusals_takes_no_more_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(refused, "MOST_KINDS", 10)
    counted = Refused()
    for account in range(100):
        counted.count(line(account))
    assert len(counted._counts) == 10


def test_what_could_not_be_written_is_written_the_next_time(place: Place) -> None:
    async def act(store: Store, _: KeyHolder) -> None:
        counted = Refused()
        counted.count(line())
        writing = store.write

        async def away(_: object) -> None:
            counted.count(line())
            raise StoreUnavailable("away")

        store.write = away  # type: ignore[method-assign,assignment]
        with pytest.raises(StoreUnavailable):
            await counted.flush(store)
        store.write = writing  # type: ignore[method-assign]
        await counted.flush(store)
        assert [row.refusals for row in await kept(store)] == [2]

    run(place, act)


def test_the_chores_bring_sums_and_refusals_up_to_date_again_and_again_and_at_the_end(
    place: Place,
) -> None:
    async def act(store: Store, holder: KeyHolder) -> None:
        counted = Refused()
        async with chores(store, counted, beat_seconds=0.01):
            counted.count(line())
            async with asyncio.timeout(10):
                while not await kept(store):
                    await asyncio.sleep(0.01)
                while (await summed_up(store)) < 1:
                    await asyncio.sleep(0.01)
            counted.count(line(error="last"))
        assert "last" in {row.code for row in await kept(store)}

    run(place, act)


def test_a_server_that_stops_leaves_what_it_refused_in_the_database(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as proxy:
        made = proxy.add_account("poor", "0.00")
        asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]}
        for _ in range(2):
            answer = requests.post(
                f"{proxy.base_url}/chat/completions",
                json=asked,
                headers={"Authorization": f"Bearer {made.key}"},
                timeout=30,
            )
            assert answer.status_code == 429
    (row,) = proxy.ask(kept)
    assert (row.code, row.model, row.refusals) == (
        "insufficient_quota",
        "gpt-4o-mini-2024-07-18",
        2,
    )


async def summed_up(store: Store) -> int:
    (row,) = await execute(store, "SELECT summed_up_to_id FROM course")
    return int(row["summed_up_to_id"])
