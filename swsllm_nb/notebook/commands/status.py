"""What ``%llm`` says: where calls go, with which key, and what is left."""

import sys
from collections.abc import Sequence
from math import isnan

from swsllm_nb.money import PICO_PER_USD, show_cost, show_left
from swsllm_nb.notebook.burn import show_spent
from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed
from swsllm_nb.notebook.question import default_model

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """Where calls go, with which key, to which model, and what is left."""
    del words
    course = desk.course()
    connection = course.connection
    rows = (
        ("where", connection.base_url),
        ("key", f"{connection.shown_key} ({connection.source})"),
        ("model", ", ".join(desk.settings.models or (default_model(),))),
        ("money", _money(course)),
    )
    sys.stdout.write("".join(f"{name:<6} {text}\n" for name, text in rows))


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
