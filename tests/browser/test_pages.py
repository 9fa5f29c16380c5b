"""What JupyterLab makes of our outputs, in a real browser."""

import json
import re
import shutil
from collections.abc import Iterator

import pytest
from browser.rig import REPOSITORY, JupyterServer, NotebookPage, open_notebook, write_notebook
from playwright.sync_api import Browser, Locator, expect

from swsllm_nb.notebook.markdown import DOLLARS_CLASS, clean_html

pytestmark = pytest.mark.browser

FOOTNOTE = "gpt-4o-mini · 312 in + 88 out · $0.0001 · $3.91 of $5.00 left"

HOSTILE = r"""
<script>window.attacked = 'script'</script>
<img src=x onerror="window.attacked = 'onerror'">
<svg onload="window.attacked = 'svg'"></svg>

![pixel](http://evil.example/pixel.png) <img src="http://evil.example/image.png">

[a link](javascript:window.attacked='link') <a href="javascript:window.attacked='anchor'">x</a>
[a page of the server](/hub/logout) [another scheme](data:text/html,x)

<iframe src="http://evil.example/frame"></iframe>
<form action="http://evil.example/form"><input name="key"><button>Send</button></form>

<style>body { background: url(http://evil.example/style.png) }</style>
<link rel="stylesheet" href="http://evil.example/sheet.css">

\(\href{javascript:window.attacked='maths'}{x}\)
\(\text{<img src=x onerror="window.attacked = 'text'">}\)
$\href{javascript:window.attacked='tex'}{x}$

| a <script>window.attacked = 'table'</script> | b |
|:--|--:|
| <b onmouseover="window.attacked = 'mouse'">c</b> | ![](http://evil.example/cell.png) |

The end.
"""

SHOW = """
from swsllm_nb.notebook.display import LiveAnswer
live = LiveAnswer()
live.update({text!r})
live.finish({text!r}, {footnote!r})
"""
MATHS = "from IPython.display import HTML, display\ndisplay(HTML('<p>$x^2$ and done</p>'))"


def showing(text: str, footnote: str = FOOTNOTE) -> str:
    return SHOW.format(text=text, footnote=footnote).strip()


@pytest.fixture
def notebook(
    request: pytest.FixtureRequest, browser: Browser, lab: JupyterServer
) -> Iterator[NotebookPage]:
    """A notebook of the cells that the test names."""
    name = f"{request.node.originalname}.ipynb"
    write_notebook(lab.folder, name, *request.param)
    with open_notebook(browser, lab, name) as opened:
        yield opened


