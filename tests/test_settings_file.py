"""The settings file, and that flags and the environment come before it."""

import subprocess
import sys
from pathlib import Path

import pytest
from proxies import clean_environment, end, wait_until_ready

from swsllm_nb.proxy.settings_file import read_settings_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "swsllm.toml"


def test_it_says_what_the_variables_say(file: Path) -> None:
    file.write_text(
        'upstream = "practice"\nport = 0\ntrusted_proxies = ["10.0.0.0/8"]\ndata = "kept"\n'
        'database = "postgresql://swsllm@db.example.org/course"\n'
    )
    assert read_settings_file(file) == {
        "upstream": "practice",
        "port": 0,
        "trusted_proxies": ["10.0.0.0/8"],
        "data": str(file.parent / "kept"),
        "database": "postgresql://swsllm@db.example.org/course",
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("upstraem = 'practice'", "no setting 'upstraem': is 'upstream' meant?"),
        ("public-url = 'https://a.example'", "is 'public_url' meant?"),
        ("zzz = 1", "there are data, database, upstream"),
        ("port = '8000'", "Expected 'int | null', got 'str' - at 'port'"),
        ("workers = true", "got 'bool' - at 'workers'"),
        ("port = ", "is not TOML: Invalid value"),
        ("port = 'ü'", "is not TOML: it is not UTF-8"),
        (
            "upstream_key = 'sk-sesame'",
            "in the environment, or name a file in SWSLLM_UPSTREAM_KEY_FILE",
        ),
        ("secret = '1:sesame'", "Set SWSLLM_SECRET in the environment"),
        ("database = 'postgresql://a:sesame@b/c'", "set PGPASSWORD, or PGPASSFILE"),
        ("database = 'postgresql://a@b/c?password=sesame'", "set PGPASSWORD, or PGPASSFILE"),
    ],
)
def test_what_is_no_setting_is_refused_in_words_and_no_secret_is_shown(
    file: Path, text: str, sentence: str
) -> None:
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError) as refused:
        read_settings_file(file)
    assert sentence in str(refused.value)
    assert str(file) in str(refused.value)
    assert "sesame" not in str(refused.value)


def test_a_file_that_is_not_there_is_one_sentence(file: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot be read \(No such file"):
        read_settings_file(file)


def test_a_flag_comes_before_the_environment_and_that_before_the_file(file: Path) -> None:
    file.write_text(
        'upstream = "practice"\nport = 0\ndata = "kept"\nhost = "no.such.host.example"\n'
        'public_url = "https://llm.example.org/from-the-file"\nprefix = "/from-the-file"\n'
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "swsllm_nb", "serve", "--prefix", "/from-the-flag"],
        cwd=file.parent,
        env=clean_environment(
            SWSLLM_CONFIG=str(file),
            SWSLLM_HOST="127.0.0.1",
            SWSLLM_PREFIX="/from-the-environment",
            SWSLLM_PUBLIC_URL="https://llm.example.org/from-the-flag/",
        ),
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        assert base_url.startswith("http://127.0.0.1:")
        assert base_url.endswith("/from-the-flag")
        wait_until_ready(base_url, process)
        end(process)
    assert (file.parent / "kept" / "swsllm.sqlite3").exists()


def test_every_command_on_a_course_reads_it(file: Path) -> None:
    file.write_text('data = "kept"\nupstream = "practice"\n')
    command = [sys.executable, "-m", "swsllm_nb", "account", "add", "ada", "--budget", "1"]
    told = [*command, "--config", str(file)]
    subprocess.run(told, cwd=file.parent.parent, env=clean_environment(), check=True)
    assert (file.parent / "kept" / "swsllm.sqlite3").exists()
    file.write_text("dtaa = 'kept'")
    refused = subprocess.run(told, env=clean_environment(), capture_output=True, text=True)
    assert refused.returncode == 1
    assert "is 'data' meant?" in refused.stderr
