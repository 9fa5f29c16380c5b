"""The line that every call leaves: what it tells, and what it never does."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from apps import course
from fake_openai import FakeOpenAI, Scripted

from swsllm_nb.proxy.calllog import CallLine, CallLog

QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "a prompt of mine"}]}


def lines_of(
    folder: Path, act: Callable[[httpx2.AsyncClient], Awaitable[Any]], *scripts: Scripted
) -> list[dict[str, Any]]:
    """What is logged of what a client does; nothing of it names a key, a prompt or a person."""
    file = io.StringIO()

    async def running(base_url: str) -> None:
        log = CallLog(file)
        async with course(folder, base_url, log=log) as served:
            async with served.client() as client:
                await act(client)
            log.flush()
            text = file.getvalue()
            for secret in (served.key, served.key[:8], "sk-upstream", "ada", "of mine", "stub"):
                assert secret not in text

    with FakeOpenAI(*scripts) as server:
        asyncio.run(running(server.base_url))
    return [json.loads(line) for line in file.getvalue().splitlines()]


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_leaves_one_line_that_tells_all_of_it(tmp_path: Path, stream: bool) -> None:
    ids = []

    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post("/chat/completions", json={**QUESTION, "stream": stream})
        ids.append(answer.headers["x-request-id"])
        await client.get("/models")

    (line,) = lines_of(tmp_path, act)
    first_byte_seconds = line.pop("first_byte_seconds")
    assert 0 < line.pop("upstream_seconds") <= first_byte_seconds <= line.pop("seconds")
    assert datetime.fromisoformat(line.pop("at")).tzinfo == UTC
    hold_usd = line.pop("hold_usd")
    assert float(hold_usd) > 0
    assert line == {
        "request_id": ids[0],
        "account_id": 1,
        "model": "gpt-4o-mini-2024-07-18",
        "upstream": "127.0.0.1",
        "stream": stream,
        "status": 200,
        "error": None,
        "state": "settled",
        "breach": None,
        "prompt_tokens": 12,
        "completion_tokens": 6,
        "cost_usd": "0.0000054",
    }


def test_what_is_refused_leaves_a_line_too(tmp_path: Path) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        path = "/chat/completions"
        await client.post(path, json=QUESTION, headers={"authorization": "Bearer sws-wrong"})
        await client.post(path, content=b"{")
        await client.post(path, json={**QUESTION, "model": "gpt-9"})
        await client.post(path, json={**QUESTION, "max_tokens": 0})
        await client.post(path, json=QUESTION)
        await client.post(path, json=QUESTION)

    lines = lines_of(
        tmp_path, act, Scripted(status=500, body="oops"), Scripted(status=422, body="{}")
    )
    assert [(line["status"], line["error"], line["state"]) for line in lines] == [
        (401, "invalid_api_key", None),
        (400, None, None),
        (404, "model_not_found", None),
        (400, None, None),
        (502, "upstream_failed", "unconfirmed"),
        (422, None, "released"),
    ]
    assert lines[4]["cost_usd"] == lines[4]["hold_usd"]
    assert lines[5]["cost_usd"] == "0.00"


def test_a_stream_that_breaks_says_so_in_its_line(tmp_path: Path) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        await client.post("/chat/completions", json={**QUESTION, "stream": True})

    (line,) = lines_of(tmp_path, act, Scripted(cut="mid stream"))
    assert (line["status"], line["error"]) == (200, "upstream_failed")
    assert line["state"] == "unconfirmed"


def test_lines_are_written_soon_and_together() -> None:
    async def act(log: CallLog, file: io.StringIO) -> None:
        for number in range(3):
            log.write(CallLine(f"req_{number}", datetime.now(UTC)))
        assert file.getvalue() == ""
        while not file.getvalue():
            await asyncio.sleep(0.01)
        assert file.getvalue().count("\n") == 3
        log.write(CallLine("req_4", datetime.now(UTC)))
        log.flush()
        assert file.getvalue().count("\n") == 4

    file = io.StringIO()
    asyncio.run(asyncio.wait_for(act(CallLog(file), file), 20))


def test_a_terminal_that_is_closed_costs_no_call() -> None:
    async def act() -> None:
        file = io.StringIO()
        file.close()
        log = CallLog(file)
        log.write(CallLine("req_1", datetime.now(UTC)))
        log.flush()

    asyncio.run(act())
