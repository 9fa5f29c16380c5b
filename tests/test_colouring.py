"""Code in the classes that a notebook's theme colours."""

import time

import pytest

from swsllm_nb.notebook.colouring import (
    CODE_CHARACTERS,
    LANGUAGES,
    _lexer,
    colour_classes,
    coloured,
)
from swsllm_nb.notebook.markdown import clean_html


def colour(code: str, language: str = "python") -> str | None:
    return coloured(code, language, time.monotonic() + 60)


def test_code_is_coloured_by_classes_alone() -> None:
    html = clean_html("```Python title=x\ndef f(): return '<b>'\n```")
    assert html.startswith('<pre class="highlight" style="margin-bottom: 1em"><code>')
    assert '<span class="k">def</span>' in html
    assert "<span class=\"s1\">'&lt;b&gt;'</span>" in html
    assert "color" not in html


@pytest.mark.parametrize("language", ["", "klingon", "matlab", "__class__", "text"])
def test_a_language_that_is_not_listed_is_plain(language: str) -> None:
    html = clean_html(f"```{language}\nif (x)\n```")
    assert html == '<pre style="margin-bottom: 1em"><code>if (x)\n</code></pre>\n'


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_listed_language_is_known_and_its_code_stays_whole(language: str) -> None:
    code = "\n  a = 'b' # c\n\n\tif (x < 1) { y(); }\n\n"
    assert "".join(text for _, text in _lexer(language).get_tokens(code)) == code


def test_a_class_of_our_own_page_is_no_colour() -> None:
    assert {"k", "s1", "c1", "nf"} <= colour_classes()
    assert not any("-" in name or name in {"highlight", "swsllm"} for name in colour_classes())


def test_long_code_ends_plain_and_nothing_of_it_is_lost() -> None:
    code = "x = 1\n" * CODE_CHARACTERS
    html = colour(code) or ""
    assert html.count("<span") > 1_000
    assert html.endswith(code[CODE_CHARACTERS:])


def test_when_the_time_is_over_code_is_plain() -> None:
    assert coloured("x = 1", "python", time.monotonic() - 1) is None


def test_code_that_keeps_a_lexer_busy_ends_plain_in_time() -> None:
    code = "a b " * (CODE_CHARACTERS // 4)
    until = time.monotonic() + 0.2
    html = coloured(code, "java", until) or ""
    assert time.monotonic() < until + 3
    assert html.count("<span") < len(code) / 4
    assert html.rstrip().endswith("a b a b")
