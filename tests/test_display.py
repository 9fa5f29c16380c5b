"""What a student sees under a cell: the answer, cleaned, and what it cost."""

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from traitlets.config import Config

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook import display
from swsllm_nb.notebook.display import LiveAnswer, footnote
from swsllm_nb.notebook.markdown import TAGS, _cleaner, clean_html
from swsllm_nb.wire import Usage

BUDGET = pico_from_usd("5")


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
        assert name in {"href", "title", "rel", "start"}
        if name == "href":
            assert value.startswith(("https://", "http://", "mailto:"))


def test_nothing_that_loads_styles_or_names_itself_is_on_the_list_of_tags() -> None:
    assert not TAGS & {"img", "style", "iframe", "form", "script", "svg", "math", "link", "input"}


def test_what_the_parser_might_ever_let_through_is_dropped_by_the_cleaner() -> None:
    raw = "<p style=x class=y id=z>a</p><img src=x onerror=e><script>s</script><iframe></iframe>"
    assert _cleaner().clean(raw) == "<p>a</p>"


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
    assert "x = '$1'" in html


@pytest.mark.parametrize("formula", [r"\( a_1 *b* c_2 \)", r"\[ \frac{a}{b} \]"])
def test_a_formula_stays_as_it_was_written(formula: str) -> None:
    assert clean_html(f"so {formula} holds") == f"<p>so {formula} holds</p>\n"


def test_an_opened_formula_that_never_ends_is_ordinary_markdown() -> None:
    assert clean_html(r"\( *a*") == "<p>( <em>a</em></p>\n"


def test_the_footnote_says_model_tokens_cost_and_what_is_left() -> None:
    line = footnote(
        "gpt-4o-mini", Usage(312, 88), 99_600_000, "proxy", pico_from_usd("3.91"), BUDGET
    )
    assert line == "gpt-4o-mini · 312 in + 88 out · $0.0001 · $3.91 of $5.00 left"


@pytest.mark.parametrize(
    ("cost_pico", "cost_source", "words"),
    [
        (None, "unknown", "cost unknown"),
        (None, "proxy", "cost unknown"),
        (0, "unknown", "cost unknown"),
        (99_600_000, "computed", "$0.0001 (by the price list)"),
        (99_600_000, "estimated", "about $0.0001"),
        (99_600_000, "replayed", "replayed, was $0.0001"),
        (0, "proxy", "$0.00"),
    ],
)
def test_the_footnote_says_how_the_cost_is_known(
    cost_pico: int | None, cost_source: str, words: str
) -> None:
    assert footnote("m", Usage(1, 2), cost_pico, cost_source) == f"m · 1 in + 2 out · {words}"


def test_without_usage_and_cost_the_footnote_has_no_amount_that_was_spent() -> None:
    line = footnote("m", None, None, "unknown", pico_from_usd("4.5"), BUDGET)
    assert line == "m · cost unknown · $4.50 of $5.00 left"


def test_cached_and_reasoning_tokens_are_named_as_parts() -> None:
    usage = Usage(1312, 88, cached_tokens=1024, reasoning_tokens=64)
    assert "1,312 in (1,024 cached) + 88 out, 64 of them reasoning" in footnote("m", usage, 1)


def test_what_is_left_is_rounded_down_and_told_without_a_budget_too() -> None:
    assert footnote("m", None, None, "unknown", pico_from_usd("3.919")).endswith("$3.91 left")


def test_an_answer_that_was_cut_says_which_option_lifts_the_limit() -> None:
    line = footnote("m", Usage(1, 2), 1, finish_reason="length")
    assert line.endswith("cut at the token limit: raise --max-tokens")
    assert "cut" not in footnote("m", Usage(1, 2), 1, finish_reason="stop")


def test_the_practice_model_is_called_by_its_name() -> None:
    assert footnote("m", Usage(1, 2), 1, practice=True).endswith(" · practice model")


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    """The process's shell: another test's where there is one, else one that leaves no trace."""
    if InteractiveShell.initialized():
        yield InteractiveShell.instance()
        return
    settings = Config()
    settings.HistoryManager.enabled = False
    yield InteractiveShell.instance(
        config=settings, ipython_dir=str(tmp_path_factory.mktemp("ipython"))
    )
    InteractiveShell.clear_instance()


@pytest.fixture
def cell(shell: InteractiveShell) -> Iterator[CapturedIO]:
    with capture_output() as captured:
        yield captured


def bundles(cell: CapturedIO) -> list[dict[str, Any]]:
    return [output._repr_mimebundle_()[0] for output in cell.outputs]


def test_the_first_words_are_shown_at_once_and_then_ten_times_a_second(cell: CapturedIO) -> None:
    clock = Clock()
    live = LiveAnswer(clock)
    text = ""
    for _ in range(200):
        text += "word "
        live.update(text)
        clock.now += 0.005
    assert 9 <= len(cell.outputs) <= 10
    assert bundles(cell)[0]["text/plain"] == "word "


