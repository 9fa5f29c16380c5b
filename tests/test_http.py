"""Clients that send or read slowly, endlessly or in riddles, against a server on a real socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from apps import course
from fake_openai import FakeOpenAI, Scripted

from swsllm_nb.proxy import books
from swsllm_nb.proxy.asgi import App, Receive, Scope, Send
from swsllm_nb.proxy.http import BoundedProtocol
from swsllm_nb.proxy.store import Store

PATIENCE_SECONDS = 20
Act = Callable[[int], Awaitable[Any]]


class Hasty(BoundedProtocol):
    head_seconds = 0.3
    body_seconds = 0.3
    stall_seconds = 0.3


class Bounded(BoundedProtocol):
    """Has time: what it ends was too much, not too slow."""

    body_seconds = 2 * PATIENCE_SECONDS


class Echo:
    """Answers with the length of the body, and remembers how each request ended."""

    def __init__(self) -> None:
        self.endings: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        length = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.endings.append("client left")
                return
            length += len(message["body"])
            if not message["more_body"]:
                break
        self.endings.append("read")
        body = str(length).encode()
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(app: App, protocol: type[BoundedProtocol] = Hasty) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http=protocol, ws="none", lifespan="off", log_config=None, timeout_keep_alive=1
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield listening.getsockname()[1]
        server.should_exit = True
        await running


def run(app: App, act: Act, protocol: type[BoundedProtocol] = Hasty) -> Any:
    async def running() -> Any:
        async with serving(app, protocol) as port:
            return await asyncio.wait_for(act(port), PATIENCE_SECONDS)

    return asyncio.run(running())


async def exchange(port: int, *pieces: bytes) -> bytes:
    """Send, and read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def parted(answer: bytes) -> tuple[int, bytes, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body) if body else None


def head(*fields: str, path: str = "/", method: str = "POST") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "host: x", *fields, "", "")
    return "\r\n".join(lines).encode()


def test_a_request_within_all_bounds_is_answered() -> None:
    long = head("connection: close", "content-length: 3", "x-long: " + "a" * 60_000) + b"abc"
    answer = run(Echo(), lambda port: exchange(port, long))
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"\r\n\r\n3")


def test_a_body_may_come_in_one_piece_with_its_head_and_be_longer_than_a_head_may_be() -> None:
    request = head("connection: close", "content-length: 300000") + b"x" * 300_000
    assert run(Echo(), lambda port: exchange(port, request)).endswith(b"300000")


