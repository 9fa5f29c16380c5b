"""What staff say at the prompt, and what a running proxy then does."""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from fake_openai import FakeOpenAI, Scripted
from proxies import RunningProxy, running_proxy
from test_cli import sentence, swsllm


class Course:
    """A course in a folder, its commands, and a proxy that serves it."""

    def __init__(self, proxy: RunningProxy, upstream: FakeOpenAI) -> None:
        self.proxy = proxy
        self.upstream = upstream

    def words(self, *words: str) -> Any:
        run = swsllm(*words, "--data", str(self.proxy.folder), "--json")
        assert run.returncode == 0, run.stderr
        return json.loads(run.stdout)

    def fault(self, *words: str) -> str:
        return sentence(swsllm(*words, "--data", str(self.proxy.folder)))

    def ask(self, key: str, model: str = "gpt-4o-mini") -> openai.APIStatusError | None:
        try:
            with openai.OpenAI(base_url=self.proxy.base_url, api_key=key, max_retries=0) as client:
                client.chat.completions.create(
                    model=model, messages=[{"role": "user", "content": "Hi"}], max_tokens=100
                )
        except openai.APIStatusError as error:
            return error
        return None


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("course")
    with FakeOpenAI() as upstream, running_proxy(folder, upstream=upstream.base_url) as proxy:
        yield Course(proxy, upstream)
        proxy.assert_adds_up()


def test_a_key_is_renewed_and_revoked_in_the_running_proxy_at_once(course: Course) -> None:
    key = course.words("account", "add", "key", "--budget", "1")["key"]
    assert course.ask(key) is None
    renewed = course.words("key", "new", "key")["key"]
    assert isinstance(course.ask(key), openai.AuthenticationError)
    assert course.ask(renewed) is None
    assert course.words("key", "revoke", "key") == {"account": "key", "keys_revoked": 1}
    assert isinstance(course.ask(renewed), openai.AuthenticationError)


def test_an_account_is_disabled_enabled_renamed_and_deleted(course: Course) -> None:
    key = course.words("account", "add", "bob", "--budget", "1")["key"]
    assert course.words("account", "disable", "bob")["enabled"] is False
    assert isinstance(course.ask(key), openai.AuthenticationError)
    assert course.words("account", "enable", "bob")["enabled"] is True
    assert course.ask(key) is None
    course.words("account", "rename", "bob", "robert")
    assert course.ask(key) is None
    assert "no account 'bob'" in course.fault("account", "show", "bob")
    gone = course.words("account", "delete", "robert", "--yes")
    assert gone["account"].startswith("deleted-")
    assert isinstance(course.ask(key), openai.AuthenticationError)
    assert "robert" not in {row["account"] for row in course.words("account", "list")}
    database = sqlite3.connect(course.proxy.folder / "swsllm.sqlite3")
    calls = "SELECT count(*) FROM ledger WHERE kind = 'call' AND account_id = "
    (kept,) = database.execute(calls + gone["account"].removeprefix("deleted-")).fetchone()
    database.close()
    assert kept == 2
    for words in (("account", "enable"), ("account", "delete"), ("key", "new")):
        yes = ["--yes"] if words[1] == "delete" else []
        assert "was deleted" in course.fault(*words, gone["account"], *yes)
    assert "deleted accounts" in course.fault("account", "add", "deleted-99", "--budget", "1")


def test_a_budget_is_granted_with_a_reason_and_taken_back(course: Course) -> None:
    key = course.words("account", "add", "carl", "--budget", "0")["key"]
    refused = course.ask(key)
    assert isinstance(refused, openai.RateLimitError)
    assert refused.code == "insufficient_quota"
    assert course.words("budget", "grant", "carl", "2.50", "--reason", "exam")["budget_usd"] == (
        "2.50"
    )
    assert course.ask(key) is None
    back = course.words("budget", "grant", "carl", "-1.5", "--reason", "too much")
    assert back["budget_usd"] == "1.00"
    assert "is left" in course.fault("budget", "grant", "carl", "-1.5", "--reason", "all")
    assert "Say why" in course.fault("budget", "grant", "carl", "1", "--reason", " ")
    for amount in ("0", "1e99", "much", "nan"):
        course.fault("budget", "grant", "carl", amount, "--reason", "no number")


