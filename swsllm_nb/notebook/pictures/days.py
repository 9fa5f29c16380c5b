"""Days and moments: as they are typed in, as arrays hold them, and as they are written."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from swsllm_nb.notebook.language import say, speaks_german

__all__ = ["aware", "day_text", "in_words", "moment_of", "naive"]

_GERMAN_MONTHS: Final = {"Mar": "Mär", "May": "Mai", "Oct": "Okt", "Dec": "Dez"}
_MONTHS: Final = (
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
)  # fmt: skip


def moment_of(until: "date | datetime | str | None") -> datetime | None:
    """The end of a day, or a moment, which without a zone is local time. Raises ValueError."""
    if isinstance(until, str):
        text = until.strip()
        try:
            until = datetime.fromisoformat(text) if len(text) > 10 else date.fromisoformat(text)
        except ValueError:
            raise ValueError(_no_day(text)) from None
    if until is None or isinstance(until, datetime):
        return until.astimezone() if until else None
    if isinstance(until, date):
        following = until + timedelta(days=1)
        return datetime(following.year, following.month, following.day).astimezone()
    raise ValueError(_no_day(until))


def _no_day(told: object) -> str:
    return say(
        f"until={str(told)[:40]!r} is no day; write it such as '2027-01-31'.",
        f"until={str(told)[:40]!r} ist kein Tag; schreib ihn etwa als '2027-01-31'.",
    )


def naive(moment: datetime) -> Any:
    """As matplotlib takes moments without a zone: in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def aware(moment: Any) -> datetime:
    """A datetime64 in UTC as a datetime."""
    plain: datetime = moment.item()
    return plain.replace(tzinfo=UTC)


def day_text(moment: datetime, year: int | None = None) -> str:
    """Such as ``14 Dec``, and ``14. Dez`` in German; with its year where it is another one."""
    shown = f"{moment.day}{say('', '.')} {in_words(_MONTHS[moment.month - 1])}"
    return shown if year in (None, moment.year) else f"{shown} {moment.year}"


def in_words(text: str) -> str:
    """A date in the reader's language: a kernel's locale is usually C, and so English."""
    if speaks_german():
        for english, german in _GERMAN_MONTHS.items():
            text = text.replace(english, german)
    return text
