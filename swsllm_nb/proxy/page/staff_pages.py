"""Every page of staff: its path, and what answers there."""

from collections.abc import Sequence
from typing import Final

from swsllm_nb.proxy.page import (
    staff_account,
    staff_accounts,
    staff_ask,
    staff_class,
    staff_course,
    staff_invoice,
    staff_models,
    staff_roster,
    staff_team,
)
from swsllm_nb.proxy.page.visit import Page

__all__ = ["staff_pages"]

_GET: Final = ("GET",)
_POST: Final = ("POST",)
_ROSTER_BYTES: Final = 6_000_000
_SELECTION_BYTES: Final = 256 * 1024


def staff_pages() -> Sequence[Page]:
    return [
        Page("/staff", staff_class.overview, "staff"),
        Page("/staff/spend.csv", staff_class.spend_sheet, "staff"),
        Page("/staff/accounts", staff_accounts.account_list, "staff"),
        Page("/staff/accounts.csv", staff_accounts.account_sheet, "staff"),
        Page("/staff/accounts/{number}", staff_account.account, "staff"),
        Page("/staff/accounts/{number}/edit", staff_account.edit, "staff", _POST),
        Page("/staff/accounts/{number}/credit", staff_account.credit, "staff", _POST),
        Page("/staff/accounts/{number}/ledger.csv", staff_account.ledger_sheet, "staff"),
        Page("/staff/accounts/{number}/record.json", staff_account.record, "staff"),
        Page("/staff/add", staff_accounts.add_page, "staff", (*_GET, *_POST)),
        Page("/staff/act", staff_ask.ask, "staff", (*_GET, *_POST), _SELECTION_BYTES),
        Page("/staff/act/answer", staff_ask.answer, "staff", _POST),
        Page("/staff/roster", staff_roster.page, "staff", (*_GET, *_POST), _ROSTER_BYTES),
        Page("/staff/roster/answer", staff_roster.answer, "staff", (*_GET, *_POST)),
        Page("/staff/models", staff_models.model_list, "staff"),
        Page("/staff/models/row", staff_models.row_page, "staff", (*_GET, *_POST)),
        Page("/staff/models/retire", staff_models.retire, "staff", _POST),
        Page("/staff/models/add", staff_models.add_page, "staff", (*_GET, *_POST)),
        Page("/staff/course", staff_course.course_page, "staff", (*_GET, *_POST)),
        Page("/staff/invoice", staff_invoice.invoice, "staff", (*_GET, *_POST), _ROSTER_BYTES),
        Page("/staff/trail", staff_course.trail, "staff"),
        Page("/staff/trail.csv", staff_course.trail_sheet, "staff"),
        Page("/staff/team", staff_team.team, "staff", (*_GET, *_POST)),
        Page("/staff/team/answer", staff_team.answer, "staff", (*_GET, *_POST)),
    ]
