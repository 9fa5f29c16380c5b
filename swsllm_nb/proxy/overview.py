"""The course at a glance: what was spent when and on what, and who may need a word.

Nothing here reads more of the ledger than its grants and what is not summed up yet.
"""

from dataclasses import dataclass
from fractions import Fraction

from swsllm_nb.proxy.daily import SUMS, Moment, moment
from swsllm_nb.proxy.listing import PACE_DAYS, Listed, listed_accounts, pace_since
from swsllm_nb.proxy.receipts import Day, days_of
from swsllm_nb.proxy.work import Row, Work, ask

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
    listed = yield from listed_accounts()
    since = pace_since(at)
    return CourseOverview(
        sums=(yield from _sums()),
        days=(yield from _days(at)),
        by_model=(yield from _by_model(at)),
        near_limit=sorted(filter(_is_near_limit, listed), key=_share_left),
        stuck=(yield from _stuck(listed, since)),
        idle=[one for one in listed if _is_idle(one, since)],
    )


def _is_near_limit(listed: Listed) -> bool:
    days_left = listed.days_left
    soon = listed.status == "active" and days_left is not None and days_left < PACE_DAYS
    return soon or listed.status in ("low", "used up")


def _share_left(listed: Listed) -> Fraction:
    account = listed.account
    return Fraction(account.remaining_pico, max(1, account.budget_pico))


def _is_idle(listed: Listed, since: str) -> bool:
    return listed.status in ("active", "low") and (listed.last_call_at or "") < since


def _stuck(listed: list[Listed], since: str) -> Work[list[Stuck]]:
    """Those with the newest refusal first."""
    rows = yield ask(
        "SELECT account_id, code, refusals, last_at FROM refusals WHERE hour >= $1 "
        "ORDER BY last_at",
        since,
    )
    refused: dict[int, list[Row]] = {}
    for row in rows:
        refused.setdefault(row["account_id"], []).append(row)
    found = []
    for one in listed:
        of_account = refused.get(one.account.id, [])
        if of_account and of_account[-1]["last_at"] > (one.last_call_at or ""):
            times = sum(row["refusals"] for row in of_account)
            newest = of_account[-1]
            found.append(Stuck(one, times, newest["code"], newest["last_at"]))
    return sorted(found, key=lambda stuck: stuck.last_at, reverse=True)


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
