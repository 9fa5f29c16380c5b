"""The table of accounts, for page, command line and staff API: found and sorted as people expect.

Names are compared here, because databases do not know that Ö is like O, or ö; what has to be asked
about each account by itself is asked about those of the page alone, where that can be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from swsllm_nb.proxy.listing import STATUSES, Listed, listed_of_row, listed_rows
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.tables import Asked, Column, Shown, Table
from swsllm_nb.proxy.work import Row, Work

__all__ = [
    "AccountPage",
    "AccountQuery",
    "found",
    "found_names",
    "list_accounts",
    "page_of",
]

_CHEAP: Final = (
    "id, name, full_name, email, budget_pico, spend_pico, reserved_pico, status, last_call_at"
)
_FEW: Final = 200


def _has_status(status: str, row: Row) -> bool:
    return bool(row["status"] == status)


_TABLE: Final = Table[Row](
    columns=(
        Column("name", lambda row: row["name"]),
        Column("full_name", lambda row: row["full_name"] or None),
        Column("budget", lambda row: row["budget_pico"]),
        Column("spend", lambda row: row["spend_pico"]),
        Column("reserved", lambda row: row["reserved_pico"]),
        Column(
            "remaining", lambda row: row["budget_pico"] - row["spend_pico"] - row["reserved_pico"]
        ),
        Column("last_call", lambda row: row["last_call_at"]),
        Column("pace", lambda row: row["pace_pico"]),
        Column("status", lambda row: row["status"]),
    ),
    text=lambda row: f"{row['name']} {row['full_name']} {row['email']}",
    filters={status: partial(_has_status, status) for status in STATUSES},
)


SORTS: Final = tuple(column.name for column in _TABLE.columns)


@dataclass(frozen=True, kw_only=True)
class AccountQuery:
    """Which accounts, in which order. ``search`` is looked for in name, full name and e-mail.

    Deleted accounts are listed only where ``status`` asks for them. Raises ValueError, in words,
    for an order or a status that is none.
    """

    search: str = ""
    status: str | None = None
    sort: str = "name"
    descending: bool = False
    limit: int | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(
                f"Accounts are not sorted by {self.sort!r}, but by {', '.join(SORTS)}."
            )
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"No account is {self.status!r}; one is {', '.join(STATUSES)}.")

    @property
    def asked(self) -> Asked:
        sort = f"-{self.sort}" if self.descending else self.sort
        return Asked(self.search, self.status or "", sort)


@dataclass(frozen=True)
class AccountPage:
    """Some of the accounts that were asked for, and how many there are."""

    accounts: list[Listed]
    total: int


def list_accounts(query: AccountQuery) -> Work[AccountPage]:
    """The accounts from ``offset`` on, at most ``limit`` (None: all)."""
    ids = yield from _found_ids(query.asked)
    last = None if query.limit is None else query.offset + query.limit
    return AccountPage((yield from _listed(ids[query.offset : last])), len(ids))


async def page_of(store: Store, asked: Asked) -> Shown[Listed]:
    """One page; deleted accounts are only on those that ask for them."""

    def read() -> Work[Shown[Listed]]:
        shown = _TABLE.show((yield from _rows(asked)), asked)
        ids = [row["id"] for row in shown.rows]
        return Shown(**{**vars(shown), "rows": (yield from _listed(ids))})

    return await store.read(read)


async def found(store: Store, asked: Asked) -> list[Listed]:
    """All that were found, sorted."""
    ids = await store.read(partial(_found_ids, asked))
    return await store.read(partial(_listed, ids))


async def found_names(store: Store, asked: Asked) -> list[str]:
    rows = await store.read(partial(_rows, asked))
    return [row["name"] for row in _TABLE.find(rows, asked)]


def _found_ids(asked: Asked) -> Work[list[int]]:
    return [row["id"] for row in _TABLE.find((yield from _rows(asked)), asked)]


def _rows(asked: Asked) -> Work[Sequence[Row]]:
    """What is searched and sorted by, of every account."""
    present = "=" if asked.only == "deleted" else "<>"
    by_pace = asked.sort.removeprefix("-") == "pace"
    columns = f"{_CHEAP}, pace_pico FROM listed" if by_pace else f"{_CHEAP} FROM chosen"
    selecting = f"SELECT {columns} ORDER BY id"
    return (yield from listed_rows(f"WHERE status {present} 'deleted'", selecting))


def _listed(ids: Sequence[int]) -> Work[list[Listed]]:
    """The accounts with these ids, in their order."""
    if not ids:
        return []
    few = len(ids) <= _FEW
    places = ", ".join(f"${number}" for number in range(4, 4 + len(ids)))
    chosen, values = (f"WHERE id IN ({places})", ids) if few else ("", ())
    rows = yield from listed_rows(chosen, "SELECT * FROM listed", *values, few=few)
    by_id = {row["id"]: listed_of_row(row) for row in rows}
    return [by_id[one] for one in ids]
