"""The language in which a student is spoken to: what was set, else the locale's, else English."""

import os

__all__ = ["LANGUAGE_VARIABLE", "grouped", "say", "speaks_german"]

LANGUAGE_VARIABLE = "SWSLLM_LANGUAGE"
_LOCALE_VARIABLES = ("LC_ALL", "LC_MESSAGES", "LANG")


def say(english: str, german: str) -> str:
    """A sentence in the language of whoever reads it."""
    return german if speaks_german() else english


def grouped(count: int) -> str:
    """A whole number with its thousands apart; in German a comma stands before decimals, and
    beside amounts in dollars a point does as well."""
    return f"{count:,}".replace(",", say(",", "\N{NARROW NO-BREAK SPACE}"))


def speaks_german() -> bool:
    """Whether SWSLLM_LANGUAGE, else the locale, asks for German."""
    names = (LANGUAGE_VARIABLE, *_LOCALE_VARIABLES)
    told = next((text for name in names if (text := os.environ.get(name, ""))), "")
    return told.lower().startswith("de")
