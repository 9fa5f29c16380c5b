"""Tables that are searched, sorted and paged on the server, so that they need no script."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar
from unicodedata import combining, normalize
from urllib.parse import urlencode

__all__ = ["Asked", "Column", "Shown", "Table", "folded"]

_Row = TypeVar("_Row")
_SEARCH_CHARACTERS = 100


@dataclass(frozen=True)
class Asked:
    """What the address says of a table; ``sort`` begins with a minus for the largest first."""

    search: str = ""
    only: str = ""
    sort: str = ""
    page: int = 1

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Asked":
        """Any address gives a table: what makes no sense in it is left out."""
        page = query.get("page", "")
        return cls(
            query.get("q", "")[:_SEARCH_CHARACTERS].strip(),
            query.get("only", ""),
            query.get("sort", ""),
            int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 1,
        )

    @property
    def query(self) -> str:
        """The address's query, relative and so true under any prefix; never empty."""
        words = {"q": self.search, "only": self.only, "sort": self.sort}
        stated = {name: word for name, word in words.items() if word}
        return "?" + urlencode(stated | ({"page": self.page} if self.page > 1 else {}))


@dataclass(frozen=True)
class Column(Generic[_Row]):
    """A column by which rows are sorted: by texts, or by numbers and moments, None always last."""

    name: str
    value: Callable[[_Row], Any]


@dataclass(frozen=True)
class Shown(Generic[_Row]):
    """One page of the rows that were found, counted from 1, and the ways to the others."""

    rows: Sequence[_Row]
    first: int
    found: int
    page: int
    pages: int
    asked: Asked

    @property
    def last(self) -> int:
        return max(0, self.first + len(self.rows) - 1)

    @property
    def previous(self) -> str | None:
        return self._to(self.page - 1)

    @property
    def next(self) -> str | None:
        return self._to(self.page + 1)

    def sorted_by(self, name: str) -> str:
        """The way to the same rows sorted by a column, or the other way round if they are."""
        turned = f"-{name}" if self.asked.sort == name else name
        return replace(self.asked, sort=turned, page=1).query

    def order(self, name: str) -> Literal["ascending", "descending"] | None:
        """As ``aria-sort`` says it, for the column that the rows are sorted by."""
        if self.asked.sort == name:
            return "ascending"
        return "descending" if self.asked.sort == f"-{name}" else None

    def limited_to(self, only: str) -> str:
        return replace(self.asked, only=only, page=1).query

    def _to(self, page: int) -> str | None:
        return replace(self.asked, page=page).query if 1 <= page <= self.pages else None


@dataclass(frozen=True)
class Table(Generic[_Row]):
    """How rows can be looked at: ``text`` is what is searched, the first column sorts at first."""

    columns: Sequence[Column[_Row]]
    text: Callable[[_Row], str]
    filters: Mapping[str, Callable[[_Row], bool]] = field(default_factory=dict)
    page_rows: int = 50

    def show(self, rows: Iterable[_Row], asked: Asked) -> Shown[_Row]:
        asked = self._sensible(asked)
        found = self.find(rows, asked)
        pages = max(1, -(-len(found) // self.page_rows))
        page = min(max(asked.page, 1), pages)
        before = (page - 1) * self.page_rows
        shown = found[before : before + self.page_rows]
        asked = replace(asked, page=page)
        return Shown(shown, min(before + 1, len(found)), len(found), page, pages, asked)

    def find(self, rows: Iterable[_Row], asked: Asked) -> list[_Row]:
        """All rows that the address means, sorted."""
        asked = self._sensible(asked)
        words = folded(asked.search).split()
        chosen = self.filters.get(asked.only)
        found = [row for row in rows if chosen is None or chosen(row)]
        if words:
            found = [row for row in found if _has_all(words, folded(self.text(row)))]
        value = {column.name: column.value for column in self.columns}[asked.sort.lstrip("-")]
        stated = [row for row in found if value(row) is not None]
        stated.sort(key=lambda row: _comparable(value(row)), reverse=asked.sort.startswith("-"))
        return stated + [row for row in found if value(row) is None]

    def _sensible(self, asked: Asked) -> Asked:
        names = [column.name for column in self.columns]
        known = asked.sort.removeprefix("-") in names
        return replace(
            asked,
            sort=asked.sort if known else names[0],
            only=asked.only if asked.only in self.filters else "",
        )


def folded(text: str) -> str:
    """A text as people look for it: without case and accents, ``Müller`` found by ``muller``."""
    if text.isascii():
        return text.lower()
    apart = normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not combining(letter))


def _has_all(words: Iterable[str], text: str) -> bool:
    return all(word in text for word in words)


def _comparable(value: Any) -> Any:
    return folded(value) if isinstance(value, str) else value
