"""A student's receipts as a sheet."""

import asyncio
from collections.abc import Sequence
from functools import partial

from swsllm_nb.proxy.page.receipt_filter import read_filter
from swsllm_nb.proxy.page.student import student_of
from swsllm_nb.proxy.page.visit import Page, Response, Visit
from swsllm_nb.proxy.receipts import Receipt, receipts
from swsllm_nb.proxy.sheets import Cell, Dollars, sheet

__all__ = ["csv_pages"]

_ROWS_AT_ONCE = 1000
_HEADER = (
    "at", "request_id", "status", "model", "upstream", "prompt_tokens", "cached_tokens",
    "completion_tokens", "reasoning_tokens", "amount_usd", "held_usd", "reason",
)  # fmt: skip


def csv_pages() -> Sequence[Page]:
    return [Page("/receipts.csv", receipts_csv, "student")]


async def receipts_csv(visit: Visit) -> Response:
    """All receipts of the filter, the newest first, exact to the last digit."""
    account, asked = student_of(visit), read_filter(visit.query)
    rows: list[Sequence[Cell]] = []
    before_id = asked.before_id
    while True:
        page = await visit.site.store.read(
            partial(receipts, account.id, asked.wanted, before_id=before_id, limit=_ROWS_AT_ONCE)
        )
        rows += map(_row, page.receipts)
        before_id = page.next_before_id
        if before_id is None:
            break
    written = await asyncio.to_thread(sheet, _HEADER, rows, visit.language)
    return visit.download(written, "text/csv", name="receipts.csv")


def _row(receipt: Receipt) -> Sequence[Cell]:
    usage = receipt.usage
    counted: Sequence[Cell] = (None, None, None, None)
    if usage:
        counted = (
            usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens,
            usage.reasoning_tokens,
        )  # fmt: skip
    held = receipt.hold_pico if receipt.status == "held" else None
    return (
        receipt.at, receipt.request_id, receipt.status, receipt.model, receipt.upstream, *counted,
        Dollars(receipt.amount_pico), None if held is None else Dollars(held), receipt.reason,
    )  # fmt: skip
