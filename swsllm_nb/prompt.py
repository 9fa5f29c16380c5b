"""How many tokens a prompt takes at most: the proxy holds for it, the notebook foretells it."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from swsllm_nb.tokenizer import count_tokens

__all__ = ["prompt_tokens"]

_TOKENS_PER_MESSAGE: Final = 16
_TOKENS_PER_PART: Final = 8
_TOKENS_PER_REQUEST: Final = 64
_TOKENS_PER_UNKNOWN_ENCODING: Final = 512


def prompt_tokens(encoding: str, messages: Iterable[Mapping[str, Any]], other_bytes: int) -> int:
    """At least the tokens that an upstream counts for these messages.

    Texts are counted; ``other_bytes``, those of tools and schemas, are charged as they are,
    because nobody publishes how these are counted. Where the ``encoding`` is not o200k_base, the
    bytes of the texts bound their tokens.
    """
    exact = encoding == "o200k_base"
    count = count_tokens if exact else _utf8_bytes
    tokens = _TOKENS_PER_REQUEST + (0 if exact else _TOKENS_PER_UNKNOWN_ENCODING) + other_bytes
    for message in messages:
        tokens += _TOKENS_PER_MESSAGE + _utf8_bytes(_other_fields(message))
        tokens += _text_tokens(message.get("content"), count)
    return tokens


def _text_tokens(content: Any, count: Callable[[str], int]) -> int:
    """The tokens of a message's content; how parts are joined differs between servers."""
    if not isinstance(content, list):
        return count(content or "")
    texts = [text for part in content for name, text in part.items() if name != "type"]
    ways = (sum(map(count, texts)), count("".join(texts)), count("\n".join(texts)))
    return max(ways) + _TOKENS_PER_PART * len(texts)


def _other_fields(message: Mapping[str, Any]) -> str:
    """All else that a model may be shown of a message, as one JSON text."""
    rest = {
        name: value
        for name, value in message.items()
        if name not in ("role", "content") and value is not None
    }
    return json.dumps(rest) if rest else ""


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
