"""The proxy as an application in one process: paths, views, and an upstream that hangs."""

import asyncio
import csv
import io
import re
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest
from apps import course
from fake_openai import FakeOpenAI, Scripted

from swsllm_nb.catalogue import packaged_rows
from swsllm_nb.proxy import books
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.store import Store

QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}

Act = Callable[[httpx2.AsyncClient], Awaitable[Any]]


def run(
    folder: Path, act: Act, *scripts: Scripted, prefix: str = "/course", offer: Offer | None = None
) -> Any:
    """Let a client with a key act on an application over a scripted upstream."""

    async def running(base_url: str) -> Any:
        told = {"offer": offer} if offer else {}
        async with course(folder, base_url, prefix=prefix, **told) as served:
            async with served.client() as client:
                result = await act(client)
            assert await served.store.read(books.differences) == []
            return result

    with FakeOpenAI(*scripts) as server:
        return asyncio.run(running(server.base_url))


PATHS = ["/course", "/course/v1", "", "/v1", "//course", "/course//v1"]
ENDINGS = ["", "/"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("base", PATHS)
def test_every_path_answers_under_the_prefix_and_without_it_with_and_without_v1(
    tmp_path: Path, base: str, ending: str
) -> None:
    async def act(client: httpx2.AsyncClient) -> list[int]:
        answers = [
            await client.post(f"http://proxy{base}/chat/completions{ending}", json=QUESTION),
            await client.get(f"http://proxy{base}/models{ending}"),
            await client.get(f"http://proxy{base}/models/gpt-4o-mini{ending}"),
            await client.get(f"http://proxy{base}/account{ending}"),
            await client.get(f"http://proxy{base}/usage{ending}"),
            await client.get(f"http://proxy{base}/readyz{ending}"),
            await client.head(f"http://proxy{base}/models{ending}"),
        ]
        return [answer.status_code for answer in answers]

    assert run(tmp_path, act) == [200] * 7


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/chat/completions", 405),
        ("POST", "/models", 405),
        ("GET", "/models/gpt-5", 404),
        ("GET", "/coursework/models", 404),
        ("GET", "/usage?request_id=%00", 400),
        ("GET", "/usage?limit=-1", 400),
        ("GET", "/usage?limit=0", 400),
        ("GET", "/usage?until=9999-12-31T23:59:59-23:59", 400),
        ("GET", "/usage?cursor=" + "9" * 5000, 400),
        ("GET", "/usage?limit=1001", 400),
        ("GET", "/usage?cursor=x", 400),
        ("GET", "/usage?since=yesterday", 400),
    ],
)
def test_what_is_not_there_or_not_understood_is_an_openai_shaped_error(
    tmp_path: Path, method: str, path: str, status: int
) -> None:
    async def act(client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.request(method, path)

    answer = run(tmp_path, act)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    "path", ["/chat/completions", "/models", "/models/gpt-4o-mini", "/account", "/usage", "/readyz"]
)
def test_options_tells_the_methods_and_head_is_get_without_a_body(
    tmp_path: Path, path: str
) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        options = await client.options(path)
        assert (options.status_code, options.content) == (204, b"")
        told = {method.strip() for method in options.headers["allow"].split(",")}
        asked = {"POST"} if path == "/chat/completions" else {"GET", "HEAD"}
        assert told == asked | {"OPTIONS"}
        get, head = await client.get(path), await client.head(path)
        assert head.status_code == get.status_code
        assert head.headers["content-type"] == get.headers["content-type"]

    run(tmp_path, act)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/models"), ("GET", "/readyz"), ("GET", "/nowhere"), ("OPTIONS", "/nowhere"),
        ("GET", "/account"), ("GET", "/chat/completions"), ("OPTIONS", "/chat/completions"),
        ("POST", "/chat/completions"), ("POST", "/models"),
    ],
)  # fmt: skip
def test_every_answer_has_an_id_of_its_own_and_says_how_long_it_took(
    tmp_path: Path, method: str, path: str
) -> None:
    async def act(client: httpx2.AsyncClient) -> list[str]:
        answers = [await client.request(method, path, content=b"") for _ in range(2)]
        assert all(answer.headers["openai-processing-ms"].isdigit() for answer in answers)
        return [answer.headers["x-request-id"] for answer in answers]

    one, other = run(tmp_path, act)
    assert one != other
    assert re.fullmatch("req_[0-9a-f]{32}", one)


