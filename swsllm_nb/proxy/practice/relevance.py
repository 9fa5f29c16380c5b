"""What a question is about: its language, and which paragraphs share its rarer words."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["WordIndex", "german_score"]

_WORD: Final = re.compile(r"[^\W\d_]{2,}|\d{3}")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_ENGLISH_WORDS: Final = _words(
    "the is are of to and what how why who which do does did you your me my it this that these "
    "with for on at be can could would should will please tell about explain write give a i "
    "hello hi hey thanks thank good bye when where there have has not from by or as if"
)
_GERMAN_WORDS: Final = _words(
    "der die das den dem des ein eine einen einem einer eines ist sind und oder nicht ich du wir "
    "ihr mir mich dir dich mein dein wie warum wer wo wann welche welcher welches wozu bitte auf "
    "mit von zu zum zur für im ins bei nach aus kannst kann soll gibt es gib sag erkläre erklär "
    "schreib schreibe nenne hallo moin servus danke tschüss guten tag morgen abend über auch wenn "
    "diese dieser diesem diesen dieses dass als hat haben wird werden funktioniert bedeutet macht "
    "kein keine heißt"
)
_ORDERS: Final = _words(
    "explain describe write tell give name list say make answer question example sentence word "
    "short brief briefly text one two three ten simple simply mean means meaning work works need "
    "want like know some any all use using used help different between difference reply respond "
    "english german something anything more most very just only long first good best new "
    "language models model in an so we us our they he she his her was were been being am than "
    "erkläre erklär beschreibe schreib schreibe nenne sage antwort antworte frage beispiel satz "
    "sätze sätzen wort worte worten kurz kurze kurzen text eins zwei drei zehn einfach einfachen "
    "bedeutet bedeuten brauche brauchen etwas alles viel mehr sehr nur lang erste gut gute guter "
    "deutsch englisch sprachmodell sprachmodelle modell modelle an um so was man sich sie er "
    "hilfe hilf mal bist geht denn noch vor einmal unterschied zwischen jahr jahre wird"
)
_UMLAUTS: Final = str.maketrans({"ä": "a", "ö": "o", "ü": "u", "ß": "s"})

_TITLE_WORDS: Final = 5
_TITLE_FACTOR: Final = 6
_OPENING_FACTOR: Final = 2
"""The first words, and then the first sentence, say best what a paragraph is about."""

_COMMON_SCORE: Final = 2
"""Of two paragraphs about tokens, "What is a token?" asks for the one that begins "A token is"."""

_SHARPNESS: Final = 4
"""The power that turns scores into weights: the best paragraph is begun most of the time."""


def german_score(text: str) -> int:
    """How many more German than English signs a text has; negative for English, 0 for neither."""
    words = _WORD.findall(text.lower()) + re.findall(r"\b[ai]\b", text.lower())
    german = sum(word in _GERMAN_WORDS for word in words)
    umlauts = sum(character in "äöüß" for character in text.lower())
    return german + 2 * umlauts - sum(word in _ENGLISH_WORDS for word in words)


def _stem(word: str) -> str:
    """What a word shares with its relatives: crude, but the same for question and paragraph."""
    plain = word.translate(_UMLAUTS)
    # Of a longer word the first six letters have left the endings behind already.
    return plain[:6] if len(plain) > 7 else plain[:3] + plain[3:6].rstrip("esnr")


_COMMON_STEMS: Final = frozenset(_stem(word) for word in _ENGLISH_WORDS | _GERMAN_WORDS | _ORDERS)
_GREETINGS: Final = frozenset(
    _stem(word)
    for word in _words(
        "hello hi hey thanks thank bye goodbye hallo moin servus danke tschüss tag wiedersehen"
    )
)


_HELLO: Final = frozenset(map(_stem, ("hello", "hallo")))


def _stems(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in _WORD.findall(text.lower()))


@dataclass(frozen=True)
class _Stems:
    """The stems of one paragraph."""

    title: frozenset[str]
    opening: frozenset[str]
    whole: frozenset[str]

    def factor(self, stem: str) -> int:
        if stem in self.title:
            return _TITLE_FACTOR
        return _OPENING_FACTOR if stem in self.opening else int(stem in self.whole)


@dataclass(frozen=True)
class WordIndex:
    """The stems of each paragraph, to find those that a question is about."""

    paragraphs: tuple[_Stems, ...]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "WordIndex":
        return cls(tuple(map(_paragraph_stems, texts)))

    def weights(self, question: str) -> list[float] | None:
        """A weight for each paragraph, or None when no paragraph shares a rarer word."""
        stems = _stems(question)
        common = stems & _COMMON_STEMS
        rarer = stems - _COMMON_STEMS
        found = self._weights(rarer, common) or self._weights(stems & _GREETINGS, frozenset())
        # "Who are you?" has common words only, and is no question about the prose.
        return found or (None if rarer else self._weights(_HELLO, frozenset()))

    def _weights(self, stems: frozenset[str], common: frozenset[str]) -> list[float] | None:
        scores = [0.0] * len(self.paragraphs)
        for stem in sorted(stems):
            factors = [paragraph.factor(stem) for paragraph in self.paragraphs]
            holders = sum(map(bool, factors))
            for place, factor in enumerate(factors):
                if factor:
                    scores[place] += factor * math.sqrt(len(scores) / holders)
        for place, score in enumerate(scores):
            if score:
                scores[place] += _COMMON_SCORE * len(common & self.paragraphs[place].title)
        return [score**_SHARPNESS for score in scores] if any(scores) else None


def _paragraph_stems(text: str) -> _Stems:
    opening = re.split(r"(?<=[.!?:]) ", text)[0]
    title = " ".join(opening.split()[:_TITLE_WORDS])
    return _Stems(_stems(title), _stems(opening), _stems(text))
