"""The practice model as an upstream: it answers POST /chat/completions without a network."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass

from swsllm_nb.proxy.practice import bodies
from swsllm_nb.proxy.practice.answer import choices
from swsllm_nb.proxy.practice.prose import practice_model
from swsllm_nb.proxy.practice.request import UnusableRequest, read_request
from swsllm_nb.proxy.upstream import UpstreamAnswer

__all__ = ["PracticeUpstream"]


@dataclass(frozen=True)
class _PracticeAnswer:
    status: int
    events: tuple[bodies.Event, ...]
    seconds_per_token: float
    upstream: str = "practice"
    retry_after_seconds: float | None = None

    async def chunks(self) -> AsyncIterator[bytes]:
        for event in self.events:
            if event.tokens and self.seconds_per_token:
                await asyncio.sleep(event.tokens * self.seconds_per_token)
            if event.text:
                yield event.text


class PracticeUpstream:
    """An ``Upstream`` that is a tiny n-gram model: offline, free, deterministic for a seed.

    Streams wait ``seconds_per_token`` before each token, so that they can be seen to stream;
    plain answers do not wait. Answers are computed in one thread. A body that it cannot use gets
    OpenAI's error 400; nothing is raised.
    """

    name = "practice"
    host = ""

    def __init__(self, seconds_per_token: float = 0.01) -> None:
        self._seconds_per_token = seconds_per_token
        # One thread at a time: several would take the interpreter from the event loop.
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="practice")

    @asynccontextmanager
    async def post(self, body: bytes) -> AsyncIterator[UpstreamAnswer]:
        """Answer one request body."""
        loop = asyncio.get_running_loop()
        yield await loop.run_in_executor(self._writer, _answer, body, self._seconds_per_token)

    async def close(self) -> None:
        """Let the thread end. Nothing can be posted afterwards."""
        self._writer.shutdown(wait=False)


def _answer(body: bytes, seconds_per_token: float) -> _PracticeAnswer:
    status = 200
    events: Iterator[bodies.Event]
    try:
        request = read_request(body)
        written = choices(request, practice_model())
    except UnusableRequest as fault:
        status, events = 400, iter([bodies.Event(bodies.error(fault))])
    else:
        if request.stream:
            events = bodies.events(request, written)
        else:
            events = iter([bodies.Event(bodies.completion(request, written))])
    return _PracticeAnswer(status, tuple(events), seconds_per_token)
