r"""``\( … \)`` and ``\[ … \]`` in markdown, which would drop the backslashes.

The plugins of mdit-py-plugins copy the rest of the text for each ``\(`` they meet, and know nothing
of which formulas MathJax would read to the end.
"""

import re
from html import escape
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline

__all__ = ["FORMULA_CLASS", "enable_formulas"]

FORMULA_CLASS: Final = "mathjax_process tex2jax_process"
FORMULA_CHARACTERS: Final = 5_000
FORMULA_LINES: Final = 50

ENDS: Final = {r"\(": r"\)", r"\[": r"\]"}
BRACES_AND_COMMANDS: Final = re.compile(r"\\(?:[a-zA-Z]+|.)|[{}]", re.DOTALL)

REFUSED_COMMANDS: Final = frozenset(
    rf"\{name}"
    for name in (
        # link, load and style; a page's MathJax may or may not be a safe one
        *("bbox", "class", "cssId", "data", "href", "includegraphics", "mmlToken", "require"),
        *("style", "unicode", "url"),
        # give commands another meaning, in every formula of the page
        *("csname", "def", "edef", "gdef", "let", "newcommand", "newenvironment"),
        *("providecommand", "renewcommand", "renewenvironment", "xdef", "DeclareMathOperator"),
    )
)


def enable_formulas(parser: "MarkdownIt") -> None:
    """Formulas become spans of ``FORMULA_CLASS``, in which MathJax looks for them.

    Where the environment of a rendering has ``formulas``, only so many do; the rest stay text.
    """
    parser.inline.ruler.before("escape", "formula", _inline)
    parser.block.ruler.before(
        "fence", "formula", _block, {"alt": ["paragraph", "reference", "blockquote", "list"]}
    )
    parser.add_render_rule("formula", _render)


def _formula(text: str, start: int, end: int) -> str | None:
    """The formula that begins here, with its delimiters, as MathJax will find it again."""
    closing = ENDS.get(text[start : start + 2])
    if closing is None:
        return None
    close = text.find(closing, start + 2, min(end, start + FORMULA_CHARACTERS))
    if close < 0:
        return None
    depth = 0
    for part in BRACES_AND_COMMANDS.findall(text, start + 2, close):
        if part in REFUSED_COMMANDS:
            return None
        # MathJax overlooks a } too many.
        depth = max(0, depth + (part == "{") - (part == "}"))
    # One whose braces stay open it would not end here, and go on to look for dollars.
    return text[start : close + 2] if depth == 0 else None


def _inline(state: "StateInline", silent: bool) -> bool:
    formula = _formula(state.src, state.pos, state.posMax)
    if formula is None:
        return False
    if not silent:
        state.push("formula", "", 0).content = formula
    state.pos += len(formula)
    return True


def _block(state: "StateBlock", first_line: int, last_line: int, silent: bool) -> bool:
    r"""A ``\[ … \]`` with lines to itself: a line of it may look like a list or a heading."""
    start = state.bMarks[first_line] + state.tShift[first_line]
    if state.is_code_block(first_line) or not state.src.startswith(r"\[", start):
        return False
    last_line = min(last_line, first_line + FORMULA_LINES)
    # Without the indentation and the marks of a list or quotation around it.
    text = state.getLines(first_line, last_line, state.blkIndent, False).lstrip(" ")
    formula = _formula(text, 0, len(text))
    if formula is None or text[len(formula) :].partition("\n")[0].strip():
        return False
    next_line = first_line + formula.count("\n") + 1
    if any(state.sCount[line] < state.blkIndent for line in range(first_line, next_line)):
        return False
    if not silent:
        state.line = next_line
        state.push("paragraph_open", "p", 1)
        state.push("formula", "", 0).content = formula
        state.push("paragraph_close", "p", -1)
    return True


def _render(_renderer: Any, tokens: Any, index: int, _options: Any, env: Any) -> str:
    shown = escape(tokens[index].content)
    left = env.get("formulas")
    if left is not None:
        if left == 0:
            return shown
        env["formulas"] = left - 1
    return f'<span class="{FORMULA_CLASS}">{shown}</span>'
