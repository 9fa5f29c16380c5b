"""A sans-I/O scanner of server-sent events: bytes in, whole events out.

The framing is that of https://html.spec.whatwg.org/multipage/server-sent-events.html as far as
chat completions use it: ``data:`` lines and comments, events parted by an empty line.
"""

import re
from dataclasses import dataclass

__all__ = ["DONE", "Event", "Scanner"]

DONE = b"[DONE]"

_BOUNDARY = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Event:
    """One event: ``raw`` with its empty line, as it came, and the text after ``data:``.

    ``data`` is None for an event that only comments; ``comment`` holds what followed the colon.
    """

    raw: bytes
    data: bytes | None
    comment: bytes | None = None

    @property
    def is_done(self) -> bool:
        """Whether this is the ``[DONE]`` that ends a stream of chunks."""
        return self.data is not None and self.data.strip() == DONE


class Scanner:
    """Cuts a stream into events, however the network cut it."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes, in order."""
        searched = max(0, len(self._rest) - 3)
        self._rest += chunk
        events = []
        start = 0
        for boundary in _BOUNDARY.finditer(self._rest, searched):
            events.append(_event(bytes(self._rest[start : boundary.end()])))
            start = boundary.end()
        del self._rest[:start]
        return events

    @property
    def pending_bytes(self) -> int:
        """The length of ``rest``."""
        return len(self._rest)

    @property
    def rest(self) -> bytes:
        """The bytes of an event that has begun and not ended."""
        return bytes(self._rest)


def _event(raw: bytes) -> Event:
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2 and b"\r" not in raw:
        # Nearly every event is one such line; this halves the time of a long stream.
        return Event(raw, raw[6:-2])
    data: list[bytes] = []
    comments: list[bytes] = []
    for line in _LINE_END.split(raw):
        field, _, value = line.partition(b":")
        if line.startswith(b":"):
            comments.append(value.removeprefix(b" "))
        elif field == b"data":
            data.append(value.removeprefix(b" "))
    return Event(
        raw,
        b"\n".join(data) if data else None,
        b"\n".join(comments) if comments else None,
    )
