"""Tables as CSV that a spreadsheet opens and that does nothing when it does.

A name from a roster may be a formula, and a spreadsheet runs formulas of files it is given:
https://owasp.org/www-community/attacks/CSV_Injection
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from swsllm_nb.money import usd_text

__all__ = ["Cell", "Dollars", "harmless", "sheet", "sheet_rows"]


class Dollars(int):
    """Pico-dollars that a sheet shows in dollars, exactly."""


Cell: TypeAlias = str | int | Decimal | Dollars | None

# Some programs take another character for the end of a cell than the writer did, so that what
# follows any of these can be the beginning of one; the wide signs count as well.
_BEGINS_A_FORMULA = re.compile(r"((?:^|[,;|\t\r\n\"])[\s,;|\"]*)(?=[=+\-@＝＋－＠])")


def sheet(
    header: Sequence[str], rows: Iterable[Sequence[Cell]], language: Literal["en", "de"] = "en"
) -> bytes:
    """UTF-8 with a byte order mark, as spreadsheets want it.

    Numbers are written as numbers; texts that could be formulas get an apostrophe before the
    sign that begins one. German sheets have semicolons and decimal commas: a German spreadsheet
    reads 1.25 as a day in January.
    """
    return codecs.BOM_UTF8 + sheet_rows([header], language) + sheet_rows(rows, language)


def sheet_rows(rows: Iterable[Sequence[Cell]], language: Literal["en", "de"] = "en") -> bytes:
    """Rows to follow a sheet's others, where it is too long to be made at once."""
    page = io.StringIO()
    german = language == "de"
    writer = csv.writer(page, delimiter=";" if german else ",", lineterminator="\r\n")
    for row in rows:
        writer.writerow([_written(cell, german) for cell in row])
    return page.getvalue().encode()


def _written(cell: Cell, german: bool) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, Dollars):
        number = usd_text(cell)
    else:
        number = f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
    return number.replace(".", ",") if german else number


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return _BEGINS_A_FORMULA.sub(r"\1'", text.replace("\0", ""))