def test_the_same_text_is_not_painted_again(cell: CapturedIO) -> None:
    clock = Clock()
    live = LiveAnswer(clock)
    live.update("done")
    clock.now += 10
    live.update("done")
    assert len(cell.outputs) == 1


def test_text_that_waited_is_painted_when_it_is_offered_again(cell: CapturedIO) -> None:
    clock = Clock()
    live = LiveAnswer(clock)
    live.update("a")
    live.update("ab")
    assert len(cell.outputs) == 1
    clock.now += 1
    live.update("ab")
    assert len(cell.outputs) == 2


def test_slow_repaints_become_rare(cell: CapturedIO, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()

    def takes_half_a_second(markdown: str) -> str:
        clock.now += 0.5
        return markdown

    monkeypatch.setattr(display, "clean_html", takes_half_a_second)
    live = LiveAnswer(clock)
    live.update("a")
    clock.now += 1.9
    live.update("ab")
    assert len(cell.outputs) == 1
    clock.now += 0.2
    live.update("abc")
    assert len(cell.outputs) == 2


def test_nothing_is_painted_before_there_is_a_word(cell: CapturedIO) -> None:
    LiveAnswer().update("")
    assert cell.outputs == []


def test_a_quick_answer_is_painted_once_with_its_footnote(cell: CapturedIO) -> None:
    LiveAnswer().finish("**Hi**", "m · $0.0001")
    (bundle,) = bundles(cell)
    assert set(bundle) == {"text/html", "text/plain"}
    assert "<strong>Hi</strong>" in bundle["text/html"]
    assert bundle["text/plain"] == "**Hi**\nm · $0.0001"


def test_every_repaint_replaces_the_one_display_of_the_cell(cell: CapturedIO) -> None:
    live = LiveAnswer()
    live.update("a")
    live.finish("ab", "m")
    first, last = (output.__dict__ for output in cell.outputs)
    assert first["transient"]["display_id"] == last["transient"]["display_id"]
    assert (first["update"], last["update"]) == (False, True)


def test_dollars_of_answer_and_footnote_are_kept_from_being_a_formula(cell: CapturedIO) -> None:
    LiveAnswer().finish("from $1 to $2", "$0.0001 · $3.91 of $5.00 left")
    html = bundles(cell)[0]["text/html"]
    assert html.startswith('<div class="swsllm mathjax_ignore">')
    assert html.endswith("$0.0001 · $3.91 of $5.00 left</div></div>")


def test_a_hostile_model_name_is_text_in_the_footnote(cell: CapturedIO) -> None:
    LiveAnswer().finish("a", "<script>alert(1)</script>")
    assert "script" not in Elements(bundles(cell)[0]["text/html"]).tags


def test_a_failed_answer_keeps_what_came_and_is_marked(cell: CapturedIO) -> None:
    live = LiveAnswer()
    live.update("half an")
    live.fail("half an answ", "stopped · cost unknown")
    bundle = bundles(cell)[-1]
    assert bundle["text/plain"] == "half an answ\nstopped · cost unknown"
    assert "--jp-error-color1" in bundle["text/html"]


def test_a_call_that_failed_without_a_word_shows_nothing_of_its_own(cell: CapturedIO) -> None:
    LiveAnswer().fail("", "")
    assert cell.outputs == []


def test_escape_sequences_never_reach_a_terminal(cell: CapturedIO) -> None:
    LiveAnswer().finish("a\x1b]52;c;aGk=\x07\x9b2Jb\n\tü", "m\x1b[31m")
    assert bundles(cell)[0]["text/plain"] == "a]52;c;aGk=2Jb\n\tü\nm[31m"


def test_without_ipython_only_what_is_new_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "_shows_html", lambda: False)
    clock = Clock()
    live = LiveAnswer(clock)
    live.update("Hel")
    assert capsys.readouterr().out == "Hel"
    clock.now += 1
    live.update("Hello ")
    assert capsys.readouterr().out == "lo "
    live.finish("Hello you\x1b[2J", "m · $0.0001")
    assert capsys.readouterr().out == "you[2J\nm · $0.0001\n"


@pytest.mark.parametrize("name", ["ZMQInteractiveShell", "InteractiveShell"])
def test_every_shell_but_the_terminals_shows_html(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("IPython.get_ipython", lambda: type(name, (), {})())
    assert display._shows_html()


def test_a_terminal_and_a_script_do_not_show_html(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = type("Embedded", (type("TerminalInteractiveShell", (), {}),), {})
    monkeypatch.setattr("IPython.get_ipython", terminal)
    assert not display._shows_html()
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert not display._shows_html()


def test_importing_the_display_imports_nothing_heavy() -> None:
    heavy = ["openai", "pandas", "matplotlib", "ipywidgets", "httpx2", "nh3", "markdown_it"]
    code = (
        f"import swsllm_nb.notebook.display, sys; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
