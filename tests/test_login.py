"""Key and address are kept in ``.env``, for its owner alone, and git is told to leave it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools import find

from swsllm_nb.notebook.envfile import read_env_file, update_env_file
from swsllm_nb.notebook.errors import LLMError, NotConnected
from swsllm_nb.notebook.git import is_ignored
from swsllm_nb.notebook.login import write_env

KEY = "sk-marked-0123456789abcdef"
URL = "https://llm.example/v1"
BOTH = {"SWSLLM_BASE_URL": URL, "SWSLLM_API_KEY": KEY}

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links as POSIX has them")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    subprocess.run([find("git"), "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def test_a_new_file_has_both_lines(tmp_path: Path) -> None:
    path = write_env(tmp_path, f" {URL}/chat/completions\n", f" {KEY} ")
    assert path == tmp_path / ".env"
    assert path.read_text() == f"SWSLLM_BASE_URL={URL}\nSWSLLM_API_KEY={KEY}\n"
    assert [each.name for each in tmp_path.iterdir()] == [".env"]


@on_posix
@pytest.mark.parametrize("mode", [None, 0o644, 0o666])
def test_only_its_owner_may_read_it(tmp_path: Path, mode: int | None) -> None:
    if mode is not None:
        (tmp_path / ".env").write_text("A=1\n")
        (tmp_path / ".env").chmod(mode)
    assert write_env(tmp_path, URL, KEY).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"A=1", b"A=1\nSWSLLM_BASE_URL=U\nSWSLLM_API_KEY=K\n"),
        (
            b"# mine\r\n\r\nSWSLLM_API_KEY='old'\r\nB=2\r\n",
            b"# mine\r\n\r\nSWSLLM_API_KEY=K\r\nB=2\r\nSWSLLM_BASE_URL=U\r\n",
        ),
        (
            b'export SWSLLM_API_KEY="two\nlines" # old\nSWSLLM_BASE_URL = x\nC="a\nb"\n',
            b'export SWSLLM_API_KEY=K\nSWSLLM_BASE_URL=U\nC="a\nb"\n',
        ),
        (
            b"SWSLLM_API_KEY=a\nX=1\nSWSLLM_API_KEY=b\nSWSLLM_BASE_URL=c\n",
            b"SWSLLM_API_KEY=K\nX=1\nSWSLLM_BASE_URL=U\n",
        ),
        (b"\xef\xbb\xbfSWSLLM_BASE_URL=x\n", b"SWSLLM_BASE_URL=U\nSWSLLM_API_KEY=K\n"),
        (
            "NAME=Zoë\nnonsense 'here\n".encode(),
            "NAME=Zoë\nnonsense 'here\nSWSLLM_BASE_URL=U\nSWSLLM_API_KEY=K\n".encode(),
        ),
    ],
)
def test_all_other_lines_stay_as_they_are(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / ".env"
    path.write_bytes(before)
    update_env_file(path, {"SWSLLM_BASE_URL": "U", "SWSLLM_API_KEY": "K"})
    assert path.read_bytes() == after


@pytest.mark.parametrize("value", ["a'b", 'a"b', "a\\b", "'quoted'", "#x", "$HOME", "a=b", "ä;`"])
def test_what_is_written_is_what_is_read(tmp_path: Path, value: str) -> None:
    update_env_file(tmp_path / ".env", {"NAME": value, "NEXT": "1"})
    assert read_env_file(tmp_path / ".env") == {"NAME": value, "NEXT": "1"}


@on_posix
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    target = tmp_path / "keys" / "course.env"
    target.write_text("A=1\n")
    folder = tmp_path / "week 1"
    folder.mkdir()
    (folder / ".env").symlink_to(target)
    write_env(folder, URL, KEY)
    assert (folder / ".env").is_symlink()
    assert read_env_file(target) == {"A": "1", **BOTH}


@on_posix
@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users")
def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    # Not even root may make files there.
    folder = Path("/proc/self") if os.geteuid() == 0 else tmp_path
    tmp_path.chmod(0o500)
    with pytest.raises(LLMError, match=r"cannot be written \(.+\), so the key was not kept"):
        write_env(folder, URL, KEY)
    tmp_path.chmod(0o700)


def test_a_folder_in_its_place_and_a_file_that_is_no_text_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LLMError, match="cannot be read as text"):
        write_env(tmp_path, URL, KEY)
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    with pytest.raises(LLMError, match="cannot be read as text"):
        write_env(tmp_path, URL, KEY)


@pytest.mark.parametrize(("base_url", "key"), [("host/v1", KEY), (URL, "two words"), (KEY, URL)])
def test_what_cannot_be_a_key_or_an_address_is_not_written(
    tmp_path: Path, base_url: str, key: str
) -> None:
    with pytest.raises(NotConnected) as failure:
        write_env(tmp_path, base_url, key)
    assert KEY not in str(failure.value)
    assert not list(tmp_path.iterdir())


def test_git_is_told_to_ignore_it(repository: Path) -> None:
    folder = repository / "week 1"
    folder.mkdir()
    path = write_env(folder, URL, KEY)
    assert (folder / ".gitignore").read_text() == ".env\n"
    assert is_ignored(path)
    write_env(folder, URL, KEY)
    assert (folder / ".gitignore").read_text() == ".env\n"


def test_what_git_ignores_already_is_not_told_again(repository: Path) -> None:
    (repository / ".gitignore").write_text("*.env\n")
    write_env(repository, URL, KEY)
    assert (repository / ".gitignore").read_text() == "*.env\n"


@pytest.mark.parametrize(
    ("before", "after"), [(b"a", b"a\n.env\n"), (b"a\r\n", b"a\r\n.env\r\n"), (b".env", b".env")]
)
def test_a_gitignore_is_added_to_where_there_is_no_repository_yet(
    tmp_path: Path, before: bytes, after: bytes
) -> None:
    (tmp_path / ".gitignore").write_bytes(before)
    write_env(tmp_path, URL, KEY)
    assert (tmp_path / ".gitignore").read_bytes() == after


def test_without_git_the_file_is_written_all_the_same(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    write_env(repository, URL, KEY)
    assert (repository / ".gitignore").read_text() == ".env\n"
