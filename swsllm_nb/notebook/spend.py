"""What is spent and what is left, in one line: as the proxy says, else as the log adds up."""

from dataclasses import dataclass
from math import isnan

from swsllm_nb.money import PICO_PER_USD, show_cost, show_left, show_spent
from swsllm_nb.notebook.course import Account, Course
from swsllm_nb.notebook.language import grouped, say

__all__ = [
    "LogSpend",
    "at_most_left",
    "money_of_account",
    "money_of_log",
    "spend_of_log",
    "spent_from_here",
    "words_of_log",
]


@dataclass(frozen=True)
class LogSpend:
    """What the calls in the log cost, and how many of them are of unknown cost."""

    pico: int
    unknown: int


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
    return words_of_log(spend_of_log(course), budget_pico)


def words_of_log(spend: LogSpend, budget_pico: int | None) -> str:
    """Such as ``$1.09 spent from this machine, budget unknown``."""
    if budget_pico is None:
        return f"{spent_from_here(spend)}, {say('budget unknown', 'Budget unbekannt')}"
    return f"{spent_from_here(spend)}, {at_most_left(spend, budget_pico)}"


def spent_from_here(spend: LogSpend) -> str:
    """Such as ``$1.09 spent from this machine and 2 calls of unknown cost``."""
    known = say(
        f"{show_cost(spend.pico)} spent from this machine",
        f"{show_cost(spend.pico)} von diesem Rechner ausgegeben",
    )
    if not spend.unknown:
        return known
    one = spend.unknown == 1
    return known + say(
        f" and {grouped(spend.unknown)} call{'' if one else 's'} of unknown cost",
        f" und {grouped(spend.unknown)} Aufruf{'' if one else 'e'} mit unbekannten Kosten",
    )


def at_most_left(spend: LogSpend, budget_pico: int) -> str:
    """What may be left of a budget that was typed in: calls from elsewhere are not known here."""
    left, budget = show_left(budget_pico - spend.pico, budget_pico), show_left(budget_pico)
    return say(
        f"at most {left} of {budget} left (the budget was typed in)",
        f"höchstens {left} von {budget} übrig (das Budget ist eingetippt)",
    )


def spend_of_log(course: Course) -> LogSpend:
    """The sum over every call of this account from this machine."""
    frame = course.log()
    costs: list[float] = frame["cost_usd"][frame["status"] != "refused"].tolist()
    known = [cost_usd for cost_usd in costs if not isnan(cost_usd)]
    pico = sum(round(cost_usd * PICO_PER_USD) for cost_usd in known)
    return LogSpend(pico, len(costs) - len(known))
