"""What servers are known to say in English, so that it can be told in German with its numbers.

``proxy_sentences.txt`` has them in pairs. ``tests/test_proxy_sentences.py`` lets our own proxy say
each of its own, and fails where one is changed there and not here.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

__all__ = ["Known", "known_sentence", "known_sentences"]


@dataclass(frozen=True)
class Known:
    """``stands_alone``: it says what happened and what to do, so that nothing is added."""

    german: str
    stands_alone: bool


def known_sentence(message: str) -> Known | None:
    """A server's sentence in German, where it is known. ``message`` is one line."""
    for pattern, known in known_sentences():
        said = pattern.fullmatch(message)
        if said:
            return Known(known.german.format(**said.groupdict()), known.stands_alone)
    return None


@cache
def known_sentences() -> tuple[tuple[re.Pattern[str], Known], ...]:
    """Each sentence as a pattern, and as a German template of its named groups."""
    text = resources.files("swsllm_nb.notebook").joinpath("proxy_sentences.txt")
    complete, _, parts = text.read_text("utf-8").partition("\n= ")
    _title, *quoted = parts.strip().split("\n\n")
    return tuple(
        (_pattern(english), Known(german, stands_alone))
        for blocks, stands_alone in ((complete.strip().split("\n\n"), True), (quoted, False))
        for english, german in (block.split("\n") for block in blocks)
    )


def _pattern(english: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(english)))
