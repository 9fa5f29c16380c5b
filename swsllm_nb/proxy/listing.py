"""Accounts with how they stand: status, pace and last call, as the database tells them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from swsllm_nb.proxy.daily import Moment, moment
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = [
    "PACE_DAYS",
    "STATUSES",
    "Listed",
    "listed_account",
    "listed_of_row",
    "listed_rows",
    "pace_since",
]

PACE_DAYS: Final = 7
LOW_PERCENT: Final = 10

Status = Literal["active", "low", "used up", "not yet", "ended", "disabled", "deleted"]

STATUSES: Final = ("active", "low", "used up", "not yet", "ended", "disabled", "deleted")
"""How an account stands: ``low`` has at most a tenth of its budget left, ``not yet`` and ``ended``
are outside its dates."""


@dataclass(frozen=True, kw_only=True)
class Listed:
    """An account with what staff want to see of it at a glance.

    ``pace_pico`` is what it spent per day, on average over the last seven days (below 0 where more
    was given back).
    """

    account: Account
    status: Status
    last_call_at: str | None
    pace_pico: int

    @property
    def full_name(self) -> str:
        return self.account.full_name

    @property
    def email(self) -> str:
        return self.account.email

    @property
    def days_left(self) -> int | None:
        """For how many whole days the budget lasts at this pace; None where nothing is spent."""
        if self.pace_pico <= 0:
            return None
        return max(0, self.account.remaining_pico) // self.pace_pico


def listed_account(name: str) -> Work[Listed | None]:
    """The account of that name, also a deleted one."""
    rows = yield from listed_rows("WHERE name = $4", "SELECT * FROM listed", name, few=True)
    return listed_of_row(rows[0]) if rows else None


def listed_rows(
    chosen: str, selecting: str, *values: Any, few: bool = False
) -> Work[Sequence[Row]]:
    """What is selected from ``listed``: the accounts that are ``chosen``, with pace and last call.

    ``values`` are those of $4 and so on. Of a ``few`` accounts each one's spend is looked up.
    """
    at = yield from moment()
    # Materialized: else what is asked about each account is asked again wherever it is used.
    sql = f"""
        WITH standing AS (SELECT {ACCOUNT}, last_call_at, {_STATUS} AS status FROM accounts),
        chosen AS (SELECT * FROM standing {chosen}),
        recent AS MATERIALIZED (
            {_SPENT.format("AND account_id IN (SELECT id FROM chosen)" if few else "")}
        ),
        listed AS MATERIALIZED (
            SELECT chosen.*, coalesce(recent.pico, 0) / {PACE_DAYS} AS pace_pico
            FROM chosen LEFT JOIN recent ON recent.account_id = chosen.id
        )
        {selecting}
    """
    return (yield ask(sql, at.now, pace_since(at), at.summed_up_to_id, *values))


_STATUS: Final = f"""
    CASE WHEN deleted_at IS NOT NULL THEN 'deleted'
         WHEN enabled = 0 THEN 'disabled'
         WHEN valid_until <= $1 THEN 'ended'
         WHEN valid_from > $1 THEN 'not yet'
         WHEN spend_pico >= budget_pico THEN 'used up'
         WHEN budget_pico - spend_pico - reserved_pico <= budget_pico / {100 // LOW_PERCENT}
             THEN 'low'
         ELSE 'active' END
"""
_SPENT: Final = """
    SELECT account_id, CAST(sum(amount_pico) AS BIGINT) AS pico FROM (
        SELECT account_id, amount_pico FROM daily WHERE day >= $2 {0}
        UNION ALL
        SELECT account_id, amount_pico FROM ledger
        WHERE id > $3 AND kind <> 'grant' AND at >= $2 {0}
    ) spent GROUP BY account_id
"""


def pace_since(at: Moment) -> str:
    """The first of the days that the pace is reckoned over, today being the last."""
    today = datetime.fromisoformat(at.now).date()
    return (today - timedelta(days=PACE_DAYS - 1)).isoformat()


def listed_of_row(row: Row) -> Listed:
    return Listed(
        account=account_of_row(row),
        status=row["status"],
        last_call_at=row["last_call_at"],
        pace_pico=row["pace_pico"],
    )
