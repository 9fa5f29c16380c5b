"""The burn-down of a budget as the shapes of an SVG, and as the table that says the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy.page.words import parted
from swsllm_nb.proxy.receipts import Day

__all__ = ["BurnDown", "Tick", "burn_down"]

WIDTH: Final = 400
HEIGHT: Final = 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 10, 24
_STEPS: Final = (1, 2, 5)
_TABLE_DAYS: Final = 60


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and what stands there."""

    at: float
    label: str


@dataclass(frozen=True)
class DayLeft:
    """A day of the table: granted, spent, and left at its end, in pico-dollars."""

    day: date
    granted_pico: int
    spend_pico: int
    left_pico: int


@dataclass(frozen=True)
class BurnDown:
    """``curve`` and ``under`` are paths; ``days`` are those on which something happened.

    Between ``left`` and ``right`` lie the days; beside them there is room for the dollars.

    A table shows the ``recent`` ones, and those before as one, ``earlier``: pages stay small.
    """

    width: int
    height: int
    left: int
    right: int
    curve: str
    under: str
    dollars: tuple[Tick, ...]
    dates: tuple[tuple[Tick, date], ...]
    baseline: float
    days: tuple[DayLeft, ...]

    @property
    def recent(self) -> tuple[DayLeft, ...]:
        return self.days[-_TABLE_DAYS:]

    @property
    def earlier(self) -> DayLeft | None:
        """The last of the days before, with what was granted and spent until then in all."""
        before = self.days[:-_TABLE_DAYS]
        if not before:
            return None
        granted_pico = sum(row.granted_pico for row in before)
        spend_pico = sum(row.spend_pico for row in before)
        return DayLeft(before[-1].day, granted_pico, spend_pico, before[-1].left_pico)


def burn_down(days: Sequence[Day], ends: date | None, today: date) -> BurnDown | None:
    """What was left at the end of each day, from the first grant to today; None without days.

    The axis goes on to ``ends``, so that people see how long the rest has to last.
    """
    if not days:
        return None
    rows = tuple(_left(days))
    first = rows[0].day
    last = max(today, rows[-1].day, ends or today, first + timedelta(days=1))
    highest = max(max(row.left_pico for row in rows), PICO_PER_USD // 100)
    dollars = _dollar_ticks(highest)
    scale = _Scale(first, (last - first).days, max(highest, dollars[-1][0]))
    corners = list(_corners(rows, scale, today))
    baseline = scale.y(0)
    curve = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in corners)
    under = f"{curve} L{corners[-1][0]:.1f} {baseline:.1f} L{corners[0][0]:.1f} {baseline:.1f} Z"
    return BurnDown(
        width=WIDTH,
        height=HEIGHT,
        left=_LEFT,
        right=WIDTH - _RIGHT,
        curve=curve,
        under=under,
        dollars=tuple(Tick(scale.y(pico), label) for pico, label in dollars),
        dates=tuple((Tick(scale.x(day), where), day) for day, where in _date_ticks(first, last)),
        baseline=baseline,
        days=rows,
    )


@dataclass(frozen=True)
class _Scale:
    first: date
    days: int
    highest_pico: int

    def x(self, day: date) -> float:
        share = (day - self.first).days / self.days
        return _LEFT + min(max(share, 0), 1) * (WIDTH - _LEFT - _RIGHT)

    def y(self, pico: int) -> float:
        share = min(max(pico / self.highest_pico, 0), 1)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _left(days: Sequence[Day]) -> Iterator[DayLeft]:
    left_pico = 0
    for row in days:
        left_pico += row.granted_pico - row.spend_pico
        day = date.fromisoformat(row.day)
        yield DayLeft(day, row.granted_pico, row.spend_pico, left_pico)


def _corners(rows: Sequence[DayLeft], scale: _Scale, today: date) -> Iterator[tuple[float, float]]:
    """A stair: what was left stays until the next day on which something happened."""
    before = rows[0].left_pico + rows[0].spend_pico
    yield scale.x(rows[0].day), scale.y(before)
    for row in rows:
        yield scale.x(row.day), scale.y(before)
        yield scale.x(row.day), scale.y(row.left_pico)
        before = row.left_pico
    end = max(today, rows[-1].day + timedelta(days=1))
    yield scale.x(end), scale.y(before)


def _dollar_ticks(highest_pico: int) -> list[tuple[int, str]]:
    """Three to six round amounts from zero to the highest or just above."""
    step = 10 ** (len(str(highest_pico)) - 2)
    while True:
        for factor in _STEPS:
            amount = step * factor
            count = -(-highest_pico // amount)
            if count <= 5:
                return [(pico, _dollars(pico)) for pico in range(0, amount * (count + 1), amount)]
        step *= 10


def _dollars(pico: int) -> str:
    whole, rest = divmod(pico, PICO_PER_USD)
    decimals = f"{rest:012d}".rstrip("0")
    return parted(f"${whole}.{decimals.ljust(2, '0')}" if decimals else f"${whole}")


def _date_ticks(first: date, last: date) -> list[tuple[date, str]]:
    return [(first, "start"), (first + (last - first) // 2, "middle"), (last, "end")]