def cells(*sources: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("notebook", [sources], indirect=True, ids=["page"])


def attacked(notebook: NotebookPage) -> str | None:
    return notebook.page.evaluate("() => window.attacked ?? null")


def assert_harmless(notebook: NotebookPage, output: Locator) -> None:
    expect(output).to_contain_text("The end.")
    for link in output.locator("a[href]").all():
        assert str(link.get_attribute("href")).startswith(("https:", "http:", "mailto:"))
    live = "script, img, svg, iframe, style, link, form, input, button, mjx-container a"
    assert output.locator(".swsllm").locator(live).count() == 0
    assert attacked(notebook) is None
    assert notebook.foreign == []


@cells(showing(HOSTILE), MATHS)
def test_a_hostile_answer_runs_nothing_and_loads_nothing_then_or_after_a_reload(
    notebook: NotebookPage,
) -> None:
    output = notebook.run(0)
    # When this has become a formula, ours would have become one too.
    expect(notebook.run(1).locator("mjx-container")).to_be_visible()
    assert_harmless(notebook, output)
    notebook.saved()
    notebook.reload()
    expect(notebook.output(1).locator("mjx-container")).to_be_visible()
    assert_harmless(notebook, notebook.output(0))


@cells(f"from IPython.display import Markdown, display\ndisplay(Markdown({HOSTILE!r}))")
def test_the_same_answer_shown_as_markdown_would_run_and_load(notebook: NotebookPage) -> None:
    notebook.run(0)
    notebook.page.wait_for_function("() => window.attacked !== undefined")
    expect(notebook.output(0)).to_contain_text("The end.")
    assert notebook.foreign != []


@cells(showing("It costs from $1 to $2, or `$3`. Not `\\(a_1\\)`."), MATHS)
def test_dollars_stay_dollars_in_answer_and_footnote(notebook: NotebookPage) -> None:
    output = notebook.run(0)
    expect(notebook.run(1).locator("mjx-container")).to_be_visible()
    shown = output.locator(".swsllm").inner_text()
    assert shown.split() == f"It costs from $1 to $2, or $3. Not \\(a_1\\). {FOOTNOTE}".split()


@cells(showing("An answer."))
def test_what_is_saved_is_one_output_with_answer_and_footnote(notebook: NotebookPage) -> None:
    notebook.run(0)
    (output,) = notebook.saved().cells[0].outputs
    assert set(output.data) == {"text/html", "text/plain"}
    assert output.data["text/plain"] == f"An answer.\n{FOOTNOTE}"
    assert FOOTNOTE in output.data["text/html"]


def test_somebody_elses_notebook_shows_answer_and_footnote_without_being_run(
    browser: Browser, lab: JupyterServer
) -> None:
    shown = clean_html("From $1 to $2, \\(a\\).\n\n```python\nfor\n```")
    html = f'<div class="swsllm {DOLLARS_CLASS}">{shown}<div>{FOOTNOTE}</div></div>'
    cell = {"cell_type": "code", "source": "", "metadata": {}, "execution_count": 1, "id": "a"}
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": html}}
    maths = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p>$x$</p>"}}
    document = {
        "cells": [cell | {"outputs": [output, maths]}],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (lab.folder / "foreign.ipynb").write_text(json.dumps(document))
    with open_notebook(browser, lab, "foreign.ipynb") as notebook:
        expect(notebook.output(0).locator("mjx-container")).to_have_count(2)
        shown = notebook.output(0).locator(".swsllm").inner_text()
        assert shown.startswith("From $1 to $2, ")
        assert shown.endswith(FOOTNOTE)
        expect(notebook.output(0).locator(".highlight .k")).to_have_text("for")


LAYERS = """element => {
    const layers = [getComputedStyle(element).color];
    for (let at = element; at; at = at.parentElement)
        layers.push(getComputedStyle(at).backgroundColor);
    return layers;
}"""


def contrast(footnote: Locator) -> float:
    """The contrast ratio of WCAG 2 of a text, transparent layers laid over one another."""
    layers = [_rgba(layer) for layer in footnote.evaluate(LAYERS)]
    background = (255.0, 255.0, 255.0)
    for layer in reversed(layers[1:]):
        background = _over(layer, background)
    lights = sorted(map(_luminance, (background, _over(layers[0], background))))
    return (lights[1] + 0.05) / (lights[0] + 0.05)


def _rgba(colour: str) -> tuple[float, ...]:
    assert colour.startswith("rgb"), colour
    parts = [float(part) for part in re.findall(r"[\d.]+", colour)]
    return (*parts[:3], parts[3] if len(parts) > 3 else 1.0)


def _over(layer: tuple[float, ...], below: tuple[float, ...]) -> tuple[float, ...]:
    alpha = layer[3]
    return tuple(alpha * up + (1 - alpha) * low for up, low in zip(layer[:3], below, strict=True))


def _luminance(rgb: tuple[float, ...]) -> float:
    parts = [part / 255 for part in rgb]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cells(showing("An answer."))
def test_the_footnote_can_be_read_in_every_theme(notebook: NotebookPage) -> None:
    footnote = notebook.run(0).locator(".swsllm-footnote")
    ratios = {}
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        notebook.use_theme(theme)
        ratios[theme] = contrast(footnote)
    assert min(ratios.values()) >= 4.5, ratios
    assert ratios["JupyterLab Light"] != ratios["JupyterLab Dark"]


def test_the_first_notebook_runs_to_its_end(
    browser: Browser, lab: JupyterServer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name = "00_start_here.ipynb"
    shutil.copy(REPOSITORY / "notebooks" / "student" / name, lab.folder)
    with open_notebook(browser, lab, name) as notebook:
        notebook.run_all()
        codes = [cell for cell in notebook.saved().cells if cell.cell_type == "code"]
        outputs = {cell.id: cell.outputs for cell in codes}
        errors = [one for some in outputs.values() for one in some if one.output_type == "error"]
        assert errors == []
        assert all(cell.execution_count for cell in codes)
        footnote = notebook.page.locator(".swsllm-footnote").first.inner_text()
        assert re.search(r"\d+ in \+ \d+ out · \$0\.\d+ · \$4\.\d+ of \$5\.00 left", footnote)
        assert "image/png" in outputs["picture"][0].data
        assert notebook.foreign == []
        picture = tmp_path_factory.getbasetemp() / "start_here.png"
        notebook.page.screenshot(path=picture)
