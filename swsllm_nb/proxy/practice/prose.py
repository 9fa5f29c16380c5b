"""The practice model: the course prose in two languages, and how a question steers it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from swsllm_nb.proxy.practice.model import NextToken, NGramModel
from swsllm_nb.proxy.practice.relevance import WordIndex, german_score
from swsllm_nb.tokenizer import o200k_base

__all__ = ["PracticeModel", "Prose", "SteeredModel", "practice_model"]

_OPENING_TOKENS: Final = 12
_OPENING_SHARE: Final = 0.99
"""How far into the answer, and how firmly, it follows the paragraphs that the question is about."""

_TOPIC_PARAGRAPHS: Final = 5
_TOPIC_SHARE: Final = 0.6
"""Later on, how much the most relevant paragraphs count beside all the prose."""


@dataclass(frozen=True)
class SteeredModel:
    """The n-gram model of one language, drawn towards the paragraphs that matter to a question."""

    everything: NGramModel
    topic: NGramModel
    openings: tuple[tuple[tuple[int, ...], float], ...]

    def next_token(self, tokens: Sequence[int]) -> NextToken:
        """What may follow the ``tokens`` that the answer has so far."""
        likely = self._opening(tuple(tokens)) if len(tokens) < _OPENING_TOKENS else {}
        mass = 1 - _OPENING_SHARE if likely else 1.0
        topic = mass * _TOPIC_SHARE
        rest = self.topic.share_out(topic, tokens, likely)
        rest += self.everything.share_out(mass - topic, tokens, likely)
        return NextToken.of(likely, rest, self.everything.unigrams)

    def _opening(self, tokens: tuple[int, ...]) -> dict[int, float]:
        """What the openings that begin with ``tokens`` say next; empty where none does."""
        place = len(tokens)
        weights: dict[int, float] = {}
        for opening, weight in self.openings:
            if place < len(opening) and opening[:place] == tokens:
                weights[opening[place]] = weights.get(opening[place], 0.0) + weight
        scale = _OPENING_SHARE / sum(weights.values()) if weights else 0.0
        return {token: weight * scale for token, weight in weights.items()}


@dataclass(frozen=True)
class Prose:
    """The paragraphs of one language, as tokens, with the model and the word index over them."""

    paragraphs: tuple[tuple[int, ...], ...]
    index: WordIndex
    model: NGramModel
    when_unknown: str
    """Stands in for a question that shares no rarer word with any paragraph."""

    @classmethod
    def read(cls, name: str, when_unknown: str) -> "Prose":
        text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
        texts = [line for line in text.splitlines() if line]
        paragraphs = tuple(tuple(o200k_base().encode_ordinary(line)) for line in texts)
        return cls(paragraphs, WordIndex.of(texts), NGramModel(paragraphs), when_unknown)

    def steered_by(self, question: str) -> SteeredModel:
        weights = self.index.weights(question) or self.index.weights(self.when_unknown) or []
        places = sorted(range(len(weights)), key=lambda place: (-weights[place], place))
        nearest = [place for place in places[:_TOPIC_PARAGRAPHS] if weights[place]]
        topic = [self.paragraphs[place] for place in nearest]
        openings = tuple((self.paragraphs[p][:_OPENING_TOKENS], weights[p]) for p in nearest)
        return SteeredModel(self.model, NGramModel(topic, self.model.unigrams), openings)


@dataclass(frozen=True)
class PracticeModel:
    """A tiny language model of English and German course prose."""

    english: Prose
    german: Prose

    @classmethod
    def from_package(cls) -> "PracticeModel":
        """Read and count the prose in the package, and the tokenizer before it.

        Takes about 0.3 s and 30 MB, and what the tokenizer takes the first time.
        """
        return cls(
            Prose.read("english.txt", "practice read nothing sorry"),
            Prose.read("german.txt", "Übungsmodell leider nichts gelesen"),
        )

    def steered_by(self, question: str) -> SteeredModel:
        """The model for an answer to ``question``, in the language that it seems to be in."""
        score = german_score(question) or self._known_words(question)
        return (self.german if score > 0 else self.english).steered_by(question)

    def _known_words(self, question: str) -> float:
        """Which prose knows more of the question: positive for German, negative for English."""
        german, english = (p.index.weights(question) or [] for p in (self.german, self.english))
        return max(german, default=0.0) - max(english, default=0.0)


@cache
def practice_model() -> PracticeModel:
    """The model of the package, built when it is first asked for."""
    return PracticeModel.from_package()
