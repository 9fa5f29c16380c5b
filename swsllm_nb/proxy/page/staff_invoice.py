"""What the upstream billed against what the ledger says, for a span of days."""

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Final

from swsllm_nb.money import pico_from_usd
from swsllm_nb.proxy import words
from swsllm_nb.proxy.invoice import Billable, billable
from swsllm_nb.proxy.invoice_file import compared, read_invoice, total
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.page.staff_desk import in_dollars, said
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["invoice"]

_DAYS_SHOWN: Final = 100


@dataclass(frozen=True)
class _Verdict:
    """By how much an invoice is above all that was charged, or below what surely was billed."""

    billed_pico: int
    above_pico: int
    below_pico: int


async def invoice(visit: Visit) -> Response:
    """A sum that was typed, or a file day by day; neither is kept."""
    if visit.request.method != "POST":
        return await _span(visit)
    try:
        billed = read_invoice(await visit.file("invoice"))
    except ValueError as error:
        trouble = said(visit, error)
        return visit.page("staff/invoice_days.html", 400, days=[], whole=None, trouble=trouble)
    days = await visit.site.store.read(partial(compared, billed))
    return visit.page(
        "staff/invoice_days.html", days=days[-_DAYS_SHOWN:], whole=total(days), trouble=None
    )


async def _span(visit: Visit) -> Response:
    """By default the month before this one, of which the invoice is there."""
    last = utc_today().replace(day=1) - timedelta(days=1)
    since = visit.query.get("since") or last.replace(day=1).isoformat()
    until = visit.query.get("until") or last.isoformat()
    typed = visit.query.get("billed", "").strip()
    sums, verdict, trouble = None, None, None
    try:
        asked = partial(billable, words.day(since), words.day(until))
        sums = await visit.site.store.read(asked)
        if typed:
            verdict = _verdict(sums, pico_from_usd(in_dollars(visit, typed)))
    except ValueError as error:
        trouble = said(visit, error)
    return visit.page(
        "staff/invoice.html", 400 if trouble else 200, since=since, until=until, billed=typed,
        sums=sums, verdict=verdict, trouble=trouble,
    )  # fmt: skip


def _verdict(sums: Billable, billed_pico: int) -> _Verdict:
    return _Verdict(
        billed_pico,
        max(0, billed_pico - sums.most_pico),
        max(0, sums.least_pico - billed_pico),
    )
