"""Tables of any length as CSV: read, written and sent a page at a time, to their very end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final

from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.receipts import Receipt, Wanted, receipts
from swsllm_nb.proxy.sheets import Cell, sheet, sheet_rows

__all__ = ["ROWS_AT_ONCE", "long_sheet", "receipt_rows"]

ROWS_AT_ONCE: Final = 1000

Rows = Sequence[Sequence[Cell]]


async def long_sheet(
    visit: Visit, name: str, header: Sequence[str], pages: AsyncIterator[Rows]
) -> Response:
    """A sheet to keep, sent as it is read; calls go on meanwhile.

    What fails at the first page is told on a page. Later it breaks off the download, so that
    nobody takes a part for the whole.
    """
    first: Rows = await anext(pages, ())

    async def written() -> AsyncIterator[bytes]:
        yield await asyncio.to_thread(sheet, header, first, visit.language)
        async for rows in pages:
            yield await asyncio.to_thread(sheet_rows, rows, visit.language)

    return visit.long_download(written(), "text/csv; charset=utf-8", f"{name}.csv")


async def receipt_rows(
    visit: Visit,
    account_id: int,
    row: Callable[[Receipt], Sequence[Cell]],
    wanted: Wanted | None = None,
    before_id: int | None = None,
) -> AsyncIterator[Rows]:
    """An account's receipts as rows, the newest first."""
    read = partial(receipts, account_id, wanted or Wanted(), limit=ROWS_AT_ONCE)
    more = True
    while more:
        page = await visit.site.store.read(partial(read, before_id=before_id))
        yield [row(receipt) for receipt in page.receipts]
        before_id = page.next_before_id
        more = before_id is not None
