"""What a key looks like: to refuse a text that holds one, and to take keys out of what is shown."""

import re
from typing import Final

__all__ = ["hides_key", "looks_like_key", "scrub"]

# A course's own keys are sws- and 40 letters and digits: sws-llm-proxy is an address.
_KEYS: Final = re.compile(
    r"\bsws-[A-Za-z0-9]{20,}"
    r"|\b(?:hf_|gsk_|gh[opsu]_|github_pat_|AIza)[\w-]{20,}"
    r"|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}"
)
_SK: Final = re.compile(r"\bsk-[\w*-]{6,}", re.ASCII)
_BEARER: Final = re.compile(r"(?i:\bbearer)\s+([^\s\"',]{8,})")

_PART_OF_KEY: Final = re.compile(r"(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{8,}")
_LONG_KEY_CHARACTERS: Final = 32
_LONGEST_KEY_CHARACTERS: Final = 300
_TOKEN_CHARACTERS: Final = 16
_UNMISTAKABLE_CHARACTERS: Final = 12


def looks_like_key(text: str) -> bool:
    """Whether a secret may stand in ``text``: ``sk-learn`` and ``Bearer authentication`` are none.

    What is masked, such as ``sk-ab…``, is none either.
    """
    return (
        _KEYS.search(text) is not None
        or any(_is_sk_key(found.group()) for found in _SK.finditer(text))
        or any(_is_token(found.group(1)) for found in _BEARER.finditer(text))
    )


def hides_key(text: str, key: str) -> bool:
    """Whether the live key stands in ``text``. A short one, as servers of one's own take, such as
    ``ollama``, is an ordinary word and no secret."""
    return len(key) >= _TOKEN_CHARACTERS and key in text


def scrub(text: str, key: str = "") -> str:
    """``text`` without ``key``, and without anything that looks like one or the rest of one."""
    if len(key) >= _UNMISTAKABLE_CHARACTERS:
        text = text.replace(key, "(your key)")
    elif key:
        text = re.sub(rf"(?<![\w-]){re.escape(key)}(?![\w-])", "(your key)", text)
    text = _KEYS.sub("(a key)", text)
    text = _SK.sub(lambda found: "(a key)" if _is_perhaps_key(found) else found.group(), text)
    return _BEARER.sub(
        lambda found: "(a key)" if not found.group(1).isalpha() else found.group(), text
    )


def _is_sk_key(text: str) -> bool:
    """Words with hyphens are none, whatever numbers follow them: ``sk-learn-contrib-2024``."""
    body = text.removeprefix("sk-")[:_LONGEST_KEY_CHARACTERS]
    mixed = any(character.isdigit() for character in body) and not body.isdecimal()
    long_enough = len(body) >= _LONG_KEY_CHARACTERS and body != body.lower()
    return mixed and (long_enough or _PART_OF_KEY.search(body) is not None)


def _is_perhaps_key(found: re.Match[str]) -> bool:
    body = found.group().removeprefix("sk-")
    return body != body.lower() or any(not (c.isalpha() or c in "-_") for c in body)


def _is_token(text: str) -> bool:
    return len(text) >= _TOKEN_CHARACTERS and any(character.isdigit() for character in text)
