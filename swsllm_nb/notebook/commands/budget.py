"""``%llm budget``: what there was, what is gone, what is left."""

import sys
from collections.abc import Sequence

from swsllm_nb.money import pico_from_usd, show_left, usd_text
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.course import Account
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.spend import money_of_log

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """Granted, spent, held and left, as the proxy says; USD is typed in where it says nothing."""
    given = taken("budget", words, rest=("USD",))
    typed_pico = _amount_pico(given.rest[0]) if given.rest else None
    course = desk.course()
    account = course.account()
    if account is None:
        desk.budget_pico = desk.budget_pico if typed_pico is None else typed_pico
        sys.stdout.write(f"{money_of_log(course, desk.budget_pico)}\n")
        if desk.budget_pico is None:
            sys.stdout.write(_type_it_in() + "\n")
        return
    sys.stdout.write("".join(f"{name:<14} {text}\n" for name, text in _figures(account)))
    if typed_pico is not None:
        sys.stdout.write(
            say(
                f"The proxy tells the budget itself, so {show_left(typed_pico)} is not used.\n",
                f"Der Proxy nennt das Budget selbst, {show_left(typed_pico)} gilt also nicht.\n",
            )
        )


def _figures(account: Account) -> list[tuple[str, str]]:
    rows = [
        (say("granted", "bewilligt"), account.budget_pico),
        (say("spent", "ausgegeben"), account.spend_pico),
        (say("held right now", "jetzt gehalten"), account.reserved_pico),
        (say("left", "übrig"), account.remaining_pico),
    ]
    return [(name, f"${usd_text(pico)}".replace("$-", "-$")) for name, pico in rows]


def _amount_pico(text: str) -> int:
    try:
        pico = pico_from_usd(text.removeprefix("$").replace(",", "."))
    except ValueError:
        pico = 0
    if pico <= 0:
        raise LLMError(
            say(
                f"The budget is an amount in dollars such as 5.00, and “{text}” is none.",
                f"Das Budget ist ein Betrag in Dollar wie 5.00, und „{text}“ ist keiner.",
            )
        )
    return pico


def _type_it_in() -> str:
    return say(
        "This server does not tell your budget: type it in, such as %llm budget 5.00, and it is "
        "counted down from there.",
        "Dieser Server nennt kein Budget: Tipp es ein, etwa %llm budget 5.00, dann wird davon "
        "heruntergezählt.",
    )
