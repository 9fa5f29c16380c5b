"""The forecast holds what it says: simulated students, whose future is known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from swsllm_nb.notebook.pictures.forecast import days_left, forecast

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
TERM_DAYS = 110
STUDENTS = 30

Days = NDArray[np.float64]
Random = np.random.Generator


def steady(days: Days, rng: Random) -> Days:
    return np.full(days.size, 4.0)


def on_two_days_a_week(days: Days, rng: Random) -> Days:
    return np.where(np.isin((days + rng.integers(7)) % 7, (1, 3)), 12.0, 0.7)


def before_deadlines(days: Days, rng: Random) -> Days:
    period = rng.choice([14, 21])
    return np.where((days + rng.integers(period)) % period >= period - 4, 14.0, 1.0)


def on_workdays(days: Days, rng: Random) -> Days:
    return np.where((days + rng.integers(7)) % 7 < 5, 5.0, 0.8)


def in_bursts(days: Days, rng: Random) -> Days:
    return np.where(rng.random(days.size) < 0.25, 14.0, 0.0)


def more_each_week(days: Days, rng: Random) -> Days:
    return (1 + days / 50) * np.where(days % 7 < 5, 3.0, 0.9)


def held(calls_a_day: Callable[[Days, Random], Days]) -> list[bool]:
    """Of each student: whether the budget was used up within the interval, told on some day."""
    rng = np.random.default_rng(3)
    hits = []
    while len(hits) < STUDENTS:
        rate = calls_a_day(np.arange(TERM_DAYS, dtype=float), rng) * rng.lognormal(0, 0.6)
        calls = rng.poisson(rate * rng.lognormal(0, 0.4, TERM_DAYS))
        cost = np.array([rng.lognormal(-6.5, 1.0, count).sum() for count in calls])
        budget = cost.sum() * rng.uniform(0.4, 0.9)
        end = int((cost.cumsum() >= budget).argmax())
        if end < 10:
            continue
        today = int(rng.integers(7, end))
        recent = cost[max(0, today - 28) : today]
        if recent.sum() == 0:
            continue
        early, _, late = days_left(recent, budget - cost[:today].sum())
        # The term is known by the day: used up at some moment of the day ``end``.
        hits.append(bool(early - 1 < end - today <= late))
    return hits


def test_eight_of_ten_students_run_out_within_the_interval() -> None:
    kinds = (steady, on_two_days_a_week, before_deadlines, on_workdays, in_bursts)
    hits = [hit for kind in kinds for hit in held(kind)]
    assert 0.77 <= np.mean(hits) <= 0.92


def test_who_uses_more_each_week_runs_out_within_it_less_often_as_the_docstring_says() -> None:
    share = np.mean(held(more_each_week))
    assert 0.5 <= share < 0.85
    assert "about 7 of 10, whose use keeps growing" in " ".join((days_left.__doc__ or "").split())


def test_an_even_pace_ends_when_division_says() -> None:
    early, middle, late = days_left(np.full(28, 0.25), 5.0)
    assert middle == pytest.approx(20, rel=0.05)
    assert early < 17 < 23 < late


def spent_daily(days: int, usd: float) -> tuple[NDArray[np.datetime64], list[int]]:
    moments = [NOW - timedelta(days=day, minutes=1) for day in range(days, -1, -1)]
    naive = [moment.replace(tzinfo=None) for moment in moments]
    return np.array(naive, dtype="datetime64[us]"), [round(usd * 1e12)] * len(moments)


def test_a_forecast_is_of_days_from_now_in_order() -> None:
    told = forecast(*spent_daily(30, 0.1), 1_000_000_000_000, NOW)
    assert told is not None
    assert told.early
    assert told.middle
    assert told.late
    assert NOW < told.early < told.middle < told.late
    assert abs((told.middle - NOW).days - 10) <= 1


@pytest.mark.parametrize(
    ("days", "usd", "left_pico"),
    [(5, 0.1, 10**12), (30, 0.0, 10**12), (30, 0.1, 0), (30, 0.1, -(10**12))],
    ids=["too early", "free", "nothing left", "overdrawn"],
)
def test_without_a_pace_or_a_rest_there_is_none(days: int, usd: float, left_pico: int) -> None:
    assert forecast(*spent_daily(days, usd), left_pico, NOW) is None


def test_without_calls_there_is_none() -> None:
    assert forecast(np.array([], dtype="datetime64[us]"), [], 10**12, NOW) is None


def test_who_paused_for_a_month_gets_none_and_a_pause_slows_the_pace() -> None:
    moments, costs = spent_daily(30, 0.1)
    month = np.timedelta64(29, "D")
    assert forecast(moments - month, costs, 10**12, NOW) is None
    fortnight = forecast(moments - np.timedelta64(14, "D"), costs, 10**12, NOW)
    today = forecast(moments, costs, 10**12, NOW)
    assert fortnight
    assert fortnight.middle
    assert today
    assert today.middle
    assert fortnight.middle - NOW > 1.5 * (today.middle - NOW)


def test_what_lasts_longer_than_a_year_has_no_day() -> None:
    told = forecast(*spent_daily(30, 1e-6), 10**12, NOW)
    assert told is not None
    assert (told.early, told.middle, told.late) == (None, None, None)
