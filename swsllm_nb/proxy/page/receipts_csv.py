"""A student's receipts as a sheet."""

from collections.abc import Sequence

from swsllm_nb.proxy.page.long_sheets import long_sheet, receipt_rows
from swsllm_nb.proxy.page.receipt_filter import read_filter
from swsllm_nb.proxy.page.student import student_of
from swsllm_nb.proxy.page.visit import Page, Response, Visit
from swsllm_nb.proxy.receipts import Receipt
from swsllm_nb.proxy.sheets import Cell, Dollars

__all__ = ["csv_pages"]

_HEADER = (
    "at", "request_id", "status", "model", "upstream", "prompt_tokens", "cached_tokens",
    "completion_tokens", "reasoning_tokens", "amount_usd", "held_usd", "reason",
)  # fmt: skip


def csv_pages() -> Sequence[Page]:
    return [Page("/receipts.csv", receipts_csv, "student")]


async def receipts_csv(visit: Visit) -> Response:
    """All receipts of the filter, the newest first, exact to the last digit."""
    account, asked = student_of(visit), read_filter(visit.query)
    rows = receipt_rows(visit, account.id, _row, asked.wanted, asked.before_id)
    return await long_sheet(visit, "receipts", _HEADER, rows)


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
