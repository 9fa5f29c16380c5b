"""How often a password may be tried: counted before it is looked at, so that a crowd of tries that
come at once are as many.

What counts is who was tried from where, then who was tried from anywhere, then where from. The
first stops guessing at one account; the second, guessing from many addresses; the third, one
password for many accounts. A class behind one address may make ``free`` mistakes, and then waits
for seconds only, since ``longest_seconds`` is short there. A browser that signed in under a name
before is counted by itself, so that whoever fails on purpose does not lock it out.
https://owasp.org/www-community/Slow_Down_Online_Guessing_Attacks_with_Device_Cookies

A first password, which the proxy made of 80 random bits, is taken whatever is counted, so that a
class signs in for the first time while somebody behind its address fails as fast as they can.

What is left to who guesses, in the first hour and in every later one:

* at one account, from one address: 21 and 12; from a browser that signed in before, as many more;
* at one account, from any number of addresses: 91 and 60;
* at any number of accounts, from one address: 920 and 720;
* at first passwords: what the machine's processor checks, some million of 2**80.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.page.moments import later, now, seconds_between
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["Subject", "count_try", "forgive", "subjects"]

_FORGOTTEN_SECONDS: Final = 24 * 3600


@dataclass(frozen=True)
class _Rule:
    """``free`` failures cost nothing; one is forgotten every ``drain_seconds``; each more blocks
    for twice as long as the one before, up to ``longest_seconds``.
    """

    free: int
    drain_seconds: float
    first_seconds: float
    longest_seconds: float

    def failures_now(self, row: Row, moment: str) -> int:
        drained = int(seconds_between(row["last_at"], moment) / self.drain_seconds)
        return max(0, int(row["failures"]) - max(0, drained))

    def block_seconds(self, failures: int) -> float:
        over = failures - self.free
        if over <= 0:
            return 0
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(over - 1, 20))


_PAIR: Final = _Rule(free=5, drain_seconds=300, first_seconds=15, longest_seconds=300)
_NAME: Final = _Rule(free=30, drain_seconds=60, first_seconds=30, longest_seconds=60)
_ADDRESS: Final = _Rule(free=200, drain_seconds=5, first_seconds=5, longest_seconds=5)


@dataclass(frozen=True)
class Subject:
    """Something that tries are counted for; ``key`` is all that is kept of it."""

    key: bytes
    rule: _Rule


def subjects(
    secret: Secret, name: str, address: str, *, known: bool = False
) -> tuple[Subject, ...]:
    """Who from where, who, and where from. ``name`` says also whether staff or student is meant.

    From a browser that is ``known`` to have signed in under the name, only who.
    """
    if known:
        return (Subject(secret.keyed_hash("known", name), _PAIR),)
    return (
        Subject(secret.keyed_hash("pair", f"{address} {name}"), _PAIR),
        Subject(secret.keyed_hash("name", name), _NAME),
        Subject(secret.keyed_hash("address", address), _ADDRESS),
    )


def count_try(tried: Sequence[Subject]) -> Work[int]:
    """Count a try as failed until it is forgiven; gives the seconds to wait if it may not be made.

    A try that may not be made counts for nothing, and leaves nothing behind.
    """
    moment = yield from now()
    places = ", ".join(f"${number}" for number, _ in enumerate(tried, start=1))
    known = yield ask(
        f"SELECT blocked_until FROM sign_in_failures WHERE subject IN ({places})",
        *(subject.key for subject in tried),
    )
    if wait := _seconds_to_wait(known, moment):
        return wait
    rows = {}
    for subject in sorted(tried, key=lambda one: one.key):
        # In one order, and so that the row is there and locked, or two tries would count as one.
        (rows[subject.key],) = yield ask(
            "INSERT INTO sign_in_failures (subject, failures, last_at) VALUES ($1, 0, $2) "
            "ON CONFLICT (subject) DO UPDATE SET failures = sign_in_failures.failures "
            "RETURNING failures, last_at, blocked_until",
            subject.key, moment,
        )  # fmt: skip
    if wait := _seconds_to_wait(rows.values(), moment):
        return wait
    for subject in tried:
        failures = subject.rule.failures_now(rows[subject.key], moment) + 1
        block = subject.rule.block_seconds(failures)
        yield ask(
            "UPDATE sign_in_failures SET failures = $2, last_at = $3, blocked_until = $4 "
            "WHERE subject = $1",
            subject.key, failures, moment, later(moment, block) if block else None,
        )  # fmt: skip
    return 0


def _seconds_to_wait(rows: Iterable[Row], moment: str) -> int:
    blocked = (row["blocked_until"] for row in rows)
    seconds = max((seconds_between(moment, until) for until in blocked if until), default=0)
    return int(seconds) + 1 if seconds > 0 else 0


def forgive(tried: Sequence[Subject]) -> Work[None]:
    """The password was right: forget what the account failed, and this one try from the address."""
    for subject in tried:
        if subject.rule is not _ADDRESS:
            yield ask("DELETE FROM sign_in_failures WHERE subject = $1", subject.key)
            continue
        yield ask(
            "UPDATE sign_in_failures SET failures = failures - 1, blocked_until = NULL "
            "WHERE subject = $1 AND failures > 0",
            subject.key,
        )
    moment = yield from now()
    yield ask("DELETE FROM sign_in_failures WHERE last_at < $1", later(moment, -_FORGOTTEN_SECONDS))
