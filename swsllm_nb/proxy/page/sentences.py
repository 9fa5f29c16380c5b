"""What acts refuse to do, for German readers: acts speak English, with values in what they say."""

import re
from functools import cache
from typing import Final

from swsllm_nb.proxy.page.words import Language, german, parted

__all__ = ["retold"]

_RETOLD: Final = frozenset({"why", "where", "wanted"})
_PLACE = re.compile(r"%\((\w+)\)s")
_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+")


def retold(sentence: str, language: Language) -> str:
    """The sentence in that language; in English where nobody translated it yet.

    What a sentence says in some places is translated itself: see ``_RETOLD``.
    """
    if language == "en":
        return sentence
    if known := german().get(sentence):
        return known
    for pattern, told in _patterns(sentence.endswith(".")):
        if match := pattern.fullmatch(sentence):
            return told % {
                place: retold(text, language) if place in _RETOLD else _number(text)
                for place, text in match.groupdict().items()
            }
    return sentence


def _number(text: str) -> str:
    """A value, without the commas that part thousands in English alone."""
    return parted(text.replace(",", "")) if _THOUSANDS.fullmatch(text) else text


@cache
def _patterns(whole: bool) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Of whole sentences, or of their parts and labels: a part may begin as a sentence does."""
    return tuple(
        (re.compile(_pattern(english), re.DOTALL), told)
        for english, told in german().items()
        if _PLACE.search(english) and _is_whole(english) is whole
    )


def _is_whole(english: str) -> bool:
    return english.endswith((".", "%(why)s"))


def _pattern(english: str) -> str:
    parts = _PLACE.split(english)
    return "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
