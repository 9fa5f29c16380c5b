"""What an account may do beside its budget, and what it is told when it may not: pure functions."""

import re
from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stores import intent

from swsllm_nb.pricing import Bound
from swsllm_nb.proxy import refusing
from swsllm_nb.proxy.errors import BudgetExhausted, TooManyCalls
from swsllm_nb.proxy.ledger import Intent
from swsllm_nb.proxy.pace import next_call
from swsllm_nb.proxy.refusing import Room
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.store import KeyHolder

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOON = 1_800_000_000 * SECOND
LIMITS = st.integers(1, 1000) | st.sampled_from([7, 120, 99_991, 100_000, 10**8])
MOMENTS = st.integers(0, 2**53)


def admitted(paced_until: int | None, now: int, limit: int) -> int | None:
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
    made: list[int] = []
    for pause in pauses:
        now += pause
        following = admitted(paced_until, now, limit)
        if following is not None:
            paced_until = following
            made.append(now)
    for first, begins in enumerate(made):
        for calls, ends in enumerate(made[first:], 1):
            # Each share is rounded down by less than a microsecond.
            assert calls <= limit + (ends - begins + calls) * limit / MINUTE


@given(limit=LIMITS, lower_by=st.floats(0, 0.99))
def test_after_waiting_as_long_as_told_the_call_is_admitted(limit: int, lower_by: float) -> None:
    limit = min(limit, MINUTE // 100)
    paced_until = NOON + MINUTE - int(MINUTE // limit * lower_by)
    with pytest.raises(TooManyCalls) as refused:
        next_call(paced_until, NOON, limit)
    seconds = refused.value.retry_after_seconds
    assert 1 <= seconds <= 60
    refused.match(f"Wait {seconds} s")
    assert admitted(paced_until, NOON + seconds * SECOND, limit)
    if seconds > 1:
        assert not admitted(paced_until, NOON + (seconds - 1) * SECOND - 1, limit)


@given(limit=LIMITS, left_behind=MOMENTS, now=MOMENTS)
def test_a_clock_that_jumped_locks_nobody_out(limit: int, left_behind: int, now: int) -> None:
    if not now <= left_behind <= now + MINUTE:
        assert admitted(left_behind, now, limit)
    assert admitted(left_behind, left_behind + 1, limit)


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
        allowed_models=None, created_at="", deleted_at=None, full_name="", email="",
        password_is_initial=True, language=None,
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
