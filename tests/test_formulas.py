"""Which brackets of an answer become a formula."""

import pytest

from swsllm_nb.notebook.formulas import FORMULA_CLASS
from swsllm_nb.notebook.markdown import clean_html

A_FORMULA = r"\(a\)"


def formula(text: str) -> str:
    return f'<span class="{FORMULA_CLASS}">{text}</span>'


@pytest.mark.parametrize("text", [r"\( a_1 *b* c_2 \)", r"\[ \frac{a}{b} \]", r"\(\text{\}}\)"])
def test_a_formula_stays_as_it_was_written(text: str) -> None:
    assert clean_html(f"so {text} holds") == f"<p>so {formula(text)} holds</p>\n"


def test_a_formula_in_markup_is_one_too() -> None:
    html = clean_html(r"**so \(a\)**")
    assert html == f"<p><strong>so {formula(A_FORMULA)}</strong></p>\n"


LINES = "\\[\n\\begin{aligned}\na &= b \\\\\n- c &= d\n# e\n\n> f\n\\end{aligned}\n\\]"


@pytest.mark.parametrize(
    ("before", "indent"),
    [("", ""), ("Text\n", ""), ("1. one\n\n   ", "   "), ("> ", "> "), ("- - ", "    ")],
    ids=["alone", "after text", "in a list", "quoted", "in a list of a list"],
)
def test_a_formula_of_many_lines_is_one_whatever_its_lines_look_like(
    before: str, indent: str
) -> None:
    html = clean_html(before + LINES.replace("\n", f"\n{indent}") + f"\n\n{indent}*after*")
    assert formula(LINES.replace("&", "&amp;").replace(">", "&gt;")) in html
    assert "<em>after</em>" in html


def test_text_after_a_formula_in_its_line_stays_in_the_line() -> None:
    html = clean_html(A_FORMULA + " and *b*")
    assert html == f"<p>{formula(A_FORMULA)} and <em>b</em></p>\n"
    html = clean_html(r"\[ a \] and *b*")
    assert html.endswith("</span> and <em>b</em></p>\n")


@pytest.mark.parametrize(
    "text",
    ["`\\(a\\)`", "```\n\\(a\\)\n\\[\nb\n\\]\n```", "    \\[ a \\]", r"\\(a\\)", r"\( a", "\\["],
)
def test_code_and_what_never_ends_is_no_formula(text: str) -> None:
    assert FORMULA_CLASS not in clean_html(text)


def test_an_opened_formula_that_never_ends_is_ordinary_markdown() -> None:
    assert clean_html(r"\( *a*") == "<p>( <em>a</em></p>\n"


def test_a_formula_that_is_left_by_its_list_is_none() -> None:
    assert FORMULA_CLASS not in clean_html("- \\[\n\nThe list is over. \\]")


@pytest.mark.parametrize(
    "text",
    [
        r"\(\href{javascript:alert(1)}{x}\)",
        r"\(\style{background:url(http://evil.example)}{x}\)",
        r"\[\require{html}\]",
        r"\(\def\frac{\alpha}\)",
        r"\(\let\x\y\)",
        r"\(\csname href\endcsname{a}{b}\)",
    ],
)
def test_a_formula_that_links_loads_or_redefines_is_shown_as_text(text: str) -> None:
    assert FORMULA_CLASS not in clean_html(text)


def test_what_the_page_would_not_take_for_one_formula_cannot_make_dollars_one() -> None:
    # MathJax looks for the end outside braces; not finding it, it would look for the dollars.
    assert FORMULA_CLASS not in clean_html(r"\( { \) costs $1 or $2")
