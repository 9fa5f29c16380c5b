"""What is spent and what is left, in one line: as the proxy says, else as the log adds up."""

from dataclasses import dataclass
from math import isnan

from swsllm_nb.money import PICO_PER_USD, show_cost, show_left, show_spent
from swsllm_nb.notebook.course import Account, Course
from swsllm_nb.notebook.language import say

__all__ = ["money_of_account", "money_of_log"]


def money_of_account(account: Account) -> str:
    """Such as ``$1.09 spent, $3.91 of $5.00 left``."""
    left = show_left(account.remaining_pico, account.budget_pico)
    spent, budget = show_spent(account.spend_pico, left), show_left(account.budget_pico)
    return say(
        f"{spent} spent, {left} of {budget} left",
        f"{spent} ausgegeben, {left} von {budget} übrig",
    )


def money_of_log(course: Course, budget_pico: int | None) -> str:
    """What this machine knows, where the server keeps no accounts."""
    spend = _spend(course)
    from_here = say(
        f"{show_cost(spend.pico)} spent from this machine",
        f"{show_cost(spend.pico)} von diesem Rechner ausgegeben",
    )
    if spend.unknown:
        from_here += say(
            f" and {spend.unknown:,} calls of unknown cost",
            f" und {spend.unknown:,} Aufrufe mit unbekannten Kosten",
        )
    if budget_pico is None:
        return from_here + say(", budget unknown", ", Budget unbekannt")
    left = show_left(budget_pico - spend.pico, budget_pico)
    budget = show_left(budget_pico)
    return from_here + say(
        f", at most {left} of {budget} left (the budget was typed in)",
        f", höchstens {left} von {budget} übrig (das Budget ist eingetippt)",
    )


@dataclass(frozen=True)
class _Spend:
    pico: int
    unknown: int


def _spend(course: Course) -> _Spend:
    frame = course.log()
    costs: list[float] = frame["cost_usd"][frame["status"] != "refused"].tolist()
    known = [cost_usd for cost_usd in costs if not isnan(cost_usd)]
    pico = sum(round(cost_usd * PICO_PER_USD) for cost_usd in known)
    return _Spend(pico, len(costs) - len(known))
