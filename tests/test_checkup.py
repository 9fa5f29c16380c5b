"""``swsllm doctor``: each thing that it looks at, sound and broken, and what it exits with."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from fake_openai import FakeOpenAI
from fleets import Fleet
from proxies import RunningProxy, clean_environment

from swsllm_nb.catalogue import packaged_rows
from swsllm_nb.cli import commands
from swsllm_nb.proxy import checkup, machine
from swsllm_nb.proxy.machine import files, room
from swsllm_nb.proxy.offer import Offer

SECRET = "1:a secret that is long enough to be one"
MODELS = list(packaged_rows())


@pytest.fixture(scope="module")
def openai() -> Iterator[FakeOpenAI]:
    with FakeOpenAI() as server:
        server.pages["/models"] = {"data": [{"id": name} for name in MODELS]}
        yield server


@dataclass(frozen=True)
class Doctor:
    """What ``swsllm doctor`` says of a course, by what it looks at."""

    folder: Path
    upstream: str

    def __call__(self, *options: str, **environment: str) -> dict[str, tuple[str, str]]:
        ran = said(*self.words(*options), "--json", SWSLLM_UPSTREAM_KEY="sk-sesame", **environment)
        told = json.loads(ran.stdout)
        wrong = any(finding["verdict"] == "wrong" for finding in told)
        assert ran.exit_code == int(wrong), told
        return {row["subject"]: (row["verdict"], row["sentence"]) for row in told}

    def words(self, *options: str) -> list[str]:
        told = ["--data", str(self.folder), "--upstream", self.upstream]
        return ["doctor", *told, *options]


def said(*words: str, **environment: str) -> Any:
    """What a command says, and its exit code."""
    ran = CliRunner().invoke(commands, words, env=environment)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return ran


@pytest.fixture
def doctor(tmp_path: Path, openai: FakeOpenAI) -> Doctor:
    """Of a course with one account, in a folder that is closed to others."""
    folder = tmp_path / "course"
    assert said("account", "add", "ada", "--budget", "1", "--data", str(folder)).exit_code == 0
    return Doctor(folder, openai.base_url)


def test_all_that_is_sound_is_said_to_be(doctor: Doctor, openai: FakeOpenAI) -> None:
    told = doctor()
    assert told["upstream 127.0.0.1"] == ("good", "It takes the key and lists 4 models.")
    assert openai.requests[-1].headers["authorization"] == "Bearer sk-sesame"
    assert told["clock"] == ("good", "It agrees with the upstream's.")
    assert told["database"][0] == "good"
    assert "the books of 1 accounts add up" in told["database"][1]
    assert told["disk"][0] in ("good", "look")
    assert told["public URL"][0] == "look"
    assert "alone" in told["secrets"][1]
    assert "sk-sesame" not in str(told)


def test_for_people_it_is_a_line_each_and_an_exit_code(doctor: Doctor) -> None:
    command = [sys.executable, "-m", "swsllm_nb"]
    broken = Doctor(doctor.folder, "http://127.0.0.1:9/v1").words()
    for words, code, line in (
        (doctor.words(), 0, "good   database: It answers"),
        (broken, 1, "wrong  upstream 127.0.0.1: http://127.0.0.1:9/v1 cannot be reached"),
    ):
        ran = subprocess.run(
            [*command, *words], env=clean_environment(), capture_output=True, text=True
        )
        assert ran.returncode == code, ran
        assert line in ran.stdout


def test_a_key_that_is_refused_is_told_from_a_server_that_lists_nothing(doctor: Doctor) -> None:
    assert Doctor(doctor.folder, "practice")()["upstream practice"][0] == "good"
    with FakeOpenAI() as server:
        elsewhere = Doctor(doctor.folder, server.base_url)
        verdict, sentence = elsewhere()["upstream 127.0.0.1"]
        assert (verdict, sentence[:16]) == ("look", "It answers 404 a")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_the_key_is_wrong(monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    address = checkup.UpstreamAddress("openai", "https://api.example/v1", "sk-sesame")

    async def refused(url: str, key: str | None) -> checkup.Page:
        assert (url, key) == ("https://api.example/v1/models", "sk-sesame")
        return checkup.Page(status, None, b"{}")

    monkeypatch.setattr(checkup, "fetch", refused)
    asked = asyncio.run(checkup._ask_upstream(address))
    assert asked.finding.verdict == "wrong"
    assert f"It refuses the key ({status})" in asked.finding.sentence


def test_models_that_end_have_ended_or_are_not_listed_are_told(
    doctor: Doctor, openai: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = date(2026, 11, 23)
    monkeypatch.setattr(checkup, "utc_today", lambda: today)
    offer = Offer(ages=True, today=lambda: today)
    everything = {"openai": frozenset(MODELS)}
    told = {one.subject: one for one in checkup._models(offer, everything)}
    ends = told["model gpt-4o-mini-2024-07-18"]
    assert ends.verdict == "look"
    assert "It ends on 2027-01-14, in 52 days, and is not served by its successor" in ends.sentence
    assert "It was shut down on 2026-10-23" in told["model o3-mini-2025-01-31"].sentence
    missing = {"openai": frozenset(MODELS) - {"gpt-4o-2024-11-20"}}
    told = {one.subject: one for one in checkup._models(offer, missing)}
    assert told["model gpt-4o-2024-11-20"].verdict == "wrong"
    assert told["model gpt-4o-mini-2024-07-18"].verdict == "look"
    silent = {"openai": None}
    assert {one.verdict for one in checkup._models(offer, silent)} == {"look"}
    earlier = Offer(ages=True, today=lambda: date(2025, 6, 1))
    monkeypatch.setattr(checkup, "utc_today", lambda: date(2025, 6, 1))
    assert {one.verdict for one in checkup._models(earlier, everything)} == {"good"}
    gone = Offer(ages=True, today=lambda: date(2027, 2, 1))
    verdicts = {one.subject: one.verdict for one in checkup._models(gone, everything)}
    assert verdicts["model gpt-4o-mini-2024-07-18"] == "wrong"  # it is the default


def test_a_clock_that_is_wrong_is_told_by_how_much() -> None:
    assert checkup._clock(3, "upstream").verdict == "good"
    late = checkup._clock(-200, "database")
    assert late.verdict == "wrong"
    assert "It is 200 s behind the database's" in late.sentence


def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for free, verdict in ((10**8, "wrong"), (10**9, "look"), (10**11, "good")):
        monkeypatch.setattr(
            machine.shutil, "disk_usage", lambda _, free=free: SimpleNamespace(free=free)
        )
        assert room(tmp_path).verdict == verdict


def test_who_else_can_read_the_secrets_is_told_with_the_remedy(doctor: Doctor) -> None:
    doctor.folder.chmod(0o755)
    (doctor.folder / "secret").chmod(0o640)
    assert doctor()["secrets"][0] == "wrong"
    told = list(files(doctor.folder, {}))
    assert [one.verdict for one in told] == ["wrong", "wrong"]
    assert "can be read by its group here: chmod 700" in told[0].sentence
    assert "can be read by everybody here: chmod 700" in told[1].sentence
    doctor.folder.chmod(0o700)
    assert {one.verdict for one in files(doctor.folder, {})} == {"good"}


def test_a_file_that_the_environment_names_is_looked_at_too(doctor: Doctor) -> None:
    key = doctor.folder / "key"
    key.write_text("sk-sesame")
    key.chmod(0o644)
    environ = {"SWSLLM_UPSTREAM_KEY_FILE": str(key), "SWSLLM_SECRET": "1:x"}
    told = [one.sentence for one in files(doctor.folder, environ)]
    assert "SWSLLM_SECRET is in the environment: root and" in told[0]
    assert f"chmod 600 {key}" in told[1]


def test_a_database_that_is_none_is_older_or_does_not_add_up_is_told(doctor: Doctor) -> None:
    fleet = Fleet(doctor.folder, "practice", None)
    fleet.rows("UPDATE accounts SET spend_pico = 1")
    assert "1 accounts are not the sum of their rows" in doctor()["database"][1]
    fleet.rows("UPDATE accounts SET spend_pico = 0")
    assert "is not the one" in doctor(SWSLLM_SECRET=SECRET)["database"][1]
    (doctor.folder / "swsllm.sqlite3").write_bytes(b"no database" * 1000)
    verdict, sentence = doctor()["database"]
    assert verdict == "wrong"
    assert "cannot be used as the course's database" in sentence


def test_the_public_address_is_asked(doctor: Doctor, practice_proxy: RunningProxy) -> None:
    told = doctor("--public-url", practice_proxy.base_url)
    assert told["public URL"] == ("good", f"{practice_proxy.base_url} answers.")
    assert told["front proxy"][0] == "look"
    told = doctor("--public-url", f"{practice_proxy.base_url}/x", "--trusted-proxy", "127.0.0.1")
    assert told["public URL"][0] == "wrong"
    assert "answers 404" in told["public URL"][1]
    assert "front proxy" not in told
    told = doctor("--public-url", "http://llm.invalid")
    assert "whoever listens has the students' keys" in told["encryption"][1]
    assert told["public URL"][0] == "look"


def test_on_postgresql_its_clock_is_compared(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    environment = {"SWSLLM_DATABASE": fresh_database(), "SWSLLM_SECRET": SECRET}
    add = ("account", "add", "ada", "--budget", "1", "--data", str(tmp_path))
    assert said(*add, **environment).exit_code == 0
    found = Doctor(tmp_path, "practice")(**environment)
    assert found["database"][0] == "good"
    assert found["clock"] == ("good", "It agrees with the database's.")


def test_without_a_course_or_its_secret_nothing_is_made(tmp_path: Path) -> None:
    for database, sentence in (
        ((), "There is no course in"),
        (("--database", "postgresql://a@127.0.0.1:9/b"), "There is no secret in"),
    ):
        ran = said(*Doctor(tmp_path / "none", "practice").words(*database))
        assert ran.exit_code == 1
        assert sentence in ran.stderr
    assert not (tmp_path / "none").exists()