def test_limits_of_an_account_bite_and_are_lifted(course: Course) -> None:
    key = course.words("account", "add", "dora", "--budget", "1")["key"]
    limit = ("account", "limit", "dora")
    assert course.words(*limit, "--models", "gpt-4o-2024-11-20")["allowed_models"] == [
        "gpt-4o-2024-11-20"
    ]
    refused = course.ask(key)
    assert isinstance(refused, openai.PermissionDeniedError)
    assert "may use gpt-4o-2024-11-20" in str(refused)
    assert course.ask(key, "gpt-4o") is None
    course.words(*limit, "--models", "", "--from", "2099-01-01")
    assert isinstance(course.ask(key), openai.PermissionDeniedError)
    shown = course.words(*limit, "--from", "", "--until", "2098-12-31", "--per-minute", "2")
    assert shown["valid_until"].startswith(("2098-12-31", "2099-01-01"))
    answers = [course.ask(key) for _ in range(3)]
    slow = answers[-1]
    assert isinstance(slow, openai.RateLimitError)
    assert slow.code == "rate_limit_exceeded"
    assert 1 <= int(slow.response.headers["retry-after"]) <= 30
    assert "2027-13-01" in course.fault(*limit, "--until", "2027-13-01")
    assert "9999-12-31" in course.fault(*limit, "--until", "9999-12-31")
    course.fault(*limit, "--in-flight", "0")
    for day in ("9999-12-31", "0001-01-01", "28.2.2027"):
        assert "is not a day" in course.fault(*limit, "--from", day, "--until", day)
    assert "No day" in course.fault(*limit, "--from", "2027-03-02", "--until", "2027-03-01")


def test_models_of_an_account_are_named_as_calls_name_them_and_a_typing_mistake_is_refused(
    course: Course,
) -> None:
    key = course.words("account", "add", "hugo", "--budget", "1")["key"]
    limit = ("account", "limit", "hugo", "--models")
    shown = course.words(*limit, "gpt-4o-mini, gpt-4o")
    assert shown["allowed_models"] == ["gpt-4o-mini-2024-07-18", "gpt-4o-2024-11-20"]
    assert course.ask(key) is None
    for models in ("gpt-4o-mini,gpt4o", ","):
        assert "There is no model" in course.fault(*limit, models)
    assert course.ask(key) is None


def test_the_cap_of_the_course_is_set_shown_and_lifted(course: Course) -> None:
    key = course.words("account", "add", "emil", "--budget", "1")["key"]
    course.words("course", "set", "--cap", "0.00001")
    refused = course.ask(key)
    assert isinstance(refused, openai.RateLimitError)
    assert "whole course" in str(refused)
    assert course.words("course", "show")["cap_usd"] == "0.00001"
    course.words("course", "set", "--cap", "")
    assert course.words("course", "show")["cap_usd"] is None
    assert course.ask(key) is None


def test_a_models_price_is_changed_for_new_calls_and_the_living_proxy_learns_of_it(
    course: Course,
) -> None:
    key = course.words("account", "add", "gina", "--budget", "1")["key"]
    listed = {row["model"]: row for row in course.words("model", "list")}
    assert listed["gpt-4o-mini-2024-07-18"]["input_usd"] == "0.15"
    assert listed["gpt-6-luna"]["enabled"] is False
    course.words("model", "set", "gpt-4o-mini", "--input", "1.5", "--output", "6.00")
    proxy = course.proxy
    deadline = time.monotonic() + 30
    while proxy.get("/models/gpt-4o-mini")["output_usd_per_million"] != "6.00":
        assert time.monotonic() < deadline, "the proxy did not learn of the price"
        time.sleep(0.1)
    assert course.ask(key) is None
    assert json.loads(proxy.calls("gina")[0]["prices"]) == {"input": 1500000, "output": 6000000}
    course.words("model", "set", "gpt-4o-mini", "--input", "0.15", "--output", "0.60")


def test_a_models_long_prompts_and_its_regions_multiplier_are_priced(course: Course) -> None:
    long = ("--long-above", "50000", "--long-input", "5", "--long-output", "20")
    day = ("--valid-from", "2090-01-01")
    course.words("model", "set", "o3-mini", *long, "--multiplier", "1.1", *day)
    assert "is too fine" in course.fault("model", "set", "o3-mini", "--input", "0.000001", *day)
    shown = course.words("model", "set", "o3-mini", *long)
    assert shown["long_prompts"] == {
        "above_tokens": 50000, "input_usd": "5", "output_usd": "20",
    }  # fmt: skip


