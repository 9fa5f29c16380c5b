"""Several serving processes: on one socket over PostgreSQL, and by mistake over SQLite."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from openai import OpenAI
from postgres import execute
from proxies import RunningProxy, clean_environment, running_proxy, workers_of

FreshDatabase = Callable[[], str]


def ask(proxy: RunningProxy, key: str) -> str | None:
    client = OpenAI(base_url=proxy.base_url, api_key=key)
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], max_tokens=5
    )
    return answer.choices[0].message.content


def test_two_workers_serve_on_one_address_and_end_together(
    tmp_path: Path, fresh_database: FreshDatabase
) -> None:
    with running_proxy(tmp_path, "--workers", "2", database=fresh_database()) as proxy:
        workers = workers_of(proxy)
        assert len(workers) == 2
        key = proxy.add_account("ada").key
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(proxy, key), range(16)))
        assert all(answers)
        assert [row["state"] for row in proxy.calls("ada")] == ["settled"] * 16
        proxy.assert_adds_up()
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(30) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


def test_a_worker_that_dies_is_replaced(tmp_path: Path, fresh_database: FreshDatabase) -> None:
    with running_proxy(tmp_path, "--workers", "2", database=fresh_database()) as proxy:
        first = workers_of(proxy)
        os.kill(first[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(set(workers_of(proxy)) - set(first)) < 1:
            assert time.monotonic() < deadline, "no other worker was started"
            time.sleep(0.05)
        key = proxy.add_account("ada").key
        assert ask(proxy, key)


def test_a_worker_that_dies_while_the_database_is_away_takes_no_other_with_it(
    tmp_path: Path, fresh_database: FreshDatabase
) -> None:
    database = fresh_database()
    with running_proxy(tmp_path, "--workers", "2", database=database) as proxy:
        key = proxy.add_account("ada").key
        first = workers_of(proxy)
        with nobody_let_in(database):
            os.kill(first[0], signal.SIGKILL)
            replaced = set(first)
            deadline = time.monotonic() + 60
            while len(replaced) < len(first) + 2:  # one replacement at least has given up
                assert time.monotonic() < deadline, "nothing is tried again"
                assert proxy.process.poll() is None, "the proxy gave up"
                replaced |= set(workers_of(proxy))
                time.sleep(0.05)
            assert first[1] in workers_of(proxy)
        while len(workers_of(proxy)) < len(first):
            assert time.monotonic() < deadline, "no other worker was started"
            time.sleep(0.05)
        assert ask(proxy, key)


@contextmanager
def nobody_let_in(database: str) -> Iterator[None]:
    """No new connection to a database; those that are open stay."""
    name = urlsplit(database).path.lstrip("/")
    elsewhere = database.replace(f"/{name}?", "/postgres?")
    execute(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        yield
    finally:
        execute(elsewhere, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_workers_that_cannot_serve_end_with_exit_code_1(tmp_path: Path) -> None:
    words = ("serve", "--upstream", "practice", "--workers", "2", "--port", "0")
    run = subprocess.run(
        [sys.executable, "-m", "swsllm_nb", *words, "--data", str(tmp_path)],
        env=clean_environment(SWSLLM_DATABASE="postgresql://127.0.0.1:1/nowhere"),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert "nowhere on 127.0.0.1 cannot be used" in run.stderr
    assert "Traceback" not in run.stderr


def test_workers_do_not_outlive_a_parent_that_is_killed(
    tmp_path: Path, fresh_database: FreshDatabase
) -> None:
    with running_proxy(tmp_path, "--workers", "2", database=fresh_database()) as proxy:
        workers = workers_of(proxy)
        proxy.process.kill()
        deadline = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < deadline, "a worker lives on"
            time.sleep(0.05)


def test_several_workers_on_sqlite_are_refused_in_one_sentence(tmp_path: Path) -> None:
    words = ("serve", "--upstream", "practice", "--workers", "2", "--data", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-m", "swsllm_nb", *words],
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stderr == (
        "Error: 2 workers need PostgreSQL: give --database postgresql://… "
        "(SQLite is for one serving process).\n"
    )


def test_a_second_server_on_one_folder_says_so_and_stays_correct(tmp_path: Path) -> None:
    with running_proxy(tmp_path) as first:
        command = [sys.executable, "-m", "swsllm_nb", "serve", "--upstream", "practice"]
        with subprocess.Popen(
            [*command, "--port", "0", "--data", str(tmp_path)],
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as second:
            assert second.stdout is not None
            assert second.stderr is not None
            assert "Another process serves from" in second.stderr.readline()
            second.terminate()
            assert second.wait(30) == 0
        assert ask(first, first.add_account("ada").key)
        first.assert_adds_up()


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/nowhere", "mysql://host/db"])
def test_a_database_that_cannot_be_used_is_one_sentence_without_its_password(
    tmp_path: Path, url: str
) -> None:
    secret = url.replace("://", "://teacher:sesame@")
    run = subprocess.run(
        [sys.executable, "-m", "swsllm_nb", "account", "list", "--data", str(tmp_path)],
        env=clean_environment(SWSLLM_DATABASE=secret),
        capture_output=True,
        text=True,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("Error: ")
    assert run.stderr.count("\n") == 1
    assert "sesame" not in run.stderr
