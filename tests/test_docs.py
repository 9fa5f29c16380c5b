"""What the README says is what happens: each of its commands and snippets is run here.

The two install lines cannot run inside a test: ``.ci/run`` takes the second from the README and
runs it in a clean clone. Here the words after the installation are run as installed.
"""

import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell
from proxies import RunningProxy, clean_environment, end, wait_until_ready
from traitlets.config import Config

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text("utf-8")

INSTALL = re.compile(r"^python3 -c 'import ensurepip'.*pip install '\.\[(lab|test)\]' && (.*)$")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    return [line for block in blocks("sh") for line in block.splitlines()]


def test_the_two_installing_lines_differ_in_the_extra_and_in_what_they_run() -> None:
    runs = [match.groups() for line in commands() if (match := INSTALL.match(line))]
    assert runs == [
        ("lab", ".venv/bin/swsllm lab"),
        ("test", ".venv/bin/pytest -n 2 --dist loadfile"),
    ]


def test_ci_runs_the_readmes_own_test_command() -> None:
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    (taking,) = re.findall(r"^command=.*$", script, re.MULTILINE)
    took = subprocess.run(
        ["bash", "-c", f'{taking}; echo "$command"'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert INSTALL.match(took.stdout.strip())
    assert took.stdout.strip() in commands()


def test_every_other_command_is_one_of_ours_and_does_what_it_says(tmp_path: Path) -> None:
    ours = [line for line in commands() if not INSTALL.match(line)]
    assert all(line.startswith(".venv/bin/swsllm ") for line in ours)
    add, serve, show, *staff = (
        [sys.executable, "-m", "swsllm_nb", *shlex.split(line)[1:]] for line in ours
    )
    assert [command[3] for command in (add, serve, show)] == ["account", "serve", "account"]
    environment = clean_environment()
    added = subprocess.run(
        add, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert "sws-" in added.stdout
    # The README's port may be taken where the tests run.
    serve[serve.index("--port") + 1] = "0"
    server = subprocess.Popen(
        serve, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    with server:
        assert server.stdout is not None
        base_url = server.stdout.readline().strip()
        assert re.match(r"http://127\.0\.0\.1:\d+/sws-llm-proxy$", base_url)
        wait_until_ready(base_url, server)
        for command in staff:
            subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
            )
        end(server)
    shown = subprocess.run(
        show, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    figures = ["ada", "7.50", "0.00", "0.00", "7.50", "True", "active"]
    assert shown.stdout.splitlines()[1].split() == figures


def test_the_notebook_lines_run_as_they_stand(
    practice_proxy: RunningProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", practice_proxy.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", practice_proxy.add_account("reader").key)
    config = Config()
    config.HistoryManager.enabled = False
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(config=config)
    try:
        cells = blocks("python")
        assert len(cells) == 3
        for cell in cells:
            shell.run_cell(cell).raise_error()
        shell.run_line_magic("unload_ext", "swsllm_nb")
    finally:
        InteractiveShell.clear_instance()
    assert [row["state"] for row in practice_proxy.calls("reader")] == ["settled"]


def test_links_lead_to_files_that_are_there() -> None:
    for text, place in ((README, REPOSITORY), (INSIDE, REPOSITORY / "swsllm_nb")):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (place / target).exists(), target


INSIDE = (REPOSITORY / "swsllm_nb" / "README.md").read_text("utf-8")


def test_the_developers_page_names_every_module() -> None:
    for half in ("notebook", "notebook/pictures", "proxy", "proxy/page"):
        for path in (REPOSITORY / "swsllm_nb" / half).glob("*.py"):
            assert path.stem == "__init__" or re.search(rf"`{path.stem}`", INSIDE), path


def test_the_change_list_begins_with_the_version_that_is_installed() -> None:
    newest = re.search(r"^\* \*\*(\S+)\*\*", README.partition("## Changes")[2], re.MULTILINE)
    assert newest
    assert newest.group(1) == version("swsllm-nb")