@pytest.mark.parametrize(
    "pieces",
    [
        [b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n"],
        [b"GET /", *[b"a" * 30_000] * 40],
        [head("x-long: " + "a" * 70_000)],
        [head()[:-2], *[b"x-many: %d\r\n" % number for number in range(30_000)]],
    ],
    ids=["a long URL", "an endless URL", "a long header", "many headers"],
)
def test_a_head_that_is_too_long_is_refused_before_it_has_ended(pieces: list[bytes]) -> None:
    echo = Echo()
    answer = run(echo, lambda port: exchange(port, *pieces))
    # Where more came than was read, the system may throw the answer away.
    if answer:
        status, fields, body = parted(answer)
        assert status == 431
        assert body["error"]["code"] == "request_header_fields_too_large"
        assert b"x-request-id: req_" in fields
    assert echo.endings == []


@pytest.mark.parametrize(
    "request_", [b"hello\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", head("content-length: -1")]
)
def test_what_is_not_http_is_answered_as_openai_would(request_: bytes) -> None:
    status, _, body = parted(run(Echo(), lambda port: exchange(port, request_)))
    assert status == 400
    assert set(body["error"]) == {"message", "type", "param", "code"}


def test_a_head_that_never_ends_is_answered_in_time() -> None:
    status, _, body = parted(run(Echo(), lambda port: exchange(port, b"POST /chat")))
    assert status == 408
    assert body["error"]["code"] == "request_timeout"


@pytest.mark.parametrize("sent", [b"", b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed(sent: bytes) -> None:
    assert run(Echo(), lambda port: exchange(port, sent)) == b""


def test_a_body_that_never_ends_is_answered_in_time_and_its_call_ends() -> None:
    echo = Echo()
    request = head("content-length: 5") + b"abc"
    status, _, body = parted(run(echo, lambda port: exchange(port, request)))
    assert (status, body["error"]["code"]) == (408, "request_timeout")
    assert echo.endings == ["client left"]


def test_a_broken_chunk_is_refused_and_its_call_ends() -> None:
    echo = Echo()
    request = head("transfer-encoding: chunked") + b"3\r\nabc\r\nzz\r\n"
    assert parted(run(echo, lambda port: exchange(port, request)))[0] == 400
    assert echo.endings == ["client left"]


@pytest.mark.parametrize(
    "flood",
    [
        b"0\r\n" + b"x-many: 1\r\n" * 60_000,
        b"0\r\nx-long: " + b"a" * 700_000,
        b"1;" + b"a" * 700_000,
    ],
    ids=["many fields", "a long field", "a long chunk extension"],
)
def test_what_stands_around_a_body_in_chunks_is_bounded_like_a_head(flood: bytes) -> None:
    echo = Echo()
    pieces = [flood[at : at + 11_000] for at in range(0, len(flood), 11_000)]
    request = head("transfer-encoding: chunked") + b"3\r\nabc\r\n"
    answer = run(echo, lambda port: exchange(port, request, *pieces), Bounded)
    # Where more came than was read, the system may throw the answer away.
    if answer:
        status, _, body = parted(answer)
        assert (status, body["error"]["code"]) == (431, "request_header_fields_too_large")
    assert echo.endings == ["client left"]


def test_a_field_behind_a_body_is_no_header() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Echo()(scope, receive, send)
        seen.extend(scope["headers"])

    chunks = b"3\r\nabc\r\n0\r\nauthorization: Bearer x\r\n\r\n"
    request = head("connection: close", "transfer-encoding: chunked") + chunks
    assert run(app, lambda port: exchange(port, request)).endswith(b"3")
    assert (b"transfer-encoding", b"chunked") in seen
    assert b"authorization" not in dict(seen)


def test_garbage_behind_a_request_gets_no_answer_in_place_of_that_of_the_request() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await asyncio.sleep(0.1)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    answer = run(slow, lambda port: exchange(port, head("content-length: 0"), b"garbage\r\n\r\n"))
    assert answer == b""


def test_many_requests_on_one_connection_are_answered_and_then_it_is_closed() -> None:
    async def act(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(head("content-length: 2") + b"ab")
            assert (await reader.readuntil(b"\r\n\r\n2")).startswith(b"HTTP/1.1 200")
            # Longer than a request's head may take: waiting between requests is not slowness.
            await asyncio.sleep(0.5)
        rest = await reader.read()
        writer.close()
        return rest

    assert run(Echo(), act) == b""


class Flood:
    """Sends without end, until the connection is gone."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()
        self.sent = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        left = asyncio.create_task(receive())
        while not left.done():
            chunk = {"type": "http.response.body", "body": b"x" * 50_000, "more_body": True}
            await send(chunk)
            self.sent += 1
            await asyncio.sleep(0)
        self.ended.set()


async def narrow_connection(port: int) -> socket.socket:
    """A connection whose own buffer is small, so that not reading is soon felt."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port))
    return client


def test_a_client_that_does_not_read_is_cut_off() -> None:
    async def running() -> None:
        flood = Flood()
        async with serving(flood) as port:
            with await narrow_connection(port) as client:
                await asyncio.get_running_loop().sock_sendall(client, head("content-length: 0"))
                await asyncio.wait_for(flood.ended.wait(), PATIENCE_SECONDS)

    asyncio.run(running())


def test_a_client_that_reads_slowly_is_not_cut_off() -> None:
    async def running() -> None:
        flood = Flood()
        loop = asyncio.get_running_loop()
        async with serving(flood) as port:
            with await narrow_connection(port) as client:
                await loop.sock_sendall(client, head("content-length: 0"))
                for _ in range(30):
                    for _ in range(10):
                        assert await loop.sock_recv(client, 20_000)
                    await asyncio.sleep(0.05)
                assert not flood.ended.is_set()
            await asyncio.wait_for(flood.ended.wait(), PATIENCE_SECONDS)

    asyncio.run(running())


async def ask_for_a_stream(client: socket.socket, key: str) -> None:
    body = json.dumps(
        {"model": "gpt-4o-mini", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    ).encode()
    fields = (f"authorization: Bearer {key}", f"content-length: {len(body)}")
    request = head(*fields, path="/chat/completions") + body
    await asyncio.get_running_loop().sock_sendall(client, request)


async def settled_calls(store: Store, count: int) -> None:
    """Wait until that many calls are settled, and every other end is a failure."""
    states = ["held"]
    while "held" in states or len(states) < count:
        await asyncio.sleep(0.05)
        calls = (await store.read(lambda: books.usage(1))).rows[1:]
        states = [call["state"] for call in calls]
    assert states == ["settled"] * count


def test_a_stream_that_is_not_read_is_read_to_its_end_by_the_proxy_and_settled(
    tmp_path: Path,
) -> None:
    async def running(base_url: str) -> None:
        async with course(tmp_path, base_url) as served, serving(served.app) as port:
            with await narrow_connection(port) as client:
                await ask_for_a_stream(client, served.key)
                await settled_calls(served.store, 1)

    with FakeOpenAI(Scripted(chunks=("x" * 100_000,) * 200)) as server:
        asyncio.run(asyncio.wait_for(running(server.base_url), 60))


def test_who_hangs_up_while_waiting_for_a_place_pays_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swsllm_nb.proxy.app.CONNECTIONS", 1)

    async def running(base_url: str) -> None:
        async with course(tmp_path, base_url) as served, serving(served.app) as port:
            stays = await narrow_connection(port)
            await ask_for_a_stream(stays, served.key)
            while not server.requests:
                await asyncio.sleep(0.01)
            for _ in range(3):
                with await narrow_connection(port) as leaves:
                    await ask_for_a_stream(leaves, served.key)
                    await asyncio.sleep(0.05)
            last = await narrow_connection(port)
            await ask_for_a_stream(last, served.key)
            with stays, last:
                await settled_calls(served.store, 2)

    answers = (Scripted(chunks=("slow",) * 10, wait_between_chunks=0.1), Scripted())
    with FakeOpenAI(*answers, default=Scripted(status=500)) as server:
        asyncio.run(asyncio.wait_for(running(server.base_url), 20))
        assert len(server.requests) == 2
