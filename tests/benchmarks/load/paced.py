"""An upstream whose streams are paced: 200 chunks a second each, all from one timer.

    python -m load.paced PORT

The first chunk follows the request at once. A request's ``max_tokens`` says how many chunks it
gets; usage and [DONE] follow. Every chunk holds one ``~``, by which the client counts.
"""

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

CHUNKS_PER_SECOND = 200
GROUPS = 5
TICK_SECONDS = 1 / (CHUNKS_PER_SECOND * GROUPS)
"""Each tick serves one group, so that the streams do not all speak at the same moment."""

HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
    b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
)
MODEL = "gpt-4o-mini-2024-07-18"
CAP = re.compile(rb'"max_(?:completion_)?tokens": ?(\d+)')
LENGTH = re.compile(rb"\r\ncontent-length: ?(\d+)", re.IGNORECASE)


def event(choices: list[object], usage: object) -> bytes:
    chunk = {
        "id": "chatcmpl-benchmark0123456789abcdef", "object": "chat.completion.chunk",
        "created": 1760000000, "model": MODEL, "system_fingerprint": "fp_benchmark",
        "choices": choices, "usage": usage,
    }  # fmt: skip
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def delta(content: str, reason: str | None) -> list[object]:
    return [{"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": reason}]


def ending(chunks: int) -> bytes:
    usage = {"prompt_tokens": 20, "completion_tokens": chunks, "total_tokens": 20 + chunks}
    last = event(delta("", "stop"), None), event([], usage), b"data: [DONE]\n\n"
    return b"".join(map(framed, last)) + b"0\r\n\r\n"


CHUNK = framed(event(delta(" word~", None), None))


class Pacer:
    """Gives every running stream a chunk each 5 ms; a late tick is made up for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._groups: list[set[Stream]] = [set() for _ in range(GROUPS)]
        self._joined = 0
        self._tick = 0
        self._due: float | None = None

    def add(self, stream: "Stream") -> set["Stream"]:
        group = self._groups[self._joined % GROUPS]
        self._joined += 1
        group.add(stream)
        if self._due is None:
            self._due = self._loop.time() + TICK_SECONDS
            self._loop.call_at(self._due, self._run)
        return group

    def _run(self) -> None:
        assert self._due is not None
        now = self._loop.time()
        while self._due <= now:
            self._due += TICK_SECONDS
            self._tick += 1
            for stream in tuple(self._groups[self._tick % GROUPS]):
                stream.next_chunk()
        if any(self._groups):
            self._loop.call_at(self._due, self._run)
        else:
            self._due = None


class Stream(asyncio.Protocol):
    """One connection, with at most one stream at a time."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._read = b""
        self._group: set[Stream] = set()
        self._paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._group.discard(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, found, body = self._read.partition(b"\r\n\r\n")
        length = LENGTH.search(head)
        if not found or (length and len(body) < int(length[1])):
            return
        self._read = b""
        cap = CAP.search(body)
        self._chunks = self._left = int(cap[1]) if cap else 1
        if head.startswith(b"GET"):
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            return
        self._transport.write(HEAD + CHUNK)
        self._left -= 1
        self._group = self._pacer.add(self)

    def next_chunk(self) -> None:
        if self._left:
            # Whoever does not read is not offered more; what it missed is not made up for.
            if not self._paused:
                self._transport.write(CHUNK)
                self._left -= 1
        else:
            self._group.discard(self)
            self._transport.write(ending(self._chunks))


async def main(port: int) -> None:
    loop = asyncio.get_running_loop()
    pacer = Pacer(loop)
    server = await loop.create_server(lambda: Stream(pacer), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
