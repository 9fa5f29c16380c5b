"""``%llm statement``: the recorded use of a model, to hand in."""

from pathlib import Path

import pytest
from cells import KEY, Cell
from fake_openai import FakeOpenAI, Scripted, error
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy

import swsllm_nb
from swsllm_nb.notebook.errors import LLMError


@pytest.fixture
def in_week_3(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ana/week 3.ipynb")


@pytest.mark.usefixtures("in_week_3")
def test_the_statement_counts_what_the_proxy_charged_and_ends_with_the_prompts(
    practice_proxy: RunningProxy, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("statement").key)
    Cell(shell, "%%llm --max-tokens 9\nWhat is a token?").result.raise_error()
    Cell(shell, "%%llm --max-tokens 9 -m gpt-4o\nAnd a model?").result.raise_error()
    text = Cell(shell, "%llm statement").last_output["text/plain"]
    from swsllm_nb.money import show_cost

    charged = sum(row["amount_pico"] for row in practice_proxy.calls("statement"))
    log = swsllm_nb.log()
    tokens = int(log["prompt_tokens"].sum() + log["completion_tokens"].sum())
    assert f"| together | 2 | {tokens} | {show_cost(charged)} |" in text
    assert "the notebook week 3.ipynb, and about recorded activity only" in text
    assert f"Recorded on {log['at'].min().date()} (UTC)." in text
    appendix = text.partition("## Appendix")[2]
    assert "What is a token?" in appendix
    assert "And a model?" in appendix


@pytest.mark.usefixtures("in_week_3")
def test_a_prompt_cannot_bring_its_own_page_and_holds_no_key(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    another_key = KEY.replace("marked", "another")
    prompt = f"<script>alert(1)</script>\n```\n# Heading\n````\n# Heading\n{another_key}"
    Cell(shell, f"%%llm --raw\n{prompt}").result.raise_error()
    output = Cell(shell, "%llm statement").last_output
    html, text = output["text/html"], output["text/plain"]
    assert html.startswith('<div class="mathjax_ignore">')
    assert "<script>" not in html
    assert html.count("<h1>") == 1
    assert "&lt;script&gt;" in html
    assert another_key not in html + text


@pytest.mark.usefixtures("in_week_3")
def test_what_was_refused_and_what_cost_is_unknown_are_called_so(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.answers += [Scripted(status=401, body=error("No.", "invalid_api_key"))]
    Cell(shell, "%%llm\nHi")
    Cell(shell, "%%llm -m llama\nHi").result.raise_error()
    text = Cell(shell, "%llm statement").last_output["text/plain"]
    assert "| llama | 1 | 18 | unknown |" in text
    assert "1 further call was refused" in text


def test_another_notebooks_calls_are_not_in_it(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        monkeypatch.setenv("JPY_SESSION_NAME", f"/home/ana/{name}.ipynb")
        Cell(shell, f"%%llm\nQuestion {name}").result.raise_error()
    text = Cell(shell, "%llm statement").last_output["text/plain"]
    assert "Question two" in text
    assert "Question one" not in text


@pytest.mark.usefixtures("in_week_3")
def test_it_is_written_to_a_file_and_replaces_only_a_statement(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert Cell(shell, "%llm statement --out ai.md").shown.strip() == "Written: ai.md."
    again = Cell(shell, "%llm statement --out ai.md").shown
    assert "in place of the earlier statement" in again
    assert Path("ai.md").read_text("utf-8").count("# Use of language models") == 1
    Path("thesis.md").write_text("Years of work", "utf-8")
    cell = Cell(shell, "%llm statement --out thesis.md")
    assert isinstance(cell.error, LLMError)
    assert Path("thesis.md").read_text("utf-8") == "Years of work"
    cell = Cell(shell, "%llm statement --out nowhere/ai.md")
    assert isinstance(cell.error, LLMError)
    assert "Traceback" not in cell.shown


def test_without_a_call_it_says_so_in_german_too(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    text = Cell(shell, "%llm statement").last_output["text/plain"]
    assert "nur um aufgezeichnete Aktivität" in text
    assert "Es ist kein Aufruf aufgezeichnet." in text
