"""The client for ``await``: as many rows as attempts, and the same ones as the other client's."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import openai
import pytest
from fake_openai import FakeOpenAI, Scripted, error
from pydantic import BaseModel

import swsllm_nb
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.client import OtherHost, build_async_client
from swsllm_nb.notebook.connection import Connection

KEY = "sk-marked-0123456789abcdef"
MESSAGES: Any = [{"role": "user", "content": "Hi"}]
COST = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}


class Rig:
    """A client of a fake server, and the rows it filed."""

    def __init__(self, server: FakeOpenAI) -> None:
        self.server = server
        self.calls: list[Call] = []
        self.client = build_async_client(
            Connection(server.base_url, KEY, "test"), self.calls.append, Whereabouts
        )

    @property
    def call(self) -> Call:
        (only,) = self.calls
        return only

    def create(self, **fields: Any) -> Awaitable[Any]:
        create: Any = self.client.chat.completions.create
        asked: Awaitable[Any] = create(model="gpt-4o-mini", messages=MESSAGES, **fields)
        return asked

    async def text_of_stream(self, **fields: Any) -> str:
        chunks = await self.create(stream=True, **fields)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])


@asynccontextmanager
async def rigged(*answers: Scripted, default: Scripted | None = None) -> AsyncIterator[Rig]:
    with FakeOpenAI(*answers, default=default) as server:
        rig = Rig(server)
        yield rig
        await rig.client.close()


def awaited(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    return lambda: asyncio.run(test())


@awaited
async def test_every_way_to_call_is_seen() -> None:
    class Reply(BaseModel):
        word: str

    async with rigged(Scripted(text='{"word": "hi"}')) as rig:
        completions = rig.client.chat.completions
        parsed = await completions.parse(
            model="gpt-4o-mini", messages=MESSAGES, response_format=Reply
        )
        assert parsed.choices[0].message.parsed == Reply(word="hi")
        async with completions.stream(model="gpt-4o-mini", messages=MESSAGES) as events:
            assert (await events.get_final_completion()).choices[0].message.content
        raw: Any = await completions.with_raw_response.create(
            model="gpt-4o-mini", messages=MESSAGES
        )
        assert raw.parse().choices[0].message.content == "Hello from the stub."
        for stream in (False, True):
            async with completions.with_streaming_response.create(
                model="gpt-4o-mini", messages=MESSAGES, stream=stream
            ) as response:
                assert b"stub." in await response.read()
        assert (await rig.create()).usage.prompt_tokens == 12
        assert await rig.text_of_stream() == "Hello from the stub. "
        chunks = await rig.create(stream=True, stream_options={"include_usage": True})
        assert [chunk async for chunk in chunks][-1].choices == []
        assert [call.status for call in rig.calls] == ["ok"] * 8
        assert [call.usage for call in rig.calls] == rig.server.invoice
        assert {call.cost_source for call in rig.calls} == {"computed"}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_proxy_settled_is_what_it_cost(stream: bool, packed: bool) -> None:
    async def run() -> None:
        async with rigged(Scripted(cost=COST, gzip=packed)) as rig:
            if stream:
                assert await rig.text_of_stream() == "Hello from the stub. "
            else:
                await rig.create()
            assert (rig.call.cost_pico, rig.call.cost_source) == (10**8, "proxy")
            assert rig.call.answer.strip() == "Hello from the stub."

    asyncio.run(run())


@awaited
async def test_each_attempt_is_a_row_of_its_own_and_has_its_own_name() -> None:
    busy = Scripted(status=503, body="busy", headers={"retry-after-ms": "1"})
    async with rigged(busy, busy) as rig:
        await rig.create()
        assert [(call.retries, call.status) for call in rig.calls] == [
            (0, "failed"),
            (1, "failed"),
            (2, "ok"),
        ]
        told = [request.headers["x-client-request-id"] for request in rig.server.requests]
        assert told == [call.client_id for call in rig.calls]
        assert len(set(told)) == 3


@awaited
async def test_money_that_is_gone_is_asked_for_once() -> None:
    body = error("Your budget is used up.", "insufficient_quota")
    async with rigged(Scripted(status=429, body=body)) as rig:
        with pytest.raises(openai.RateLimitError):
            await rig.create(stream=True)
        assert len(rig.server.requests) == 1
        assert (rig.call.status, rig.call.error_code) == ("refused", "insufficient_quota")


@awaited
async def test_a_server_that_refuses_stream_options_is_asked_again_once_and_remembered() -> None:
    refusing = Scripted(refuses_stream_options=True, tells_usage=False)
    async with rigged(default=refusing) as rig:
        for _ in range(2):
            assert await rig.text_of_stream() == "Hello from the stub. "
        asked = ["stream_options" in request.body for request in rig.server.requests]
        assert asked == [True, False, False]
        assert [call.cost_source for call in rig.calls] == ["estimated", "estimated"]


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("place", ["before headers", "mid stream", "before usage", "before done"])
def test_a_stream_is_complete_only_with_its_last_word(place: Any, clean: bool) -> None:
    async def run() -> None:
        async with rigged(Scripted(cut=place, clean_cut=clean)) as rig:
            rig.client = rig.client.with_options(max_retries=0)
            with suppress(openai.APIConnectionError):
                await rig.text_of_stream()
            assert rig.call.status == "failed"
            assert rig.call.error_code in ("cut", "unreadable")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("stream", "place"),
    [(False, "before headers"), (True, "before headers"), (True, "mid stream")],
)
def test_a_task_that_is_cancelled_leaves_its_row(stream: bool, place: Any) -> None:
    async def run() -> None:
        async with rigged(Scripted(text="One two", hang=place)) as rig:
            begun = asyncio.Event()

            async def ask() -> None:
                answer = await rig.create(stream=stream)
                async for chunk in answer:
                    if chunk.choices[0].delta.content:
                        begun.set()

            task = asyncio.create_task(ask())
            await asyncio.to_thread(rig.server.wait_for_requests, 1)
            if place == "mid stream":
                await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (rig.call.status, rig.call.cost_pico) == ("interrupted", None)
            if stream and place == "mid stream":
                assert rig.call.answer == "One "
            assert await asyncio.to_thread(rig.server.client_left.wait, 10)

    asyncio.run(run())


@awaited
async def test_a_stream_left_half_read_is_interrupted_however_it_is_left() -> None:
    async with rigged(default=Scripted(text="One two three", hang="mid stream")) as rig:
        stream = await rig.create(stream=True)
        assert (await anext(stream)).choices
        await stream.close()
        await stream.close()
        assert [call.status for call in rig.calls] == ["interrupted"]

        read = await rig.create(stream=True)
        assert (await anext(read)).choices
        del read
        await _rows_come(rig, 2)

        unread = await rig.create(stream=True)
        del unread
        await _rows_come(rig, 3)

        async with rig.client.chat.completions.with_streaming_response.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=True
        ) as response:
            async for _ in response.iter_lines():
                break
        await _rows_come(rig, 4)
        assert {call.status for call in rig.calls} == {"interrupted"}


async def _rows_come(rig: Rig, count: int) -> None:
    for _ in range(1000):
        gc.collect()
        if len(rig.calls) == count:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"{len(rig.calls)} rows and not {count}")


@awaited
async def test_many_calls_at_once_are_many_rows() -> None:
    async with rigged() as rig:
        texts = await asyncio.gather(*(rig.text_of_stream() for _ in range(30)))
        assert texts == ["Hello from the stub. "] * 30
        assert [call.status for call in rig.calls] == ["ok"] * 30
        assert len({call.client_id for call in rig.calls}) == 30


@awaited
async def test_a_call_that_takes_too_long_is_tried_again_each_attempt_a_row() -> None:
    async with rigged(default=Scripted(hang="before headers")) as rig:
        impatient = rig.client.with_options(max_retries=1, timeout=0.1)
        with pytest.raises(openai.APITimeoutError):
            await impatient.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert [(call.status, call.error_code) for call in rig.calls] == [("failed", "timeout")] * 2


@awaited
async def test_the_course_key_is_sent_to_no_other_host_and_follows_no_redirect() -> None:
    async with rigged() as rig:
        with FakeOpenAI() as elsewhere:
            away = rig.client.with_options(base_url=elsewhere.base_url)
            with pytest.raises(OtherHost):
                await away.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
            target = {"location": f"{elsewhere.base_url}/chat/completions"}
            rig.server.answers.append(Scripted(status=307, body="moved", headers=target))
            with pytest.raises(OtherHost, match="nothing was sent to"):
                await rig.create()
            assert elsewhere.requests == []
        assert (rig.call.status, rig.call.error_code) == ("failed", "other_host")


def test_a_script_may_run_one_loop_after_another(connected: FakeOpenAI) -> None:
    async def question() -> str:
        async with swsllm_nb.async_client() as client:
            create: Any = client.chat.completions.create
            answer = await create(model="gpt-4o-mini", messages=MESSAGES)
        return str(answer.choices[0].message.content)

    async def twice() -> set[str]:
        return {await question(), await question()}

    for _ in range(2):
        assert asyncio.run(twice()) == {"Hello from the stub."}
    assert list(swsllm_nb.log()["status"]) == ["ok"] * 4
