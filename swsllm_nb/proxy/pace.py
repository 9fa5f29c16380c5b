"""How many calls a minute: a bucket that refills evenly (the generic cell rate algorithm).

An account keeps one moment, ``paced_until``: when its bucket would be full again. A whole minute's
calls may be made at once; then one more each ``60 / limit`` seconds. Moments are microseconds.
https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm
"""

from typing import NamedTuple

from swsllm_nb.proxy.errors import TooManyCalls

__all__ = ["Rate", "next_call"]

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND


class Rate(NamedTuple):
    """The calls per minute of an account, after this one."""

    limit: int
    remaining: int
    reset_seconds: float


def next_call(paced_until: int | None, now: int, limit: int) -> tuple[int, Rate]:
    """The bucket after one more call. Raises TooManyCalls where it is empty."""
    full_at = now if paced_until is None else paced_until
    # Further ahead than a minute is only what a clock that jumped back has left behind.
    if not now <= full_at <= now + _MINUTE:
        full_at = now
    # Rounded down, and the bucket with it: the last of a minute's calls must fit as well.
    share = max(1, _MINUTE // limit)
    full_at += share
    room = now + limit * share - full_at
    if room < 0:
        seconds = -(room // _SECOND)
        raise TooManyCalls(
            f"You made {limit} calls within a minute, which is the limit. "
            f"Wait {seconds} s and try again; a pause between the calls of a loop helps.",
            retry_after_seconds=seconds,
        )
    return full_at, Rate(limit, room // share, (full_at - now) / _SECOND)
