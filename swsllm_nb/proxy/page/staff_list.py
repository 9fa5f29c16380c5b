"""The table of accounts as staff look at it: found, sorted and paged by what people expect.

Names are compared here, because databases do not know that Ö is like O, or ö; what has to be asked
about each account by itself is asked about those of the page alone, where that can be.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from swsllm_nb.proxy.listing import STATUSES, Listed, listed_of_row, listed_rows
from swsllm_nb.proxy.page.tables import Asked, Column, Shown, Table
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Row, Work

__all__ = ["found", "found_names", "page_of"]

_CHEAP: Final = "id, name, full_name, email, budget_pico, spend_pico, reserved_pico, status"
_DEAR: Final = ("last_call", "pace")


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


async def page_of(store: Store, asked: Asked) -> Shown[Listed]:
    """One page; deleted accounts are only on those that ask for them."""

    def read() -> Work[Shown[Listed]]:
        shown = _TABLE.show((yield from _rows(asked)), asked)
        ids = [row["id"] for row in shown.rows]
        return Shown(**{**vars(shown), "rows": (yield from _listed(ids))})

    return await store.read(read)


async def found(store: Store, asked: Asked) -> list[Listed]:
    """All that were found, sorted."""

    def read() -> Work[list[Listed]]:
        ids = [row["id"] for row in _TABLE.find((yield from _rows(asked)), asked)]
        by_id = {one.account.id: one for one in (yield from _all_listed())}
        return [by_id[one] for one in ids]

    return await store.read(read)


async def found_names(store: Store, asked: Asked) -> list[str]:
    rows = await store.read(partial(_rows, asked))
    return [row["name"] for row in _TABLE.find(rows, asked)]


def _rows(asked: Asked) -> Work[Sequence[Row]]:
    """What is searched and sorted by, of every account."""
    present = "=" if asked.only == "deleted" else "<>"
    dear = asked.sort.removeprefix("-") in _DEAR
    columns = f"{_CHEAP}, last_call_at, pace_pico FROM listed" if dear else f"{_CHEAP} FROM chosen"
    return (yield from listed_rows(f"WHERE status {present} 'deleted'", f"SELECT {columns}"))


def _listed(ids: Sequence[int]) -> Work[list[Listed]]:
    """The accounts with these ids, in their order."""
    if not ids:
        return []
    places = ", ".join(f"${number}" for number in range(4, 4 + len(ids)))
    rows = yield from listed_rows(f"WHERE id IN ({places})", "SELECT * FROM listed", *ids)
    by_id = {row["id"]: listed_of_row(row) for row in rows}
    return [by_id[one] for one in ids]


def _all_listed() -> Work[list[Listed]]:
    rows = yield from listed_rows("", "SELECT * FROM listed")
    return [listed_of_row(row) for row in rows]
