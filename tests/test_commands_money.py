"""``%llm budget``, ``burndown``, ``log`` and the status: what there was, is gone and is left."""

import base64
from pathlib import Path

import pytest
from cells import COST, KEY, Cell
from fake_openai import FakeOpenAI, Scripted
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy

import swsllm_nb
from swsllm_nb.notebook.errors import LLMError


@pytest.fixture
def answer_typed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is typed next; nothing more where it is empty."""
    typed: list[str] = []

    def answer(prompt: str = "") -> str:
        if not typed:
            raise StdinNotImplementedError(prompt)
        return typed.pop(0)

    monkeypatch.setattr("builtins.input", answer)
    return typed


def test_the_budget_is_what_the_proxys_ledger_says(
    practice_proxy: RunningProxy, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("budget", "0.50").key)
    Cell(shell, "%%llm\nHello").result.raise_error()
    cell = Cell(shell, "%llm budget 7")
    spent = sum(row["amount_pico"] for row in practice_proxy.calls("budget")) / 10**12
    plain = cell.last_output["text/plain"]
    lines = [line.rsplit(maxsplit=1) for line in plain.splitlines()[:4]]
    figures = {name.strip(): amount for name, amount in lines}
    assert spent > 0
    assert figures["granted"] == "$0.50"
    assert float(figures["spent"][1:]) == pytest.approx(spent, abs=1e-12)
    assert figures["held right now"] == "$0.00"
    assert float(figures["left"][1:]) == pytest.approx(0.5 - spent, abs=1e-12)
    assert "The proxy tells the budget itself, so $7.00 is not used." in cell.shown
    assert '<meter min="0" max="0.50"' in cell.last_output["text/html"]
    assert "$0.50" in Cell(shell, "%llm").shown


def test_in_a_terminal_the_budget_is_printed(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected.pages["/account"] = {
        "budget_usd": "5.00",
        "spend_usd": "1.0893",
        "remaining_usd": "3.9107",
    }
    monkeypatch.setattr("swsllm_nb.notebook.commands.budget.shows_html", lambda: False)
    cell = Cell(shell, "%llm budget")
    assert cell.outputs == []
    assert cell.shown.startswith("granted        $5.00\nspent          $1.0893\n")


def test_a_budget_is_typed_in_where_the_server_tells_none(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%%llm\nHi").result.raise_error()
    before = Cell(shell, "%llm budget").shown
    assert "budget unknown" in before
    assert "%llm budget 5.00" in before
    assert "at most $4.99" in Cell(shell, "%llm budget 5,00").shown
    assert "of $5.00 left (the budget was typed in)" in Cell(shell, "%llm").shown
    assert "of $5.00 left" in Cell(shell, "%llm burndown").last_output["text/plain"]


@pytest.mark.parametrize("typed", ["five", "0", "nan", "1e3", "1,000,000.5"])
def test_what_is_no_budget_is_refused(
    connected: FakeOpenAI, shell: InteractiveShell, typed: str
) -> None:
    cell = Cell(shell, f"%llm budget {typed}")
    assert isinstance(cell.error, LLMError)
    assert "is an amount in dollars such as 5.00" in cell.shown
    assert "budget unknown" in Cell(shell, "%llm").shown


def test_the_burn_down_is_one_picture_with_its_words(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    from matplotlib import pyplot

    connected.default = Scripted(cost=COST)
    Cell(shell, "%%llm\nHi").result.raise_error()
    open_before = pyplot.get_fignums()
    cell = Cell(shell, "%llm burndown")
    cell.result.raise_error()
    assert len(cell.outputs) == 1
    assert cell.shown.startswith(cell.last_output["text/plain"]), "the sentence is printed too"
    picture = cell.last_output["image/png"]
    data = picture if isinstance(picture, bytes) else base64.b64decode(picture)
    assert data.startswith(b"\x89PNG")
    assert "left" in cell.last_output["text/plain"]
    assert "1 call in this machine's log" in cell.last_output["text/plain"]
    assert pyplot.get_fignums() == open_before, "a figure that stays open is shown a second time"


def test_the_burn_down_by_model_names_the_models(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(cost=COST)
    Cell(shell, "%%llm -m gpt-4o\nHi").result.raise_error()
    assert "Most went to gpt-4o: $0.0001" in Cell(shell, "%llm burndown --by model").shown
    wrong = Cell(shell, "%llm burndown --by day")
    assert isinstance(wrong.error, LLMError)
    assert "by model, exercise, source, and not by 'day'" in wrong.shown


def test_where_no_ledger_is_kept_the_frame_says_so_and_pictures_take_the_log(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    connected.default = Scripted(cost=COST)
    Cell(shell, "%%llm --exercise ex1\nHi").result.raise_error()
    with pytest.raises(LLMError, match="keeps no ledger; log"):
        swsllm_nb.ledger()
    assert list(swsllm_nb.cost_by_frame(by="exercise")["exercise"]) == ["ex1"]
    assert list(swsllm_nb.most_expensive()["source"]) == ["magic"]


def test_where_nobody_answers_the_picture_is_of_the_log_and_says_so(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    with FakeOpenAI() as server:
        monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
        Cell(shell, "%%llm\nHi").result.raise_error()
    assert "1 call in this machine's log" in Cell(shell, "%llm burndown").shown


@pytest.mark.parametrize("budget_usd", [5.0, 5, "5,00", "$5.00"])
def test_a_budget_may_be_written_as_people_write_amounts(
    connected: FakeOpenAI, shell: InteractiveShell, budget_usd: float | str
) -> None:
    Cell(shell, "%%llm\nHi").result.raise_error()
    axes = swsllm_nb.burn_down(budget_usd=budget_usd)
    assert "of $5.00 left" in axes.get_title(loc="left")
    with pytest.raises(LLMError, match="'much' is none"):
        swsllm_nb.burn_down(budget_usd="much")


def test_the_log_is_cleared_only_after_a_yes(
    connected: FakeOpenAI, shell: InteractiveShell, answer_typed: list[str]
) -> None:
    Cell(shell, "%%llm\nA secret of mine").result.raise_error()
    answer_typed.append("")
    assert "Nothing was deleted." in Cell(shell, "%llm log --clear").shown
    assert len(swsllm_nb.log()) == 1
    answer_typed.append("Y")
    assert "Deleted: 1 call." in Cell(shell, "%llm log --clear").shown
    assert len(swsllm_nb.log()) == 0
    files = Path.home().rglob("*.sqlite3")
    assert not any(b"A secret of mine" in path.read_bytes() for path in files)


def test_where_nobody_can_be_asked_the_log_stays(
    connected: FakeOpenAI, shell: InteractiveShell, answer_typed: list[str]
) -> None:
    Cell(shell, "%%llm\nHi").result.raise_error()
    cell = Cell(shell, "%llm log --clear")
    assert isinstance(cell.error, LLMError)
    assert "cannot ask, so nothing was deleted" in cell.shown
    assert len(swsllm_nb.log()) == 1


def test_the_log_of_a_notebook_is_its_own(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    for notebook in ("week 1.ipynb", "week 2.ipynb"):
        monkeypatch.setenv("JPY_SESSION_NAME", f"/home/ana/{notebook}")
        Cell(shell, f"%%llm\nAbout {notebook}").result.raise_error()
    assert "About week 1" in Cell(shell, "%llm log").shown
    own = Cell(shell, "%llm log --notebook").shown
    assert "About week 2" in own
    assert "About week 1" not in own


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("log --everything", "it takes: --notebook, --clear"),
        ("log --clear --notebook", "cleared as a whole"),
        ("budget 5 6", "it takes: USD"),
        ("burndown now", "it takes: --by …"),
        ("statement --out", "it takes: --out …"),
    ],
)
def test_a_word_that_is_not_known_is_one_sentence(
    connected: FakeOpenAI, shell: InteractiveShell, line: str, sentence: str
) -> None:
    cell = Cell(shell, f"%llm {line}")
    assert isinstance(cell.error, LLMError)
    assert sentence in cell.shown
    assert "Traceback" not in cell.shown


def test_the_status_names_settings_and_conversations_in_one_line_each(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    Cell(shell, "%llm set temperature=0 max-tokens=50").result.raise_error()
    Cell(shell, "%%llm --chat trip\nHi").result.raise_error()
    shown = Cell(shell, "%llm").shown
    assert "temperature=0.0, max-tokens=50" in shown
    assert "trip (1 turn)" in shown


def test_the_status_speaks_german(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    Cell(shell, "%%llm\nHi").result.raise_error()
    shown = Cell(shell, "%llm").shown
    assert "Schlüssel" in shown
    assert "von diesem Rechner ausgegeben, Budget unbekannt" in shown


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_help_has_a_line_for_each_word(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", language)
    lines = Cell(shell, "%llm help").shown.strip().splitlines()
    assert len(lines) == 13
    assert all(line.endswith(".") and len(line.split()) > 4 for line in lines)
    assert ("übrig" in "".join(lines)) == (language == "de")
