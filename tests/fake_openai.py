"""A scripted OpenAI-compatible server on a loopback port, in a thread of its own.

    with FakeOpenAI(Scripted(text="Hi"), Scripted(status=500, body="oops")) as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="sk-test")

Answers are taken from ``server.answers`` in order, then ``server.default`` answers for ever.
``server.requests`` holds what came in, ``server.invoice`` what a real upstream would have billed.
"""

import asyncio
import json
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from swsllm_nb.wire import Usage, cost_comment

DEFAULT_USAGE = Usage(prompt_tokens=12, completion_tokens=6)

Place = Literal["before headers", "mid stream", "before usage", "before done"]


@dataclass(frozen=True)
class Scripted:
    """One answer. A plain answer and a stream tell the same story; times are in seconds.

    ``usage`` is billed whenever the status is 200, and told unless ``tells_usage`` is False.
    ``cost`` goes out as x-swsllm headers on a plain answer, as a comment in a stream.
    ``clean_cut`` ends the body properly where it is cut, as some proxies do.
    """

    text: str = "Hello from the stub."
    chunks: tuple[str, ...] = ()
    usage: Usage = DEFAULT_USAGE
    tells_usage: bool = True
    finish_reason: str = "stop"
    model: str | None = None
    status: int = 200
    body: dict[str, Any] | str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cost: dict[str, str] = field(default_factory=dict)
    wait_before_headers: float = 0
    wait_between_chunks: float = 0
    hang: Place | None = None
    cut: Place | None = None
    clean_cut: bool = False
    gzip: bool = False
    refuses_stream_options: bool = False
    fingerprint: str | None = None

    @property
    def pieces(self) -> tuple[str, ...]:
        return self.chunks or tuple(word + " " for word in self.text.split(" "))

    @property
    def whole(self) -> str:
        return "".join(self.chunks) or self.text


@dataclass(frozen=True)
class Recorded:
    """One request; header names are in lower case, ``body`` is None where it is no JSON."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    raw: bytes


def error(message: str, code: str | None = None, param: str | None = None) -> Any:
    """OpenAI's error envelope."""
    kind = "insufficient_quota" if code == "insufficient_quota" else "invalid_request_error"
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


