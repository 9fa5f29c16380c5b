"""``%llm models``: the proxy's own list, else the packaged one, and which of the two."""

from datetime import UTC, datetime, timedelta

import pytest
from cells import KEY, Cell
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy

import swsllm_nb


def rows(shown: str) -> list[str]:
    return [line for line in shown.splitlines() if line.startswith(("▶", "gpt", "o3", "llama"))]


def day(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days)).isoformat()


@pytest.fixture
def at_the_proxy(practice_proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch) -> RunningProxy:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("models").key)
    return practice_proxy


@pytest.mark.usefixtures("at_the_proxy")
def test_the_table_has_the_prices_and_dates_of_the_proxy_and_dollars_stay_dollars(
    at_the_proxy: RunningProxy, shell: InteractiveShell
) -> None:
    cell = Cell(shell, "%llm models")
    cell.result.raise_error()
    assert len(cell.outputs) == 1
    html, text = cell.last_output["text/html"], cell.last_output["text/plain"]
    assert html.startswith('<div class="mathjax_ignore">')
    told = {row["id"]: row for row in at_the_proxy.get("/models")["data"]}
    mini = told["gpt-4o-mini-2024-07-18"]
    (line,) = [line for line in rows(text) if "gpt-4o-mini-2024" in line]
    assert f"${mini['input_usd_per_million']}" in line
    assert f"${mini['output_usd_per_million']}" in line
    assert "128,000" in line
    assert "16,384" in line
    assert f"{mini['shutdown_date']}" in line
    assert "gpt-6-luna" in line
    assert "asked by default" in line
    assert f"{at_the_proxy.base_url} says so." in text
    assert all(model["id"] in html for model in told.values())


def test_a_server_that_tells_no_prices_gets_those_of_the_package_and_it_says_so(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.pages["/models"] = {"data": [{"id": "llama-4<b>"}, {"id": "gpt-4o"}]}
    text = Cell(shell, "%llm models").last_output["text/plain"]
    known, unknown = rows(text)
    assert "$2.50" in known
    assert "$10.00" in known
    assert unknown.count("unknown") == 3
    assert "which tells no prices" in text
    assert "comes with this package (prices of 2025-03-01)" in text


def test_without_a_connection_it_shows_the_packaged_models(shell: InteractiveShell) -> None:
    text = Cell(shell, "%llm models").last_output["text/plain"]
    assert len(rows(text)) == 3
    assert "there is no connection to a course yet" in text


def test_a_server_that_does_not_answer_is_one_sentence_under_the_packaged_models(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    text = Cell(shell, "%llm models").last_output["text/plain"]
    assert len(rows(text)) == 3
    assert "No server answers at http://127.0.0.1:9/v1" in text


def test_what_is_gone_and_what_soon_will_be_is_said_in_words_and_stands_last(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    def model(name: str, days: int, successor: str | None) -> dict[str, object]:
        return {
            "id": name,
            "input_usd_per_million": "1.00",
            "output_usd_per_million": "2.00",
            "shutdown_date": day(days),
            "successor": successor,
        }

    connected.pages["/models"] = {
        "data": [
            model("gpt-late", -3, "gpt-new"),
            model("gpt-soon", 10, "gpt-new"),
            model("gpt-stays", 2000, None),
        ]
    }
    late, soon, stays, gone = rows(Cell(shell, "%llm models").last_output["text/plain"])
    assert f"{day(-3)}, and answers here still" in late
    assert f"SOON GONE: {day(10)}, in 10 days, then gpt-new" in soon
    assert f"{day(2000)}" in stays
    assert "GONE" not in stays + late
    assert gone.startswith("o3-mini, o3-mini-2025-01-31")
    assert "GONE since 2026-10-23, then gpt-5.6-sol" in gone


def test_a_model_says_which_options_it_does_not_take(shell: InteractiveShell) -> None:
    text = Cell(shell, "%llm models").last_output["text/plain"]
    lines = {line.split(",")[0].removeprefix("▶ "): line for line in rows(text)}
    assert "--temperature, --top-p" in lines["o3-mini"]
    assert "--reasoning-effort" not in lines["o3-mini"]
    assert "--reasoning-effort" in lines["gpt-4o"]


def test_the_model_that_is_set_is_the_one_marked(shell: InteractiveShell) -> None:
    Cell(shell, "%llm set model=gpt-4o").result.raise_error()
    marked = [line for line in Cell(shell, "%llm models").shown.splitlines() if "▶ " in line]
    assert any("▶ gpt-4o, gpt-4o-2024-11-20" in line for line in marked)


def test_it_speaks_german(shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    text = Cell(shell, "%llm models").last_output["text/plain"]
    assert "kennt nicht" in text
    assert "Preise in USD je Million Tokens" in text
    assert "there until" not in text


def test_names_of_a_server_bring_neither_html_nor_escape_sequences(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.pages["/models"] = {"data": [{"id": "<script>alert(1)</script>\x1b[2J"}]}
    output = Cell(shell, "%llm models").last_output
    assert "<script>" not in output["text/html"]
    assert "\x1b" not in output["text/plain"]
    assert swsllm_nb.last() is None
