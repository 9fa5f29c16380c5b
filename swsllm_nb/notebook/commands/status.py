"""What ``%llm`` says: where calls go, with which key, and what is left."""

import sys
from collections.abc import Sequence

from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.commands.settings import chosen
from swsllm_nb.notebook.commands.talk import turns_text
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.question import default_model
from swsllm_nb.notebook.spend import money_of_account, money_of_log

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """Where calls go, with which key, to which model, and what is left."""
    taken("status", words)
    course = desk.course()
    connection = course.connection
    settings = chosen(desk)
    settings.pop("model", None)
    rows = [
        (say("where", "wohin"), connection.base_url),
        (say("key", "Schlüssel"), f"{connection.shown_key} ({connection.source})"),
        (say("model", "Modell"), ", ".join(desk.settings.models or (default_model(),))),
        (say("money", "Geld"), _money(desk)),
        (say("set", "gesetzt"), ", ".join(f"{name}={text}" for name, text in settings.items())),
        (say("chats", "Gespräche"), _chats(desk)),
    ]
    told = [(name, text) for name, text in rows if text]
    sys.stdout.write("".join(f"{name:<9} {text}\n" for name, text in told))


def _money(desk: Desk) -> str:
    course = desk.course()
    try:
        account = course.account()
    except CallFailed as failure:
        return str(failure)
    if account is None:
        return money_of_log(course, desk.budget_pico)
    return money_of_account(account)


def _chats(desk: Desk) -> str:
    return ", ".join(f"{name} ({turns_text(len(each.turns))})" for name, each in desk.conversations)
