"""Staff's list of accounts: searched, sorted, paged, taken away as a sheet; and a new account."""

from functools import partial
from typing import Final

from swsllm_nb.proxy.listing import (
    STATUSES,
    AccountQuery,
    Listed,
    list_accounts,
    listed_accounts,
)
from swsllm_nb.proxy.page.staff_desk import amount, office_of, said, sheet_answer
from swsllm_nb.proxy.page.tables import Asked, Column, Table
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.sheets import Cell, Dollars

__all__ = ["account_list", "account_sheet", "add_page", "found_accounts"]

_EVERY_ACCOUNT: Final = 10**6


def _stands(status: str, row: Listed) -> bool:
    return row.status == status


_TABLE: Final = Table[Listed](
    columns=(
        Column("name", lambda row: row.account.name),
        Column("full_name", lambda row: row.full_name or None),
        Column("budget", lambda row: row.account.budget_pico),
        Column("spend", lambda row: row.account.spend_pico),
        Column("reserved", lambda row: row.account.reserved_pico),
        Column("remaining", lambda row: row.account.remaining_pico),
        Column("last_call", lambda row: row.last_call_at),
        Column("pace", lambda row: row.pace_pico),
        Column("status", lambda row: row.status),
    ),
    text=lambda row: f"{row.account.name} {row.full_name} {row.email}",
    filters={status: partial(_stands, status) for status in STATUSES},
)
_HEADER: Final = (
    "Account", "Full name", "E-mail", "Status", "Budget ($)", "Spent ($)", "Held ($)", "Left ($)",
    "Per day ($)", "Last call (UTC)",
)  # fmt: skip


async def found_accounts(visit: Visit, asked: Asked) -> list[Listed]:
    """All accounts that an address means, sorted."""
    return _TABLE.find(await _listed(visit, asked), asked)


async def account_list(visit: Visit) -> Response:
    asked = Asked.of(visit.query)
    shown = _TABLE.show(await _listed(visit, asked), asked)
    return visit.page("staff/accounts.html", shown=shown, statuses=STATUSES)


async def account_sheet(visit: Visit) -> Response:
    found = await found_accounts(visit, Asked.of(visit.query))
    return sheet_answer(visit, "accounts", _HEADER, map(_row, found))


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


async def _listed(visit: Visit, asked: Asked) -> list[Listed]:
    """Names are sorted and searched here: databases do not know that Ö is like O."""
    if asked.only != "deleted":
        return await visit.site.store.read(listed_accounts)
    query = AccountQuery(status="deleted", limit=_EVERY_ACCOUNT)
    return (await visit.site.store.read(lambda: list_accounts(query))).accounts


def _row(listed: Listed) -> tuple[Cell, ...]:
    account = listed.account
    return (
        account.name, listed.full_name, listed.email, listed.status, Dollars(account.budget_pico),
        Dollars(account.spend_pico), Dollars(account.reserved_pico),
        Dollars(account.remaining_pico), Dollars(listed.pace_pico), listed.last_call_at,
    )  # fmt: skip