def test_an_unknown_path_has_no_options(tmp_path: Path) -> None:
    async def act(client: httpx2.AsyncClient) -> int:
        return (await client.options("/nowhere")).status_code

    assert run(tmp_path, act) == 404


@pytest.mark.parametrize("path", ["/account", "/usage"])
@pytest.mark.parametrize("key", ["", "Bearer", "Bearer wrong", "Basic YTpi", "sws-naked"])
def test_an_account_is_shown_to_its_key_alone(tmp_path: Path, path: str, key: str) -> None:
    async def act(client: httpx2.AsyncClient) -> httpx2.Response:
        return await client.get(path, headers={"authorization": key})

    answer = run(tmp_path, act)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"


def test_usage_is_paged_filtered_and_given_as_csv(tmp_path: Path) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        for _ in range(3):
            await client.post("/chat/completions", json=QUESTION)
        first = (await client.get("/usage?limit=2")).json()
        second = (await client.get(f"/usage?cursor={first['next_cursor']}")).json()
        assert [row["kind"] for row in first["data"] + second["data"]] == ["grant", *["call"] * 3]
        assert second["next_cursor"] is None
        last = second["data"][-1]
        assert last["cost_usd"] == "0.0000054"
        one = (await client.get(f"/usage?request_id={last['request_id']}")).json()["data"]
        assert one == [last]
        since = (await client.get("/usage", params={"since": last["at"]})).json()["data"]
        assert since == [last]
        until = (await client.get("/usage", params={"until": last["at"]})).json()["data"]
        assert len(until) == 3
        table = (await client.get("/usage", headers={"accept": "text/csv"})).text
        rows = list(csv.DictReader(io.StringIO(table)))
        assert [row["granted_usd"] or row["cost_usd"] for row in rows] == [
            "5.00", *["0.0000054"] * 3
        ]  # fmt: skip

    run(tmp_path, act)


@pytest.mark.parametrize("stream", [False, True])
def test_an_upstream_that_hangs_ends_in_an_error_and_an_unconfirmed_hold(
    tmp_path: Path, stream: bool
) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post("/chat/completions", json={**QUESTION, "stream": stream})
        assert answer.status_code == 502
        assert answer.headers["x-should-retry"] == "false"
        assert "unconfirmed" in answer.json()["error"]["message"]
        (_, row) = (await client.get("/usage")).json()["data"]
        assert row["state"] == "unconfirmed"
        assert row["cost_usd"] == row["hold_usd"] == answer.headers["x-swsllm-cost-usd"]

    run(tmp_path, act, Scripted(hang="before headers"))


def test_a_stream_that_hangs_midway_tells_its_cost_and_ends_in_an_error_event(
    tmp_path: Path,
) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post(
            "/chat/completions",
            json={**QUESTION, "stream": True},
            headers={"x-swsllm-cost": "1"},
        )
        *_, comment, error, nothing = answer.text.split("\n\n")
        (_, row) = (await client.get("/usage")).json()["data"]
        assert f'"cost_usd": "{row["hold_usd"]}"' in comment
        assert comment.startswith(": swsllm ")
        assert "broke off" in error
        assert nothing == ""

    run(tmp_path, act, Scripted(hang="mid stream"))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [200, 202, 307])
