"""``%llm budget``: what there was, what is gone, what is left."""

import sys
from collections.abc import Sequence

from swsllm_nb.money import pico_from_usd, show_left
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.display import shows_html, write
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """Granted, spent, held and left, as the proxy says; USD is typed in where it says nothing."""
    from IPython.display import display

    given = taken("budget", words, rest=("USD",))
    typed_pico = _amount_pico(given.rest[0]) if given.rest else None
    budget = desk.budget()
    is_needed = budget.told_by == "log"
    if typed_pico is not None and is_needed:
        desk.budget_pico = typed_pico
        budget = desk.budget()
    if shows_html():
        display(budget)  # type: ignore[no-untyped-call]
    else:
        write(f"{budget}\n")
    if typed_pico is not None and not is_needed:
        sys.stdout.write(
            say(
                f"The proxy tells the budget itself, so {show_left(typed_pico)} is not used.\n",
                f"Der Proxy nennt das Budget selbst, {show_left(typed_pico)} gilt also nicht.\n",
            )
        )


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
