"""The table of accounts: searched, sorted and paged in the database."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from swsllm_nb.proxy.daily import Moment, moment
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = [
    "PACE_DAYS",
    "SORTS",
    "STATUSES",
    "AccountPage",
    "AccountQuery",
    "Listed",
    "list_accounts",
    "listed_account",
    "listed_accounts",
    "pace_since",
]

PACE_DAYS: Final = 7
LOW_PERCENT: Final = 10

Status = Literal["active", "low", "used up", "not yet", "ended", "disabled", "deleted"]

STATUSES: Final = ("active", "low", "used up", "not yet", "ended", "disabled", "deleted")
"""How an account stands: ``low`` has at most a tenth of its budget left, ``not yet`` and ``ended``
are outside its dates."""

SORTS: Final = {
    "name": "lower(name)",
    "full_name": "lower(full_name)",
    "budget": "budget_pico",
    "spend": "spend_pico",
    "reserved": "reserved_pico",
    "remaining": "budget_pico - spend_pico - reserved_pico",
    "last_call": "coalesce(last_call_at, '')",
    "pace": "pace_pico",
    "status": "status",
}
"""What the table of accounts can be sorted by."""


@dataclass(frozen=True, kw_only=True)
class AccountQuery:
    """Which accounts, in which order. ``search`` is looked for in name, full name and e-mail.

    Deleted accounts are listed only where ``status`` asks for them.
    """

    search: str = ""
    status: str | None = None
    sort: str = "name"
    descending: bool = False
    limit: int = 50
    offset: int = 0

    def __post_init__(self) -> None:
        if self.sort not in SORTS:
            raise ValueError(
                f"Accounts are not sorted by {self.sort!r}, but by {', '.join(SORTS)}."
            )
        if self.status is not None and self.status not in STATUSES:
            raise ValueError(f"No account is {self.status!r}; one is {', '.join(STATUSES)}.")


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An account with what staff want to see of it at a glance.

    ``pace_pico`` is what it spent per day, on average over the last seven days.
    """

    account: Account
    full_name: str
    email: str
    status: Status
    last_call_at: str | None
    pace_pico: int

    @property
    def days_left(self) -> int | None:
        """For how many whole days the budget lasts at this pace; None where nothing is spent."""
        if self.pace_pico <= 0:
            return None
        return max(0, self.account.remaining_pico) // self.pace_pico


@dataclass(frozen=True)
class AccountPage:
    """Some of the accounts that were asked for, and how many there are."""

    accounts: list[Listed]
    total: int


def list_accounts(query: AccountQuery) -> Work[AccountPage]:
    """A page of the table of accounts."""
    order = f"{SORTS[query.sort]} {'DESC' if query.descending else 'ASC'}, id"
    rows = yield from _listed_rows(
        f"{_CHOSEN} ORDER BY {order} LIMIT $6 OFFSET $7",
        _pattern(query.search), query.status, query.limit, query.offset,
    )  # fmt: skip
    if query.offset and not rows:
        first = yield from list_accounts(replace(query, limit=1, offset=0))
        return AccountPage([], first.total)
    return AccountPage([_listed(row) for row in rows], rows[0]["total"] if rows else 0)


_CHOSEN = r"""
    WHERE status = coalesce(CAST($5 AS TEXT), status)
      AND (status <> 'deleted' OR CAST($5 AS TEXT) = 'deleted')
      AND (lower(name) LIKE lower($4) ESCAPE '\' OR lower(full_name) LIKE lower($4) ESCAPE '\'
           OR lower(email) LIKE lower($4) ESCAPE '\')
"""


def _pattern(search: str) -> str:
    literal = re.sub(r"([%_\\])", r"\\\1", search)
    return f"%{literal}%"


def listed_account(name: str) -> Work[Listed | None]:
    """The account of that name, also a deleted one."""
    rows = yield from _listed_rows("WHERE name = $4", name)
    return _listed(rows[0]) if rows else None


def listed_accounts() -> Work[list[Listed]]:
    """Every account that was not deleted."""
    rows = yield from _listed_rows("WHERE status <> 'deleted'")
    return [_listed(row) for row in rows]


def _listed_rows(chosen: str, *values: Any) -> Work[Sequence[Row]]:
    at = yield from moment()
    return (yield ask(f"{_LISTED} {chosen}", at.now, pace_since(at), at.summed_up_to_id, *values))


_LISTED = f"""
    WITH recent AS (
        SELECT account_id, CAST(sum(amount_pico) AS BIGINT) AS pico FROM (
            SELECT account_id, amount_pico FROM daily WHERE day >= $2
            UNION ALL
            SELECT account_id, amount_pico FROM ledger
            WHERE id > $3 AND kind <> 'grant' AND at >= $2
        ) spent GROUP BY account_id
    ), listed AS (
        SELECT {ACCOUNT}, full_name, email,
            CASE WHEN deleted_at IS NOT NULL THEN 'deleted'
                 WHEN enabled = 0 THEN 'disabled'
                 WHEN valid_until <= $1 THEN 'ended'
                 WHEN valid_from > $1 THEN 'not yet'
                 WHEN spend_pico >= budget_pico THEN 'used up'
                 WHEN budget_pico - spend_pico - reserved_pico <= budget_pico / {100 // LOW_PERCENT}
                     THEN 'low'
                 ELSE 'active' END AS status,
            (SELECT at FROM ledger WHERE account_id = accounts.id AND kind = 'call'
             ORDER BY ledger.id DESC LIMIT 1) AS last_call_at,
            CASE WHEN recent.pico > 0 THEN recent.pico / {PACE_DAYS} ELSE 0 END AS pace_pico
        FROM accounts LEFT JOIN recent ON recent.account_id = accounts.id
    )
    SELECT *, count(*) OVER () AS total FROM listed
"""


def pace_since(at: Moment) -> str:
    """The first of the days that the pace is reckoned over, today being the last."""
    today = datetime.fromisoformat(at.now).date()
    return (today - timedelta(days=PACE_DAYS - 1)).isoformat()


def _listed(row: Row) -> Listed:
    return Listed(
        account=account_of_row(row),
        full_name=row["full_name"],
        email=row["email"],
        status=row["status"],
        last_call_at=row["last_call_at"],
        pace_pico=row["pace_pico"],
    )
