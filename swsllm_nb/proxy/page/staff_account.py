"""One account as staff see it: how it stands, its ledger, its refusals, and every act on it."""

import asyncio
import json
from collections.abc import Mapping
from functools import partial
from typing import Final

from swsllm_nb.proxy.listing import Listed, listed_account
from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.page.charts import burn_down
from swsllm_nb.proxy.page.long_sheets import long_sheet, receipt_rows
from swsllm_nb.proxy.page.staff_desk import details_of, file_answer, office_of, said
from swsllm_nb.proxy.page.staff_forms import changed_fields
from swsllm_nb.proxy.page.student import last_day_of
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.page.words import row_id
from swsllm_nb.proxy.receipts import Receipt, Wanted, receipts, spend_by_model
from swsllm_nb.proxy.receipts import burn_down as days_of_account
from swsllm_nb.proxy.refused import refusals_of
from swsllm_nb.proxy.sheets import Cell, Dollars
from swsllm_nb.proxy.work import Work, ask

__all__ = ["account", "credit", "edit", "ledger_sheet", "record"]

_ROWS: Final = 30
_TRAIL_ROWS: Final = 20
_REFUSALS: Final = 30
_FIELDS: Final = ("name", "full_name", "email")
_STATUSES: Final = ("settled", "unconfirmed", "held", "released", "grant", "adjustment")
_HEADER: Final = (
    "Time (UTC)", "Kind", "Model", "Request", "Tokens in", "Tokens out", "Amount ($)", "Reason",
    "Who",
)  # fmt: skip


async def account(visit: Visit) -> Response:
    return await _page(visit)


async def edit(visit: Visit) -> Response:
    """What the account is called and whose it is."""
    listed = await _found(visit)
    if listed is None:
        return _missing(visit)
    typed = changed_fields(visit, _FIELDS)
    path = f"/staff/accounts/{listed.account.id}"
    if not typed:
        return visit.redirect(path, visit.say("Nothing was changed."))
    try:
        await office_of(visit).edit(
            listed.account.name, {field: visit.field(f"was.{field}") for field in typed},
            new_name=typed.get("name"), full_name=typed.get("full_name"), email=typed.get("email"),
        )  # fmt: skip
    except ValueError as error:
        return await _page(visit, typed, said(visit, error))
    return visit.redirect(path, visit.say("The account was changed."))


async def credit(visit: Visit) -> Response:
    """Give back what an unconfirmed call was charged; a second time is refused in words."""
    try:
        changed = await office_of(visit).credit(visit.field("request_id"), visit.field("reason"))
    except ValueError as error:
        return await _page(visit, trouble=said(visit, error))
    notice = visit.say("The charge was given back. It stands in the ledger with its reason.")
    return visit.redirect(f"/staff/accounts/{changed.id}", notice)


async def ledger_sheet(visit: Visit) -> Response:
    listed = await _found(visit)
    if listed is None:
        return _missing(visit)
    await office_of(visit).note_export("export_ledger", listed.account.id)
    titles = [visit.say(title) for title in _HEADER]
    rows = receipt_rows(visit, listed.account.id, _row)
    return await long_sheet(visit, f"ledger-{listed.account.id}", titles, rows)


async def record(visit: Visit) -> Response:
    """All that is kept of one student, to be handed to them."""
    listed = await _found(visit)
    if listed is None:
        return _missing(visit)
    kept = await office_of(visit).personal_record(listed.account.name)
    document = await asyncio.to_thread(json.dumps, kept, ensure_ascii=False, indent=1)
    return file_answer(visit, f"account-{listed.account.id}.json", document, "application/json")


async def _page(
    visit: Visit, typed: Mapping[str, str] | None = None, trouble: str | None = None
) -> Response:
    listed = await _found(visit)
    if listed is None:
        return _missing(visit)
    account_id, read = listed.account.id, visit.site.store.read
    status, before_id = visit.query.get("status", ""), row_id(visit.query.get("before", ""))
    wanted = Wanted(status=status if status in _STATUSES else None)
    page = await read(partial(receipts, account_id, wanted, before_id=before_id, limit=_ROWS))
    trail = await office_of(visit).audit(account=listed.account.name, limit=_TRAIL_ROWS)
    return visit.page(
        "staff/account.html",
        400 if trouble else 200,
        listed=listed,
        account=listed.account,
        last_day=last_day_of(listed.account),
        was={"name": listed.account.name, "full_name": listed.full_name, "email": listed.email},
        typed=typed or {},
        ledger=page,
        only=wanted.status or "",
        statuses=_STATUSES,
        first_page=before_id is None,
        chart=burn_down(
            await read(partial(days_of_account, account_id)),
            last_day_of(listed.account),
            utc_today(),
        ),
        models=await read(partial(spend_by_model, account_id)),
        refused=await read(partial(refusals_of, account_id, limit=_REFUSALS)),
        entries=[(entry, details_of(entry)) for entry in trail],
        trouble=trouble,
    )


async def _found(visit: Visit) -> Listed | None:
    """By its number, which is in no way personal and stays the same when it is renamed."""
    number = row_id(str(visit.request.path_params.get("number", "")))

    def find() -> Work[Listed | None]:
        rows = yield ask("SELECT name FROM accounts WHERE id = $1", number)
        return (yield from listed_account(rows[0]["name"])) if rows else None

    return None if number is None else await visit.site.store.read(find)


def _missing(visit: Visit) -> Response:
    return visit.page("sorry.html", 404, sentence=visit.say("There is no such account."))


def _row(receipt: Receipt) -> tuple[Cell, ...]:
    usage = receipt.usage
    return (
        receipt.at, receipt.status, receipt.model, receipt.request_id,
        usage.prompt_tokens if usage else None, usage.completion_tokens if usage else None,
        Dollars(receipt.amount_pico), receipt.reason, receipt.author,
    )  # fmt: skip
