"""Moments as the database writes them: UTC in ISO 8601, so that they compare as text."""

from datetime import datetime, timedelta

from swsllm_nb.proxy.work import Work, ask

__all__ = ["later", "now", "seconds_between"]


def now() -> Work[str]:
    """By the database's own clock."""
    (row,) = yield ask("SELECT utc_now() AS now")
    return str(row["now"])


def later(moment: str, seconds: float) -> str:
    """So many seconds after, or before, a moment."""
    shifted = datetime.fromisoformat(moment) + timedelta(seconds=seconds)
    return shifted.isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds_between(earlier: str, later_on: str) -> float:
    return (datetime.fromisoformat(later_on) - datetime.fromisoformat(earlier)).total_seconds()
