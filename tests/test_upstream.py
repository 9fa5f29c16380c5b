"""The one HTTP client towards a model's server, and what it makes of each way that fails."""

import asyncio
import socket
from typing import Any

import pytest
from fake_openai import FakeOpenAI, Scripted

from swsllm_nb.proxy.upstream import HttpUpstream, NotSent, UpstreamLost

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
