"""Code of an answer in Pygments' classes, which a notebook's theme gives their colours."""

import math
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pygments.lexer import Lexer

__all__ = ["colour_classes", "coloured", "load"]

LANGUAGES: Final = frozenset(
    {"bash", "console", "dockerfile", "makefile", "powershell", "sh", "shell"}
    | {"c", "c#", "c++", "cpp", "csharp", "go", "java", "kotlin", "rust", "scala", "swift"}
    | {"css", "html", "javascript", "js", "php", "ruby", "ts", "typescript", "xml"}
    | {"diff", "json", "latex", "markdown", "md", "tex", "toml", "yaml", "yml"}
    | {"julia", "py", "pycon", "python", "python3", "r", "sql"}
)
"""Pygments knows hundreds more: some (matlab, ini) think for seconds about one hostile token."""

CODE_CHARACTERS: Final = 10_000


def load(language: str) -> None:
    """Reads what colours a language: the first time that is slow, however short the code is."""
    coloured("", language, until=math.inf)


def coloured(code: str, language: str, until: float) -> str | None:
    """The code as HTML whose spans have ``colour_classes()``; None where it stays plain.

    It ends plain after 10,000 characters, and where ``time.monotonic()`` has passed ``until``:
    most lexers take quadratic time on code that was written to keep them busy.
    """
    if language.lower() not in LANGUAGES or time.monotonic() > until:
        return None
    from pygments import format as write
    from pygments.formatters import HtmlFormatter

    tokens = _tokens(code, _lexer(language.lower()), until)
    html: str = write(tokens, HtmlFormatter(nowrap=True))
    return html


def _tokens(code: str, lexer: "Lexer", until: float) -> Iterator[tuple[Any, str]]:
    from pygments.token import Name, Punctuation, Text, Whitespace

    # Themes give them the colour of the text, and they are the half of all elements, each of
    # which a browser lays out anew at each repaint.
    colourless = (Name, Punctuation, Whitespace)
    done = 0
    for kind, text in lexer.get_tokens(code[:CODE_CHARACTERS]):
        yield Text if kind in colourless else kind, text
        done += len(text)
        if time.monotonic() > until:
            break
    yield Text, code[done:]


@cache
def _lexer(language: str) -> "Lexer":
    from pygments.lexers import get_lexer_by_name

    lexer: Lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return lexer


@cache
def colour_classes() -> frozenset[str]:
    """Every class that a piece of code may have, such as ``k`` for a keyword."""
    from pygments.token import STANDARD_TYPES

    return frozenset(STANDARD_TYPES.values())
