"""Markdown of a model as HTML that is safe to show: what a model writes is hostile input.

``display(Markdown)`` runs the scripts of an answer in JupyterLab. Here raw HTML is shown as the
text it is, and what the markdown made passes a list of tags of our own.
"""

import time
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.colouring import colour_classes, coloured, load
from swsllm_nb.notebook.formulas import FORMULA_CLASS, enable_formulas

if TYPE_CHECKING:
    from collections.abc import Sequence

    import nh3
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

__all__ = ["DOLLARS_CLASS", "clean_html", "printable"]

DOLLARS_CLASS: Final = "mathjax_ignore tex2jax_ignore"
"""Of an element in which dollars stay dollars: JupyterLab and Notebook 7 know the first, the page
that nbconvert writes the second."""

TAGS: Final = frozenset(
    {"a", "br", "code", "em", "s", "span", "strong"}
    | {"blockquote", "hr", "li", "ol", "p", "pre", "ul"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)
"""No ``img``: a remote image tells its server who reads the answer, and when."""

LINK_SCHEMES: Final = ("http:", "https:", "mailto:")
CODE_CLASS: Final = "highlight"
CODE_STYLE: Final = "margin-bottom: 1em"
ALIGNMENTS: Final = frozenset({"text-align:left", "text-align:center", "text-align:right"})
COLOURING_SECONDS: Final = 0.5
MARKDOWN_CHARACTERS: Final = 72_000
NESTED: Final = 100
"""What lies deeper is left out by the parser, which would else recurse without end."""

INVISIBLE: Final = (
    *(code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"),
    *(0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067, 0x2068, 0x2069, 0xFEFF),
)
"""Control characters, which a terminal obeys, and marks that show a text in another order."""

PRINTABLE: Final = str.maketrans(
    dict.fromkeys(map(chr, INVISIBLE)) | dict.fromkeys(map(chr, range(0xD800, 0xE000)), "\ufffd")
)
"""Half a surrogate pair, which JSON can spell, cannot be sent to anyone."""


def printable(text: str) -> str:
    """The text without characters that steer whatever shows it."""
    return text.translate(PRINTABLE)


def clean_html(markdown: str, *, formulas: int | None = None) -> str:
    r"""The markdown as HTML without scripts, styles, images or links inside the server.

    The fragment belongs in an element of ``DOLLARS_CLASS``: front ends take the text between two
    dollar signs for a formula, in cleaned HTML too. ``\( … \)`` and ``\[ … \]`` are formulas,
    or the first ``formulas`` of them are. What follows the 72,000th character is shown
    as plain text.
    """
    text = printable(markdown)
    head, rest = text[:MARKDOWN_CHARACTERS], text[MARKDOWN_CHARACTERS:]
    limits = {"colour_until": time.monotonic() + COLOURING_SECONDS, "formulas": formulas}
    rendered = _parser().render(head, limits)
    return _cleaner().clean(
        f'{rendered}<pre style="{CODE_STYLE}">{escape(rest)}</pre>' if rest else rendered
    )


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": NESTED})
    parser.enable(["table", "strikethrough"])
    # Without the rule an image becomes a link with its text: nothing is loaded, nothing is lost.
    parser.disable("image")
    parser.add_render_rule("fence", _code)
    enable_formulas(parser)
    return parser


def _code(_renderer: Any, tokens: "Sequence[Token]", index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    language = (token.info.split(maxsplit=1) or [""])[0]
    began = time.monotonic()
    load(language)
    env["colour_until"] += time.monotonic() - began
    colours = coloured(token.content, language, env["colour_until"])
    if colours is None:
        return f'<pre style="{CODE_STYLE}"><code>{escape(token.content)}</code></pre>\n'
    return f'<pre class="{CODE_CLASS}" style="{CODE_STYLE}"><code>{colours}</code></pre>\n'


@cache
def _cleaner() -> "nh3.Cleaner":
    import nh3

    return nh3.Cleaner(
        tags=set(TAGS),
        attributes={
            "a": {"href", "title"},
            "ol": {"start"},
            "pre": {"class", "style"},
            "span": {"class"},
            "td": {"style"},
            "th": {"style"},
        },
        attribute_filter=_attribute,
        url_schemes={scheme.rstrip(":") for scheme in LINK_SCHEMES},
        link_rel="noopener noreferrer nofollow",
    )


def _attribute(tag: str, name: str, value: str) -> str | None:
    match name:
        # A relative link would be a request to the Jupyter server in the reader's name.
        case "href":
            kept = value.lower().startswith(LINK_SCHEMES)
        case "class":
            kept = value == CODE_CLASS if tag == "pre" else _is_span_class(value)
        case "style":
            kept = value == CODE_STYLE if tag == "pre" else value in ALIGNMENTS
        case _:
            kept = True
    return value if kept else None


def _is_span_class(value: str) -> bool:
    return value == FORMULA_CLASS or value in colour_classes()
