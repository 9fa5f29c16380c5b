"""Who is about to publish the key is told so once, with what to do; nobody else is."""

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tools import find

from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.key_guard import notebook_file, warn_about_key, warnings_about_key

KEY = "sk-marked-0123456789abcdef"
CONNECTION = Connection("https://llm.example/v1", KEY, "test")


@pytest.fixture
def env_path(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(f"SWSLLM_API_KEY={KEY}\n")
    return path


def git(folder: Path, *words: str) -> None:
    subprocess.run([find("git"), "-C", str(folder), *words], check=True, capture_output=True)


def saved(path: Path, *cells: Any) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def code(source: str, *outputs: Any) -> Any:
    return nbformat.v4.new_code_cell(source, outputs=list(outputs))


def test_an_env_file_that_git_would_publish_is_told_with_the_line_to_add(env_path: Path) -> None:
    git(env_path.parent, "init", "-q")
    (warning,) = warnings_about_key(CONNECTION, env_path, None, [])
    assert warning == (
        f"{env_path} holds your key, and git does not ignore it: add the line .env to "
        f"{env_path.parent / '.gitignore'}, so that the key is not published."
    )
    (env_path.parent / ".gitignore").write_text(".env\n")
    assert warnings_about_key(CONNECTION, env_path, None, []) == []


def test_an_env_file_that_git_has_already_needs_a_new_key(env_path: Path) -> None:
    git(env_path.parent, "init", "-q")
    git(env_path.parent, "add", ".env")
    (env_path.parent / ".gitignore").write_text(".env\n")
    (warning,) = warnings_about_key(CONNECTION, env_path, None, [])
    assert "git rm --cached .env" in warning
    assert "replace the key" in warning


def test_without_a_repository_or_without_git_nothing_is_said(
    env_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert warnings_about_key(CONNECTION, env_path, None, []) == []
    assert warnings_about_key(CONNECTION, None, None, []) == []
    assert warnings_about_key(CONNECTION, env_path.parent / "gone" / ".env", None, []) == []
    (env_path.parent / ".git").write_text("gitdir: nowhere")
    assert warnings_about_key(CONNECTION, env_path, None, []) == []
    monkeypatch.setenv("PATH", "")
    assert warnings_about_key(CONNECTION, env_path, None, []) == []


def test_a_git_that_hangs_is_not_waited_for_long(
    env_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (env_path.parent / ".git").mkdir()
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:/bin:/usr/bin")
    began_at = time.monotonic()
    assert warnings_about_key(CONNECTION, env_path, None, []) == []
    assert time.monotonic() - began_at < 5


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        ([code("1"), code(f"key = '{KEY}'")], "in cell 2 (its text)"),
        ([nbformat.v4.new_markdown_cell(f"My key: {KEY}")], "in cell 1 (its text)"),
        (
            [code("print(key)", nbformat.v4.new_output("stream", text=f"{KEY}\n"))],
            "in cell 1 (its output)",
        ),
        (
            [code("key", nbformat.v4.new_output("execute_result", {"text/plain": f"'{KEY}'"}))],
            "in cell 1 (its output)",
        ),
    ],
)
def test_a_key_in_the_notebook_is_told_with_its_cell(
    tmp_path: Path, cells: list[Any], place: str
) -> None:
    path = saved(tmp_path / "week 3.ipynb", *cells)
    (warning,) = warnings_about_key(CONNECTION, None, path, [f"key = '{KEY}'"])
    assert f"week 3.ipynb {place}" in warning
    assert "replace it on the course page" in warning
    assert KEY not in warning


def test_a_key_in_a_cell_that_is_not_saved_yet_is_seen_as_well(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.ipynb", code("1"))
    (warning,) = warnings_about_key(CONNECTION, None, path, ["", "1", f"key = '{KEY}'"])
    assert "In[2]" in warning
    assert KEY not in warning


def test_a_notebook_without_it_and_one_that_cannot_be_read_say_nothing(tmp_path: Path) -> None:
    assert warnings_about_key(CONNECTION, None, saved(tmp_path / "n.ipynb", code("1")), []) == []
    broken = tmp_path / "broken.ipynb"
    for text in (f"{{{KEY}", json.dumps([KEY]), json.dumps({"cells": [KEY]})):
        broken.write_text(text)
        assert warnings_about_key(CONNECTION, None, broken, []) == []
    broken.write_bytes(b"\xff" + KEY.encode())
    assert warnings_about_key(CONNECTION, None, broken, []) == []


def test_a_word_that_is_a_key_of_a_server_of_ones_own_is_no_secret(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.ipynb", code("ask = 'ollama'"))
    own = Connection("http://127.0.0.1:11434/v1", "ollama", "test")
    assert warnings_about_key(own, None, path, ["ollama"]) == []


def test_in_german_the_word_is_german(env_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    git(env_path.parent, "init", "-q")
    warnings = warnings_about_key(CONNECTION, env_path, None, [f"key = '{KEY}'"])
    assert "git ignoriert die Datei nicht" in warnings[0]
    assert "Der Schlüssel steht in einer Zelle" in warnings[1]


def test_the_front_end_tells_which_file_it_is(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.ipynb")
    assert notebook_file({}, {"JPY_SESSION_NAME": str(path)}) == path
    assert notebook_file({"__vsc_ipynb_file__": str(path)}, {"JPY_SESSION_NAME": "x"}) == path
    for told in ("", "no such.ipynb", "console-1", str(tmp_path)):
        assert notebook_file({}, {"JPY_SESSION_NAME": told}) is None


def test_it_is_looked_for_beside_the_call(
    env_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git(env_path.parent, "init", "-q")
    warn_about_key(CONNECTION, env_path, {"In": ["", f"key = '{KEY}'", None]}).join(10)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 2
    assert KEY not in "".join(told)
