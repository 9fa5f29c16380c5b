"""A client that keeps streams open, counts their chunks in a window and times the first of each.

    python -m load.reader '{"port": ..., "keys": [...], "streams": 200, ...}'

Prints one line of JSON. Streams begin one after the other over the length of one, so that new
ones begin all the time; a stream that ends is followed by the next on the same connection.
"""

import asyncio
import json
import statistics
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop
from load.paced import CHUNKS_PER_SECOND
from load.processes import cpu_seconds

FAREWELL_SECONDS = 1.5
END = b"0\r\n\r\n"


@dataclass(frozen=True)
class Wanted:
    """``watch`` names processes whose share of a core is measured over the same window."""

    port: int
    keys: list[str]
    streams: int
    chunks: int
    seconds: float
    watch: list[int]

    def request(self, key: str) -> bytes:
        body = json.dumps(
            {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": "What is a token? Take your time."}],
                "max_tokens": self.chunks,
                "stream": True,
            }
        )
        return (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{self.port}\r\n"
            f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
            f"accept: text/event-stream\r\ncontent-length: {len(body)}\r\n\r\n{body}"
        ).encode()


@dataclass
class Tally:
    chunks: int = 0
    ended: int = 0
    failed: int = 0
    first_ms: list[float] = field(default_factory=list)
    closing: bool = False


class Reader(asyncio.Protocol):
    """One connection that asks again as soon as its stream has ended."""

    def __init__(self, request: bytes, tally: Tally) -> None:
        self._request = request
        self._tally = tally
        self._chunks = 0
        self._tail = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def _ask(self) -> None:
        self._chunks = 0
        self._asked = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        found = data.count(b"~")
        if found:
            if not self._chunks:
                self._tally.first_ms.append((time.perf_counter() - self._asked) * 1000)
            self._chunks += found
            self._tally.chunks += found
        elif not self._chunks and data[:9] == b"HTTP/1.1 " and data[9:12] != b"200":
            self._transport.close()
            return
        self._tail = self._tail[-4:] + data[-5:]
        if self._chunks and self._tail.endswith(END):
            self._tally.ended += 1
            if self._tally.closing:
                self._chunks = 0
                self.done.set_result(None)
                self._transport.close()
            else:
                self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self._tally.failed += 1
            self.done.set_result(None)


async def open_streams(wanted: Wanted, tally: Tally) -> list[Reader]:
    loop = asyncio.get_running_loop()
    readers: list[Reader] = []
    length_seconds = wanted.chunks / CHUNKS_PER_SECOND
    begin = loop.time()
    for number in range(wanted.streams):
        await asyncio.sleep(begin + number * length_seconds / wanted.streams - loop.time())
        request = wanted.request(wanted.keys[number % len(wanted.keys)])
        _, reader = await loop.create_connection(
            partial(Reader, request, tally), "127.0.0.1", wanted.port
        )
        readers.append(reader)
    await asyncio.sleep(max(0.5, length_seconds / 2))
    return readers


async def main(wanted: Wanted) -> None:
    tally = Tally()
    readers = await open_streams(wanted, tally)
    tally.first_ms.clear()
    chunks, begin = tally.chunks, time.perf_counter()
    used, own = [cpu_seconds(pid) for pid in wanted.watch], time.process_time()
    await asyncio.sleep(wanted.seconds)
    seconds = time.perf_counter() - begin
    seen = {
        "rate": (tally.chunks - chunks) / seconds,
        "first_ms": statistics.median(tally.first_ms) if tally.first_ms else None,
        "firsts": len(tally.first_ms),
        "own_percent": 100 * (time.process_time() - own) / seconds,
        "percent": [
            100 * (cpu_seconds(pid) - before) / seconds
            for pid, before in zip(wanted.watch, used, strict=True)
        ],
        "failed": tally.failed,
    }
    tally.closing = True
    patience = wanted.chunks / CHUNKS_PER_SECOND + FAREWELL_SECONDS
    await asyncio.wait([reader.done for reader in readers], timeout=patience)
    print(json.dumps(seen))


if __name__ == "__main__":
    uvloop.run(main(Wanted(**json.loads(sys.argv[1]))))
