"""``%llm login``: asks, tries, writes; in a shell, and in a kernel whose front end answers."""

import getpass
import os
import queue
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cells import KEY, Cell, Outputs, running_kernel
from fake_openai import FakeOpenAI, Scripted
from IPython.core.error import StdinNotImplementedError
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy
from tools import find

import swsllm_nb
from swsllm_nb.notebook.errors import LLMError

Type = Callable[..., None]


@pytest.fixture
def typing(monkeypatch: pytest.MonkeyPatch) -> Type:
    """What a person types when asked for the address, and for the key."""

    def types(*, address: str = "", key: str = "") -> None:
        monkeypatch.setattr("builtins.input", lambda prompt="": address)
        monkeypatch.setattr(getpass, "getpass", lambda prompt="": key)

    return types


def test_the_key_is_tried_written_for_its_owner_alone_and_used_at_once(
    practice_proxy: RunningProxy, shell: InteractiveShell, typing: Type
) -> None:
    subprocess.run([find("git"), "init", "--quiet"], check=True)
    Path(".env").write_text("OTHER=kept\nSWSLLM_API_KEY=sws-old\n")
    key = practice_proxy.add_account("login").key
    typing(address=f"{practice_proxy.base_url}/", key=f" {key}\n")
    cell = Cell(shell, "%llm login")
    cell.result.raise_error()
    assert (
        f"The key {key[:6]}… works: account login, $0.00 spent, $5.00 of $5.00 left." in cell.shown
    )
    assert "only you can read and git ignores" in cell.shown
    assert key not in cell.shown
    written = Path(".env").read_text()
    assert written.count("SWSLLM_API_KEY=") == 1
    assert f"SWSLLM_API_KEY={key}" in written
    assert "OTHER=kept" in written
    if os.name == "posix":
        assert stat.S_IMODE(Path(".env").stat().st_mode) == 0o600
    assert ".env" in Path(".gitignore").read_text().splitlines()
    Cell(shell, "%%llm\nHello").result.raise_error()
    assert len(practice_proxy.calls("login")) == 1


def test_a_key_that_is_refused_is_not_written(
    practice_proxy: RunningProxy, shell: InteractiveShell, typing: Type
) -> None:
    typing(key=KEY)
    cell = Cell(shell, f"%llm login {practice_proxy.base_url}")
    assert isinstance(cell.error, LLMError)
    assert "401" in cell.shown
    assert "Nothing was written." in cell.shown
    assert KEY not in cell.shown
    assert not Path(".env").exists()


@pytest.mark.parametrize(
    ("line", "typed", "sentence"),
    [
        ("", {"address": KEY}, "That looked like a key"),
        ("", {"address": "service.example"}, "begins with http:// or https://"),
        ("ftp://service.example", {}, "begins with http:// or https://"),
        ("https://one https://two", {}, "it takes: BASE_URL"),
        ("http://127.0.0.1:9/v1", {"key": ""}, "No key was given"),
        ("http://127.0.0.1:9/v1", {"key": "a b"}, "key"),
        ("http://127.0.0.1:9/v1", {"key": KEY}, "No server answers"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(
    shell: InteractiveShell, typing: Type, line: str, typed: dict[str, str], sentence: str
) -> None:
    typing(**typed)
    cell = Cell(shell, f"%llm login {line}")
    assert isinstance(cell.error, LLMError)
    assert sentence in cell.shown
    assert KEY not in cell.shown
    assert "Traceback" not in cell.shown
    assert not Path(".env").exists()


def test_a_key_on_the_line_is_refused(shell: InteractiveShell) -> None:
    cell = Cell(shell, f"%llm login https://service.example {KEY}")
    assert "does not belong on a magic line" in cell.shown
    assert not Path(".env").exists()


@pytest.mark.parametrize(
    ("pages", "sentence"),
    [
        ({}, "the first question will show"),
        ({"/models": {"data": [{"id": "llama"}]}}, "lists 1 models to the key"),
    ],
)
def test_a_server_without_accounts_is_taken_at_its_word(
    server: FakeOpenAI, shell: InteractiveShell, typing: Type, pages: Any, sentence: str
) -> None:
    server.pages.update(pages)
    typing(key=KEY)
    assert sentence in Cell(shell, f"%llm login {server.base_url}").shown
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_in_the_environment_that_goes_before_it_is_named(
    connected: FakeOpenAI, shell: InteractiveShell, typing: Type
) -> None:
    typing(key="sk-another-0123456789")
    shown = Cell(shell, "%llm login").shown
    assert "But SWSLLM_API_KEY in the environment goes before it" in shown


def test_what_code_gave_before_does_not_outlive_a_login(
    server: FakeOpenAI, shell: InteractiveShell, typing: Type
) -> None:
    swsllm_nb.client(base_url=server.base_url, api_key="sk-given-0123456789")
    typing(key=KEY)
    Cell(shell, "%llm login").result.raise_error()
    Cell(shell, "%%llm\nHi").result.raise_error()
    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


def test_where_nothing_can_be_typed_the_two_lines_are_shown(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(prompt: str = "") -> str:
        raise StdinNotImplementedError(prompt)

    monkeypatch.setattr("builtins.input", nobody)
    cell = Cell(shell, "%llm login")
    assert isinstance(cell.error, LLMError)
    assert "\nSWSLLM_BASE_URL=https://…\nSWSLLM_API_KEY=…" in cell.shown
    assert "Traceback" not in cell.shown


def test_a_login_that_is_stopped_changes_nothing(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stops(prompt: str = "") -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", stops)
    cell = Cell(shell, "%llm login")
    assert "Stopped: nothing was changed." in cell.shown
    assert "Traceback" not in cell.shown


def test_in_a_real_kernel_the_front_end_is_asked_and_no_output_holds_the_key(
    server: FakeOpenAI, tmp_path: Path
) -> None:
    server.pages["/account"] = {
        "account": "ana", "budget_usd": "5.00", "spend_usd": "1.09", "remaining_usd": "3.91",
    }  # fmt: skip
    server.default = Scripted(text="Hello")
    with running_kernel(tmp_path) as (_, client):
        outputs = Outputs(client)
        outputs.run("%load_ext swsllm_nb")
        message_id = client.execute("%llm login", allow_stdin=True)
        hidden = []
        for typed in (server.base_url, KEY):
            request = _asked(client)
            hidden.append(request["password"])
            client.input(typed)
        shown = str(outputs.until_idle(message_id))
        assert hidden == [False, True]
        assert "$3.91 of $5.00 left" in shown
        shown += outputs.run("%%llm\nHi") + outputs.run("%llm") + outputs.run("%llm doctor")
        assert "Hello" in shown
        assert KEY not in shown
        assert f"SWSLLM_API_KEY={KEY}" in (tmp_path / ".env").read_text()
        message_id = client.execute("%llm login", allow_stdin=False)
        refused = str(outputs.until_idle(message_id))
        assert "Nothing can be typed in here." in refused
        assert "Traceback" not in refused


def _asked(client: Any) -> Any:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return client.get_stdin_msg(timeout=1)["content"]
        except queue.Empty:
            continue
    raise AssertionError("nothing was asked")