def test_a_model_is_not_switched_on_before_its_limits_are_known(course: Course) -> None:
    assert "context_tokens" in course.fault("model", "set", "gpt-6-luna", "--enable")
    assert "no model" in course.fault("model", "set", "gpt-9", "--enable")
    assert "Nothing to change" in course.fault("model", "set", "gpt-4o")
    course.fault("model", "set", "gpt-4o", "--output", "free")
    course.fault("model", "set", "gpt-4o", "--output", "1", "--valid-from", "2020-01-01")


def test_another_model_becomes_the_default_in_place_of_the_one_that_was(course: Course) -> None:
    for name in ("gpt-4o-2024-11-20", "gpt-4o-mini-2024-07-18"):
        course.words("model", "set", name, "--default")
        defaults = [row["model"] for row in course.words("model", "list") if row["default"]]
        assert defaults == [name]


def test_an_unconfirmed_call_is_found_by_the_check_and_credited(course: Course) -> None:
    key = course.words("account", "add", "fred", "--budget", "1")["key"]
    course.upstream.answers.append(Scripted(status=500, body="no JSON"))
    failed = course.ask(key)
    assert failed is not None
    check = course.words("ledger", "check")
    assert check["adds_up"] is True
    assert check["unconfirmed"] == 1
    assert check["unconfirmed_usd"] == course.words("account", "show", "fred")["spend_usd"]
    request_id = str(failed.request_id)
    assert "Say why" in course.fault("budget", "credit", request_id, "--reason", "")
    course.words("budget", "credit", request_id, "--reason", "the server fell over")
    assert course.words("account", "show", "fred")["spend_usd"] == "0.00"
    assert "already" in course.fault("budget", "credit", request_id, "--reason", "again")


def test_the_check_ends_with_1_where_the_books_do_not_add_up(tmp_path: Path) -> None:
    swsllm("account", "add", "ada", "--budget", "5", "--data", str(tmp_path))
    database = sqlite3.connect(tmp_path / "swsllm.sqlite3", isolation_level=None)
    database.execute("UPDATE accounts SET spend_pico = 1")
    database.close()
    run = swsllm("ledger", "check", "--data", str(tmp_path), "--json")
    assert run.returncode == 1
    told = json.loads(run.stdout)
    assert [row["name"] for row in told["differences"]] == ["ada"]


def test_a_database_is_migrated_and_the_migration_rehearsed(tmp_path: Path) -> None:
    words = ("migrate", "--data", str(tmp_path), "--json")
    rehearsed = json.loads(swsllm(*words, "--rehearse").stdout)
    assert (rehearsed["from_version"], rehearsed["rehearsed"]) == (0, True)
    assert not (tmp_path / "swsllm.sqlite3").exists()
    assert json.loads(swsllm(*words).stdout)["from_version"] == 0
    assert json.loads(swsllm(*words).stdout)["from_version"] == rehearsed["to_version"]


@pytest.mark.parametrize(
    "words", ["account list", "course set --cap 10", "model set gpt-4o --output 11"]
)
def test_a_mistyped_folder_makes_no_course(tmp_path: Path, words: str) -> None:
    run = swsllm(*words.split(), "--data", str(tmp_path / "corse"))
    assert "no course" in sentence(run)
    assert not (tmp_path / "corse").exists()


def test_a_course_whose_secret_was_lost_says_so(tmp_path: Path) -> None:
    swsllm("account", "add", "ada", "--budget", "5", "--data", str(tmp_path))
    (tmp_path / "secret").unlink()
    run = swsllm("account", "add", "bob", "--budget", "5", "--data", str(tmp_path))
    assert "Restore the file 'secret'" in sentence(run)


def test_budgets_that_no_sum_could_hold_are_refused(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path))
    assert swsllm("account", "add", "ada", "--budget", "4000000", *data).returncode == 0
    assert "too much" in sentence(swsllm("account", "add", "bob", "--budget", "4000000", *data))
    grant = ("budget", "grant", "ada", "4000000", "--reason", "a slip of the finger")
    assert "too much" in sentence(swsllm(*grant, *data))
    assert swsllm("budget", "grant", "ada", "-4000000", "--reason", "back", *data).returncode == 0
    assert swsllm("ledger", "check", *data).returncode == 0
