"""The amounts of a burn-down, read from the frame of the call log, and the words they bear out."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal
from typing import TYPE_CHECKING, Final

from swsllm_nb.money import PICO_PER_USD, show_cost, show_left

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["UNKNOWN", "Burn", "burn_from_frame", "show_spent"]

NEEDED_COLUMNS: Final = ("at", "status", "cost_usd", "remaining_usd")

ZOOM_BELOW: Final = 0.1
"""Where less than this part of the budget is spent, a line on an axis from $0 shows nothing."""

UNKNOWN: Final = "cost unknown"


@dataclass(frozen=True)
class Burn:
    """The amounts in USD before the first call and after each, in the order of the calls.

    ``times`` are in local time. ``kinds`` are statuses, or ``UNKNOWN`` for an answered call of
    unknown cost. ``falls`` is whether an amount is what remains; where nobody said what there
    was, it is what was spent. ``unknown`` counts the calls of unknown cost, ``uncounted`` those
    of them that no later word of the proxy has included.
    """

    times: list[datetime]
    kinds: list[str]
    amounts_usd: list[float]
    budget_usd: float | None
    falls: bool
    unknown: int
    uncounted: int

    @property
    def lowest_usd(self) -> float:
        return min(self.amounts_usd)

    @property
    def highest_usd(self) -> float:
        return max(*self.amounts_usd, self.budget_usd or 0.0)

    @property
    def is_zoomed(self) -> bool:
        """Whether only the part of the axis around the line is shown."""
        span = self.highest_usd - self.lowest_usd
        return self.falls and 0 < span < ZOOM_BELOW * self.highest_usd

    def headline(self) -> str:
        """What is left, such as ``$3.91 of $5.00 left``."""
        if not self.falls:
            return f"{'at least ' if self.uncounted else ''}{show_cost(self._change_pico)} spent"
        of_budget = "" if self.budget_usd is None else f" of {show_left(_pico(self.budget_usd))}"
        return f"{'at most ' if self.uncounted else ''}{self._left()}{of_budget} left"

    def footing(self) -> str:
        """What the headline rests on, such as ``$1.09 spent · 42 calls in the log``."""
        count = len(self.times)
        parts = [f"{count:,} call{'' if count == 1 else 's'} in the log" if count else ""]
        # After a top-up the difference is not what was spent.
        if self.falls and self.amounts_usd[-1] <= self.amounts_usd[0]:
            least = "at least " if self.uncounted else ""
            parts.insert(0, f"{least}{show_spent(self._change_pico, self._left())} spent")
        if not self.falls:
            parts.append("budget unknown")
        if self.unknown:
            parts.append(f"{self.unknown:,} of unknown cost")
        return " · ".join(filter(None, parts))

    def _left(self) -> str:
        return show_left(_pico(self.amounts_usd[-1]), _pico(self.amounts_usd[0]))

    @property
    def _change_pico(self) -> int:
        return abs(_pico(self.amounts_usd[-1]) - _pico(self.amounts_usd[0]))


def show_spent(spent_pico: int, shown_left: str) -> str:
    """What was spent, beside what is left: rounded up to the same decimals.

    What is left is rounded down, and the two must not add up to less than there was.
    """
    decimals = len(shown_left.partition(".")[2])
    spent_usd = Decimal(spent_pico) / PICO_PER_USD
    return f"${spent_usd.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)}"


def burn_from_frame(frame: "DataFrame", budget_usd: float | None) -> Burn:
    """The amounts of the calls in ``frame``; times without a zone are taken for UTC.

    Raises ValueError for a frame that lacks columns of the call log.
    """
    import pandas
    from dateutil.tz import tzlocal  # type: ignore[import-untyped]

    missing = [column for column in NEEDED_COLUMNS if column not in frame.columns]
    if missing:
        raise ValueError(f"The frame has no column {', '.join(missing)}; pass what log() gives.")
    calls = frame.assign(at=pandas.to_datetime(frame["at"], utc=True))
    calls = calls.sort_values("at", kind="stable")
    costs = [float(cost) for cost in calls["cost_usd"].astype("float64")]
    told = [float(amount) for amount in calls["remaining_usd"].astype("float64")]
    kinds = [_kind(status, cost) for status, cost in zip(calls["status"], costs, strict=True)]
    start = _start_usd(costs, told, budget_usd)
    amounts, unknown, uncounted = [start or 0.0], 0, 0
    for kind, cost, remaining in zip(kinds, costs, told, strict=True):
        costs_unknown = _is_nan(cost) and kind != "refused"
        unknown += costs_unknown
        if not _is_nan(remaining):
            uncounted = 0
            amounts.append(remaining)
            continue
        uncounted += costs_unknown
        change = 0.0 if _is_nan(cost) else cost
        amounts.append(amounts[-1] + (change if start is None else -change))
    return Burn(
        times=[time.to_pydatetime() for time in calls["at"].dt.tz_convert(tzlocal())],
        kinds=kinds,
        amounts_usd=amounts,
        budget_usd=budget_usd,
        falls=start is not None,
        unknown=unknown,
        uncounted=uncounted,
    )


def _kind(status: str, cost_usd: float) -> str:
    return UNKNOWN if status == "ok" and _is_nan(cost_usd) else status


def _start_usd(costs: list[float], told: list[float], budget_usd: float | None) -> float | None:
    """What there was before the first call, or None where nobody said."""
    if budget_usd is not None:
        return budget_usd
    spent = 0.0
    for cost, remaining in zip(costs, told, strict=True):
        spent += 0.0 if _is_nan(cost) else cost
        if not _is_nan(remaining):
            return remaining + spent
    return None


def _pico(amount_usd: float) -> int:
    return round(amount_usd * PICO_PER_USD)


def _is_nan(amount: float) -> bool:
    return amount != amount
