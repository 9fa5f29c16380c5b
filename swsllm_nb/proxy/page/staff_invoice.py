"""What the upstream billed against what the ledger says, for a span of days."""

from datetime import timedelta
from functools import partial
from typing import Final

from swsllm_nb.proxy import words
from swsllm_nb.proxy.invoice import billable, verdict
from swsllm_nb.proxy.invoice_file import compared, read_invoice, total
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.page.staff_desk import in_dollars, said
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["invoice"]

_DAYS_SHOWN: Final = 100


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
    sums, told, trouble = None, None, None
    try:
        asked = partial(billable, *words.days(since, until))
        billed_pico = words.billed_pico(in_dollars(visit, typed)) if typed else None
        sums = await visit.site.store.read(asked)
        told = None if billed_pico is None else verdict(sums, billed_pico)
    except ValueError as error:
        trouble = said(visit, error)
    return visit.page(
        "staff/invoice.html", 400 if trouble else 200, since=since, until=until, billed=typed,
        sums=sums, verdict=told, trouble=trouble,
    )  # fmt: skip
