"""One line of JSON per call on stderr: what it cost, how it ended, how long it took.

Never a prompt, a key or a name of a person.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TextIO

import msgspec

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.ledger import Hold, Outcome

__all__ = ["CallLine", "CallLog"]

FLUSH_SECONDS = 0.2


class CallLine(msgspec.Struct):
    """What is told of one call; None is what it did not come to. Amounts are decimal strings."""

    request_id: str
    at: datetime
    account_id: int | None = None
    model: str | None = None
    upstream: str | None = None
    stream: bool | None = None
    status: int | None = None
    error: str | None = None
    state: str | None = None
    breach: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    hold_usd: str | None = None
    cost_usd: str | None = None
    seconds: float | None = None
    upstream_seconds: float | None = None
    first_byte_seconds: float | None = None

    def settled(self, hold: Hold, outcome: Outcome) -> None:
        self.state = outcome.state
        self.breach = outcome.breach
        self.upstream = outcome.upstream or self.upstream
        self.hold_usd = usd_text(hold.hold_pico)
        self.cost_usd = usd_text(outcome.charged_pico)
        if outcome.usage is not None:
            self.prompt_tokens = outcome.usage.prompt_tokens
            self.completion_tokens = outcome.usage.completion_tokens


class CallLog:
    """Gathers lines and writes them together, every 0.2 s and when it is closed.

    Whoever ``counts`` is shown each of them, also where there is no file.
    """

    def __init__(self, file: TextIO | None, *counts: Callable[[CallLine], None]) -> None:
        self._file = file
        self._counts = counts
        self._lines = bytearray()
        self._encoder = msgspec.json.Encoder()
        self._flushing: asyncio.TimerHandle | None = None

    def write(self, line: CallLine) -> None:
        for count in self._counts:
            count(line)
        if self._file is None:
            return
        self._lines += self._encoder.encode(line)
        self._lines += b"\n"
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        if self._file is None:
            return
        text = self._lines.decode()
        self._lines.clear()
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError):
            # A terminal that was closed must not cost anyone a call.
            return
