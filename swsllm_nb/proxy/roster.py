"""Reading a roster: the CSV that Moodle, OPAL or a spreadsheet exports, as the lines of a course.

Nothing in a roster is trusted: what could not be the name of an account, of a person or of a
mailbox is refused line by line, in words.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

from swsllm_nb.proxy import words
from swsllm_nb.proxy.accounts import Person

__all__ = ["Roster", "RosterEntry", "read_roster"]

MOST_LINES: Final = 10_000
MOST_BYTES: Final = 5_000_000

_COLUMNS: Final[Mapping[str, str]] = {
    heading: field
    for field, headings in {
        "name": "account accountname username user login loginname benutzername anmeldename "
        "benutzerkennung kennung nutzername uid",
        "full_name": "fullname vollername vollständigername displayname anzeigename",
        "first": "vorname firstname givenname rufname",
        "last": "nachname lastname surname familyname familienname",
        "email": "email emailaddress emailadresse mail mailaddress mailadresse "
        "institutionelleemail",
        "budget": "budget budgetusd",
    }.items()
    for heading in headings.split()
}
_DELIMITERS: Final = ",;\t"
_DECIMAL_COMMA = re.compile(r"\d+,\d{1,2}", re.ASCII)
_SEPARATOR_LINE = re.compile(r"sep=.\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class RosterEntry:
    """A person of a roster, or why the line (numbered from 1) is refused."""

    line: int
    name: str
    person: Person
    budget_pico: int | None = None
    refused: str | None = None


@dataclass(frozen=True)
class Roster:
    """What a file says: as what it was read, which of its columns were not, and its lines."""

    encoding: str
    ignored_columns: tuple[str, ...]
    entries: tuple[RosterEntry, ...]


def read_roster(data: bytes) -> Roster:
    """Raises ValueError, with a sentence, for a file that is no roster at all."""
    if len(data) > MOST_BYTES:
        raise ValueError(
            f"The file has {len(data):,} bytes; a roster has at most {MOST_BYTES:,}. Split it."
        )
    text, encoding = _decoded(data)
    text = _SEPARATOR_LINE.sub("", text, count=1) if _SEPARATOR_LINE.match(text) else text
    rows = _rows(text)
    heading = next(rows, (0, []))[1]
    fields = _fields(heading)
    _check_heading(heading, fields)
    seen: dict[str, int] = {}
    entries = tuple(_entry(line, row, fields, seen) for line, row in rows)
    ignored = tuple(
        column.strip() for column, field in zip(heading, fields, strict=True) if not field
    )
    return Roster(encoding, ignored, entries)


def _decoded(data: bytes) -> tuple[str, str]:
    """A file's text and in what it was written; spreadsheets still write Windows-1252."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError:
            raise ValueError("The file is no text: save it as CSV in UTF-8.") from None
    if b"\0" in data:
        raise ValueError("The file is no text: save the list as CSV in UTF-8.")
    for encoding, shown in (("utf-8-sig", "UTF-8"), ("cp1252", "Windows-1252")):
        try:
            return data.decode(encoding), shown
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "Latin-1"


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not empty, each with the number of its first line."""
    lines = list(io.StringIO(text, newline=""))
    if len(lines) > MOST_LINES + 1:
        raise ValueError(
            f"The file has {len(lines):,} lines; at most {MOST_LINES:,} are read at once. Split it."
        )
    reader = csv.reader(lines, delimiter=_delimiter(lines), strict=True)
    begins = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(
                f"Line {begins} of the file cannot be read as CSV ({error}). Is a quotation mark "
                "missing?"
            ) from None
        if any(cell.strip() for cell in row):
            yield begins, row
        begins = reader.line_num + 1


def _delimiter(lines: Sequence[str]) -> str:
    """The one by which most columns of the heading are known."""
    heading = next((line for line in lines if line.strip()), "")

    def known(delimiter: str) -> int:
        try:
            cells = next(csv.reader([heading], delimiter=delimiter), [])
        except csv.Error:
            return 0
        return sum(_bare(cell) in _COLUMNS for cell in cells)

    return max(_DELIMITERS, key=known)


def _bare(column: str) -> str:
    """A heading without what different exports write differently: ``E-Mail-Adresse``."""
    return "".join(filter(str.isalpha, normalize("NFC", column).casefold()))


def _fields(heading: Sequence[str]) -> list[str | None]:
    """What each column holds; None for one that is not read."""
    fields = [_COLUMNS.get(_bare(column)) for column in heading]
    # Lists of people call the family name so, lists of accounts theirs.
    name = "last" if "first" in fields else "full_name" if {"name", "email"} & {*fields} else "name"
    return [
        name if _bare(column) == "name" else field
        for column, field in zip(heading, fields, strict=True)
    ]


def _check_heading(heading: Sequence[str], fields: Sequence[str | None]) -> None:
    known = [field for field in fields if field]
    if "name" not in known and "email" not in known:
        raise ValueError(
            "The first line of the file names no column of accounts: it needs one such as "
            "'username' ('Benutzername', 'Anmeldename') or 'email' ('E-Mail-Adresse'). Beside "
            "that, first and last name and 'budget' are read."
        )
    for field in known:
        if known.count(field) > 1:
            twice = [column for column, read in zip(heading, fields, strict=True) if read == field]
            raise ValueError(f"Two columns mean the same: {' and '.join(map(repr, twice))}.")


def _entry(
    line: int, row: Sequence[str], fields: Sequence[str | None], seen: dict[str, int]
) -> RosterEntry:
    cells = {field: cell.strip() for field, cell in zip(fields, row, strict=False) if field}
    # Where a list has no names for accounts, what stands before the @ is the university's.
    name = cells["name"] if "name" in cells else cells.get("email", "").partition("@")[0]
    shown = name[:100] if name.isprintable() else ascii(name)[:100]
    try:
        if len(row) != len(fields):
            raise ValueError(
                f"The line has {len(row)} fields where the first one has {len(fields)}."
            )
        if not name:
            raise ValueError("The line names no account.")
        usable = words.usable_name(name)
        first = seen.setdefault(usable.casefold(), line)
        if first != line:
            raise ValueError(f"{usable!r} stands in line {first} already.")
        full = cells.get("full_name") or f"{cells.get('first', '')} {cells.get('last', '')}"
        person = Person(
            words.line_of_text(full, "a full name"), words.usable_email(cells.get("email", ""))
        )
        budget = cells.get("budget")
        budget_pico = words.budget_pico(_dollars(budget)) if budget else None
    except ValueError as error:
        return RosterEntry(line, shown, Person(), refused=str(error))
    return RosterEntry(line, usable, person, budget_pico)


def _dollars(text: str) -> str:
    """German spreadsheets write 2,50; of 1,000 nobody knows which it is, and it is refused."""
    return text.replace(",", ".") if _DECIMAL_COMMA.fullmatch(text) else text
