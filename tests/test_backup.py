"""Backup and restore of both databases while calls run: nothing is lost, nothing is freed."""

import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from fake_openai import FakeOpenAI, Scripted
from fleets import SECRET, Fleet, fleet_of
from postgres import database_of_its_own
from proxies import clean_environment, running_proxy
from tools import find

from swsllm_nb.cli import commands
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.backup import _without_password

QUESTION = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}


def swsllm(folder: Path, database: str | None, *words: str, **environment: str) -> Any:
    """What a command on a course says, and its exit code."""
    told = {"SWSLLM_SECRET": SECRET, **environment}
    return CliRunner().invoke(commands, placed(folder, database, *words), env=told)


def placed(folder: Path, database: str | None, *words: str) -> list[str]:
    place = ["--database", database] if database else []
    return [*words, "--data", str(folder), *place, "--json"]


def done(ran: Any) -> Any:
    assert ran.exit_code == 0, ran.stderr
    return json.loads(ran.stdout)


def backed_up(folder: Path, database: str | None, target: Path) -> Path:
    """A backup by a process of its own."""
    ran = subprocess.run(
        [sys.executable, "-m", "swsllm_nb", *placed(folder, database, "backup", str(target))],
        env=clean_environment(SWSLLM_SECRET=SECRET),
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return Path(json.loads(ran.stdout)["backup"])


def ask(base_url: str, key: str) -> requests.Response:
    return requests.post(
        f"{base_url}/chat/completions",
        json={**QUESTION, "max_tokens": 10},
        headers={"authorization": f"Bearer {key}"},
        timeout=60,
    )


@contextmanager
def busy(url: str, key: str) -> Iterator[None]:
    """Two students' worth of calls, one after the other, for as long as it lasts."""
    enough = threading.Event()

    def call() -> None:
        while not enough.is_set():
            assert ask(url, key).status_code == 200

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        enough.set()
        for thread in threads:
            thread.join()


@pytest.fixture(params=["sqlite", "postgres"])
def kind(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres":
        find("pg_dump")
        find("pg_restore")
    return str(request.param)


@contextmanager
def empty_place(
    request: pytest.FixtureRequest, kind: str, folder: Path
) -> Iterator[tuple[Path, str | None]]:
    folder = folder / "restored"
    if kind == "sqlite":
        yield folder, None
        return
    with database_of_its_own(request.getfixturevalue("postgres_url")) as url:
        yield folder, url


def test_a_backup_while_calls_run_is_a_course_that_adds_up(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    hangs = Scripted(hang="before headers")
    with ExitStack() as serving, ThreadPoolExecutor(1) as pool:
        upstream = serving.enter_context(FakeOpenAI(hangs))
        with fleet_of(request, tmp_path / "course", upstream.base_url, kind, 1) as fleet:
            (proxy,) = fleet.proxies
            key, waiting = fleet.add_account("ada", "5.00"), fleet.add_account("ben", "5.00")
            pool.submit(ask, proxy.base_url, waiting)
            upstream.wait_for_requests(1)
            with busy(proxy.base_url, key):
                upstream.wait_for_requests(10)
                file = backed_up(fleet.folder, fleet.database, backups)
                upstream.wait_for_requests(len(upstream.requests) + 10)
            serving.close()
        assert [file] == list(backups.iterdir())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with empty_place(request, kind, tmp_path) as (folder, database):
        told = done(swsllm(folder, database, "restore", str(file)))
        # What ran at that time, nobody knows the end of: it is charged in full.
        assert {name: told[name] for name in ("adds_up", "accounts", "held")} == {
            "adds_up": True,
            "accounts": 2,
            "held": 0,
        }
        assert told["unconfirmed"] >= 1
        assert 10 <= told["calls"] < len(upstream.requests)
        with running_proxy(folder, database=database, SWSLLM_SECRET=SECRET) as again:
            assert [row["state"] for row in again.calls("ben")] == ["unconfirmed"]
            assert ask(again.base_url, key).status_code == 200
            again.assert_adds_up()


def test_no_course_is_written_over(
    request: pytest.FixtureRequest, kind: str, tmp_path: Path
) -> None:
    with fleet_of(request, tmp_path, "practice", kind) as fleet:
        fleet.add_account("ada", "5.00")
        file = tmp_path / "backup"
        done(swsllm(fleet.folder, fleet.database, "backup", str(file)))
        again = swsllm(fleet.folder, fleet.database, "backup", str(file))
        assert again.exit_code == 1
        assert "is there already" in again.stderr
        over = swsllm(fleet.folder, fleet.database, "restore", str(file))
        assert over.exit_code == 1
        assert "There is a course already, and it would be lost" in over.stderr
        assert [row["name"] for row in fleet.rows("SELECT name FROM accounts")] == ["ada"]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A folder with a course and its own secret."""
    folder = tmp_path / "course"
    added = swsllm(folder, None, "account", "add", "ada", "--budget", "1", SWSLLM_SECRET="")
    assert added.exit_code == 0, added.stderr
    return folder


def test_without_the_secret_nothing_is_restored(course: Path, tmp_path: Path) -> None:
    file, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    done(swsllm(course, None, "backup", str(file)))
    refused = swsllm(elsewhere, None, "restore", str(file), SWSLLM_SECRET="")
    assert refused.exit_code == 1
    assert f"as {elsewhere}/secret" in refused.stderr
    assert not elsewhere.exists()
    elsewhere.mkdir()
    (elsewhere / "secret").write_text((course / "secret").read_text())
    assert done(swsllm(elsewhere, None, "restore", str(file), SWSLLM_SECRET=""))["accounts"] == 1


def test_another_secret_is_noticed(course: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    done(swsllm(course, None, "backup", str(file)))
    refused = swsllm(tmp_path / "elsewhere", None, "restore", str(file))
    assert refused.exit_code == 1
    assert "The secret is not the one" in refused.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"no database at all", "a backup of PostgreSQL, or no backup at all"),
        (b"SQLite format 3\0" + b"x" * 5000, "cannot be copied"),
    ],
)
def test_what_is_no_backup_is_refused_and_leaves_nothing(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    refused = swsllm(tmp_path / "course", None, "restore", str(tmp_path / "file"))
    assert refused.exit_code == 1
    assert sentence in refused.stderr
    assert not list((tmp_path / "course").glob("*sqlite3*"))
    assert not list((tmp_path / "course").glob(".*"))


def test_a_damaged_database_is_not_taken_for_a_backup(course: Path, tmp_path: Path) -> None:
    database = course / "swsllm.sqlite3"
    content = bytearray(database.read_bytes())
    content[8192:] = os.urandom(len(content) - 8192)
    database.write_bytes(content)
    refused = swsllm(course, None, "backup", str(tmp_path / "backup"))
    assert refused.exit_code == 1
    assert re.search("is damaged, and was not copied|cannot be copied", refused.stderr)
    assert not (tmp_path / "backup").exists()


def test_who_was_signed_in_signs_in_again(course: Path, tmp_path: Path) -> None:
    fleet = Fleet(course, "practice", None)
    fleet.rows(
        "INSERT INTO sessions (token_hash, account_id, created_at, seen_at, expires_at) "
        "VALUES (x'00', 1, '2026', '2026', '2036')"
    )
    done(swsllm(course, None, "backup", str(tmp_path / "backup")))
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "secret").write_bytes((course / "secret").read_bytes())
    done(swsllm(tmp_path / "again", None, "restore", str(tmp_path / "backup"), SWSLLM_SECRET=""))
    assert Fleet(tmp_path / "again", "practice", None).rows("SELECT * FROM sessions") == []


@pytest.mark.parametrize(
    ("url", "shown", "password"),
    [
        ("postgresql://ada:ses%2Fame@db:5432/c", "postgresql://ada@db:5432/c", "ses/ame"),
        ("postgresql://db/c?user=ada&password=sesame", "postgresql://db/c?user=ada", "sesame"),
        ("postgresql://ada@/c?host=/run/pg", "postgresql://ada@/c?host=%2Frun%2Fpg", None),
        ("postgresql:///c", "postgresql:///c", None),
    ],
)
def test_no_password_stands_in_the_list_of_processes(
    url: str, shown: str, password: str | None
) -> None:
    assert _without_password(url) == (shown, password)


def test_a_secret_is_in_no_backup(course: Path, tmp_path: Path) -> None:
    done(swsllm(course, None, "backup", str(tmp_path / "backup")))
    secret = Secret.kept_in(course / "secret").material
    assert secret not in (tmp_path / "backup").read_bytes()