def test_an_error_in_an_answer_that_is_none_keeps_its_secrets_and_costs_the_hold(
    tmp_path: Path, status: int, stream: bool
) -> None:
    error = '{"error": {"message": "project proj_x of sk-teacher", "code": "boom"}}'
    body = f"data: {error}\n\ndata: [DONE]\n\n" if stream and status == 200 else error

    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post("/chat/completions", json={**QUESTION, "stream": stream})
        assert "teacher" not in answer.text
        assert "proj_x" not in answer.text
        assert "upstream_failed" in answer.text
        (_, row) = (await client.get("/usage")).json()["data"]
        assert row["state"] == "unconfirmed"

    run(tmp_path, act, Scripted(status=status, body=body))


@pytest.mark.parametrize("end", ["data: [DONE]\n", "data: [DONE] \n\n", "data: [DONE]"])
def test_a_done_that_is_not_quite_one_ends_a_stream_all_the_same(tmp_path: Path, end: str) -> None:
    usage = '{"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}'

    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post("/chat/completions", json={**QUESTION, "stream": True})
        assert answer.text.strip() == "data: [DONE]"
        (_, row) = (await client.get("/usage")).json()["data"]
        assert row["state"] == "settled"

    run(tmp_path, act, Scripted(body=f"data: {usage}\n\n{end}"))


def test_json_without_end_costs_the_hold_and_breaks_nothing(tmp_path: Path) -> None:
    async def act(client: httpx2.AsyncClient) -> None:
        answer = await client.post("/chat/completions", json=QUESTION)
        assert answer.status_code == 502
        refused = await client.post("/chat/completions", json=QUESTION)
        assert refused.status_code == 400

    deep = "[" * 100_000
    run(tmp_path, act, Scripted(body=deep), Scripted(status=400, body=deep))


def test_a_fault_of_the_proxy_is_an_openai_shaped_error_without_details(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("a secret detail")

    async def act(client: httpx2.AsyncClient) -> httpx2.Response:
        monkeypatch.setattr(Store, "reserve", broken)
        return await client.post("/chat/completions", json=QUESTION)

    answer = run(tmp_path, act)
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "proxy_failed"
    assert "secret" not in answer.text
    assert "a secret detail" in caplog.text


def test_models_tell_when_they_end_what_follows_and_who_serves_them(tmp_path: Path) -> None:
    rows = packaged_rows()
    mini = {**rows["gpt-4o-mini-2024-07-18"], "serve_by_successor": True, "successor": "gpt-4o"}
    long = {"above_tokens": 9000, "input_usd": "5", "output_usd": "6", "cached_input_usd": "1"}
    (price,) = rows["gpt-4o-2024-11-20"]["prices"]
    other = {
        **rows["gpt-4o-2024-11-20"],
        "shutdown_date": None,
        "prices": [{**price, "long_prompts": long}],
    }

    async def staff_rows() -> Any:
        return {row["id"]: row for row in (mini, other)}

    offer = Offer(ages=True, today=lambda: date(2027, 1, 14))
    asyncio.run(offer.refresh(staff_rows))

    async def act(client: httpx2.AsyncClient) -> None:
        listed = (await client.get("/models")).json()["data"]
        assert [(row["id"], row["served_by"]) for row in listed] == [
            ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-11-20"),
            ("gpt-4o-2024-11-20", None),
        ]
        one = (await client.get("/models/gpt-4o-mini")).json()
        assert one == listed[0]
        assert (one["shutdown_date"], one["successor"]) == ("2027-01-14", "gpt-4o")
        assert (one["input_usd_per_million"], one["cached_input_usd_per_million"]) == ("2.50", None)
        assert one["long_prompts"] == {
            "above_tokens": 9000,
            "input_usd_per_million": "5.00",
            "cached_input_usd_per_million": "1.00",
            "cache_write_usd_per_million": None,
            "output_usd_per_million": "6.00",
        }
        for name in ("o3-mini", "gpt-6-luna"):
            gone = await client.get(f"/models/{name}")
            assert gone.status_code == 404
            assert gone.json()["error"]["code"] == "model_not_found"
        await client.post("/chat/completions", json=QUESTION)
        (_, row) = (await client.get("/usage")).json()["data"]
        assert row["model"] == "gpt-4o-2024-11-20"

    run(tmp_path, act, offer=offer)
