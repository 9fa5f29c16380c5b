"""What people give for an option, as a value that may be sent, or one sentence. Raises LLMError."""

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite
from numbers import Integral, Real
from typing import Any

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["amount_pico", "number", "several", "switch", "text", "whole_number"]


def text(given: Any, name: str) -> str | None:
    if given is None or isinstance(given, str):
        return given
    raise LLMError(
        say(
            f"{name} is a text, and {given!r} is none, so nothing was sent.",
            f"{name} ist ein Text, und {given!r} ist keiner; es wurde nichts gesendet.",
        )
    )


def several(given: Any, name: str, parted_by: str | None = None) -> tuple[str, ...] | None:
    if given is None:
        return None
    if isinstance(given, str):
        texts = given.split(parted_by) if parted_by else [given]
    else:
        texts = list(given) if isinstance(given, Sequence) else []
    if parted_by:
        texts = [text.strip() for text in texts if isinstance(text, str)]
    if not texts or not all(isinstance(text, str) and text for text in texts):
        raise LLMError(
            say(
                f"{name} takes a text, or several, and {given!r} is neither.",
                f"{name} nimmt einen Text oder mehrere, und {given!r} ist keins von beiden.",
            )
        )
    return tuple(dict.fromkeys(texts))


def amount_pico(given: Any, name: str) -> int:
    """Dollars, as people write them, in pico-dollars."""
    usd = given
    # A float in code is what a person wrote, as its shortest text.
    if isinstance(given, float):
        usd = Decimal(str(float(given)))
    elif isinstance(given, str):
        usd = given.strip().removeprefix("$").replace(",", ".")
    try:
        pico = pico_from_usd(usd)
    except (ValueError, ArithmeticError):
        pico = -1
    if pico < 0:
        raise LLMError(
            say(
                f"{name} is an amount in dollars such as 0.01, and {given!r} is none.",
                f"{name} ist ein Betrag in Dollar wie 0.01, und {given!r} ist keiner.",
            )
        )
    return pico


def number(given: Any, name: str) -> float | None:
    """As Python's own number: JSON knows none of numpy's."""
    if given is None:
        return None
    if isinstance(given, Real) and not isinstance(given, bool) and isfinite(given):
        return int(given) if isinstance(given, Integral) else float(given)
    raise LLMError(
        say(
            f"The {name} is to be a number, and {given!r} is none, so nothing was sent.",
            f"{name} ist eine Zahl, und {given!r} ist keine; es wurde nichts gesendet.",
        )
    )


def whole_number(given: Any, name: str, least: int | None = None) -> int | None:
    if given is None:
        return None
    if isinstance(given, Integral) and not isinstance(given, bool):
        count = int(given)
        if least is None or count >= least:
            return count
    lowest = say(f" from {least} on", f" ab {least}") if least is not None else ""
    raise LLMError(
        say(
            f"{name} is a whole number{lowest}, and {given!r} is none, so nothing was sent.",
            f"{name} ist eine ganze Zahl{lowest}, und {given!r} ist keine; es wurde nichts "
            "gesendet.",
        )
    )


def switch(given: Any, name: str) -> bool | None:
    if given is None or isinstance(given, (bool, Integral)):
        return None if given is None else bool(given)
    raise LLMError(
        say(
            f"{name} is True or False, and {given!r} is neither, so nothing was sent.",
            f"{name} ist True oder False, und {given!r} ist keins davon; es wurde nichts gesendet.",
        )
    )
