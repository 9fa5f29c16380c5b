"""What acts refuse to do, for German readers: acts speak English, with values in what they say."""

import re
from functools import cache

from swsllm_nb.proxy.page.words import Language, german

__all__ = ["retold"]

_PLACE = re.compile(r"%\((\w+)\)s")


def retold(sentence: str, language: Language) -> str:
    """The sentence in that language; in English where nobody translated it yet.

    What a sentence says in the place called ``why`` is a sentence itself.
    """
    if language == "en":
        return sentence
    for pattern, told in _patterns():
        if match := pattern.fullmatch(sentence):
            values = match.groupdict()
            if "why" in values:
                values["why"] = retold(values["why"], language)
            return told % values
    return german().get(sentence, sentence)


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple(
        (re.compile(_pattern(english), re.DOTALL), told)
        for english, told in german().items()
        if _PLACE.search(english)
    )


def _pattern(english: str) -> str:
    parts = _PLACE.split(english)
    return "".join(
        f"(?P<{part}>.+?)" if number % 2 else re.escape(part) for number, part in enumerate(parts)
    )
