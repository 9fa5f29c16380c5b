"""What a model writes, as HTML that is safe to show."""

import time
from html.parser import HTMLParser

import pytest

from swsllm_nb.notebook.colouring import colour_classes
from swsllm_nb.notebook.formulas import FORMULA_CLASS
from swsllm_nb.notebook.markdown import (
    ALIGNMENTS,
    CODE_STYLE,
    MARKDOWN_CHARACTERS,
    TAGS,
    _cleaner,
    clean_html,
    printable,
)


class Elements(HTMLParser):
    """The elements of a fragment as a browser would open them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](https://evil.example/p.png)",
    "![x](x 'a\" onerror=\"alert(1)')",
    "<iframe src=https://evil.example></iframe>",
    "<style>body{display:none}</style>",
    "<form action=https://evil.example><input name=key></form>",
    "<svg/onload=alert(1)>",
    "<a href='javascript:alert(1)' onclick=alert(1)>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](file:///etc/passwd)",
    "[x](//evil.example)",
    "[x](/hub/logout)",
    "[x][y]\n\n[y]: javascript:alert(1)",
    '<https://a.example/"onmouseover=alert(1)>',
    "```html onload=alert(1) class=jp-x\n</code></pre><script>alert(1)</script>\n```",
    "| <script>alert(1)</script> | b |\n|:-:|--|\n| <b style=x> | ![](https://evil.example) |",
    "<!-- --><script>alert(1)</script>",
    "</div></div><script>alert(1)</script>",
    r"\(<img src=x onerror=alert(1)>\)",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("markdown", HOSTILE)
def test_a_hostile_answer_becomes_text_and_harmless_links(markdown: str) -> None:
    elements = Elements(clean_html(markdown))
    assert set(elements.tags) <= TAGS
    for name, value in elements.attributes:
        assert name in {"href", "title", "rel", "start", "class", "style"}
        if name == "href":
            assert value.startswith(("https://", "http://", "mailto:"))
        if name == "style":
            assert value in ALIGNMENTS | {CODE_STYLE}
        if name == "class":
            assert value in {"highlight", FORMULA_CLASS, *colour_classes()}


def test_nothing_that_loads_styles_or_names_itself_is_on_the_list_of_tags() -> None:
    assert not TAGS & {"img", "style", "iframe", "form", "script", "svg", "math", "link", "input"}


def test_what_the_parser_might_ever_let_through_is_dropped_by_the_cleaner() -> None:
    raw = "<p style=x class=y id=z>a</p><img src=x onerror=e><script>s</script><iframe></iframe>"
    assert _cleaner().clean(raw) == "<p>a</p>"
    raw = "<span class='jp-Button k'>a</span><pre class=k style='position:fixed'>b</pre>"
    assert _cleaner().clean(raw) == "<span>a</span><pre>b</pre>"


def test_raw_html_is_shown_as_it_was_written() -> None:
    assert "&lt;b&gt;bold&lt;/b&gt;" in clean_html("<b>bold</b>")


def test_links_tell_the_other_side_nothing() -> None:
    html = clean_html("[x](https://a.example)")
    assert 'rel="noopener noreferrer nofollow"' in html


def test_an_image_is_offered_as_a_link() -> None:
    html = clean_html("![a cat](https://a.example/cat.png)")
    assert '<a href="https://a.example/cat.png"' in html
    assert ">a cat</a>" in html


def test_lists_tables_code_and_deletions_are_rendered() -> None:
    html = clean_html("4. four\n\n|a|b|\n|-|-|\n|1|~~2~~|\n\n```python\nx = '$1'\n```")
    assert {"ol", "table", "s", "pre", "code"} <= set(Elements(html).tags)
    assert 'start="4"' in html
    assert "<span class=\"s1\">'$1'</span>" in html


def test_columns_of_a_table_are_aligned_as_they_were_written() -> None:
    html = clean_html("|a|b|\n|:-|-:|\n|1|2|")
    assert '<td style="text-align:left">1</td>' in html
    assert '<td style="text-align:right">2</td>' in html


def test_what_steers_a_terminal_or_turns_a_text_around_is_left_out() -> None:
    assert printable("a\x1b[31m\x9b\rb\u202ec\u2066d\ufeff\n\te\x00") == "a[31mbcd\n\te"
    assert clean_html("a\x1b[31m\u202eb") == "<p>a[31mb</p>\n"


def test_half_a_character_can_be_shown_and_sent() -> None:
    assert printable("a\ud800").encode() == "a\ufffd".encode()
    assert clean_html("a\ud800") == "<p>a\ufffd</p>\n"


LONG = 1_000_000
HEAVY = {
    "10,000 quotations in one another": ">" * 10_000 + " The end.",
    "lists in one another": "\n".join("  " * depth + "- a" for depth in range(300)),
    "a line of 1 MB": "word " * (LONG // 5),
    "one word of 1 MB": "a" * LONG,
    "open brackets": "[" * LONG,
    "open emphasis": "*a **b " * (LONG // 7),
    "emphasis in itself": "*" * 50_000 + "x" + "*" * 50_000,
    "formulas that never end": r"\(" * (LONG // 2),
    "formulas whose braces never close": r"\({\)" * (LONG // 5),
    "formulas over lines that never end": "\\[\n" * (LONG // 3),
    "a table of empty rows": "|a" * 100 + "\n" + "|-" * 100 + "\n" + "|\n" * (LONG // 2),
    "references": "[a]: b\n" * (LONG // 7),
    "code without end": "```python\n" + "x = (" * (LONG // 5),
    "much code": "```java\na b a b\n```\n" * (LONG // 20),
    "escape sequences": "\x1b[31m" * (LONG // 5),
}
SECONDS = 15
"""On a slow and busy machine; one second is usual, and a repaint waits for four times as long."""


@pytest.mark.parametrize("name", HEAVY)
def test_text_that_was_written_to_keep_a_program_busy_is_shown_all_the_same(name: str) -> None:
    started_at = time.process_time()
    html = clean_html(HEAVY[name])
    assert time.process_time() - started_at < SECONDS
    assert len(html) < 5 * LONG


def test_what_comes_after_very_many_characters_is_plain_text() -> None:
    html = clean_html("**a** " * 20_000)
    assert html.count("<strong>") == -(-MARKDOWN_CHARACTERS // 6)
    assert html.count("<strong>") + html.count("**a**") == 20_000


@pytest.mark.parametrize("depth", [10, 40])
def test_nothing_is_left_out_of_lists_and_quotations_in_one_another(depth: int) -> None:
    assert "The end." in clean_html(">" * depth + " The end.")
    assert "The end." in clean_html("- " * depth + "The end.")
