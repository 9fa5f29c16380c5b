"""How many calls a minute: a bucket that refills evenly (the generic cell rate algorithm).

An account keeps one moment, ``paced_until``: when its bucket would be full again. A whole minute's
calls may be made at once; then one more each ``60 / limit`` seconds.
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from swsllm_nb.proxy.errors import TooManyCalls

__all__ = ["Rate", "next_call"]

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Rate:
    """The calls per minute of an account, after this one."""

    limit: int
    remaining: int
    reset_seconds: float


def next_call(paced_until: str | None, now: datetime, limit: int) -> tuple[str, Rate]:
    """The bucket after one more call. Raises TooManyCalls where it is empty."""
    full_at = now if paced_until is None else datetime.fromisoformat(paced_until)
    # Further ahead than a minute is only what a clock that jumped back has left behind.
    if not now <= full_at <= now + _MINUTE:
        full_at = now
    share = _MINUTE / limit
    full_at += share
    room = now + _MINUTE - full_at
    if room < timedelta(0):
        seconds = ceil(-room / timedelta(seconds=1))
        raise TooManyCalls(
            f"You made {limit} calls within a minute, which is the limit. "
            f"Wait {seconds} s and try again; a pause between the calls of a loop helps.",
            retry_after_seconds=seconds,
        )
    text = full_at.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return text, Rate(limit, room // share, (full_at - now) / timedelta(seconds=1))
