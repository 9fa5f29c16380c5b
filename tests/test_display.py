"""How an answer is painted while it comes, and what stands there in the end."""

import io
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import CapturedIO, capture_output
from nbconvert import HTMLExporter
from test_markdown import Elements
from traitlets.config import Config

from swsllm_nb.notebook import display
from swsllm_nb.notebook.display import LiveAnswer


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

    def takes_half_a_second(markdown: str, *, formulas: int | None) -> str:
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


def test_long_answers_are_painted_less_often_the_longer_they_are(cell: CapturedIO) -> None:
    clock = Clock()
    live = LiveAnswer(clock)
    text = ""
    for _ in range(2_000):
        text += "ten bytes "
        live.update(text)
        clock.now += 0.005
    paints = [len(bundle["text/html"]) for bundle in bundles(cell)]
    assert sum(paints) < 0.05 * sum(10 * (number + 1) + 100 for number in range(2_000))
    assert 40 < len(paints) < 85


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
    assert html.startswith('<div class="swsllm mathjax_ignore tex2jax_ignore">')
    assert html.endswith("$0.0001 · $3.91 of $5.00 left</div></div>")


def test_what_is_saved_can_be_read_in_a_page_that_nbconvert_writes(cell: CapturedIO) -> None:
    LiveAnswer().finish("From $1 to $2, \\(a\\).\n\n```python\nfor\n```", "$3.91 left")
    output = nbformat.v4.new_output("display_data", bundles(cell)[0])
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output])])
    page, _ = HTMLExporter().from_notebook_node(notebook)
    assert bundles(cell)[0]["text/html"] in page
    assert ".highlight .k" in page


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
    monkeypatch.setattr(display, "shows_html", lambda: False)
    clock = Clock()
    live = LiveAnswer(clock)
    live.update("Hel")
    assert capsys.readouterr().out == "Hel"
    clock.now += 1
    live.update("Hello ")
    assert capsys.readouterr().out == "lo "
    live.finish("Hello you\x1b[2J", "m · $0.0001")
    assert capsys.readouterr().out == "you[2J\nm · $0.0001\n"


def test_a_terminal_that_lacks_a_character_shows_a_question_mark(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(display, "shows_html", lambda: False)
    screen = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr("sys.stdout", screen)
    LiveAnswer().finish("a → ü 😀", "m · $0.0001")
    assert screen.buffer.getvalue().decode("latin-1") == "a ? ü ?\nm · $0.0001\n"


@pytest.mark.parametrize("name", ["ZMQInteractiveShell", "InteractiveShell"])
def test_every_shell_but_the_terminals_own_shows_html(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("IPython.get_ipython", lambda: type(name, (), {})())
    assert display.shows_html()


def test_a_terminal_and_a_script_do_not_show_html(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = type("Embedded", (type("TerminalInteractiveShell", (), {}),), {})
    monkeypatch.setattr("IPython.get_ipython", terminal)
    assert not display.shows_html()
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    assert not display.shows_html()


def test_importing_the_display_imports_nothing_heavy() -> None:
    heavy = [
        "openai",
        "pandas",
        "matplotlib",
        "ipywidgets",
        "httpx2",
        "nh3",
        "markdown_it",
        "pygments",
    ]
    code = (
        f"import swsllm_nb.notebook.display, sys; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
