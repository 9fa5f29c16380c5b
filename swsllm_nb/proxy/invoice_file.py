"""The upstream's invoice as a file, day by day against the ledger.

Read is what OpenAI's usage page exports (https://help.openai.com/en/articles/8554956), or lines
such as ``2026-11-23,1.25``. Days are UTC in all of them.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.proxy import words
from swsllm_nb.proxy.daily import moment
from swsllm_nb.proxy.work import Work, ask

__all__ = ["InvoiceDay", "compared", "read_invoice", "total"]

_DAY_COLUMNS: Final = ("start_time_iso", "start_time", "date", "day")
_AMOUNT_COLUMNS: Final = ("amount_value", "amount_usd", "cost_usd", "amount", "cost", "usd")
_CURRENCY_COLUMNS: Final = ("amount_currency", "currency")
_UNIX_SECONDS = re.compile(r"\d{9,11}", re.ASCII)
_LARGEST_USD = 10**7


@dataclass(frozen=True)
class InvoiceDay:
    """What was billed for a UTC day, and between what and what it should be, in pico-dollars.

    Unconfirmed calls may have been billed or not, and what staff gave back may have been.
    """

    day: str
    billed_pico: int
    least_pico: int
    most_pico: int

    @property
    def above_pico(self) -> int:
        """By how much more was billed than the ledger knows."""
        return max(0, self.billed_pico - self.most_pico)

    @property
    def below_pico(self) -> int:
        """By how much less was billed than was charged for certain."""
        return max(0, self.least_pico - self.billed_pico)


def read_invoice(data: bytes) -> dict[str, int]:
    """Pico-dollars by day. Raises ValueError, with the line, for what is no invoice."""
    text = data.decode("utf-8-sig", "replace")
    first_line = text.partition("\n")[0]
    delimiter = ";" if first_line.count(";") > first_line.count(",") else ","
    billed: dict[str, int] = {}
    lines = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter)
    try:
        for number, (day, amount) in _cells(lines):
            try:
                day = _day(day)
                billed[day] = billed.get(day, 0) + _pico(amount, decimal_comma=delimiter == ";")
            except ValueError as error:
                raise ValueError(f"Line {number} of the invoice: {error}") from None
    except csv.Error as error:
        raise ValueError(
            f"Line {lines.line_num} of the file cannot be read as CSV ({error}). Is a quotation "
            "mark missing?"
        ) from None
    if not billed:
        raise ValueError("The invoice has no line with a day and an amount.")
    return billed


def _cells(lines: Iterator[list[str]]) -> Iterator[tuple[int, tuple[str, str]]]:
    """Each line's number, day and amount; by its header, or the first cell and the last."""
    day, amount, currency = 0, -1, None
    for number, cells in enumerate(lines, start=1):
        if not any(cell.strip() for cell in cells):
            continue
        if number == 1 and not cells[0].strip()[:1].isdigit():
            names = [cell.strip().lower() for cell in cells]
            day = _column(names, _DAY_COLUMNS, "a day")
            amount = _column(names, _AMOUNT_COLUMNS, "an amount")
            currency = next((names.index(one) for one in _CURRENCY_COLUMNS if one in names), None)
            continue
        try:
            if currency is not None and cells[currency].strip().lower() not in ("usd", ""):
                raise ValueError(f"Line {number} of the invoice is not in US dollars.")
            yield number, (cells[day].strip(), cells[amount].strip())
        except IndexError:
            raise ValueError(f"Line {number} of the invoice is shorter than its header.") from None


def _column(names: Sequence[str], wanted: Sequence[str], what: str) -> int:
    for name in wanted:
        if name in names:
            return names.index(name)
    names = ", ".join(wanted)
    raise ValueError(f"The invoice has no column with {what}: it would be one of {names}.")


def _day(text: str) -> str:
    if _UNIX_SECONDS.fullmatch(text):
        return datetime.fromtimestamp(int(text), UTC).date().isoformat()
    return words.day(text[:10])


def _pico(text: str, *, decimal_comma: bool) -> int:
    """Exports have binary fractions with more decimals than there are pico-dollars."""
    written = text.removeprefix("$").strip()
    try:
        usd = Decimal(written.replace(",", ".") if decimal_comma else written)
        if not abs(usd) < _LARGEST_USD:
            raise InvalidOperation
    except InvalidOperation:
        raise ValueError(f"{text[:40]!r} is no amount in dollars.") from None
    return round(usd * PICO_PER_USD)


def compared(billed: Mapping[str, int]) -> Work[list[InvoiceDay]]:
    """Each day that was billed, or charged between the first and the last of these."""
    first, last = min(billed), max(billed)
    upto = (yield from moment()).summed_up_to_id
    charged = yield ask(_CHARGED, first, last, upto)
    doubtful = yield ask(_DOUBTFUL, first, last)
    most = {row["day"]: row["pico"] for row in charged}
    least = dict(most)
    for row in doubtful:
        # What was adjusted is taken out of what was charged that day; the call itself stays.
        most[row["day"]] = most.get(row["day"], 0) - row["adjusted"]
        least[row["day"]] = least.get(row["day"], 0) - row["adjusted"] - row["unconfirmed"]
    days = sorted({*billed, *(day for day, pico in most.items() if pico)})
    return [
        InvoiceDay(day, billed.get(day, 0), least.get(day, 0), most.get(day, 0)) for day in days
    ]


_CHARGED = """
    SELECT day, CAST(sum(amount_pico) AS BIGINT) AS pico FROM (
        SELECT day, amount_pico FROM course_daily WHERE day >= $1 AND day <= $2
        UNION ALL
        SELECT substr(at, 1, 10), amount_pico FROM ledger WHERE id > $3 AND kind <> 'grant'
            AND substr(at, 1, 10) >= $1 AND substr(at, 1, 10) <= $2
    ) charged GROUP BY day
"""
_DOUBTFUL = """
    SELECT day, CAST(sum(unconfirmed) AS BIGINT) AS unconfirmed,
        CAST(sum(adjusted) AS BIGINT) AS adjusted
    FROM (
        SELECT substr(at, 1, 10) AS day, amount_pico AS unconfirmed, 0 AS adjusted FROM ledger
        WHERE state = 'unconfirmed'
        UNION ALL
        SELECT substr(at, 1, 10), 0, amount_pico FROM ledger WHERE adjusts_id IS NOT NULL
    ) doubtful WHERE day >= $1 AND day <= $2 GROUP BY day
"""


def total(days: Sequence[InvoiceDay]) -> InvoiceDay:
    """All days together: calls over midnight are billed a day later than they are charged."""
    return InvoiceDay(
        "in all",
        sum(day.billed_pico for day in days),
        sum(day.least_pico for day in days),
        sum(day.most_pico for day in days),
    )
