"""The burn-down as an SVG: a stair from the first grant to today."""

import re
from datetime import date, timedelta
from itertools import pairwise

import pytest

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy.page.charts import HEIGHT, WIDTH, burn_down
from swsllm_nb.proxy.receipts import Day

TODAY = date(2026, 11, 23)


def corners(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"([\d.-]+) ([\d.-]+)", path)]


def test_what_was_left_is_the_grants_less_the_charges_of_each_day() -> None:
    days = [
        Day("2026-11-01", 5 * PICO_PER_USD, 0),
        Day("2026-11-03", 0, 2 * PICO_PER_USD),
        Day("2026-11-20", PICO_PER_USD, PICO_PER_USD // 2),
    ]
    chart = burn_down(days, date(2027, 2, 28), TODAY)
    assert chart is not None
    assert [row.left_pico * 2 // PICO_PER_USD for row in chart.days] == [10, 6, 7]
    stair = corners(chart.curve)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in stair)
    assert [x for x, _ in stair] == sorted(x for x, _ in stair)
    assert all(a[0] == b[0] or a[1] == b[1] for a, b in pairwise(stair))
    assert [tick.label for tick in chart.dollars] == ["$0", "$1", "$2", "$3", "$4", "$5"]
    assert [day for _, day in chart.dates] == [
        date(2026, 11, 1),
        date(2026, 12, 30),
        date(2027, 2, 28),
    ]


@pytest.mark.parametrize(
    "days",
    [
        [Day("2026-11-23", 0, 0)],
        [Day("2026-11-23", 1, 0)],
        [Day("2026-11-23", 5 * PICO_PER_USD, 6 * PICO_PER_USD)],
        [Day("2026-11-30", 2**62, 3)],
        [Day("2020-01-01", 12345, 12345), Day("2026-11-23", 10 * PICO_PER_USD, 0)],
    ],
)
def test_whatever_happened_the_picture_stays_in_its_frame(days: list[Day]) -> None:
    for ends in (None, date(2020, 1, 1), date(2030, 1, 1)):
        chart = burn_down(days, ends, TODAY)
        assert chart is not None
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners(chart.curve))
        assert 2 <= len(chart.dollars) <= 6
        assert len({tick.label for tick in chart.dollars}) == len(chart.dollars)


def test_without_a_day_there_is_no_picture() -> None:
    assert burn_down([], None, TODAY) is None


def test_a_long_table_shows_the_last_days_and_those_before_as_one() -> None:
    first = date(2026, 1, 1)
    days = [
        Day((first + timedelta(days=n)).isoformat(), 100 if n == 0 else 0, 1) for n in range(90)
    ]
    chart = burn_down(days, None, first + timedelta(days=90))
    assert chart is not None
    assert chart.recent == chart.days[30:]
    assert chart.earlier is not None
    assert (chart.earlier.day, chart.earlier.granted_pico) == (first + timedelta(days=29), 100)
    assert (chart.earlier.spend_pico, chart.earlier.left_pico) == (30, 70)
    short = burn_down(days[:60], None, first)
    assert short is not None
    assert (short.earlier, len(short.recent)) == (None, 60)
