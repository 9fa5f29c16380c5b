"""Exact dollars: integers of pico-dollars, rounded only where a person reads them.

A price of $1 per million tokens is 1,000,000 pico-dollars per token, so every published
price is a whole number and sums are exact. No function here takes or gives a float.
"""

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

__all__ = ["PICO_PER_USD", "pico_from_usd", "show_cost", "show_left", "show_spent", "usd_text"]

PICO_PER_USD = 10**12
_CENT_PICO = PICO_PER_USD // 100
_AMOUNT = re.compile(r"\s*(-)?(\d{1,9})(?:\.(\d{1,12})0*)?\s*", re.ASCII)


def pico_from_usd(amount: str | int | Decimal) -> int:
    """Pico-dollars of an amount in dollars, such as ``"2.50"``.

    Raises ValueError for what is not a number of dollars below a billion, for a float (it is
    rarely what was written), and for more than 12 decimals.
    """
    if isinstance(amount, (bool, float)):
        raise ValueError(f"{amount!r} is not an exact amount; write it as text, such as '2.50'.")
    written = _AMOUNT.fullmatch(f"{amount:f}" if isinstance(amount, Decimal) else str(amount))
    if written is None:
        raise ValueError(
            f"{str(amount)[:40]!r} is not an amount in dollars; write it such as '2.50', with at "
            "most 12 decimals."
        )
    sign, dollars, decimals = written.groups(default="")
    pico = int(dollars) * PICO_PER_USD + int(decimals.ljust(12, "0"))
    return -pico if sign else pico


def usd_text(pico: int) -> str:
    """The exact amount as a decimal string with at least two decimals: ``"4.99972"``."""
    dollars, fraction = divmod(abs(pico), PICO_PER_USD)
    decimals = f"{fraction:012d}".rstrip("0").ljust(2, "0")
    return f"{'-' if pico < 0 else ''}{dollars}.{decimals}"


def show_cost(pico: int) -> str:
    """A cost for people, rounded half up: ``$0.0001``, ``$0.000012``, ``$1.25``."""
    return _shown(pico, ROUND_HALF_UP)


def show_left(pico: int, of_pico: int | None = None) -> str:
    """An amount left for people, rounded down, so that it never shows more than there is.

    Where less than a cent is gone of ``of_pico``, the decimals go as far as that can be seen:
    ``$4.9998`` and not ``$4.99``.
    """
    gone_pico = 0 if of_pico is None else of_pico - pico
    if 0 < gone_pico < _CENT_PICO <= pico:
        digit = 10 ** (len(str(gone_pico)) - 1)
        return f"${usd_text(pico // digit * digit)}"
    return _shown(pico, ROUND_FLOOR)


def show_spent(spent_pico: int, shown_left: str) -> str:
    """What was spent, beside what is left: rounded up to the same decimals.

    What is left is rounded down, and the two must not add up to less than there was.
    """
    decimals = len(shown_left.partition(".")[2])
    spent_usd = Decimal(spent_pico) / PICO_PER_USD
    return f"${spent_usd.quantize(Decimal(1).scaleb(-decimals), ROUND_CEILING)}"


def _shown(pico: int, rounding: str) -> str:
    """Cents from a dollar on, four decimals down to a cent, two significant digits below."""
    exact = Decimal(pico) / PICO_PER_USD
    decimals = 2 if pico == 0 or abs(exact) >= 1 else max(4, 1 - exact.adjusted())
    text = f"{abs(exact.quantize(Decimal(1).scaleb(-decimals), rounding)):f}"
    whole, _, fraction = text.partition(".")
    return f"{'-' if pico < 0 else ''}${whole}.{fraction.rstrip('0').ljust(2, '0')}"
