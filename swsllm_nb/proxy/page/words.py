"""The two languages of the page: whose is spoken, and German for every English text."""

import json
import re
from functools import cache
from importlib import resources
from typing import Final, Literal, TypeAlias

__all__ = [
    "LANGUAGES",
    "Language",
    "german",
    "language_named",
    "parted",
    "preferred",
    "row_id",
    "translate",
]

Language: TypeAlias = Literal["de", "en"]

LANGUAGES: Final[dict[Language, str]] = {"de": "Deutsch", "en": "English"}

_THOUSANDS: Final = re.compile(r"(?<=\d)(?=(?:\d{3})+$)")


@cache
def german() -> dict[str, str]:
    """German texts by the English that stands in templates and code."""
    texts: dict[str, str] = {}
    for file in resources.files("swsllm_nb.proxy.page").joinpath("german").iterdir():
        texts |= json.loads(file.read_text("utf-8"))
    return texts


def translate(english: str, language: Language) -> str:
    return german().get(english, english) if language == "de" else english


def parted(number: int | str) -> str:
    """A number or an amount with its thousands parted by a narrow no-break space.

    In both languages, beside amounts such as $0.15: 1.234 and 1,234 are another number each,
    depending on who reads them.
    """
    whole, point, decimals = str(number).partition(".")
    return _THOUSANDS.sub("\u202f", whole) + point + decimals


def row_id(text: str) -> int | None:
    """The id of a row that stands in an address or a form; None for what cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def language_named(text: str | None) -> Language | None:
    """The language of a tag such as ``de-AT``; None for one that is not spoken here."""
    start = (text or "").strip().lower().replace("_", "-").partition("-")[0]
    return next((language for language in LANGUAGES if language == start), None)


def preferred(accept_language: str) -> Language | None:
    """What a browser would rather read, of the languages spoken here."""
    best: tuple[float, Language] | None = None
    for choice in accept_language[:500].split(","):
        tag, _, weight = choice.partition(";")
        language, quality = language_named(tag), _quality(weight)
        if language and quality > 0 and (best is None or quality > best[0]):
            best = quality, language
    return best and best[1]


def _quality(weight: str) -> float:
    name, _, number = weight.partition("=")
    try:
        return float(number) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
