"""What an account was charged: a receipt for each row of its ledger, and its spend day by day."""

from dataclasses import dataclass
from typing import Any, Literal

from swsllm_nb.pricing import Prices
from swsllm_nb.proxy.daily import SUMS, moment
from swsllm_nb.proxy.work import Row, Work, ask
from swsllm_nb.wire import Usage

__all__ = [
    "Day",
    "Line",
    "ModelSpend",
    "Receipt",
    "ReceiptPage",
    "Unconfirmed",
    "Wanted",
    "burn_down",
    "days_of",
    "lines",
    "receipts",
    "spend_by_model",
    "unconfirmed",
]

Status = Literal["held", "settled", "released", "unconfirmed", "grant", "adjustment"]


@dataclass(frozen=True)
class Line:
    """So many tokens at so many pico-dollars each."""

    what: Literal["input", "cached input", "cache write", "output"]
    tokens: int
    price_pico: int

    @property
    def amount_pico(self) -> int:
        return self.tokens * self.price_pico


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """A row of the ledger as the account's student reads it.

    ``amount_pico`` is what a call cost (0 while it is held), what was granted, or what an
    adjustment added to the spend. Of a settled call ``lines`` add up to it. ``adjusted_pico`` is
    what later rows added to this call's charge, None where there is none; an adjustment names its
    call by ``request_id``, and one without is what rows that were pruned had added up to.
    """

    id: int
    at: str
    status: Status
    amount_pico: int
    request_id: str | None
    model: str | None
    upstream: str | None
    stream: bool
    usage: Usage | None
    lines: tuple[Line, ...]
    hold_pico: int | None
    finished_at: str | None
    reason: str | None
    author: str | None
    adjusted_pico: int | None

    @property
    def creditable_pico(self) -> int:
        """What can be asked back: the charge of an unconfirmed call that nobody looked at yet."""
        is_open = self.status == "unconfirmed" and self.adjusted_pico is None
        return self.amount_pico if is_open else 0


@dataclass(frozen=True)
class ReceiptPage:
    """Receipts, the newest first; ``next_before_id`` begins the next page, None ends the last."""

    receipts: list[Receipt]
    next_before_id: int | None


@dataclass(frozen=True)
class Unconfirmed:
    """The charges that can be asked back: the newest of them, and how many and how much in all."""

    newest: list[Receipt]
    calls: int
    amount_pico: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which receipts; None means all. Times are UTC in ISO 8601, ``since`` <= at < ``until``."""

    status: str | None = None
    model: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True)
class Day:
    """What was granted and what was charged on a UTC day, in pico-dollars."""

    day: str
    granted_pico: int
    spend_pico: int


@dataclass(frozen=True)
class ModelSpend:
    """What an account's calls to a model were charged in all; '' for what names no model."""

    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    amount_pico: int


_ALL = Wanted()


def receipts(
    account_id: int, wanted: Wanted = _ALL, *, before_id: int | None = None, limit: int = 50
) -> Work[ReceiptPage]:
    """An account's receipts with ids below ``before_id``."""
    rows = yield ask(
        _RECEIPTS, account_id, 2**63 - 1 if before_id is None else before_id, wanted.status,
        wanted.model, wanted.since, wanted.until, limit + 1,
    )  # fmt: skip
    shown = [_receipt(row) for row in rows[:limit]]
    return ReceiptPage(shown, shown[-1].id if len(rows) > limit else None)


_RECEIPTS = """
    SELECT l.*, call.request_id AS adjusts_request_id, call.model AS adjusts_model,
        (SELECT CAST(sum(amount_pico) AS BIGINT) FROM ledger later WHERE later.adjusts_id = l.id)
            AS adjusted_pico
    FROM ledger l LEFT JOIN ledger call ON call.id = l.adjusts_id
    WHERE l.account_id = $1 AND l.id < $2
      AND (CAST($3 AS TEXT) IS NULL OR coalesce(l.state, l.kind) = $3)
      AND (CAST($4 AS TEXT) IS NULL OR coalesce(l.model, call.model) = $4)
      AND (CAST($5 AS TEXT) IS NULL OR l.at >= $5) AND (CAST($6 AS TEXT) IS NULL OR l.at < $6)
    ORDER BY l.id DESC LIMIT $7
"""


def unconfirmed(account_id: int, *, limit: int) -> Work[Unconfirmed]:
    """An account's unconfirmed charges that nobody looked at yet."""
    rows = yield ask(
        "SELECT l.*, NULL AS adjusts_request_id, NULL AS adjusts_model, NULL AS adjusted_pico "
        f"{_CREDITABLE} ORDER BY l.id DESC LIMIT $2",
        account_id, limit,
    )  # fmt: skip
    (whole,) = yield ask(
        "SELECT count(*) AS calls, CAST(coalesce(sum(l.amount_pico), 0) AS BIGINT) AS amount_pico "
        f"{_CREDITABLE}",
        account_id,
    )  # fmt: skip
    return Unconfirmed([_receipt(row) for row in rows], whole["calls"], whole["amount_pico"])


