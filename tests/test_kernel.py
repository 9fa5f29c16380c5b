"""Everything a notebook can do, as a saved notebook in a real kernel, on the real proxy."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fake_openai import FakeOpenAI, Scripted
from nbclient import NotebookClient
from proxies import RunningProxy

CELLS = {
    "load": "%load_ext swsllm_nb",
    "ask": "%%llm -o first\nWhy is the sky blue?",
    "value": "print(first.text, first.usage, first.cost_usd, first.model, first.finish_reason)",
    "options": '# A comment above.\n%%llm -m gpt-4o -s "Be brief." -t 0 --max-tokens 20\nHi',
    "frame": "import pandas as pd\nframe = pd.DataFrame({'n': range(100)})",
    "placeholder": "%%llm\nSum up: {{ frame }} but not {n} or $3",
    "chat": "%%llm --chat talk\nMy name is Ada.",
    "chat again": "%%llm --chat talk\nWhat is my name?",
    "context": "%llm context",
    "several": "%%llm -m gpt-4o-mini,o3-mini\nWho are you?",
    "estimate": "%%llm --estimate\nHi",
    "function": 'import swsllm_nb\nswsllm_nb.ask("As a function?", exercise="ex1")',
    "client": (
        "client = swsllm_nb.client()\n"
        'asked = dict(model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}])\n'
        "print(client.chat.completions.create(**asked).choices[0].message.content)"
    ),
    "refused": "%%llm -m o3-mini -t 0\nHi",
    "unknown name": "%%llm\nSum up {{ fram }}",
    "log": "swsllm_nb.log()[['source', 'exercise', 'status', 'cost_source']]",
    "status": "%llm",
    "burn down": "swsllm_nb.burn_down()",
}
FAILING = {"refused": "instead is --reasoning-effort", "unknown name": "Did you mean frame?"}
CALLS = 9


@pytest.fixture(scope="module")
def executed(
    proxy: RunningProxy, upstream: FakeOpenAI, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The cells of a notebook as they were saved after a run, by their names."""
    upstream.default = Scripted(text="An **answer** with $3.91 and $5.00.")
    key = proxy.add_account("kernel", "5.00").key
    folder: Path = tmp_path_factory.mktemp("kernel")
    (folder / ".env").write_text(f"SWSLLM_BASE_URL={proxy.base_url}\nSWSLLM_API_KEY={key}\n")
    notebook: Any = nbformat.v4.new_notebook()
    for name, source in CELLS.items():
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata.tags = ["raises-exception"] if name in FAILING else []
        notebook.cells.append(cell)
    client = NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    )
    # The tests themselves draw without a screen.
    inline = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    client.execute(env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])} | inline)
    nbformat.write(notebook, folder / "saved.ipynb")
    saved: Any = nbformat.read(folder / "saved.ipynb", as_version=4)
    assert key not in (folder / "saved.ipynb").read_text()
    return dict(zip(CELLS, saved.cells, strict=True))


def shown(cell: Any) -> str:
    return "\n".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
        for output in cell.outputs
    )


def test_no_cell_fails_but_those_that_should_and_these_in_one_sentence(
    executed: dict[str, Any],
) -> None:
    for name, cell in executed.items():
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if name in FAILING:
            (error,) = errors
            assert FAILING[name] in error.evalue
            assert len(error.traceback) == 1
            assert "Traceback" not in error.traceback[0]
        else:
            assert errors == []


def test_an_answer_is_saved_once_with_its_footnote_as_html_and_as_text(
    executed: dict[str, Any],
) -> None:
    for name in ("ask", "options", "chat", "chat again", "function"):
        (output,) = executed[name].outputs
        assert "<strong>answer</strong>" in output.data["text/html"]
        assert "$3.91 and $5.00." in output.data["text/plain"]
        assert "of $5.00 left" in output.data["text/plain"]


def test_what_is_not_an_answer_says_what_it_is(executed: dict[str, Any]) -> None:
    expected = {
        "value": "An **answer** with $3.91 and $5.00.",
        "placeholder": "{{ frame }}: the first 10 of 100 rows",
        "context": "My name is Ada.",
        "several": "o3-mini",
        "estimate": "at most $",
        "client": "An **answer**",
        "log": "proxy",
        "status": "of $5.00 left",
    }
    for name, text in expected.items():
        assert text in shown(executed[name]), name


def test_a_picture_has_its_sentence_below_it(executed: dict[str, Any]) -> None:
    outputs = executed["burn down"].outputs
    (picture,) = (n for n, each in enumerate(outputs) if "image/png" in each.get("data", {}))
    (said,) = (n for n, each in enumerate(outputs) if each.output_type == "stream")
    assert picture < said
    assert "calls in the proxy's ledger" in outputs[said].text


def test_every_call_of_the_notebook_is_in_the_ledger_and_nothing_else(
    executed: dict[str, Any], proxy: RunningProxy
) -> None:
    del executed
    calls = proxy.calls("kernel")
    assert len(calls) == CALLS
    assert {call["state"] for call in calls} == {"settled"}
