"""The course at a glance: what was spent when and on what, and who may need a word.

Nothing here reads more of the ledger than its grants and what is not summed up yet.
"""

from dataclasses import dataclass
from fractions import Fraction

from swsllm_nb.proxy.daily import SUMS, Moment, moment
from swsllm_nb.proxy.listing import PACE_DAYS, Listed, listed_of_row, listed_rows, pace_since
from swsllm_nb.proxy.receipts import Day, days_of
from swsllm_nb.proxy.work import Work, ask

__all__ = ["CourseOverview", "CourseSums", "ModelDay", "Stuck", "course_overview"]


@dataclass(frozen=True)
class CourseSums:
    """The sums over all accounts, in pico-dollars. What a deleted account left is in no budget."""

    accounts: int
    budget_pico: int
    spend_pico: int
    reserved_pico: int
    unconfirmed_pico: int
    cap_pico: int | None


@dataclass(frozen=True)
class ModelDay:
    """What a model was used for on a UTC day; '' for charges that name no model."""

    day: str
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    amount_pico: int


@dataclass(frozen=True)
class Stuck:
    """An account whose every try since its last call was refused, and why the last one was."""

    listed: Listed
    refusals: int
    code: str
    last_at: str


@dataclass(frozen=True)
class CourseOverview:
    """The class at a glance, of the last days of ``PACE_DAYS`` where it says so.

    ``days`` and ``by_model`` are oldest first and leave out days without anything. ``near_limit``:
    a tenth of the budget is left, or less than seven days at the account's pace. ``stuck``:
    refused in these days, and nothing but refused since. ``idle``: may call, and did not.
    """

    sums: CourseSums
    days: list[Day]
    by_model: list[ModelDay]
    near_limit: list[Listed]
    stuck: list[Stuck]
    idle: list[Listed]


def course_overview() -> Work[CourseOverview]:
    """The class at a glance."""
    at = yield from moment()
    since = pace_since(at)
    rows = yield from listed_rows("WHERE status <> 'deleted'", _NOTABLE, since, PACE_DAYS)
    listed = [(row, listed_of_row(row)) for row in rows]
    stuck = [
        Stuck(one, row["refusals"], row["newest"][_MOMENT:], row["newest"][:_MOMENT])
        for row, one in listed
        if row["is_stuck"]
    ]
    return CourseOverview(
        sums=(yield from _sums()),
        days=(yield from _days(at)),
        by_model=(yield from _by_model(at)),
        near_limit=sorted((one for row, one in listed if row["is_near"]), key=_share_left),
        stuck=sorted(stuck, key=lambda one: one.last_at, reverse=True),
        idle=[one for row, one in listed if row["is_idle"]],
    )


_MOMENT = len("2026-11-23T10:00:00.000000Z")
_NOTABLE = f"""
    , refused AS (
        SELECT account_id, CAST(sum(refusals) AS BIGINT) AS refusals, max(last_at || code) AS newest
        FROM refusals WHERE hour >= $4 GROUP BY account_id
    ), judged AS (
        SELECT listed.*, refusals, newest,
            status IN ('low', 'used up') OR (status = 'active' AND pace_pico > 0 AND
                (budget_pico - spend_pico - reserved_pico) / pace_pico < $5) AS is_near,
            status IN ('active', 'low') AND coalesce(last_call_at, '') < $4 AS is_idle,
            coalesce(substr(newest, 1, {_MOMENT}) > coalesce(last_call_at, ''), 1 = 0) AS is_stuck
        FROM listed LEFT JOIN refused ON refused.account_id = listed.id
    )
    SELECT * FROM judged WHERE is_near OR is_idle OR is_stuck ORDER BY lower(name), id
"""


def _share_left(listed: Listed) -> Fraction:
    account = listed.account
    return Fraction(account.remaining_pico, max(1, account.budget_pico))


def _sums() -> Work[CourseSums]:
    (row,) = yield ask(
        """
        SELECT CAST(sum(CASE WHEN deleted_at IS NULL THEN 1 ELSE 0 END) AS BIGINT) AS accounts,
            CAST(sum(CASE WHEN deleted_at IS NULL THEN budget_pico ELSE spend_pico END) AS BIGINT)
                AS budget_pico,
            CAST(sum(spend_pico) AS BIGINT) AS spend_pico,
            CAST(sum(reserved_pico) AS BIGINT) AS reserved_pico,
            (SELECT CAST(sum(amount_pico) AS BIGINT) FROM (
                SELECT amount_pico FROM ledger WHERE state = 'unconfirmed'
                UNION ALL SELECT amount_pico FROM ledger WHERE adjusts_id IS NOT NULL
            ) doubtful) AS unconfirmed_pico,
            (SELECT cap_pico FROM course) AS cap_pico
        FROM accounts
        """
    )
    sums = {name: row[name] or 0 for name in _SUMMED}
    return CourseSums(**sums, cap_pico=row["cap_pico"])


_SUMMED = ("accounts", "budget_pico", "spend_pico", "reserved_pico", "unconfirmed_pico")


def _days(at: Moment) -> Work[list[Day]]:
    """What was granted and spent by day; a deleted account takes back what it did not spend."""
    grants = yield ask(
        """
        SELECT day, CAST(sum(pico) AS BIGINT) AS pico FROM (
            SELECT substr(at, 1, 10) AS day, amount_pico AS pico FROM ledger WHERE kind = 'grant'
            UNION ALL
            SELECT substr(deleted_at, 1, 10), spend_pico - budget_pico FROM accounts
            WHERE deleted_at IS NOT NULL
        ) changes GROUP BY day
        """
    )
    spent = yield ask(
        """
        SELECT day, CAST(sum(amount_pico) AS BIGINT) AS pico FROM (
            SELECT day, amount_pico FROM course_daily
            UNION ALL
            SELECT substr(at, 1, 10), amount_pico FROM ledger WHERE id > $1 AND kind <> 'grant'
        ) spent GROUP BY day
        """,
        at.summed_up_to_id,
    )
    return days_of(grants, spent)


def _by_model(at: Moment) -> Work[list[ModelDay]]:
    rows = yield ask(
        f"""
        SELECT day, model, CAST(sum(calls) AS BIGINT) AS calls,
            CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
            CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens,
            CAST(sum(amount_pico) AS BIGINT) AS amount_pico
        FROM (
            SELECT day, model, calls, prompt_tokens, completion_tokens, amount_pico
            FROM course_daily
            UNION ALL
            SELECT substr(l.at, 1, 10) AS day, coalesce(l.model, adjusted.model, '') AS model,
                {SUMS}
            WHERE l.id > $1 AND l.kind <> 'grant'
            GROUP BY substr(l.at, 1, 10), coalesce(l.model, adjusted.model, '')
        ) spent GROUP BY day, model ORDER BY day, model
        """,
        at.summed_up_to_id,
    )
    return [ModelDay(**dict(row)) for row in rows]
