"""Reading the ledger: an account's rows, and the proof that everything adds up."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swsllm_nb import pricing
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Prices
from swsllm_nb.proxy.daily import unlike_the_ledger
from swsllm_nb.proxy.work import Row, Work, ask
from swsllm_nb.wire import Usage

__all__ = ["Check", "UsagePage", "check", "course_sums", "differences", "public_row", "usage"]

_PAGE_ROWS = 10_000


@dataclass(frozen=True)
class UsagePage:
    """Ledger rows of one account, oldest first, and where the next page begins."""

    rows: list[Mapping[str, Any]]
    next_cursor: int | None


@dataclass(frozen=True)
class Check:
    """The sums of a course in pico-dollars, and whatever does not agree with them (nothing)."""

    accounts: int
    calls: int
    budget_pico: int
    spend_pico: int
    reserved_pico: int
    held: int
    unconfirmed: int
    unconfirmed_pico: int
    breaches: int
    differences: list[Mapping[str, Any]]
    wrong_costs: list[str]
    wrong_days: list[Mapping[str, Any]]

    @property
    def adds_up(self) -> bool:
        return not self.differences and not self.wrong_costs and not self.wrong_days


def usage(
    account_id: int,
    *,
    request_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> Work[UsagePage]:
    """Ledger rows of an account; times are UTC in ISO 8601, ``since`` <= at < ``until``."""
    rows = yield ask(_USAGE, account_id, after, request_id, since, until, limit + 1)
    shown = rows[:limit]
    return UsagePage(
        [public_row(row) for row in shown], shown[-1]["id"] if len(rows) > limit else None
    )


_USAGE = """
    SELECT * FROM ledger
    WHERE account_id = $1 AND id > $2
      AND (CAST($3 AS TEXT) IS NULL OR request_id = $3)
      AND (CAST($4 AS TEXT) IS NULL OR at >= $4) AND (CAST($5 AS TEXT) IS NULL OR at < $5)
    ORDER BY id LIMIT $6