_CREDITABLE = """
    FROM ledger l WHERE l.account_id = $1 AND l.state = 'unconfirmed' AND l.amount_pico > 0
      AND NOT EXISTS (SELECT 1 FROM ledger later WHERE later.adjusts_id = l.id)
"""


def _receipt(row: Row) -> Receipt:
    usage = _usage(row)
    return Receipt(
        id=row["id"],
        at=row["at"],
        status=row["state"] or row["kind"],
        amount_pico=row["amount_pico"],
        request_id=row["request_id"] or row["adjusts_request_id"],
        model=row["model"] or row["adjusts_model"],
        upstream=row["upstream"],
        stream=bool(row["stream"]),
        usage=usage,
        lines=lines(Prices.thaw(row["prices"]), usage) if usage else (),
        hold_pico=row["hold_pico"],
        finished_at=row["finished_at"],
        reason=row["reason"],
        author=row["author"],
        adjusted_pico=row["adjusted_pico"],
    )


def _usage(row: Row) -> Usage | None:
    if row["state"] != "settled":
        return None
    return Usage(
        prompt_tokens=row["prompt_tokens"],
        completion_tokens=row["completion_tokens"],
        cached_tokens=row["cached_tokens"],
        cache_write_tokens=row["cache_write_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
    )


def lines(prices: Prices, usage: Usage) -> tuple[Line, ...]:
    """``pricing.cost`` line by line, without those that no token is on."""
    rates = prices.rates_of(usage.prompt_tokens)
    cached_pico, written_pico = rates.cached_input_pico, rates.cache_write_pico
    cached = usage.cached_tokens
    written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    plain = usage.prompt_tokens - cached - written
    every = (
        Line("input", plain, rates.input_pico),
        Line("cached input", cached, rates.input_pico if cached_pico is None else cached_pico),
        Line("cache write", written, rates.input_pico if written_pico is None else written_pico),
        Line("output", usage.completion_tokens, rates.output_pico),
    )
    return tuple(line for line in every if line.tokens)


def burn_down(account_id: int) -> Work[list[Day]]:
    """An account's grants and charges by day, oldest first, without the days of neither."""
    upto = (yield from moment()).summed_up_to_id
    grants = yield ask(
        "SELECT substr(at, 1, 10) AS day, CAST(sum(amount_pico) AS BIGINT) AS pico FROM ledger "
        "WHERE kind = 'grant' AND account_id = $1 GROUP BY 1",
        account_id,
    )
    spent = yield ask(_SPENT_BY_DAY, account_id, upto)
    return days_of(grants, spent)


_SPENT_BY_DAY = """
    SELECT day, CAST(sum(amount_pico) AS BIGINT) AS pico FROM (
        SELECT day, amount_pico FROM daily WHERE account_id = $1
        UNION ALL
        SELECT substr(at, 1, 10), amount_pico FROM ledger
        WHERE account_id = $1 AND id > $2 AND kind <> 'grant'
    ) spent GROUP BY day
"""


def days_of(grants: Any, spent: Any) -> list[Day]:
    """The rows (day, pico) of both, joined by day."""
    granted = {row["day"]: row["pico"] for row in grants}
    charged = {row["day"]: row["pico"] for row in spent}
    days = sorted(granted.keys() | charged.keys())
    return [Day(day, granted.get(day, 0), charged.get(day, 0)) for day in days]


def spend_by_model(account_id: int) -> Work[list[ModelSpend]]:
    """What an account spent on each model, the dearest first."""
    upto = (yield from moment()).summed_up_to_id
    rows = yield ask(_SPENT_BY_MODEL, account_id, upto)
    return [ModelSpend(**dict(row)) for row in rows]


_SPENT_BY_MODEL = f"""
    SELECT model, CAST(sum(calls) AS BIGINT) AS calls,
        CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
        CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens,
        CAST(sum(amount_pico) AS BIGINT) AS amount_pico
    FROM (
        SELECT model, calls, prompt_tokens, completion_tokens, amount_pico
        FROM daily WHERE account_id = $1
        UNION ALL
        SELECT coalesce(l.model, adjusted.model, '') AS model, {SUMS}
        WHERE l.account_id = $1 AND l.id > $2 AND l.kind <> 'grant'
        GROUP BY coalesce(l.model, adjusted.model, '')
    ) spent GROUP BY model ORDER BY 5 DESC, 1
"""
