"""``%llm doctor``: what is well, what is not, what to do; and never a traceback."""

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cells import KEY, Cell
from fake_openai import FakeOpenAI
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy
from tools import find

from swsllm_nb.notebook import checkup, client
from swsllm_nb.proxy import accounts


def finding(shown: str, name: str) -> str:
    lines = [line for line in shown.splitlines() if line[8:].strip().startswith(name)]
    assert lines, shown
    return lines[0]


def write_env(base_url: str, key: str = KEY) -> None:
    Path(".env").write_text(f"SWSLLM_BASE_URL={base_url}\nSWSLLM_API_KEY={key}\n")


@pytest.fixture
def repository() -> None:
    subprocess.run([find("git"), "init", "--quiet"], check=True)


def test_on_the_real_proxy_all_is_well(
    practice_proxy: RunningProxy, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = practice_proxy.add_account("doctor").key
    write_env(practice_proxy.base_url, key)
    Path(".env").chmod(0o600)
    cell = Cell(shell, "%llm doctor")
    cell.result.raise_error()
    assert cell.shown.strip().endswith("All is well.")
    assert "NOT OK" not in cell.shown
    assert f"{key[:6]}…" in finding(cell.shown, "key")
    assert ".env" in finding(cell.shown, "key")
    assert "answers after " in finding(cell.shown, "proxy")
    assert "agrees with the server's" in finding(cell.shown, "clock")
    assert "doctor: $0.00 spent, $5.00 of $5.00 left" in finding(cell.shown, "account")
    assert "gpt-4o-mini is there until 2027-01-14" in finding(cell.shown, "model")
    assert "calls: 0, " in finding(cell.shown, "log")
    assert "swsllm-nb 0." in finding(cell.shown, "versions")
    assert key not in cell.shown


def test_an_account_that_is_switched_off_or_empty_is_told_whom_to_ask(
    practice_proxy: RunningProxy, shell: InteractiveShell
) -> None:
    write_env(practice_proxy.base_url, practice_proxy.add_account("off").key)
    practice_proxy.write(lambda: accounts.set_enabled("off", False))
    line = finding(Cell(shell, "%llm doctor").shown, "account")
    assert line.startswith("NOT OK")
    assert "ask the teaching staff" in line
    write_env(practice_proxy.base_url, practice_proxy.add_account("penniless", "0").key)
    line = finding(Cell(shell, "%llm doctor").shown, "account")
    assert line.startswith("NOT OK")
    assert "$0.00 of $0.00 left → Ask the teaching staff." in line


def test_without_anything_it_says_what_to_do_first(shell: InteractiveShell) -> None:
    cell = Cell(shell, "%llm doctor")
    cell.result.raise_error()
    line = finding(cell.shown, "key")
    assert line.startswith("NOT OK")
    assert line.endswith("→ %llm login asks for both.")


def test_a_proxy_that_does_not_answer_is_a_sentence_and_the_rest_goes_on(
    shell: InteractiveShell,
) -> None:
    write_env("http://127.0.0.1:9/v1")
    cell = Cell(shell, "%llm doctor")
    cell.result.raise_error()
    assert "No server answers at http://127.0.0.1:9/v1" in finding(cell.shown, "proxy")
    assert finding(cell.shown, "log").startswith("ok")
    assert "Traceback" not in cell.shown


def test_a_key_that_is_refused_is_a_sentence(
    practice_proxy: RunningProxy, shell: InteractiveShell
) -> None:
    write_env(practice_proxy.base_url)
    cell = Cell(shell, "%llm doctor")
    assert finding(cell.shown, "proxy").startswith("ok")
    assert "does not accept your key (401)" in finding(cell.shown, "account")
    assert KEY not in cell.shown


@pytest.mark.skipif(os.name != "posix", reason="file modes are a matter of POSIX")
@pytest.mark.usefixtures("repository")
def test_what_git_and_others_could_read_is_found_and_fixed(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    write_env(connected.base_url)
    Path(".env").chmod(0o644)
    shown = Cell(shell, "%llm doctor").shown
    assert finding(shown, ".env").startswith("NOT OK")
    assert finding(shown, "git").startswith("NOT OK")
    assert "%llm doctor --fix" in finding(shown, "git")
    assert not Path(".gitignore").exists(), "nothing is mended without --fix"
    shown = Cell(shell, "%llm doctor --fix").shown
    assert finding(shown, ".env").startswith("ok")
    assert finding(shown, "git").startswith("ok")
    assert Path(".env").stat().st_mode & 0o777 == 0o600
    assert Path(".gitignore").read_text() == ".env\n"
    assert finding(Cell(shell, "%llm doctor").shown, "git").startswith("ok")


@pytest.mark.usefixtures("repository")
def test_a_key_that_was_committed_is_not_called_ignored(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    write_env(connected.base_url)
    Path(".gitignore").write_text(".env\n")
    subprocess.run([find("git"), "add", "--force", ".env"], check=True)
    line = finding(Cell(shell, "%llm doctor --fix").shown, "git")
    assert line.startswith("NOT OK")
    assert "git rm --cached .env" in line


def test_a_machine_without_git_is_no_trouble(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_env(connected.base_url)
    monkeypatch.setenv("PATH", "")
    cell = Cell(shell, "%llm doctor")
    cell.result.raise_error()
    assert "Traceback" not in cell.shown


def test_a_clock_that_is_wrong_is_named(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = client.Pulse(0.1, datetime(2020, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(client, "fetch_pulse", lambda _: late)
    line = finding(Cell(shell, "%llm doctor").shown, "clock")
    assert line.startswith("NOT OK")
    assert "Set this machine's clock." in line


def test_a_log_that_cannot_be_written_is_found(
    connected: FakeOpenAI, shell: InteractiveShell
) -> None:
    folder = Path.home() / "share" / "swsllm_nb"
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("in the way")
    line = finding(Cell(shell, "%llm doctor").shown, "log")
    assert line.startswith("NOT OK")
    assert "Calls work all the same" in line


def test_a_package_that_is_missing_is_named(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkup, "_PACKAGES", ("swsllm-nb", "no-such-package"))
    line = finding(Cell(shell, "%llm doctor").shown, "versions")
    assert line.startswith("NOT OK")
    assert "%pip install no-such-package" in line


def test_a_check_that_breaks_is_a_line_too(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise RuntimeError("oops")

    monkeypatch.setattr(checkup, "offers_of", broken)
    cell = Cell(shell, "%llm doctor")
    cell.result.raise_error()
    assert "could not be looked at (RuntimeError)" in finding(cell.shown, "model")
    assert finding(cell.shown, "log").startswith("ok")


def test_it_speaks_german(
    connected: FakeOpenAI, shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    shown = Cell(shell, "%llm doctor").shown
    assert "antwortet nach" in shown
    assert "Aufrufe" in shown