"""


def public_row(row: Row) -> dict[str, Any]:
    is_call = row["kind"] == "call"
    is_open = row["state"] == "held"
    amount = usd_text(row["amount_pico"])
    return {
        "id": row["id"],
        "at": row["at"],
        "kind": row["kind"],
        "request_id": row["request_id"],
        "state": row["state"],
        "model": row["model"],
        "exercise": row["exercise"],
        "upstream": row["upstream"],
        "stream": bool(row["stream"]) if is_call else None,
        "prompt_tokens": row["prompt_tokens"],
        "cached_tokens": row["cached_tokens"],
        "cache_write_tokens": row["cache_write_tokens"],
        "completion_tokens": row["completion_tokens"],
        "reasoning_tokens": row["reasoning_tokens"],
        "hold_usd": usd_text(row["hold_pico"]) if is_call else None,
        "cost_usd": None if is_open or row["kind"] == "grant" else amount,
        "granted_usd": amount if row["kind"] == "grant" else None,
        "finished_at": row["finished_at"],
        "reason": row["reason"],
        "adjusts_id": row["adjusts_id"],
    }


def differences() -> Work[list[Mapping[str, Any]]]:
    """The accounts whose figures are not the sums of their rows; none, unless all is wrong."""
    rows = yield ask(
        """
        SELECT a.id, a.name, a.budget_pico, a.spend_pico, a.reserved_pico, a.in_flight,
               l.granted, l.charged, l.held, l.open
        FROM accounts a LEFT JOIN (
            SELECT account_id,
                CAST(sum(CASE WHEN kind = 'grant' THEN amount_pico ELSE 0 END) AS BIGINT) granted,
                CAST(sum(CASE WHEN kind <> 'grant' THEN amount_pico ELSE 0 END) AS BIGINT) charged,
                CAST(sum(CASE WHEN state = 'held' THEN hold_pico ELSE 0 END) AS BIGINT) held,
                CAST(sum(CASE WHEN state = 'held' THEN 1 ELSE 0 END) AS BIGINT) open
            FROM ledger GROUP BY account_id
        ) l ON l.account_id = a.id
        WHERE a.budget_pico <> coalesce(l.granted, 0) OR a.spend_pico <> coalesce(l.charged, 0)
           OR a.reserved_pico <> coalesce(l.held, 0) OR a.in_flight <> coalesce(l.open, 0)
        """
    )
    return [dict(row) for row in rows]


def check() -> Work[Check]:
    """P2 on one state of a live database, with every settled cost computed again."""
    (accounts,) = yield ask(
        "SELECT count(*) AS accounts, CAST(coalesce(sum(budget_pico), 0) AS BIGINT) AS budget, "
        "CAST(coalesce(sum(spend_pico), 0) AS BIGINT) AS spend, "
        "CAST(coalesce(sum(reserved_pico), 0) AS BIGINT) AS reserved FROM accounts"
    )
    (calls,) = yield ask(
        """
        SELECT count(*) AS calls,
            coalesce(sum(CASE WHEN state = 'held' THEN 1 ELSE 0 END), 0) AS held,
            coalesce(sum(CASE WHEN state = 'unconfirmed' THEN 1 ELSE 0 END), 0) AS unconfirmed,
            CAST(coalesce(sum(CASE WHEN state = 'unconfirmed' THEN amount_pico ELSE 0 END), 0)
                 AS BIGINT) AS unconfirmed_pico,
            coalesce(sum(CASE WHEN breach IS NULL THEN 0 ELSE 1 END), 0) AS breaches
        FROM ledger WHERE kind = 'call'
        """
    )
    return Check(
        accounts=accounts["accounts"],
        calls=calls["calls"],
        budget_pico=accounts["budget"],
        spend_pico=accounts["spend"],
        reserved_pico=accounts["reserved"],
        held=calls["held"],
        unconfirmed=calls["unconfirmed"],
        unconfirmed_pico=calls["unconfirmed_pico"],
        breaches=calls["breaches"],
        differences=(yield from differences()),
        wrong_costs=(yield from _wrong_costs()),
        wrong_days=(yield from unlike_the_ledger()),
    )


def _wrong_costs() -> Work[list[str]]:
    """The calls whose charge is not what their state, usage and frozen prices say."""
    wrong: list[str] = []
    after = 0
    while rows := (yield ask(_CALLS_AFTER, after, _PAGE_ROWS)):
        wrong += [row["request_id"] for row in rows if row["amount_pico"] != _due(row)]
        after = rows[-1]["id"]
    return wrong


_CALLS_AFTER = """
    SELECT id, request_id, state, amount_pico, hold_pico, prices, prompt_tokens, cached_tokens,
        cache_write_tokens, completion_tokens, reasoning_tokens
    FROM ledger WHERE kind = 'call' AND id > $1 ORDER BY id LIMIT $2
"""


def _due(row: Row) -> int:
    if row["state"] == "settled":
        counted = Usage(
            prompt_tokens=row["prompt_tokens"],
            completion_tokens=row["completion_tokens"],
            cached_tokens=row["cached_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
        )
        return pricing.cost(Prices.thaw(row["prices"]), counted)
    return int(row["hold_pico"]) if row["state"] == "unconfirmed" else 0


def course_sums() -> Work[Mapping[str, Any]]:
    """The course's cap (or None), and the sums of all accounts, in pico-dollars."""
    (row,) = yield ask(
        "SELECT (SELECT cap_pico FROM course) AS cap_pico, "
        "CAST(coalesce(sum(budget_pico), 0) AS BIGINT) AS budget_pico, "
        "CAST(coalesce(sum(spend_pico), 0) AS BIGINT) AS spend_pico, "
        "CAST(coalesce(sum(reserved_pico), 0) AS BIGINT) AS reserved_pico FROM accounts"
    )
    return dict(row)
