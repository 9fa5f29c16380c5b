"""Markdown of a model as HTML that is safe to show: what a model writes is hostile input.

``display(Markdown)`` runs the scripts of an answer in JupyterLab. Here raw HTML is shown as the
text it is, and what the markdown made passes a list of tags of our own.
"""

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import nh3
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline

__all__ = ["clean_html"]

TAGS: Final = frozenset(
    {"a", "br", "code", "em", "s", "strong"}
    | {"blockquote", "hr", "li", "ol", "p", "pre", "ul"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
    | {"table", "tbody", "td", "th", "thead", "tr"}
)
"""No ``img``: a remote image tells its server who reads the answer, and when."""

LINK_SCHEMES: Final = ("http:", "https:", "mailto:")
FORMULA_ENDS: Final = {r"\(": r"\)", r"\[": r"\]"}


def clean_html(markdown: str) -> str:
    """The markdown as HTML without scripts, styles, images or links inside the server.

    The fragment belongs in an element of class ``mathjax_ignore``: JupyterLab takes the text
    between two dollar signs for a formula, in cleaned HTML too.
    """
    return _cleaner().clean(_parser().render(markdown))


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # Without the rule an image becomes a link with its text: nothing is loaded, nothing is lost.
    parser.disable("image")
    parser.inline.ruler.before("escape", "formula", _formula)
    return parser


@cache
def _cleaner() -> "nh3.Cleaner":
    import nh3

    return nh3.Cleaner(
        tags=set(TAGS),
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        attribute_filter=_attribute,
        url_schemes={scheme.rstrip(":") for scheme in LINK_SCHEMES},
        link_rel="noopener noreferrer nofollow",
    )


def _attribute(_tag: str, name: str, value: str) -> str | None:
    # A relative link would be a request to the Jupyter server in the reader's name.
    if name == "href" and not value.lower().startswith(LINK_SCHEMES):
        return None
    return value


def _formula(state: "StateInline", silent: bool) -> bool:
    r"""Keep ``\( … \)`` and ``\[ … \]`` as written; markdown would drop the backslashes."""
    ends_with = FORMULA_ENDS.get(state.src[state.pos : state.pos + 2])
    if ends_with is None:
        return False
    end = state.src.find(ends_with, state.pos + 2, state.posMax)
    if end < 0:
        return False
    if not silent:
        state.push("text", "", 0).content = state.src[state.pos : end + 2]
    state.pos = end + 2
    return True
