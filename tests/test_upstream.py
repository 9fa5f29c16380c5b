"""The one HTTP client towards a model's server, and what it makes of each way that fails."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

import pytest
from fake_openai import FakeOpenAI, Scripted

from swsllm_nb.proxy.upstream import CONNECTIONS, HttpUpstream, NotSent, UpstreamLost

BODY = b'{"model": "m", "messages": [], "stream": true}'


def post(base_url: str, **options: Any) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        async with (
            HttpUpstream(base_url, "sk-secret", **options) as upstream,
            upstream.post(BODY) as answer,
        ):
            return answer.status, b"".join([chunk async for chunk in answer.chunks()])

    return asyncio.run(run())


def test_the_body_goes_out_as_it_is_with_the_upstream_key() -> None:
    with FakeOpenAI() as server:
        status, body = post(f"{server.base_url}/")
        assert status == 200
        assert body.endswith(b"data: [DONE]\n\n")
        assert server.requests[0].raw == BODY
        assert server.requests[0].path == "/v1/chat/completions"
        assert server.requests[0].headers["authorization"] == "Bearer sk-secret"


def test_a_refused_connection_was_not_sent() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSent):
            post(f"http://127.0.0.1:{unused.getsockname()[1]}")


@pytest.mark.parametrize("place", ["before headers", "mid stream"])
@pytest.mark.parametrize("way", ["hang", "cut"])
def test_a_server_that_hangs_or_cuts_may_have_billed(way: str, place: str) -> None:
    script = Scripted(**{way: place})  # type: ignore[arg-type]
    with FakeOpenAI(script) as server, pytest.raises(UpstreamLost):
        post(server.base_url, read_timeout_seconds=0.3)


def test_an_answer_that_only_drips_is_given_up_in_the_end() -> None:
    script = Scripted(chunks=("a ",) * 1000, wait_between_chunks=0.02)
    with FakeOpenAI(script) as server, pytest.raises(UpstreamLost) as lost:
        post(server.base_url, read_timeout_seconds=0.2, total_timeout_seconds=0.5)
    assert lost.value.upstream == "127.0.0.1"


def test_a_slow_answer_that_never_falls_silent_is_read_to_its_end() -> None:
    script = Scripted(chunks=("a ",) * 40, wait_between_chunks=0.02)
    with FakeOpenAI(script) as server:
        _, body = post(server.base_url, read_timeout_seconds=0.3)
    assert body.endswith(b"data: [DONE]\n\n")


def test_a_refusal_that_never_ends_is_not_waited_for() -> None:
    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Slow down\r\ncontent-length: 9\r\n\r\n{")
        await reader.read(-1)
        writer.close()

    async def run() -> bytes:
        async with await asyncio.start_server(never, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with (
                HttpUpstream(f"http://127.0.0.1:{port}", None, read_timeout_seconds=0.2) as ours,
                ours.post(BODY) as answer,
            ):
                return b"".join([chunk async for chunk in answer.chunks()])

    assert asyncio.run(run()) == b"{"


def test_as_many_calls_run_at_once_as_are_sent() -> None:
    """A limit of the client's own would let calls wait that hold money already."""

    async def run(base_url: str, server: FakeOpenAI) -> None:
        async with HttpUpstream(base_url, None, read_timeout_seconds=60) as ours:

            async def call() -> None:
                with suppress(UpstreamLost):
                    async with ours.post(BODY) as answer:
                        assert answer.status == 200

            calls = [asyncio.create_task(call()) for _ in range(CONNECTIONS)]
            await asyncio.to_thread(server.wait_for_requests, CONNECTIONS)
            for task in calls:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)

    with FakeOpenAI(default=Scripted(hang="before headers")) as server:
        asyncio.run(run(server.base_url, server))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "9" * 400}, None),
    ],
)
def test_the_wait_that_an_upstream_asks_for_is_read(
    headers: dict[str, str], seconds: float | None
) -> None:
    async def run(base_url: str) -> float | None:
        async with HttpUpstream(base_url, None) as upstream, upstream.post(BODY) as answer:
            return answer.retry_after_seconds

    with FakeOpenAI(Scripted(status=429, body="", headers=headers)) as server:
        assert asyncio.run(run(server.base_url)) == seconds


def test_a_redirect_does_not_carry_the_key_elsewhere() -> None:
    with FakeOpenAI() as other:
        moved = Scripted(status=307, body="", headers={"location": f"{other.base_url}/x"})
        with FakeOpenAI(moved) as server:
            status, _ = post(server.base_url)
    assert (status, other.requests) == (307, [])


def test_a_refusal_is_given_without_our_key_and_not_for_ever() -> None:
    body = "The key sk-secret is wrong. " + "x" * 1_000_000
    with FakeOpenAI(Scripted(status=400, body=body)) as server:
        status, told = post(server.base_url)
    assert status == 400
    assert told.startswith(b"The key ... is wrong.")
    assert len(told) < 400_000


def test_the_name_that_students_see_tells_no_credentials() -> None:
    assert HttpUpstream("https://ada:secret@api.example.org/v1", "sk-x").name == "api.example.org"
    assert "sk-x" not in repr(HttpUpstream("https://api.example.org", "sk-x"))
