"""What ``%llm`` says: where calls go, with which key, and what is left."""

from math import isnan

from swsllm_nb.money import PICO_PER_USD, show_cost, show_left
from swsllm_nb.notebook.burn import show_spent
from swsllm_nb.notebook.course import Course, default_model
from swsllm_nb.notebook.errors import CallFailed

__all__ = ["status_text"]


def status_text(course: Course) -> str:
    """One line each; a proxy that cannot be asked is a sentence in the line about the money."""
    connection = course.connection
    rows = (
        ("where", connection.base_url),
        ("key", f"{connection.shown_key} ({connection.source})"),
        ("model", default_model()),
        ("money", _money(course)),
    )
    return "".join(f"{name:<6} {text}\n" for name, text in rows)


def _money(course: Course) -> str:
    try:
        account = course.account()
    except CallFailed as failure:
        return str(failure)
    if account is None:
        return _spend_of_log(course)
    left = show_left(account.remaining_pico, account.budget_pico)
    spent = show_spent(account.spend_pico, left)
    return f"{spent} spent, {left} of {show_left(account.budget_pico)} left"


def _spend_of_log(course: Course) -> str:
    costs: list[float] = course.log()["cost_usd"].tolist()
    known = [cost_usd for cost_usd in costs if not isnan(cost_usd)]
    spent = show_cost(sum(round(cost_usd * PICO_PER_USD) for cost_usd in known))
    unknown = len(costs) - len(known)
    beside = f" and {unknown} calls of unknown cost" if unknown else ""
    return f"{spent} spent from this machine{beside}, budget unknown"
