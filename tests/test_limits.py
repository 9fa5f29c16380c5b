"""What an account may do beside its budget, and what it is told when it may not: pure functions."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stores import intent

from swsllm_nb.pricing import Bound
from swsllm_nb.proxy import refusing
from swsllm_nb.proxy.errors import BudgetExhausted, TooManyCalls
from swsllm_nb.proxy.ledger import Account, Intent
from swsllm_nb.proxy.pace import next_call
from swsllm_nb.proxy.refusing import Room
from swsllm_nb.proxy.store import KeyHolder

NOON = datetime(2027, 1, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LIMITS = st.integers(1, 1000) | st.sampled_from([7, 120, 99_991, 100_000])
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def admitted(paced_until: str | None, now: datetime, limit: int) -> str | None:
    try:
        return next_call(paced_until, now, limit)[0]
    except TooManyCalls:
        return None


@given(limit=st.integers(1, 1000))
def test_a_whole_minutes_calls_may_be_made_at_once_and_not_one_more(limit: int) -> None:
    paced_until = None
    for number in range(limit):
        paced_until, rate = next_call(paced_until, NOON, limit)
        assert (rate.limit, rate.remaining) == (limit, limit - number - 1)
        assert 0 < rate.reset_seconds <= 60
    with pytest.raises(TooManyCalls, match=f"You made {limit} calls within a minute"):
        next_call(paced_until, NOON, limit)


@given(
    limit=st.integers(1, 60),
    pauses=st.lists(st.integers(0, 400_000) | st.integers(0, 90_000_000), min_size=1, max_size=200),
)
def test_no_stretch_of_time_has_more_calls_than_a_minutes_and_its_own_share(
    limit: int, pauses: list[int]
) -> None:
    now, paced_until = NOON, None
    made: list[datetime] = []
    for pause in pauses:
        now += timedelta(microseconds=pause)
        following = admitted(paced_until, now, limit)
        if following is not None:
            paced_until = following
            made.append(now)
    for first, begins in enumerate(made):
        for last, ends in enumerate(made[first:], first):
            calls = last - first + 1
            # What a share is rounded down by, less than a microsecond each time.
            rounded = timedelta(microseconds=calls)
            assert calls <= limit + ((ends - begins) + rounded) / MINUTE * limit


@given(limit=LIMITS, lower_by=st.floats(0, 0.99))
def test_after_waiting_as_long_as_told_the_call_is_admitted(limit: int, lower_by: float) -> None:
    paced_until = (NOON + MINUTE - MINUTE / limit * lower_by).isoformat()
    with pytest.raises(TooManyCalls) as refused:
        next_call(paced_until, NOON, limit)
    seconds = refused.value.retry_after_seconds
    assert 1 <= seconds <= 60
    refused.match(f"Wait {seconds} s")
    assert admitted(paced_until, NOON + timedelta(seconds=seconds), limit)
    if seconds > 1:
        assert not admitted(paced_until, NOON + timedelta(seconds=seconds - 1.001), limit)


@given(limit=LIMITS, left_behind=st.none() | MOMENTS, now=MOMENTS)
def test_a_clock_that_jumped_locks_nobody_out(
    limit: int, left_behind: datetime | None, now: datetime
) -> None:
    paced_until = left_behind and left_behind.isoformat()
    assert admitted(paced_until, now + MINUTE, limit) or admitted(paced_until, now, limit)
    if left_behind is None or abs(left_behind - now) > MINUTE:
        assert admitted(paced_until, now, limit)


BOUNDS = st.builds(
    lambda prompt, each, cap, floor: Bound(prompt, each, cap, min(cap, floor)),
    st.integers(0, 10**9),
    st.integers(0, 10**6),
    st.integers(1, 10**5),
    st.integers(1, 10**5),
)


@st.composite
def rooms(draw: st.DrawFn) -> Room:
    """A limit on money, now and then one that was lowered below what is spent."""
    pico = st.integers(0, 10**11)
    limit_pico, spend_pico = draw(pico), draw(pico)
    return Room("Your budget", limit_pico, spend_pico, draw(st.integers(0, limit_pico)))


def asking(bound: Bound) -> Intent:
    account = Account(
        id=1, name="ada", enabled=True, budget_pico=0, spend_pico=0, reserved_pico=0, in_flight=0,
        in_flight_limit=8, per_minute_limit=120, valid_from=None, valid_until=None,
        allowed_models=None, created_at="", deleted_at=None,
    )  # fmt: skip
    return replace(intent(KeyHolder(1, account), 1, 1), bound=bound)


@given(bound=BOUNDS, limits=st.lists(rooms(), min_size=1, max_size=2))
def test_a_final_refusal_comes_just_where_the_call_does_not_fit_what_is_unspent(
    bound: Bound, limits: list[Room]
) -> None:
    needed = bound.hold_pico(bound.floor_cap_tokens)
    if any(room.limit_pico - room.spend_pico < needed for room in limits):
        with pytest.raises(BudgetExhausted, match="teaching staff"):
            refusing.check_unspent(limits, asking(bound))
    else:
        refusing.check_unspent(limits, asking(bound))


@given(bound=BOUNDS, limits=st.lists(rooms(), min_size=1, max_size=2))
def test_a_maximum_that_a_refusal_advises_fits_and_no_larger_one_does(
    bound: Bound, limits: list[Room]
) -> None:
    try:
        refusing.check_unspent(limits, asking(bound))
        assume(False)
    except BudgetExhausted as refused:
        left = min(room.remaining_pico for room in limits)
        advised = re.search(r"With max_tokens = (\d+) it would fit", str(refused))
        if advised is None:
            assert bound.hold_pico(1) > left
        else:
            tokens = int(advised[1])
            assert 0 < tokens < bound.floor_cap_tokens
            assert bound.hold_pico(tokens) <= left < bound.hold_pico(tokens + 1)


@given(bound=BOUNDS, limits=st.lists(rooms(), min_size=1, max_size=2))
def test_no_refusal_shows_less_than_nothing_left(bound: Bound, limits: list[Room]) -> None:
    told = [str(refusing.reserved(limits, asking(bound)))]
    try:
        refusing.check_unspent(limits, asking(bound))
    except BudgetExhausted as refused:
        told.append(str(refused))
    assert all("-$" not in message and "$-" not in message for message in told)
