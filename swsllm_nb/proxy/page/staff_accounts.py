"""Staff's list of accounts: searched, sorted, paged, taken away as a sheet; and a new account."""

from typing import Final

from swsllm_nb.proxy.account_table import found, page_of
from swsllm_nb.proxy.listing import STATUSES, Listed
from swsllm_nb.proxy.page.staff_desk import amount, office_of, said, sheet_answer
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.sheets import Cell, Dollars
from swsllm_nb.proxy.tables import Asked

__all__ = ["account_list", "account_sheet", "add_page"]

_HEADER: Final = (
    "Account", "Full name", "E-mail", "Status", "Budget ($)", "Spent ($)", "Held ($)", "Left ($)",
    "Per day ($)", "Last call (UTC)",
)  # fmt: skip


async def account_list(visit: Visit) -> Response:
    shown = await page_of(visit.site.store, Asked.of(visit.query))
    return visit.page("staff/accounts.html", shown=shown, statuses=STATUSES)


async def account_sheet(visit: Visit) -> Response:
    rows = await found(visit.site.store, Asked.of(visit.query))
    await office_of(visit).note_export("export_accounts", accounts=len(rows))
    return await sheet_answer(visit, "accounts", _HEADER, map(_row, rows))


async def add_page(visit: Visit) -> Response:
    """A new account; its password is shown once, its key only to its student."""
    form = {name: visit.field(name) for name in ("name", "full_name", "email", "budget")}
    if visit.request.method != "POST":
        return await _add_form(visit, form)
    try:
        credentials = await office_of(visit).add_account(
            form["name"],
            amount(visit, "budget") or None,
            full_name=form["full_name"],
            email=form["email"],
        )
    except ValueError as error:
        return await _add_form(visit, form, said(visit, error))
    return visit.page(
        "staff/done.html", act="add", done=[], refused=[], sheet=[credentials], report=None
    )


async def _add_form(visit: Visit, form: dict[str, str], trouble: str | None = None) -> Response:
    course = await office_of(visit).course()
    status = 400 if trouble else 200
    return visit.page("staff/add.html", status, typed=form, course=course, trouble=trouble)


def _row(listed: Listed) -> tuple[Cell, ...]:
    account = listed.account
    return (
        account.name, listed.full_name, listed.email, listed.status, Dollars(account.budget_pico),
        Dollars(account.spend_pico), Dollars(account.reserved_pico),
        Dollars(account.remaining_pico), Dollars(listed.pace_pico), listed.last_call_at,
    )  # fmt: skip