class FakeOpenAI:
    """See the module. ``pages`` answers GETs by path ending, such as ``{"/account": {...}}``; one
    that is Scripted has a status of its own."""

    def __init__(self, *answers: Scripted, default: Scripted | None = None, port: int = 0) -> None:
        self.answers = deque(answers)
        self.default = default or Scripted()
        self.pages: dict[str, Any] = {}
        self.requests: list[Recorded] = []
        self.invoice: list[Usage] = []
        self.client_left = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="fake-openai")
        self._ready = threading.Event()
        self.port = port

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the fake server did not start"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the fake server did not stop"

    def wait_for_requests(self, count: int, seconds: float = 10) -> None:
        """Returns once ``count`` requests have come in; fails after ``seconds``."""
        self._poll(lambda: len(self.requests) >= count, seconds)

    @staticmethod
    def _poll(done: Callable[[], bool], seconds: float) -> None:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, "it did not come in time"
            time.sleep(0.005)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        app = web.Application(client_max_size=2**26)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._closing.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.requests.append(Recorded(request.method, request.path, headers, body, raw))
        if request.method == "GET":
            return self._page(request.path)
        script = self.answers.popleft() if self.answers else self.default
        await asyncio.sleep(script.wait_before_headers)
        if script.refuses_stream_options and "stream_options" in body:
            self.answers.appendleft(script)
            refusal = error("Unknown parameter: 'stream_options'.", "unknown", "stream_options")
            return web.json_response(refusal, status=400)
        if script.status == 200:
            self.invoice.append(script.usage)
        if await self._stops(script, "before headers", request):
            return web.Response()
        if script.body is not None or script.status != 200:
            return self._plain(script, script.body or "")
        if not body.get("stream"):
            return self._plain(script, self._completion(script, body))
        return await self._stream(script, request, body)

    def _page(self, path: str) -> web.Response:
        for ending, page in self.pages.items():
            if path.endswith(ending) and isinstance(page, Scripted):
                return self._plain(page, page.body or "")
            if path.endswith(ending):
                return web.json_response(page)
        return web.json_response(error("There is no such page."), status=404)

    def _plain(self, script: Scripted, body: Any) -> web.Response:
        kind = "text/plain" if isinstance(body, str) else "application/json"
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        costs = {f"x-swsllm-{name.replace('_', '-')}": usd for name, usd in script.cost.items()}
        headers = {"content-type": kind, **costs, **script.headers}
        if script.gzip:
            packer = zlib.compressobj(wbits=31)
            content = packer.compress(content) + packer.flush()
            headers["content-encoding"] = "gzip"
        return web.Response(body=content, status=script.status, headers=headers)

    def _completion(self, script: Scripted, body: dict[str, Any]) -> dict[str, Any]:
        message = {"role": "assistant", "content": script.whole}
        choice = {"index": 0, "message": message, "finish_reason": script.finish_reason}
        told = {"usage": _usage_json(script.usage)} if script.tells_usage else {}
        return {**_head(script, body, "chat.completion"), "choices": [choice], **told}

    async def _stream(
        self, script: Scripted, request: web.Request, body: dict[str, Any]
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.headers.update(script.headers)
        packer = zlib.compressobj(wbits=31) if script.gzip else None
        if packer:
            response.headers["content-encoding"] = "gzip"
        await response.prepare(request)
        try:
            for place, event in _events(script, body):
                if await self._stops(script, place, request):
                    return response
                if packer:
                    event = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
                await response.write(event)
                await asyncio.sleep(script.wait_between_chunks)
            await response.write_eof(packer.flush() if packer else b"")
        except ConnectionResetError:
            self.client_left.set()
        return response

    async def _stops(self, script: Scripted, place: Place | None, request: web.Request) -> bool:
        """Hangs or cuts here, where the script says so."""
        if place and script.hang == place:
            # aiohttp tells no one that a client left, so this looks.
            while not self._closing.is_set() and request.transport is not None:
                await asyncio.sleep(0.005)
            self.client_left.set()
            return True
        if place and script.cut == place:
            if not script.clean_cut and request.transport is not None:
                request.transport.close()
            return True
        return False


def _events(script: Scripted, body: dict[str, Any]) -> Iterator[tuple[Place | None, bytes]]:
    """Every event of a stream, each with the place it stands at."""
    head = _head(script, body, "chat.completion.chunk")
    wants_usage = (body.get("stream_options") or {}).get("include_usage") and script.tells_usage
    usage: dict[str, Any] = {"usage": None} if wants_usage else {}

    def event(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return _event({**head, "choices": [choice], **usage})

    yield None, event({"role": "assistant", "content": ""})
    for number, piece in enumerate(script.pieces):
        yield "mid stream" if number == 1 else None, event({"content": piece})
    yield "before usage", event({}, script.finish_reason)
    if wants_usage:
        yield None, _event({**head, "choices": [], "usage": _usage_json(script.usage)})
    if script.cost:
        yield None, cost_comment(script.cost)
    yield "before done", b"data: [DONE]\n\n"


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _head(script: Scripted, body: dict[str, Any], kind: str) -> dict[str, Any]:
    model = script.model or body.get("model")
    head = {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": model}
    return head | ({"system_fingerprint": script.fingerprint} if script.fingerprint else {})


def _usage_json(usage: Usage) -> dict[str, Any]:
    counts = asdict(usage)
    return {
        "prompt_tokens": counts["prompt_tokens"],
        "completion_tokens": counts["completion_tokens"],
        "total_tokens": counts["prompt_tokens"] + counts["completion_tokens"],
        "prompt_tokens_details": {"cached_tokens": counts["cached_tokens"]},
        "completion_tokens_details": {"reasoning_tokens": counts["reasoning_tokens"]},
    }
