"""An answer in JupyterLab and in Notebook 7: while it comes, stopped by hand, and complete."""

import re
from collections.abc import Iterator

import pytest
from browser.rig import FrontEnd, JupyterServer, NotebookPage, open_notebook, write_notebook
from fake_openai import FakeOpenAI, Scripted
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

COST = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}
ANSWER = r"""
It costs from $1 to $2, so \(p_1 < \frac{1}{2}\) holds, and `\(c\)` is code.

\[
\begin{aligned}
a &= b \\
- c &= d
\end{aligned}
\]

```python
def price() -> str:
    return "$3 and $4"  # \(d\)
```

<script>window.attacked = 1</script><img src="http://evil.example/x" onerror="window.attacked = 2">
[a link](javascript:window.attacked=3) \(\href{javascript:window.attacked=4}{x}\)
"""
CONNECT = """
%load_ext swsllm_nb
import swsllm_nb
swsllm_nb.client(base_url={base_url!r}, api_key='sws-browser-key-1');
""".strip()
CELLS = (
    CONNECT,
    "%%llm\nCount.",
    "%%llm\nWhat does it cost?",
)


@pytest.fixture(scope="module", params=["lab", "notebook"])
def front_end(
    request: pytest.FixtureRequest, browser: Browser, lab: JupyterServer, upstream: FakeOpenAI
) -> Iterator[NotebookPage]:
    kind: FrontEnd = request.param
    name = f"in_{kind}.ipynb"
    write_notebook(lab.folder, name, *(cell.format(base_url=upstream.base_url) for cell in CELLS))
    with open_notebook(browser, lab, name, kind) as opened:
        opened.run(0)
        yield opened


def test_an_answer_is_seen_before_its_end_and_kept_when_it_is_stopped(
    front_end: NotebookPage, upstream: FakeOpenAI
) -> None:
    upstream.client_left.clear()
    upstream.answers.append(Scripted(chunks=("One ", "**two** ", "three"), hang="before usage"))
    output = front_end.start(1)
    expect(output.locator("strong")).to_have_text("two")
    assert output.locator(".swsllm-footnote").count() == 0
    front_end.stop()
    expect(output.locator(".swsllm-footnote")).to_contain_text("incomplete", timeout=2_000)
    expect(output).to_contain_text("Interrupted: ")
    assert output.inner_text().count("One two three") == 1
    assert "Traceback" not in output.inner_text()
    assert upstream.client_left.wait(10), "the server was not told"
    answer, error = front_end.saved().cells[1].outputs
    assert answer.data["text/plain"].startswith("One **two** three\nincomplete · ")
    assert error.output_type == "error"


def test_an_answer_has_formulas_dollars_colours_and_nothing_that_runs(
    front_end: NotebookPage, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(Scripted(text=ANSWER, cost=COST))
    output = front_end.run(2)
    formulas = output.locator("mjx-container")
    expect(formulas).to_have_count(2)
    expect(formulas.nth(1)).to_have_attribute("display", "true")
    shown = output.locator(".swsllm").inner_text()
    for kept in ("It costs from $1 to $2, so", r"\(c\) is code", '"$3 and $4"', r"\(d\)"):
        assert kept in shown
    assert re.search(r"in \+ \d+ out · \$0\.0001 · \$3\.91 of \$5\.00 left", shown)
    word, function = output.locator(".highlight .k"), output.locator(".highlight code")
    colours = [each.first.evaluate("e => getComputedStyle(e).color") for each in (word, function)]
    assert colours[0] != colours[1]
    assert output.locator("script, img, a[href^=javascript]").count() == 0
    assert front_end.page.evaluate("() => window.attacked ?? null") is None
    assert front_end.foreign == []
    (saved,) = front_end.saved().cells[2].outputs
    assert set(saved.data) == {"text/html", "text/plain"}
