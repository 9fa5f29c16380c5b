"""Which receipts a student asked for, as it stands in the address."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from urllib.parse import urlencode

from swsllm_nb.proxy.page.moments import later
from swsllm_nb.proxy.page.words import row_id
from swsllm_nb.proxy.receipts import Wanted

__all__ = ["STATUSES", "ReceiptFilter", "read_filter"]

STATUSES: Final = ("settled", "unconfirmed", "released", "held", "grant", "adjustment")
_LONGEST = 100


@dataclass(frozen=True)
class ReceiptFilter:
    """What was chosen, each empty for all; ``before_id`` is where a later page begins."""

    status: str
    model: str
    since: str
    until: str
    before_id: int | None

    @property
    def wanted(self) -> Wanted:
        return Wanted(
            status=self.status or None,
            model=self.model or None,
            since=_begins(self.since) if self.since else None,
            until=_begins(self.until, days=1) if self.until else None,
        )

    @property
    def narrowed(self) -> bool:
        return bool(self.status or self.model or self.since or self.until)

    def query(self, **more: int) -> str:
        """The same choice as it stands in an address."""
        chosen = {"status": self.status, "model": self.model, "since": self.since}
        return urlencode({k: v for k, v in {**chosen, "until": self.until, **more}.items() if v})


def read_filter(query: Mapping[str, str]) -> ReceiptFilter:
    """What cannot be meant is left out, as if it had not been chosen."""
    status, model = query.get("status", ""), query.get("model", "")[:_LONGEST]
    return ReceiptFilter(
        status=status if status in STATUSES else "",
        model=model if model.isprintable() else "",
        since=_day(query.get("since", "")),
        until=_day(query.get("until", "")),
        before_id=row_id(query.get("before", "")),
    )


def _day(text: str) -> str:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return ""
    return day.isoformat() if 2000 <= day.year < 9999 else ""


def _begins(day: str, days: int = 0) -> str:
    """The first moment of a day here, or of one later, in UTC."""
    midnight = datetime.combine(date.fromisoformat(day) + timedelta(days), time.min)
    return later(midnight.astimezone().isoformat(), 0)
