"""What the ledger says that the upstream should have billed for a span of days."""

from dataclasses import dataclass

from swsllm_nb.proxy.daily import SUMS, moment
from swsllm_nb.proxy.work import Work, ask

__all__ = ["Billable", "ModelSum", "Verdict", "billable", "verdict"]


@dataclass(frozen=True)
class ModelSum:
    """What calls to a model were charged in the span, adjustments of that span among them."""

    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    amount_pico: int


@dataclass(frozen=True)
class Billable:
    """The charges of UTC days, in pico-dollars.

    Of the unconfirmed ones nobody knows whether the upstream billed them: its invoice is between
    ``least_pico`` and ``most_pico``. What staff gave back, it may have billed all the same.
    """

    models: list[ModelSum]
    unconfirmed_pico: int
    adjusted_pico: int

    @property
    def charged_pico(self) -> int:
        return sum(one.amount_pico for one in self.models)

    @property
    def most_pico(self) -> int:
        return self.charged_pico - self.adjusted_pico

    @property
    def least_pico(self) -> int:
        return self.most_pico - self.unconfirmed_pico


@dataclass(frozen=True)
class Verdict:
    """By how much an invoice is above all that was charged, or below what surely was billed."""

    billed_pico: int
    above_pico: int
    below_pico: int

    @property
    def agrees(self) -> bool:
        return not self.above_pico and not self.below_pico


def verdict(sums: Billable, billed_pico: int) -> Verdict:
    above_pico, below_pico = billed_pico - sums.most_pico, sums.least_pico - billed_pico
    return Verdict(billed_pico, max(0, above_pico), max(0, below_pico))


def billable(since: str, until: str) -> Work[Billable]:
    """Of the UTC days from ``since`` to ``until``, both included and written as 2027-02-28."""
    upto = (yield from moment()).summed_up_to_id
    models = yield ask(_BY_MODEL, since, until, upto)
    (doubt,) = yield ask(_DOUBTFUL, since, until)
    return Billable(
        [ModelSum(**dict(row)) for row in models], doubt["unconfirmed"], doubt["adjusted"]
    )


_BY_MODEL = f"""
    SELECT model, CAST(sum(calls) AS BIGINT) AS calls,
        CAST(sum(prompt_tokens) AS BIGINT) AS prompt_tokens,
        CAST(sum(completion_tokens) AS BIGINT) AS completion_tokens,
        CAST(sum(amount_pico) AS BIGINT) AS amount_pico
    FROM (
        SELECT model, calls, prompt_tokens, completion_tokens, amount_pico FROM course_daily
        WHERE day >= $1 AND day <= $2
        UNION ALL
        SELECT coalesce(l.model, adjusted.model, '') AS model, {SUMS}
        WHERE l.id > $3 AND l.kind <> 'grant' AND substr(l.at, 1, 10) >= $1
          AND substr(l.at, 1, 10) <= $2
        GROUP BY coalesce(l.model, adjusted.model, '')
    ) charged GROUP BY model HAVING sum(calls) <> 0 OR sum(amount_pico) <> 0 ORDER BY 5 DESC, 1
"""
_DOUBTFUL = """
    SELECT
        (SELECT CAST(coalesce(sum(amount_pico), 0) AS BIGINT) FROM ledger
         WHERE state = 'unconfirmed' AND substr(at, 1, 10) >= $1 AND substr(at, 1, 10) <= $2)
            AS unconfirmed,
        (SELECT CAST(coalesce(sum(amount_pico), 0) AS BIGINT) FROM ledger
         WHERE adjusts_id IS NOT NULL AND substr(at, 1, 10) >= $1 AND substr(at, 1, 10) <= $2)
            AS adjusted
"""
