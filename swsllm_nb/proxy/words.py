"""What staff write, as it is stored. Each function raises ValueError with a sentence for people."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from unicodedata import normalize

from swsllm_nb.money import pico_from_usd
from swsllm_nb.proxy.accounts import DELETED, Limits
from swsllm_nb.proxy.audit import NOBODYS_NAMES

__all__ = [
    "LANGUAGES",
    "amount_pico",
    "billed_pico",
    "budget_pico",
    "day",
    "day_begins",
    "day_ends",
    "days",
    "language",
    "limits",
    "line_of_text",
    "reason_of",
    "retention_days",
    "teachers_name",
    "usable_email",
    "usable_name",
    "yes",
]

_NAME_CHARACTERS = 100
_LINE_CHARACTERS = 200
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,189}")
_LIMIT_OF_LIMITS = 10**8
_FIRST_YEAR, _LAST_YEAR = 2000, 9998
_RETENTION_DAYS = 36_500

LANGUAGES: Final = ("de", "en")


def usable_name(name: str) -> str:
    """The name of an account."""
    # The same letters can be written in two ways, which look alike in every list.
    name = normalize("NFC", name)
    if not name or len(name) > _NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{name[:_NAME_CHARACTERS]!r} cannot be an account's name: it needs 1 to "
            f"{_NAME_CHARACTERS} printable characters and no blanks around them."
        )
    if name.startswith(DELETED):
        raise ValueError(f"Names that begin with {DELETED!r} are those of deleted accounts.")
    return name


def teachers_name(name: str) -> str:
    """The name of a member of staff, under which their acts stand in ledger and trail."""
    name = usable_name(name)
    if " ".join(name.casefold().split()) in NOBODYS_NAMES:
        raise ValueError(
            f"{name!r} cannot be a colleague's name: in the ledger and the trail it is somebody "
            "else's. Take another."
        )
    return name


def line_of_text(text: str, what: str) -> str:
    """One line for people, such as a full name; "" for none."""
    line = normalize("NFC", text.strip())
    if len(line) > _LINE_CHARACTERS or not line.isprintable():
        raise ValueError(
            f"{line[:_LINE_CHARACTERS]!r} cannot be {what}: it has at most {_LINE_CHARACTERS} "
            "characters, all of them printable."
        )
    return line


def usable_email(text: str) -> str:
    """An e-mail address; "" for none."""
    address = text.strip()
    if address and not (_EMAIL.fullmatch(address) and address.isprintable()):
        raise ValueError(f"{address[:_LINE_CHARACTERS]!r} is no e-mail address.")
    return address


def budget_pico(usd: str) -> int:
    """A budget or a cap in pico-dollars."""
    pico = pico_from_usd(usd)
    if not 0 <= pico < 2**62:
        raise ValueError(f"${usd} cannot be a budget: it is negative or far too large.")
    return pico


def billed_pico(usd: str) -> int:
    """What an upstream asks for, in pico-dollars."""
    pico = pico_from_usd(usd)
    if not 0 <= pico < 2**62:
        raise ValueError(f"${usd} cannot have been billed: it is negative or far too large.")
    return pico


def amount_pico(usd: str) -> int:
    """What is granted or, below zero, taken back, in pico-dollars."""
    pico = pico_from_usd(usd)
    if pico == 0 or abs(pico) >= 2**62:
        raise ValueError(f"${usd} cannot be granted: it is nothing, or far too much.")
    return pico


def reason_of(text: str) -> str:
    reason = line_of_text(text, "a reason")
    if not reason:
        raise ValueError("Say why: it stands in the ledger with its reason.")
    return reason


def language(text: str) -> str:
    if text not in LANGUAGES:
        raise ValueError(f"{text[:40]!r} is no language of the page: {', '.join(LANGUAGES)}.")
    return text


def yes(text: str) -> int:
    """1 for yes, 0 for no."""
    if text not in ("yes", "no"):
        raise ValueError(f"{text[:40]!r} is neither yes nor no.")
    return int(text == "yes")


def retention_days(text: str) -> int:
    """For how many days calls are kept one by one."""
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    if not 1 <= days <= _RETENTION_DAYS:
        raise ValueError(f"{text[:40]!r} is no number of days from 1 to {_RETENTION_DAYS:,}.")
    return days


def limits(
    *,
    in_flight: int | None = None,
    per_minute: int | None = None,
    models: str | None = None,
    begins: str | None = None,
    ends: str | None = None,
) -> Limits:
    """Limits from words: models parted by commas, days such as 2027-02-28; "" lifts one."""
    for number in (in_flight, per_minute):
        if number is not None and not 1 <= number <= _LIMIT_OF_LIMITS:
            raise ValueError(f"{number} is no limit of calls: it is 1 to {_LIMIT_OF_LIMITS:,}.")
    valid_from, valid_until = begins and day_begins(begins), ends and day_ends(ends)
    if valid_from and valid_until and valid_from >= valid_until:
        raise ValueError(f"No day is from {begins} on and until {ends}.")
    return Limits(
        in_flight=in_flight,
        per_minute=per_minute,
        allowed_models=models and tuple(name.strip() for name in models.split(",")),
        valid_from=valid_from,
        valid_until=valid_until,
    )


def day(text: str) -> str:
    """A day such as 2027-02-28, written so."""
    return _date(text).isoformat()


def days(since: str, until: str) -> tuple[str, str]:
    """The first and the last of some days."""
    first, last = day(since), day(until)
    if first > last:
        raise ValueError(f"No day is from {first} on and until {last}.")
    return first, last


def day_begins(text: str) -> str:
    """The first moment of a day here, in UTC."""
    return _utc_midnight(_date(text))


def day_ends(text: str) -> str:
    """The first moment after a day here, in UTC."""
    return _utc_midnight(_date(text), timedelta(days=1))


def _date(text: str) -> date:
    try:
        read = date.fromisoformat(text)
    except ValueError:
        read = date.min
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise ValueError(f"{text[:40]!r} is not a day such as 2027-02-28.")
    return read


def _utc_midnight(day: date, later: timedelta = timedelta()) -> str:
    midnight = datetime.combine(day + later, time.min).astimezone(UTC)
    return midnight.isoformat(timespec="microseconds").replace("+00:00", "Z")
