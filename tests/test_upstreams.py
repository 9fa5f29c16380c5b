"""Several upstreams: which serves a call, and what is tried again because nothing was billed."""

import asyncio
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import pytest
from fake_openai import FakeOpenAI, Scripted, error

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.proxy.errors import ProxyNotAdmitted, UpstreamBusy, error_answer
from swsllm_nb.proxy.refusals import refusal_of
from swsllm_nb.proxy.upstream import HttpUpstream, NotSent, UpstreamError, UpstreamLost
from swsllm_nb.proxy.upstreams import Upstreams

MINI = default_catalogue().default
BODY = b'{"model": "m", "messages": [], "stream": true}'

NOW = {"retry-after": "0"}
BUSY = Scripted(status=429, body=error("Slow down", "rate_limit_exceeded"), headers=NOW)
OVERLOADED = Scripted(status=503, body=error("Busy", "server_is_overloaded"), headers=NOW)
OUT_OF_QUOTA = Scripted(status=429, body=error("No money", "insufficient_quota"), headers=NOW)
UNCLEAR = Scripted(status=503, body="upstream connect error", headers=NOW)


@contextmanager
def closed_address() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def call(
    addresses: Sequence[str], allowed: tuple[str, ...] = (), read_timeout_seconds: float = 5
) -> tuple[int, str, bytes]:
    """Status, serving upstream and body of one call; upstreams are named a, b, c."""

    async def run() -> tuple[int, str, bytes]:
        upstreams = Upstreams(
            [
                HttpUpstream(address, None, name=name, read_timeout_seconds=read_timeout_seconds)
                for name, address in zip("abc", addresses, strict=False)
            ]
        )
        try:
            route = upstreams.route(replace(MINI, upstreams=allowed))
            async with route.post(BODY) as answer:
                body = b"".join([chunk async for chunk in answer.chunks()])
                return answer.status, answer.upstream, body
        finally:
            await upstreams.close()

    return asyncio.run(run())


@contextmanager
def fakes(*scripts: Sequence[Scripted]) -> Iterator[list[FakeOpenAI]]:
    with ExitStack() as stack:
        yield [stack.enter_context(FakeOpenAI(*answers)) for answers in scripts]


def urls(servers: Sequence[FakeOpenAI]) -> list[str]:
    return [server.base_url for server in servers]


def asked(servers: Sequence[FakeOpenAI]) -> list[int]:
    return [len(server.requests) for server in servers]


def test_the_first_upstream_serves_and_the_next_is_left_alone() -> None:
    with fakes([], []) as servers:
        assert call(urls(servers))[:2] == (200, "a")
        assert asked(servers) == [1, 0]


def test_a_row_names_the_upstreams_that_may_serve_it_in_its_own_order() -> None:
    with fakes([], [], []) as servers:
        assert call(urls(servers), allowed=("c", "a"))[:2] == (200, "c")
        assert call(urls(servers), allowed=("elsewhere", "b"))[:2] == (200, "b")
        with pytest.raises(ProxyNotAdmitted, match=r"served by elsewhere only.*has a and b and c"):
            call(urls(servers), allowed=("elsewhere",))
        assert asked(servers) == [0, 1, 1]


@pytest.mark.parametrize("script", [BUSY, OVERLOADED, OUT_OF_QUOTA])
def test_what_one_upstream_refuses_unbilled_the_next_serves_at_once(script: Scripted) -> None:
    with fakes([replace(script, headers={"retry-after": "30"})], []) as servers:
        started = time.monotonic()
        assert call(urls(servers))[:2] == (200, "b")
        assert time.monotonic() - started < 5
        assert asked(servers) == [1, 1]


def test_where_nobody_listens_the_next_upstream_serves() -> None:
    with closed_address() as nowhere, fakes([]) as servers:
        assert call([nowhere, *urls(servers)])[:2] == (200, "b")


@pytest.mark.parametrize("script", [BUSY, OVERLOADED])
def test_an_only_upstream_that_is_busy_is_asked_three_times(script: Scripted) -> None:
    with fakes([script, script]) as servers:
        assert call(urls(servers))[:2] == (200, "a")
    with fakes([script] * 4) as servers:
        status, upstream, body = call(urls(servers))
        assert (status, upstream) == (script.status, "a")
        assert b'"error"' in body
        assert asked(servers) == [3]


