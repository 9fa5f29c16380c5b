"""Frames as ``log()`` and ``ledger()`` give them, and what is read back from a picture."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.text import Text

from swsllm_nb.wire import CALL_COLUMNS

NAN = float("nan")
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
DAY = 24 * 60
EMPTY_VALUES = {"float64": NAN, "Int64": pd.NA, "bool": False, "str": ""}


def call(
    minutes: float = 0, cost: float = NAN, left: float = NAN, status: str = "ok", **more: Any
) -> dict[str, Any]:
    at = START + timedelta(minutes=minutes)
    return {"at": at, "cost_usd": cost, "remaining_usd": left, "status": status, **more}


def grant(minutes: float, amount: float) -> dict[str, Any]:
    return call(minutes, status="", kind="grant", granted_usd=amount)


def booked(
    minutes: float, cost: float = NAN, state: str = "settled", **more: Any
) -> dict[str, Any]:
    """A call in the ledger."""
    status = {"settled": "ok", "held": "", "": "refused"}.get(state, "failed")
    return call(minutes, cost, status=status, kind="call", state=state, **more)


def log_of(*calls: dict[str, Any]) -> pd.DataFrame:
    """A call log's frame with all its columns."""
    empty = {name: EMPTY_VALUES.get(kind, pd.NaT) for name, kind in CALL_COLUMNS.items()}
    frame = pd.DataFrame([empty | row for row in calls], columns=list(CALL_COLUMNS))
    return frame.astype(dict(CALL_COLUMNS))


def ledger_of(*rows: dict[str, Any]) -> pd.DataFrame:
    """A ledger's frame with all its columns."""
    more = {"kind": "call", "state": "", "granted_usd": 0.0, "held_usd": 0.0}
    empty = {name: EMPTY_VALUES.get(kind, pd.NaT) for name, kind in CALL_COLUMNS.items()} | more
    frame = pd.DataFrame([empty | row for row in rows], columns=list(empty))
    return frame.astype(dict(CALL_COLUMNS))


def spending(*costs: float) -> pd.DataFrame:
    return log_of(*(call(minutes=10 * index, cost=cost) for index, cost in enumerate(costs)))


def named(ax: Axes, gid: str) -> list[Line2D]:
    """The lines of a picture that are of one kind."""
    return [line for line in ax.lines if line.get_gid() == gid]


def step_line(ax: Axes) -> Line2D:
    (line,) = named(ax, "amounts")
    assert line.get_drawstyle() == "steps-post"
    return line


def amounts(ax: Axes) -> list[float]:
    return [float(amount) for amount in step_line(ax).get_ydata()]


def drawn(ax: Axes) -> Axes:
    ax.figure.canvas.draw()
    return ax


def words(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.figure.findobj(Text))


def formulas(ax: Axes) -> list[str]:
    """The texts between whose dollar signs matplotlib would set a formula: none."""
    texts = drawn(ax).figure.findobj(Text)
    return [text.get_text() for text in texts if text.get_parse_math() or text.get_usetex()]
