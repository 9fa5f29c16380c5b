"""Key and base URL: where they are found, and that they are never mixed."""

from pathlib import Path

import pytest

from swsllm_nb.notebook.connection import Connection, find_connection
from swsllm_nb.notebook.errors import NotConnected

KEY = "sk-marked-0123456789abcdef"
URL = "https://llm.example/v1"


def find(environ: dict[str, str], folder: Path, **given: str) -> Connection:
    return find_connection(**given, environ=environ, start_folder=folder)


def test_code_comes_first_then_our_pair_then_openai_then_the_env_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SWSLLM_BASE_URL=https://file/v1\nSWSLLM_API_KEY=file-key\n")
    openai = {"OPENAI_BASE_URL": "https://openai/v1", "OPENAI_API_KEY": "openai-key"}
    ours = {"SWSLLM_BASE_URL": "https://ours/v1", "SWSLLM_API_KEY": "our-key"}
    assert find(ours, tmp_path, base_url=URL, api_key=KEY).key == KEY
    assert find(openai | ours, tmp_path).key == "our-key"
    assert find(openai, tmp_path).key == "openai-key"
    assert find({}, tmp_path).key == "file-key"


def test_the_nearest_env_file_upward_is_read_and_the_environment_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text(f'\ufeffOPENAI_BASE_URL="{URL}/"\nOPENAI_API_KEY={KEY}\n')
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    found = find({}, deep)
    assert (found.base_url, found.key) == (URL, KEY)
    assert str(tmp_path / ".env") in found.source
    import os

    assert "OPENAI_API_KEY" not in os.environ


def test_halves_of_two_sources_are_never_put_together(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"SWSLLM_API_KEY={KEY}\n")
    for environ in ({"SWSLLM_BASE_URL": URL}, {"OPENAI_BASE_URL": URL}, {}):
        with pytest.raises(NotConnected):
            find(environ, tmp_path)
    with pytest.raises(NotConnected):
        find({"SWSLLM_API_KEY": KEY, "OPENAI_BASE_URL": URL}, tmp_path)


def test_a_lone_key_joins_a_base_url_given_in_code(tmp_path: Path) -> None:
    found = find({"SWSLLM_API_KEY": KEY}, tmp_path, base_url=URL)
    assert (found.base_url, found.key) == (URL, KEY)


def test_a_key_that_has_a_base_url_of_its_own_goes_nowhere_else(tmp_path: Path) -> None:
    pair = {"SWSLLM_BASE_URL": URL, "SWSLLM_API_KEY": KEY}
    assert find(pair, tmp_path, base_url=URL + "/").key == KEY
    with pytest.raises(NotConnected):
        find(pair, tmp_path, base_url="https://elsewhere.example/v1")


def test_a_key_given_in_code_needs_its_base_url(tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match="no base URL"):
        find({"SWSLLM_BASE_URL": URL}, tmp_path, api_key=KEY)


def test_a_key_alone_never_goes_to_openai(tmp_path: Path) -> None:
    with pytest.raises(NotConnected, match="OPENAI_API_KEY in the environment") as failure:
        find({"OPENAI_API_KEY": KEY}, tmp_path)
    assert KEY not in str(failure.value)
    assert "\nSWSLLM_BASE_URL=https://…\nSWSLLM_API_KEY=…" in str(failure.value)


@pytest.mark.parametrize(
    "base_url", ["localhost:8000/v1", "ftp://x/", "http://", KEY, "https://a b/", "http://u:p@x/v1"]
)
def test_what_is_no_address_is_refused_and_not_repeated(tmp_path: Path, base_url: str) -> None:
    with pytest.raises(NotConnected, match="no address") as failure:
        find({}, tmp_path, base_url=base_url, api_key=KEY)
    assert KEY not in str(failure.value)


@pytest.mark.parametrize("key", ["sk-a…b", "two words", "line\nbreak", "ключ"])
def test_a_key_with_letters_no_key_has_is_refused_and_not_repeated(
    tmp_path: Path, key: str
) -> None:
    with pytest.raises(NotConnected, match="holds characters") as failure:
        find({}, tmp_path, base_url=URL, api_key=key)
    assert key not in str(failure.value)


def test_an_env_file_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00SWSLLM")
    with pytest.raises(NotConnected, match="cannot be read as text"):
        find({}, tmp_path)


def test_the_key_is_shown_by_its_beginning_only() -> None:
    connection = Connection(URL, KEY, "given in code")
    assert KEY not in repr(connection)
    assert connection.shown_key == "sk-mar…"
    assert Connection(URL, "abc", "").shown_key == "a…"


@pytest.mark.parametrize("ending", ["", "/", "/chat/completions", "/chat/completions/"])
def test_the_address_of_the_chat_completions_is_understood(tmp_path: Path, ending: str) -> None:
    pair = {"SWSLLM_BASE_URL": URL + ending, "SWSLLM_API_KEY": KEY}
    assert find(pair, tmp_path).base_url == URL
    assert find({}, tmp_path, base_url=URL + ending, api_key=KEY).base_url == URL
    assert find(pair, tmp_path, base_url=URL).base_url == URL


def test_a_lone_base_url_is_seen(tmp_path: Path) -> None:
    lone = {"SWSLLM_BASE_URL": URL}
    with pytest.raises(NotConnected, match=r"SWSLLM_BASE_URL in the environment.*, but no key"):
        find(lone, tmp_path)
    (tmp_path / ".env").write_text(f"OPENAI_BASE_URL={URL}\n")
    with pytest.raises(NotConnected, match=r"OPENAI_BASE_URL in .*\.env\), but no key beside it"):
        find({}, tmp_path)


def test_a_key_and_a_base_url_of_two_places_are_both_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"SWSLLM_API_KEY={KEY}\n")
    with pytest.raises(NotConnected, match="not in one place") as failure:
        find({"SWSLLM_BASE_URL": URL}, tmp_path)
    assert "SWSLLM_BASE_URL in the environment" in str(failure.value)
    assert f"SWSLLM_API_KEY in {tmp_path / '.env'}" in str(failure.value)


def test_what_is_wrong_in_the_environment_is_corrected_there(tmp_path: Path) -> None:
    for pair, name in (
        ({"SWSLLM_BASE_URL": "host/v1", "SWSLLM_API_KEY": KEY}, "SWSLLM_BASE_URL"),
        ({"OPENAI_BASE_URL": URL, "OPENAI_API_KEY": "two words"}, "OPENAI_API_KEY"),
    ):
        with pytest.raises(NotConnected, match=rf"\({name} in the environment\)") as failure:
            find(pair, tmp_path)
        assert "the environment goes before every .env file" in str(failure.value)
        assert "Put these two lines" not in str(failure.value)


def test_what_is_wrong_in_an_env_file_is_corrected_there(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text(f"SWSLLM_BASE_URL=host/v1\nSWSLLM_API_KEY={KEY}\n")
    with pytest.raises(NotConnected, match=r"no address.*Correct it there") as failure:
        find({}, tmp_path)
    assert f"(SWSLLM_BASE_URL in {path})" in str(failure.value)
    assert "goes before" not in str(failure.value)
