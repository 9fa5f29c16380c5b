"""How long what is left will last, from the pace of the last weeks."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import PICO_PER_USD

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["LEAST_DAYS", "WINDOW_DAYS", "Forecast", "days_left", "forecast"]

LEAST_DAYS: Final = 7
WINDOW_DAYS: Final = 28

_QUANTILES: Final = (0.1, 0.5, 0.9)
_PATHS: Final = 500
_HORIZON_DAYS: Final = 400
_PACE_SIGMA: Final = 0.25
_SEED: Final = 20261


@dataclass(frozen=True)
class Forecast:
    """When the budget is used up: before ``early`` once in ten, after ``late`` once in ten.

    None is later than anybody can tell, more than a year from now.
    """

    early: datetime | None
    middle: datetime | None
    late: datetime | None


def forecast(
    moments: "NDArray[Any]", costs_pico: "Sequence[int]", left_pico: int, now: datetime
) -> Forecast | None:
    """From the times (datetime64, UTC, in order) and costs of what was spent.

    None while it is too early or nothing was spent lately: it takes seven days since the first
    of them, and something spent in the last 28.
    """
    import numpy as np

    until_now = np.datetime64(now.astimezone(UTC).replace(tzinfo=None), "us") - moments
    ago = until_now.astype("timedelta64[s]").astype("int64") // 86_400
    if ago.size == 0 or ago[0] < LEAST_DAYS:
        return None
    days = min(WINDOW_DAYS, int(ago[0]))
    recent = (ago >= 0) & (ago < days)
    spent = np.array(costs_pico, dtype="float64")[recent] / PICO_PER_USD
    by_day = np.bincount(ago[recent], weights=spent, minlength=days)
    if by_day.sum() <= 0 or left_pico <= 0:
        return None
    found = days_left(by_day, left_pico / PICO_PER_USD)
    return Forecast(*(None if np.isinf(d) else now + timedelta(days=float(d)) for d in found))


def days_left(by_day: "NDArray[Any]", left_usd: float) -> "NDArray[Any]":
    """The 10 %, 50 % and 90 % of the days after which ``left_usd`` is used up; inf is never.

    A Bayesian bootstrap: of the days spent so far (``by_day``, USD), coming days are drawn anew on
    500 paths, on each with random (Dirichlet) weights of its own and at a pace that differs by a
    lognormal factor of 0.25, because nobody's next weeks are quite the last ones. Between the two
    outer figures lie at least 8 of 10 simulated students whose ways stay as they are, and fewer,
    about 7 of 10, whose use keeps growing (``tests/test_forecast.py``). The same days give the
    same figures.
    """
    import numpy as np

    rng = np.random.default_rng(_SEED)
    sums = rng.dirichlet(np.ones(by_day.size), _PATHS).cumsum(axis=1)
    # A sum of weights may end below 1 by what floats lose.
    sums[:, -1] = 1.0
    chances = rng.random((_PATHS, _HORIZON_DAYS))
    drawn = np.stack([by_day[np.searchsorted(*each)] for each in zip(sums, chances, strict=True)])
    spent = (drawn * rng.lognormal(0, _PACE_SIGMA, (_PATHS, 1))).cumsum(axis=1)
    day = (spent >= left_usd).argmax(axis=1)
    paths = np.arange(_PATHS)
    after = spent[paths, day]
    before = np.where(day > 0, spent[paths, day - 1], 0.0)
    within = (left_usd - before) / np.where(after > before, after - before, 1.0)
    days = np.where(after >= left_usd, day + within, np.inf)
    quantiles: NDArray[Any] = np.quantile(days, _QUANTILES, method="inverted_cdf")
    return quantiles
