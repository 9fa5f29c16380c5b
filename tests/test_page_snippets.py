"""What students copy from the page runs as it stands, against the proxy that it names."""

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from proxies import RunningProxy, clean_environment
from tools import find

from swsllm_nb.proxy.page.snippets import Snippets


@pytest.fixture
def snippets(practice_proxy: RunningProxy) -> Snippets:
    return Snippets(f"{practice_proxy.base_url}/", "gpt-4o-mini-2024-07-18")


def run(folder: Path, *command: str, **environment: str) -> str:
    return subprocess.run(
        command,
        cwd=folder,
        env=clean_environment(**environment),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def settled(proxy: RunningProxy, name: str) -> Sequence[str]:
    return [row["state"] for row in proxy.calls(name)]


@pytest.mark.parametrize("name", ["openai", "requests"])
def test_the_python_snippets_answer_with_the_key_from_the_env_file(
    practice_proxy: RunningProxy, snippets: Snippets, tmp_path: Path, name: str
) -> None:
    account = practice_proxy.add_account(f"snippet {name}")
    (tmp_path / ".env").write_text(snippets.env_file_with(account.key))
    # A program in a file: there python-dotenv looks beside it.
    (tmp_path / "ask.py").write_text(getattr(snippets, name))
    assert run(tmp_path, sys.executable, "ask.py").strip()
    assert settled(practice_proxy, f"snippet {name}") == ["settled"]


def test_the_curl_snippet_answers(
    practice_proxy: RunningProxy, snippets: Snippets, tmp_path: Path
) -> None:
    find("curl")
    account = practice_proxy.add_account("snippet curl")
    (tmp_path / ".env").write_text(snippets.env_file_with(account.key))
    for shell in ("bash", "sh"):
        assert '"choices"' in run(tmp_path, shell, "-c", snippets.curl_unix)
    assert settled(practice_proxy, "snippet curl") == ["settled", "settled"]


def test_the_powershell_snippet_sends_the_same_call_by_a_pipe(
    practice_proxy: RunningProxy, snippets: Snippets, tmp_path: Path
) -> None:
    """As bash would write it: there is no PowerShell here."""
    find("curl")
    account = practice_proxy.add_account("snippet windows")
    _, body, call = re.split(r"^('.*') \|\n", snippets.curl_powershell, flags=re.MULTILINE)
    assert '"' not in re.sub(r'-H "[^"]*"', "", call)
    written = call.replace("`\n", "\\\n").replace("curl.exe", "curl").replace("$env:", "$")
    answer = run(
        tmp_path, "bash", "-c", f"printf '%s\\r\\n' {body} | {written}", SWSLLM_API_KEY=account.key
    )
    assert '"choices"' in answer
    assert settled(practice_proxy, "snippet windows") == ["settled"]


def test_a_quote_in_a_models_name_stays_inside_the_quotes_of_either_shell() -> None:
    hostile = Snippets("https://uni.example/llm/", "it's")
    assert shlex.split(hostile.curl_unix.partition("-d ")[2]) == [hostile._body]
    assert '\'{"model": "it\'\'s",' in hostile.curl_powershell


def test_the_install_line_installs_from_the_proxy_itself(
    snippets: Snippets, tmp_path: Path
) -> None:
    for line in (snippets.install_unix, snippets.install_windows, snippets.install_hub):
        assert shlex.split(line)[-1] == snippets.package_url
    only_this = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
    words = shlex.split(snippets.install_unix)[1:]
    run(tmp_path, sys.executable, *words, *only_this, "--target", str(tmp_path / "here"))
    assert (tmp_path / "here" / "swsllm_nb" / "notebook" / "magics.py").exists()


def test_the_env_file_is_all_that_the_notebook_package_needs(
    practice_proxy: RunningProxy, snippets: Snippets, tmp_path: Path
) -> None:
    account = practice_proxy.add_account("snippet env")
    (tmp_path / ".env").write_text(snippets.env_file_with(account.key))
    asking = "import swsllm_nb; print(swsllm_nb.ask('What is a token?').text)"
    assert run(tmp_path, sys.executable, "-c", asking).strip()
    assert settled(practice_proxy, "snippet env") == ["settled"]
