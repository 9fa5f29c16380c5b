"""An upstream that always uses the whole cap, ends calls in every way, and keeps its own invoice.

A call names itself and its ending in the first line of its last message: ``race-3-0017 cut``.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from fake_openai import FakeOpenAI, Place, Scripted, error

from swsllm_nb.tokenizer import o200k_base
from swsllm_nb.wire import Usage

# The price list of the course's page, in pico-dollars per token; not read from the catalogue.
PICO_PER_TOKEN: Final = {
    "gpt-4o-mini-2024-07-18": (150_000, 600_000),
    "gpt-4o-2024-11-20": (2_500_000, 10_000_000),
}

GATE_SECONDS = 120


@dataclass(frozen=True)
class Ending:
    """How a call ends, and what the ledger must then say of it.

    ``gate`` is where the upstream waits until ``open_gate``, ``leaves`` where the client goes.
    ``told`` says that the whole usage reaches the proxy.
    """

    state: str = "settled"
    stream: bool = False
    status: int = 200
    body: Any = None
    told: bool = True
    gate: Place | None = None
    cut: Place | None = None
    leaves: Place | None = None
    half: bool = False

    @property
    def billed(self) -> bool:
        return self.state != "released"


ENDINGS: Final[Mapping[str, Ending]] = {
    "plain": Ending(),
    "stream": Ending(stream=True),
    "refused": Ending("released", status=400, body=error("No."), told=False),
    "failed-stated": Ending("released", status=500, body=error("Oh."), told=False),
    "failed-silent": Ending("unconfirmed", status=500, body="<html>", told=False),
    "no-answer": Ending("unconfirmed", cut="before headers", told=False),
    "half-answer": Ending("unconfirmed", half=True, told=False),
    "cut": Ending("unconfirmed", stream=True, cut="before usage", told=False),
    "cut-at-done": Ending(stream=True, cut="before done"),
    "leaves-early": Ending(gate="before headers", leaves="before headers"),
    "leaves-mid-stream": Ending(stream=True, gate="mid stream", leaves="mid stream"),
    "leaves-at-usage": Ending(stream=True, leaves="before done"),
    "asks-again": Ending(gate="before headers", leaves="before headers"),
    # Those below wait for the test.
    "waits-early": Ending(gate="before headers"),
    "waits-mid-stream": Ending(stream=True, gate="mid stream"),
    "waits-at-done": Ending(stream=True, gate="before done"),
}


@dataclass(frozen=True)
class Billed:
    """A line of the invoice."""

    tag: str
    ending: Ending
    cap: int
    pico: int


@dataclass(frozen=True, kw_only=True)
class _Tagged(Scripted):
    tag: str


class BillingUpstream(FakeOpenAI):
    """See the module. ``bill`` has a line for every request that came in, ``wrongs`` the others."""

    def __init__(self) -> None:
        super().__init__()
        self.bill: list[Billed] = []
        self.arrived: Counter[str] = Counter()
        self.at_gate: set[str] = set()
        self.wrongs: list[str] = []
        self._gates: dict[str, asyncio.Event] = {}

    def open_gate(self, tag: str) -> None:
        """Let the calls of that name go on, those that come later too."""
        self._loop.call_soon_threadsafe(lambda: self._gate(tag).set())

    def wait_at_gate(self, *tags: str, seconds: float = 20) -> None:
        self._poll(lambda: self.at_gate.issuperset(tags), seconds)

    def billed_pico(self, prefix: str) -> int:
        return sum(line.pico for line in self.bill if line.tag.startswith(prefix))

    def _gate(self, tag: str) -> asyncio.Event:
        return self._gates.setdefault(tag, asyncio.Event())

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.wrongs += _wrongs(body)
        tag, name = body["messages"][-1]["content"].split(maxsplit=2)[:2]
        ending = ENDINGS[name]
        caps = [body[field] for field in ("max_tokens", "max_completion_tokens") if field in body]
        usage = Usage(prompt_tokens(body["messages"]), caps[0] * (body.get("n") or 1))
        input_pico, output_pico = PICO_PER_TOKEN[body["model"]]
        pico = usage.prompt_tokens * input_pico + usage.completion_tokens * output_pico
        self.bill.append(Billed(tag, ending, caps[0], pico if ending.billed else 0))
        self.arrived[tag] += 1
        script = _Tagged(
            tag=tag, status=ending.status, body=ending.body, usage=usage, hang=ending.gate,
            cut=ending.cut,
        )  # fmt: skip
        if ending.half:
            return await self._half(request)
        if await self._stops(script, "before headers", request):
            return web.Response()
        if ending.status != 200:
            return self._plain(script, script.body)
        if not body.get("stream"):
            return self._plain(script, self._completion(script, body))
        return await self._stream(script, request, body)

    async def _half(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-length": "1000"})
        response.content_type = "application/json"
        await response.prepare(request)
        await response.write(b'{"id": "chatcmpl-1", "choices": [')
        if request.transport is not None:
            request.transport.close()
        return response

    async def _stops(self, script: Scripted, place: Place | None, request: web.Request) -> bool:
        if place and script.hang == place and isinstance(script, _Tagged):
            self.at_gate.add(script.tag)
            async with asyncio.timeout(GATE_SECONDS):
                await self._gate(script.tag).wait()
            return False
        return await super()._stops(script, place, request)


def prompt_tokens(messages: list[dict[str, str]]) -> int:
    """As OpenAI's cookbook counts: each message costs 3 more, the answer's beginning 3."""
    encode = o200k_base().encode_ordinary
    return 3 + sum(
        3 + len(encode(each["role"])) + len(encode(each["content"])) for each in messages
    )


def _wrongs(body: dict[str, Any]) -> Iterator[str]:
    """What would make a real upstream bill more than the proxy can know, or refuse."""
    if body["model"] not in PICO_PER_TOKEN:
        yield f"an alias was sent: {body['model']}"
    if ("max_tokens" in body) == ("max_completion_tokens" in body):
        yield "not exactly one cap was sent"
    if body.get("service_tier") != "default":
        yield "the tier was not set"
    if body.get("stream") and not body.get("stream_options", {}).get("include_usage"):
        yield "usage was not asked for"
    if not body.get("safety_identifier"):
        yield "no safety_identifier was sent"


@contextmanager
def silent_upstream() -> Iterator[str]:
    """An address where a connection can neither be made nor is refused: nothing is ever asked."""
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        with socket.create_connection(listening.getsockname()):
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