def test_without_a_word_when_to_come_back_it_waits_half_a_second_or_so() -> None:
    with fakes([replace(BUSY, headers={})]) as servers:
        started = time.monotonic()
        assert call(urls(servers))[0] == 200
        assert 0.37 < time.monotonic() - started < 3


def test_nobody_is_kept_waiting_longer_than_their_patience() -> None:
    with fakes([replace(BUSY, headers={"retry-after": "9"})]) as servers:
        started = time.monotonic()
        assert call(urls(servers))[0] == 429
        assert time.monotonic() - started < 5
        assert asked(servers) == [1]


def test_an_upstream_without_money_is_not_asked_twice() -> None:
    with fakes([OUT_OF_QUOTA, Scripted()]) as servers:
        assert call(urls(servers))[0] == 429
        assert asked(servers) == [1]
    with fakes([OUT_OF_QUOTA, Scripted()], [BUSY]) as servers:
        assert call(urls(servers))[:2] == (200, "b")
        assert asked(servers) == [1, 2]


def test_a_client_is_told_of_the_failure_that_will_pass() -> None:
    with closed_address() as nowhere, fakes([BUSY] * 3, [OUT_OF_QUOTA]) as servers:
        status, upstream, _ = call([*urls(servers), nowhere])
        assert (status, upstream) == (429, "a")


@pytest.mark.parametrize(
    "script",
    [
        UNCLEAR,
        Scripted(status=500, body=error("oops")),
        Scripted(status=400, body=error("No such model", "model_not_found")),
        Scripted(status=408, body=error("Too slow")),
    ],
)
def test_what_may_have_been_billed_or_cannot_succeed_is_never_tried_again(
    script: Scripted,
) -> None:
    with fakes([script], []) as servers:
        assert call(urls(servers))[:2] == (script.status, "a")
        assert asked(servers) == [1, 0]


@pytest.mark.parametrize("place", ["before headers", "mid stream"])
@pytest.mark.parametrize("way", ["hang", "cut"])
def test_a_call_that_was_lost_is_never_tried_again(way: str, place: str) -> None:
    script = Scripted(**{way: place})  # type: ignore[arg-type]
    with fakes([script], []) as servers, pytest.raises(UpstreamLost) as lost:
        call(urls(servers), read_timeout_seconds=0.3)
    assert lost.value.upstream == "a"
    assert asked(servers) == [1, 0]


def test_a_busy_upstream_that_is_then_lost_may_have_billed() -> None:
    with fakes([BUSY, Scripted(cut="before headers")]) as servers, pytest.raises(UpstreamLost):
        call(urls(servers))


def test_where_nobody_listens_at_all_nothing_was_sent() -> None:
    with closed_address() as nowhere, pytest.raises(NotSent) as unsent:
        call([nowhere])
    assert isinstance(unsent.value, UpstreamError)
    assert unsent.value.upstream == "a"


@pytest.mark.parametrize(
    ("asked_seconds", "told"), [(None, "10"), (0, "1"), (7.2, "8"), (900, "60")]
)
def test_a_429_that_remains_tells_the_client_how_long_to_wait(
    asked_seconds: float | None, told: str
) -> None:
    text = b'{"error": {"message": "org-secret is too fast", "code": "rate_limit_exceeded"}}'
    refusal = refusal_of(429, text, asked_seconds)
    assert isinstance(refusal, UpstreamBusy)
    answer = error_answer(refusal)
    assert (answer.status, dict(answer.headers)["retry-after"]) == (429, told)
    assert b'"rate_limit_exceeded"' in answer.body
    assert b"secret" not in answer.body


@pytest.mark.parametrize(
    ("status", "told"), [(400, 400), (409, 409), (422, 422), (407, 400), (418, 400), (426, 400)]
)
def test_a_refusal_that_means_nothing_to_the_caller_is_a_bad_request(
    status: int, told: int
) -> None:
    assert error_answer(refusal_of(status, b"{}")).status == told


@pytest.mark.parametrize("field", ["type", "code"])
def test_an_upstream_out_of_money_is_the_proxys_matter(field: str) -> None:
    text = f'{{"error": {{"message": "of org-secret", "{field}": "insufficient_quota"}}}}'
    refusal = refusal_of(429, text.encode(), 5)
    assert isinstance(refusal, ProxyNotAdmitted)
    assert "secret" not in str(refusal)
