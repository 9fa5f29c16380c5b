"""The fields of a JSON object, each read as what it should be, or refused with a sentence."""

import re
from collections.abc import Set as AbstractSet
from datetime import date
from fractions import Fraction
from typing import Any, NoReturn

from swsllm_nb.money import pico_from_usd

__all__ = ["Fields"]

_COUNT_LIMIT = 10**9
_TEXT_CHARACTERS = 1000
_MULTIPLIER = re.compile(r"\d{1,3}(\.\d{1,9})?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TOKENS_PER_PRICE = 1_000_000


class Fields:
    """A JSON object with just these fields. Every method raises ValueError with a sentence.

    ``where`` names the object in those sentences; ``optional`` fields may be missing.
    """

    def __init__(
        self,
        where: str,
        document: Any,
        *,
        required: AbstractSet[str],
        optional: AbstractSet[str] = frozenset(),
    ) -> None:
        self.where = where
        if not isinstance(document, dict):
            raise ValueError(f"{where} is no JSON object.")
        for field in sorted(required):
            if field not in document:
                raise ValueError(f"{where} has no '{field}'.")
        for field in document:
            if field not in required | optional:
                known = ", ".join(sorted(required | optional))
                raise ValueError(
                    f"{where} has an unknown field '{str(field)[:40]}'. Known: {known}."
                )
        self._document = document

    def refuse(self, field: str, wanted: str) -> NoReturn:
        stated = f"{self._document.get(field)!r:.60}"
        raise ValueError(f"{self.where}: '{field}' is {stated}, and should be {wanted}.")

    def has(self, field: str) -> bool:
        """Whether something is stated: null says as little as a field that is missing."""
        return self._document.get(field) is not None

    def any(self, field: str) -> Any:
        return self._document.get(field)

    def text(self, field: str) -> str:
        value = self._document.get(field)
        if not _is_text(value):
            self.refuse(field, f"a text of 1 to {_TEXT_CHARACTERS} printable characters")
        return str(value)

    def text_or_none(self, field: str) -> str | None:
        return self.text(field) if self.has(field) else None

    def texts(self, field: str) -> tuple[str, ...]:
        value = self._document.get(field, [])
        if not isinstance(value, list) or not all(map(_is_text, value)):
            self.refuse(field, "a list of texts")
        return tuple(value)

    def choice(self, field: str, choices: tuple[str, ...]) -> str:
        if self._document.get(field) not in choices:
            self.refuse(field, " or ".join(map(repr, choices)))
        return str(self._document[field])

    def flag(self, field: str) -> bool:
        value = self._document.get(field, False)
        if not isinstance(value, bool):
            self.refuse(field, "true or false")
        return value

    def count(self, field: str, low: int = 1) -> int:
        value = self._document.get(field)
        if type(value) is not int or not low <= value <= _COUNT_LIMIT:
            self.refuse(field, f"a whole number from {low} to {_COUNT_LIMIT}")
        return int(value)

    def count_or_none(self, field: str) -> int | None:
        return self.count(field) if self.has(field) else None

    def day(self, field: str) -> date:
        value = self._document.get(field)
        # Written in just one way, days compare as texts.
        if not isinstance(value, str) or not _DAY.fullmatch(value):
            self.refuse(field, "a day such as '2026-11-23'")
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.refuse(field, "a day such as '2026-11-23'")

    def day_or_none(self, field: str) -> date | None:
        return self.day(field) if self.has(field) else None

    def multiplier(self, field: str) -> Fraction:
        if not self.has(field):
            return Fraction(1)
        value = self._document[field]
        if not isinstance(value, str) or not _MULTIPLIER.fullmatch(value) or not Fraction(value):
            self.refuse(field, "a decimal number above 0 as text, such as '1.1'")
        return Fraction(value)

    def pico_per_token(self, field: str, multiplier: Fraction) -> int:
        """A price in dollars per million tokens, times the multiplier."""
        try:
            pico = pico_from_usd(self._document.get(field, ""))
        except ValueError as error:
            raise ValueError(f"{self.where}: '{field}': {error}") from None
        per_token = pico * multiplier / _TOKENS_PER_PRICE
        if per_token < 0:
            self.refuse(field, "no negative price")
        if per_token.denominator != 1:
            by = f" times {float(multiplier):g}" if multiplier != 1 else ""
            raise ValueError(
                f"{self.where}: '{field}': ${self._document[field]}{by} per million tokens is too "
                "fine: it is not a whole number of pico-dollars per token (six decimals)."
            )
        return per_token.numerator

    def pico_per_token_or_none(self, field: str, multiplier: Fraction) -> int | None:
        return self.pico_per_token(field, multiplier) if self.has(field) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _TEXT_CHARACTERS and value.isprintable()
