"""What the class spent, was granted and was refused, summed up in the database for whoever asks.

Each reading gives rows as JSON tells them: names for accounts, amounts as exact decimal strings.
Nothing here reads more of the calls than those that are not summed up yet and the unconfirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Self

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import words
from swsllm_nb.proxy.daily import SUMS, moment
from swsllm_nb.proxy.work import Row, Work, ask

__all__ = ["SPEND_COLUMNS", "Part", "Period", "grants", "refusals", "spend", "unconfirmed"]

_KEYS: Final = {
    "day": ("day", "substr(l.at, 1, 10)"),
    "model": ("model", "coalesce(l.model, adjusted.model, '')"),
    "exercise": ("exercise", "coalesce(l.exercise, adjusted.exercise, '')"),
    # Without the plus SQLite would look through the whole ledger by account.
    "account": ("account_id", "+l.account_id"),
}
"""What spend is told by: the column of the days' sums, and the same of a ledger row."""

SPEND_COLUMNS: Final = tuple(_KEYS)


@dataclass(frozen=True)
class Period:
    """UTC days from ``first`` on and before ``after``, as texts like those of the ledger."""

    first: str = ""
    after: str = "9999"

    @classmethod
    def of(cls, since: str | None, until: str | None) -> Self:
        """From a day to a day, both included; None is no limit. Raises ValueError in words."""
        first = words.day(since) if since else cls.first
        if not until:
            return cls(first)
        last = words.day(until)
        if first > last:
            raise ValueError(f"No day is from {first} on and until {last}.")
        return cls(first, (date.fromisoformat(last) + timedelta(days=1)).isoformat())


@dataclass(frozen=True)
class Part:
    """Which of many rows."""

    limit: int
    offset: int = 0


def spend(by: Sequence[str], period: Period, part: Part) -> Work[list[dict[str, Any]]]:
    """What was charged, by some of SPEND_COLUMNS: calls, tokens and cost, sorted by them.

    Model and exercise are '' where a charge names none. Tokens are those that are known: an
    unconfirmed call has none. Without ``by``, one row tells of all. Raises ValueError, in words,
    for a column that spend is not told by.
    """
    unknown = [name for name in by if name not in _KEYS]
    if unknown:
        raise ValueError(
            f"Spend is not told by {unknown[0][:40]!r}, but by {', '.join(SPEND_COLUMNS)}."
        )
    upto = (yield from moment()).summed_up_to_id
    rows = yield ask(
        _spend_sql(tuple(dict.fromkeys(by))), period.first, period.after, upto,
        part.limit, part.offset,
    )  # fmt: skip
    return [_in_usd(row) for row in rows]


def _spend_sql(by: Sequence[str]) -> str:
    columns = [_KEYS[name][0] for name in by]
    keys = "".join(f"{column}, " for column in columns)
    of_rows = [_KEYS[name][1] for name in by]
    keys_of_rows = "".join(
        f"{sql} AS {column}, " for column, sql in zip(columns, of_rows, strict=True)
    )
    grouped = f"GROUP BY {', '.join(columns)}" if by else ""
    # What was pruned leaves a row of nothing behind.
    told = "HAVING sum(calls) <> 0 OR sum(amount_pico) <> 0" if by else ""
    named = "".join(f"{'name AS account' if name == 'account' else name}, " for name in by)
    return f"""
        SELECT {named} calls, prompt_tokens, completion_tokens, cost_pico FROM (
            SELECT {keys} CAST(coalesce(sum(calls), 0) AS BIGINT) AS calls,
                CAST(coalesce(sum(prompt_tokens), 0) AS BIGINT) AS prompt_tokens,
                CAST(coalesce(sum(completion_tokens), 0) AS BIGINT) AS completion_tokens,
                CAST(coalesce(sum(amount_pico), 0) AS BIGINT) AS cost_pico
            FROM (
                SELECT {keys} calls, prompt_tokens, completion_tokens, amount_pico
                FROM {"daily" if "account" in by else "course_daily"}
                WHERE day >= $1 AND day < $2
                UNION ALL
                SELECT {keys_of_rows} {SUMS}
                WHERE l.id > $3 AND l.kind <> 'grant' AND l.at >= $1 AND l.at < $2
                {f"GROUP BY {', '.join(of_rows)}" if by else ""}
            ) charged {grouped} {told} {_ordered(columns)} LIMIT $4 OFFSET $5
        ) page {"JOIN accounts ON accounts.id = page.account_id" if "account" in by else ""}
        {_ordered(columns)}
    """


def _ordered(columns: Sequence[str]) -> str:
    return f"ORDER BY {', '.join(columns)}" if columns else ""


def grants(period: Period, part: Part) -> Work[list[dict[str, Any]]]:
    """What was granted or, below zero, taken back: when, to whom, why and by whom."""
    rows = yield ask(_GRANTS, period.first, period.after, part.limit, part.offset)
    return [_in_usd(row) for row in rows]


_GRANTS = """
    SELECT l.at, accounts.name AS account, l.amount_pico, l.reason, l.author
    FROM ledger l JOIN accounts ON accounts.id = l.account_id
    WHERE l.kind = 'grant' AND l.at >= $1 AND l.at < $2
    ORDER BY l.at, l.id LIMIT $3 OFFSET $4
"""


def refusals(period: Period, part: Part) -> Work[list[dict[str, Any]]]:
    """How often whom was refused in a UTC hour, and why; see ``refused.Refusals``."""
    rows = yield ask(_REFUSALS, period.first, period.after, part.limit, part.offset)
    return [dict(row) for row in rows]


_REFUSALS = """
    SELECT hour, accounts.name AS account, code, model, refusals, last_at
    FROM refusals JOIN accounts ON accounts.id = refusals.account_id
    WHERE hour >= $1 AND hour < $2
    ORDER BY hour, account_id, code, model LIMIT $3 OFFSET $4
"""


def unconfirmed(part: Part) -> Work[list[dict[str, Any]]]:
    """The calls that were charged their whole hold, the oldest first, and why.

    ``adjusted_usd`` is what was added to the charge afterwards, such as a credit; None where
    nobody has looked at it yet.
    """
    rows = yield ask(_UNCONFIRMED, part.limit, part.offset)
    return [_in_usd(row) for row in rows]


# The plus, because both databases would look through the ledger by id until they find some.
_UNCONFIRMED = """
    SELECT l.at, accounts.name AS account, l.model, l.exercise, l.request_id,
        l.amount_pico AS cost_pico, l.reason,
        (SELECT CAST(sum(amount_pico) AS BIGINT) FROM ledger later WHERE later.adjusts_id = l.id)
            AS adjusted_pico
    FROM ledger l JOIN accounts ON accounts.id = l.account_id
    WHERE l.state = 'unconfirmed' ORDER BY +l.id LIMIT $1 OFFSET $2
"""


def _in_usd(row: Row) -> dict[str, Any]:
    """A row whose amounts are told in dollars."""
    told = dict(row)
    for name in [name for name in told if name.endswith("_pico")]:
        pico = told.pop(name)
        told[f"{name.removesuffix('_pico')}_usd"] = None if pico is None else usd_text(pico)
    return told
