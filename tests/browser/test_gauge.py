"""The budget in JupyterLab: a widget that changes by itself, and what a stranger sees of it."""

import nbformat
import pytest
from browser.rig import JupyterServer, open_notebook, write_notebook
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

ATTRIBUTES = "element => element.getAttributeNames().sort()"
CELLS = (
    "%load_ext swsllm_nb\nimport time, swsllm_nb",
    "swsllm_nb.budget().widget()",
    "swsllm_nb.ask('Hello')\ntime.sleep(600)",
    "swsllm_nb.budget()",
)


def test_the_widget_changes_while_another_cell_still_runs_and_is_read_without_a_kernel(
    browser: Browser, lab: JupyterServer
) -> None:
    write_notebook(lab.folder, "budget.ipynb", *CELLS)
    with open_notebook(browser, lab, "budget.ipynb") as notebook:
        notebook.run(0)
        gauge = notebook.run(1).locator(".widget-html")
        expect(gauge).to_contain_text("of $5.00 left")
        before = gauge.inner_text()
        value = gauge.locator("meter").get_attribute("value")
        assert value is not None
        notebook.start(2)
        expect(gauge).not_to_contain_text(before.splitlines()[1])
        expect(gauge.locator("meter")).not_to_have_attribute("value", value)
        expect(gauge).to_contain_text("of $5.00 left")
        notebook.stop()
        notebook.wait_until_idle()
        shown = notebook.run(3).locator(".swsllm")
        expect(shown).to_contain_text("of $5.00 left")
        after = shown.inner_text()
        assert after == gauge.inner_text()
        attributes = shown.locator("meter").evaluate(ATTRIBUTES)
        saved = notebook.saved()
    # Any change makes it a notebook that this server did not sign.
    saved.metadata["from"] = "somebody else"
    nbformat.write(saved, lab.folder / "theirs.ipynb")
    with open_notebook(browser, lab, "theirs.ipynb") as theirs:
        for cell, text in ((1, before), (3, after)):
            expect(theirs.output(cell).locator(".swsllm")).to_have_text(text, use_inner_text=True)
            meter = theirs.output(cell).locator("meter")
            assert meter.evaluate(ATTRIBUTES) == attributes
        assert theirs.page.get_by_text("Error displaying").count() == 0
        assert theirs.foreign == []
