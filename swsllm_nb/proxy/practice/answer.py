"""From a request to its choices: tokens are drawn until the model, a stop or the cap ends it."""

import hashlib
import json
import random
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from swsllm_nb.proxy.practice.model import END, NextToken, TemperedUnigrams
from swsllm_nb.proxy.practice.prose import PracticeModel, SteeredModel
from swsllm_nb.proxy.practice.request import PracticeRequest
from swsllm_nb.proxy.practice.visible import VisibleText
from swsllm_nb.tokenizer import o200k_base

__all__ = ["Choice", "choices"]

_COLDEST: Final = 0.02
"""Below this temperature powers underflow, and the most likely token is as good as certain."""

_ENOUGH_TOKENS: Final = 110
_TOO_MANY_TOKENS: Final = 240
"""After the first an answer ends with its sentence, after the second wherever it is."""

_SENTENCE_ENDS: Final = (b".", b"!", b"?")
_JSON_BEFORE: Final = '{"answer": "'
_JSON_AFTER: Final = '"}'


@dataclass(frozen=True)
class Choice:
    """One answer and the tokens it took; the reasoning's are among the completion's."""

    pieces: tuple[str, ...]
    """What a stream shows after each visible token; joined, the text."""
    finish_reason: str
    completion_tokens: int
    reasoning_tokens: int

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def choices(request: PracticeRequest, model: PracticeModel) -> list[Choice]:
    """The ``n`` answers. The same for the same request with a seed, new each time without one."""
    seed = secrets.randbits(63) if request.seed is None else request.seed
    steered = model.steered_by(request.question)
    generators = (_generator(request, seed, index) for index in range(request.choices))
    return [_choice(request, _tokens(request, steered, rng)) for rng in generators]


def _generator(request: PracticeRequest, seed: int, index: int) -> random.Random:
    conversation = [[message.role, message.name, *message.texts] for message in request.messages]
    told = json.dumps([seed, index, request.model, conversation])
    digest = hashlib.sha256(told.encode("ascii")).digest()
    return random.Random(int.from_bytes(digest))  # noqa: S311 - reproducible on purpose


def _choice(request: PracticeRequest, tokens: Iterator[int]) -> Choice:
    cap = request.cap_tokens
    reasoning = request.reasoning_tokens if cap is None else min(request.reasoning_tokens, cap)
    visible = VisibleText(request.stops)
    pieces: list[str] = []
    finish_reason = "stop"
    # A cap that the reasoning fills leaves nothing to show, as with OpenAI's reasoning models.
    for token in tokens:
        if cap is not None and reasoning + len(pieces) >= cap:
            finish_reason = "length"
            break
        pieces.append(visible.add(o200k_base().decode_single_token_bytes(token)))
        if visible.stopped:
            break
    used = reasoning + len(pieces)
    pieces.append(visible.rest())
    return Choice(tuple(pieces), finish_reason, used, reasoning)


def _tokens(request: PracticeRequest, model: SteeredModel, rng: random.Random) -> Iterator[int]:
    if not request.as_json:
        yield from _prose(request.temperature, model, rng, ())
        return
    before = o200k_base().encode_ordinary(_JSON_BEFORE)
    yield from before
    # The prose has neither double quotes nor backslashes, so that nothing needs to be escaped.
    yield from _prose(request.temperature, model, rng, before)
    yield from o200k_base().encode_ordinary(_JSON_AFTER)


def _prose(
    temperature: float, model: SteeredModel, rng: random.Random, before: Sequence[int]
) -> Iterator[int]:
    tempered = None
    if temperature >= _COLDEST:
        tempered = model.everything.unigrams.tempered(temperature)
    tokens: list[int] = []
    word = list(before)
    while not _ends(tokens):
        following = model.next_token(tokens)
        token = _pick(following, tempered, rng, word)
        if token == END:
            return
        word = [token] if _begins_word(token) else [*word, token]
        tokens.append(token)
        yield token


def _ends(tokens: Sequence[int]) -> bool:
    if len(tokens) < _ENOUGH_TOKENS:
        return False
    last = o200k_base().decode_single_token_bytes(tokens[-1])
    return last.endswith(_SENTENCE_ENDS) or len(tokens) >= _TOO_MANY_TOKENS


def _pick(
    following: NextToken,
    tempered: TemperedUnigrams | None,
    rng: random.Random,
    word: Sequence[int],
) -> int:
    """Draws again where two tokens side by side would read as more tokens than were drawn."""
    refused: set[int] = set()
    while True:
        if tempered is None:
            token = following.most_likely(refused)
        else:
            token = following.draw(tempered, rng, refused)
        if token == END or _begins_word(token) or _counts_alike([*word, token]):
            return token
        refused.add(token)


def _begins_word(token: int) -> bool:
    return o200k_base().decode_single_token_bytes(token).startswith(b" ")


def _counts_alike(word: Sequence[int]) -> bool:
    encoding = o200k_base()
    return len(encoding.encode_ordinary(encoding.decode(word))) <= len(word)
