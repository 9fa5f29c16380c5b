"""An n-gram model over o200k_base tokens: which token comes next, and how likely.

Counts are integers and every order is that of the text, so the model is the same on every machine.
"""

import random
from bisect import bisect
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Final, Self

__all__ = ["END", "NGramModel", "NextToken", "Unigrams"]

END: Final = 199_999
"""<|endoftext|>: stands before and after each paragraph, and is never part of an answer."""

_DISCOUNTS: Final = (0.003, 0.05, 0.35, 0.5, 0.6, 0.7)
"""Taken from every count after one, two, three ... tokens, and given to the next shorter context.

After long contexts much is taken, or the prose would be recited; after one token very little, as
what is left then goes to any token at all, and reads as noise.
"""

_DRAWS: Final = 50


@dataclass(frozen=True)
class Unigrams:
    """How likely each token is without any context. END is not among them; they sum to 1."""

    probabilities: Mapping[int, float]

    @cached_property
    def most_likely(self) -> int:
        return max(sorted(self.probabilities), key=self.probabilities.__getitem__)

    def tempered(self, temperature: float) -> "TemperedUnigrams":
        weights = {token: p ** (1 / temperature) for token, p in self.probabilities.items()}
        return TemperedUnigrams(temperature, tuple(weights), weights, tuple(_sums(weights)))


@dataclass(frozen=True)
class TemperedUnigrams:
    """The unigrams' weights at one temperature, made once per answer to keep drawing quick."""

    temperature: float
    tokens: tuple[int, ...]
    weights: Mapping[int, float]
    sums: tuple[float, ...]

    def draw(self, rng: random.Random, excluded: AbstractSet[int]) -> int | None:
        """A token that is not excluded, or None after many draws."""
        for _ in range(_DRAWS):
            place = bisect(self.sums, rng.random() * self.sums[-1])
            token = self.tokens[min(place, len(self.tokens) - 1)]
            if token not in excluded:
                return token
        return None


@dataclass(frozen=True)
class NextToken:
    """A distribution over all tokens; it sums to 1.

    ``likely`` holds the probability of the tokens that some context knows. Every other token has
    ``rest`` times its unigram probability.
    """

    likely: Mapping[int, float]
    rest: float
    unigrams: Unigrams

    @classmethod
    def of(cls, shares: Mapping[int, float], rest: float, unigrams: Unigrams) -> Self:
        """Each token's share, and ``rest`` spread over all tokens as the unigrams say."""
        others = unigrams.probabilities
        likely = {token: share + rest * others.get(token, 0.0) for token, share in shares.items()}
        return cls(likely, rest, unigrams)

    def probability(self, token: int) -> float:
        if token in self.likely:
            return self.likely[token]
        return self.rest * self.unigrams.probabilities.get(token, 0.0)

    def probabilities(self) -> dict[int, float]:
        """Every token's probability, by token id."""
        tokens = sorted(self.likely.keys() | self.unigrams.probabilities.keys())
        return {token: self.probability(token) for token in tokens}

    def most_likely(self, excluded: AbstractSet[int] = frozenset()) -> int:
        """The most likely token that is not excluded, the lowest id where several are."""
        tokens = sorted((self.likely.keys() | {self.unigrams.most_likely}) - excluded)
        if not tokens:
            return END
        return max(tokens, key=lambda token: self.likely.get(token, 0.0))

    def draw(
        self,
        tempered: TemperedUnigrams,
        rng: random.Random,
        excluded: AbstractSet[int] = frozenset(),
    ) -> int:
        """A token at the temperature of ``tempered``, which is above 0."""
        power = 1 / tempered.temperature
        known = {t: p**power for t, p in self.likely.items() if t not in excluded and p > 0}
        sums = _sums(known)
        known_total = sums[-1] if sums else 0.0
        hidden = self.likely.keys() | excluded
        hidden_weight = sum(tempered.weights.get(token, 0.0) for token in sorted(hidden))
        other = tempered.sums[-1] - hidden_weight
        point = rng.random() * (known_total + max(0.0, other) * self.rest**power)
        if point < known_total:
            return list(known)[bisect(sums, point)]
        drawn = tempered.draw(rng, hidden)
        return self.most_likely(excluded) if drawn is None else drawn


class NGramModel:
    """Counts of which token followed which up to six tokens, with interpolated back-off.

    Each order keeps its counts less a discount; what was taken goes to the next shorter context,
    and at last to the unigrams (absolute discounting).
    """

    def __init__(
        self, paragraphs: Sequence[Sequence[int]], unigrams: Unigrams | None = None
    ) -> None:
        self.unigrams = unigrams or _count_unigrams(paragraphs)
        self._followers: dict[tuple[int, ...], dict[int, int]] = {}
        for paragraph in paragraphs:
            tokens = (END, *paragraph, END)
            for place in range(1, len(tokens)):
                for length in range(1, min(place, len(_DISCOUNTS)) + 1):
                    counts = self._followers.setdefault(tokens[place - length : place], {})
                    counts[tokens[place]] = counts.get(tokens[place], 0) + 1

    def next_token(self, tokens: Sequence[int]) -> NextToken:
        """What may follow the ``tokens`` that an answer has so far."""
        likely: dict[int, float] = {}
        rest = self.share_out(1.0, tokens, likely)
        return NextToken.of(likely, rest, self.unigrams)

    def share_out(self, mass: float, tokens: Sequence[int], likely: dict[int, float]) -> float:
        """Add ``mass`` to the tokens that may follow; returns what is left for the unigrams."""
        context = (END, *tokens[-len(_DISCOUNTS) :])[-len(_DISCOUNTS) :]
        for length in range(len(context), 0, -1):
            counts = self._followers.get(context[-length:])
            if counts is None:
                continue
            discount = _DISCOUNTS[length - 1]
            per_count = mass / sum(counts.values())
            for token, count in counts.items():
                likely[token] = likely.get(token, 0.0) + per_count * (count - discount)
            mass = per_count * discount * len(counts)
        return mass


def _count_unigrams(paragraphs: Sequence[Sequence[int]]) -> Unigrams:
    counts: dict[int, int] = {}
    for paragraph in paragraphs:
        # A first token has no space before it: elsewhere it would stick to the word before.
        for token in paragraph[1:]:
            counts[token] = counts.get(token, 0) + 1
    total = sum(counts.values())
    return Unigrams({token: counts[token] / total for token in sorted(counts)})


def _sums(weights: Mapping[int, float]) -> list[float]:
    return list(accumulate(weights.values()))
