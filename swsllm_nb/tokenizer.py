"""Counting tokens as OpenAI's o200k_base does, offline, without ever counting too few.

The rank file comes with the package; tiktoken is imported when the first text is counted.
"""

import base64
import hashlib
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING
from unicodedata import category

if TYPE_CHECKING:
    from tiktoken import Encoding

__all__ = ["RANKS_SHA256", "count_tokens", "o200k_base"]

RANKS_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
"""Of o200k_base.tiktoken, as tiktoken 0.14 states it in tiktoken_ext/openai_public.py."""

_PIECE_CHARACTERS = 20_000
"""tiktoken panics on a megabyte of spaces and crawls on one of equals signs; pieces stay quick."""

_SEARCHED_CHARACTERS = 2_000
"""For a place to cut: who writes megabytes without one may not keep everybody waiting."""

_TOKENS_PER_CUT = 8
"""Added per cut, although a cut is only made where the whole text would be split as well."""

# The splitting rule of o200k_base is part of the encoding, like its ranks (same source).
_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_LEAD = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_SPLIT = "|".join(
    (
        rf"{_LEAD}{_UPPER}*{_LOWER}+{_CONTRACTION}",
        rf"{_LEAD}{_UPPER}+{_LOWER}*{_CONTRACTION}",
        r"\p{N}{1,3}",
        r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
        r"\s*[\r\n]+",
        r"\s+(?!\S)",
        r"\s+",
    )
)


@cache
def o200k_base() -> "Encoding":
    """The encoding of all three course models. Takes about 0.3 s and 80 MB the first time.

    Raises ValueError when the rank file is not the one that OpenAI published.
    """
    from tiktoken import Encoding

    ranks = resources.files("swsllm_nb").joinpath("o200k_base.tiktoken").read_bytes()
    if hashlib.sha256(ranks).hexdigest() != RANKS_SHA256:
        raise ValueError("o200k_base.tiktoken is damaged; install swsllm-nb again.")
    pairs = (line.split() for line in ranks.splitlines() if line)
    return Encoding(
        name="o200k_base",
        pat_str=_SPLIT,
        mergeable_ranks={base64.b64decode(token): int(rank) for token, rank in pairs},
        special_tokens={"<|endoftext|>": 199999, "<|endofprompt|>": 200018},
    )


def count_tokens(text: str) -> int:
    """At least the tokens of ``text`` as ordinary text; exact up to 20,000 characters."""
    encoding = o200k_base()
    tokens, start = 0, 0
    while len(text) - start > _PIECE_CHARACTERS:
        latest = start + _PIECE_CHARACTERS
        end = _last_cut(text, latest)
        if end is not None:
            tokens += len(encoding.encode_ordinary(text[start:end]))
        while end is None:
            # Nothing here is known to be split; tokens never outnumber bytes.
            latest += _PIECE_CHARACTERS
            end = len(text) if latest >= len(text) else _last_cut(text, latest)
            if end is not None:
                tokens += len(text[start:end].encode("utf-8", "surrogatepass"))
        tokens += _TOKENS_PER_CUT
        start = end
    return tokens + len(encoding.encode_ordinary(text[start:]))


def _last_cut(text: str, latest: int) -> int | None:
    """The last place up to ``latest`` where a text may be cut, if one is near."""
    places = range(latest, latest - _SEARCHED_CHARACTERS, -1)
    return next((at for at in places if _always_splits(text, at)), None)


def _always_splits(text: str, at: int) -> bool:
    """Whether the splitting rule ends a match before this character, whatever stands around.

    A run of digits is split in threes from its beginning, so that a cut inside it would shift
    all that follows. Characters that this Python does not know count as anything.
    """
    before, after = category(text[at - 1])[0], category(text[at])[0]
    if before == "L":
        return after not in "LMC" and text[at] != "'"
    return before == "N" and after not in "NC"
