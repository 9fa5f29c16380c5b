"""The words at the prompt, as a person or a script would use them."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from fake_openai import FakeOpenAI, Scripted
from openai import APIConnectionError, OpenAI
from proxies import RunningProxy, clean_environment, running_proxy


def swsllm(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "swsllm_nb", *words]
    return subprocess.run(
        command, env=clean_environment(**environment), capture_output=True, text=True, check=False
    )


def sentence(run: subprocess.CompletedProcess[str]) -> str:
    """What a mistake prints: one sentence, no traceback, and the exit code is not 0."""
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    return run.stderr


def test_an_account_is_added_listed_and_shown_in_exact_decimal_strings(tmp_path: Path) -> None:
    data = str(tmp_path / "new" / "folder")
    added = json.loads(
        swsllm("account", "add", "ada", "--budget", "5.00", "--data", data, "--json").stdout
    )
    assert set(added) == {"account", "budget_usd", "key", "password"}
    assert (added["account"], added["budget_usd"]) == ("ada", "5.00")
    assert added["key"].startswith("sws-")
    swsllm("account", "add", "bob", "--budget", "0.000000000001", "--data", data)
    listed = json.loads(swsllm("account", "list", "--data", data, "--json").stdout)
    assert [row["account"] for row in listed] == ["ada", "bob"]
    shown = json.loads(swsllm("account", "show", "bob", "--data", data, "--json").stdout)
    assert shown == {**listed[1], "refusals": []}
    assert {field: shown[field] for field in shown if field.endswith("_usd")} == {
        "budget_usd": "0.000000000001",
        "spend_usd": "0.00",
        "reserved_usd": "0.00",
        "remaining_usd": "0.000000000001",
        "pace_usd": "0.00",
    }


def test_the_list_for_people_is_a_table_and_the_folder_may_come_from_the_environment(
    tmp_path: Path,
) -> None:
    swsllm("account", "add", "ada", "--budget", "5", SWSLLM_DATA=str(tmp_path))
    lines = swsllm("account", "list", SWSLLM_DATA=str(tmp_path)).stdout.splitlines()
    assert lines[0].split() == [
        "account", "budget_usd", "spend_usd", "reserved_usd", "remaining_usd", "enabled",
        "status", "last_call_at",
    ]  # fmt: skip
    assert lines[1].split() == ["ada", "5.00", "0.00", "0.00", "5.00", "True", "active"]


def test_key_and_password_of_an_account_are_nowhere_in_its_folder(tmp_path: Path) -> None:
    added = json.loads(
        swsllm("account", "add", "a", "--budget", "5", "--data", str(tmp_path), "--json").stdout
    )
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        content = file.read_bytes()
        assert added["key"].encode() not in content
        assert added["password"].encode() not in content
    if os.name == "posix":
        assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("budget", ["-1", "five", "5.0000000000001", "nan", "1e30", ""])
def test_a_budget_that_is_none_is_refused(tmp_path: Path, budget: str) -> None:
    run = swsllm("account", "add", "ada", f"--budget={budget}", "--data", str(tmp_path))
    assert "budget" in sentence(run) or "amount in dollars" in sentence(run)
    assert json.loads(swsllm("account", "list", "--data", str(tmp_path), "--json").stdout) == []


def test_a_name_that_is_taken_or_unknown_is_refused(tmp_path: Path) -> None:
    swsllm("account", "add", "ada", "--budget", "5", "--data", str(tmp_path))
    again = swsllm("account", "add", "ada", "--budget", "9", "--data", str(tmp_path))
    assert "There is an account 'ada' already" in sentence(again)
    unknown = swsllm("account", "show", "eve", "--data", str(tmp_path))
    assert "There is no account 'eve'" in sentence(unknown)


def test_serve_without_an_upstream_refuses_to_start() -> None:
    assert "--upstream" in sentence(swsllm("serve"))


def test_serve_refuses_an_upstream_that_is_a_typing_mistake(tmp_path: Path) -> None:
    run = swsllm("serve", "--upstream", "pratice", "--data", str(tmp_path))
    assert "neither 'practice' nor an address" in sentence(run)


def test_serve_says_when_its_port_is_taken(tmp_path: Path) -> None:
    with running_proxy(tmp_path / "first") as proxy:
        port = proxy.base_url.split(":")[2].split("/")[0]
        words = ("serve", "--upstream", "practice", "--port", port)
        run = swsllm(*words, "--data", str(tmp_path / "second"))
    assert f"Cannot listen on 127.0.0.1:{port}" in sentence(run)


STOPS = [signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if os.name == "posix" else [])]


@pytest.mark.parametrize("stop", STOPS)
def test_serve_ends_in_peace_when_told_to_stop(tmp_path: Path, stop: signal.Signals) -> None:
    with running_proxy(tmp_path) as proxy:
        proxy.process.send_signal(stop)
        assert proxy.process.wait(30) == 0
    assert list((tmp_path / "processes").iterdir()) == []


@pytest.mark.parametrize("stop", STOPS)
def test_serve_hears_a_stop_that_comes_before_it_serves(
    tmp_path: Path, stop: signal.Signals
) -> None:
    command = [sys.executable, "-m", "swsllm_nb", "serve", "--upstream", "practice", "--port", "0"]
    with subprocess.Popen(
        [*command, "--data", str(tmp_path)],
        env=clean_environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(stop)
        assert process.wait(30) == 0


@pytest.mark.parametrize("damage", ["a folder", "not a database", "a secret"])
def test_a_data_folder_that_cannot_be_used_is_one_sentence(tmp_path: Path, damage: str) -> None:
    swsllm("account", "add", "ada", "--budget", "5", "--data", str(tmp_path))
    database = tmp_path / "swsllm.sqlite3"
    if damage == "a secret":
        (tmp_path / "secret").write_text("")
    else:
        for file in tmp_path.glob("swsllm.sqlite3*"):
            file.unlink()
        database.mkdir() if damage == "a folder" else database.write_text("x" * 5000)
    run = swsllm("account", "list", "--data", str(tmp_path))
    assert str(tmp_path) in sentence(run)


def test_serve_that_is_told_to_stop_lets_a_running_stream_finish(tmp_path: Path) -> None:
    slow = Scripted(chunks=tuple("abcdefgh"), wait_between_chunks=0.1)
    with (
        FakeOpenAI(default=slow) as upstream,
        running_proxy(tmp_path, upstream=upstream.base_url) as proxy,
    ):
        client = OpenAI(base_url=proxy.base_url, api_key=proxy.add_account("ada").key)
        stream = client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], stream=True
        )
        text = next(stream).choices[0].delta.content or ""
        proxy.process.terminate()
        text += "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == "abcdefgh"
        assert proxy.process.wait(30) == 0
        assert [row["state"] for row in proxy.calls("ada")] == ["settled"]


def test_holds_of_a_killed_process_are_charged_as_unconfirmed_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    with (
        FakeOpenAI(default=Scripted(hang="before headers")) as upstream,
        ThreadPoolExecutor() as pool,
    ):
        with running_proxy(tmp_path, upstream=upstream.base_url) as proxy:
            client = OpenAI(
                base_url=proxy.base_url, api_key=proxy.add_account("ada").key, max_retries=0
            )
            call = pool.submit(
                client.chat.completions.create,
                model="gpt-4o-mini",
                messages=[{"role": "user", "content": "Hi"}],
            )
            upstream.wait_for_requests(1)
            proxy.assert_adds_up()
            assert [row["state"] for row in proxy.calls("ada")] == ["held"]
            proxy.process.kill()
            with pytest.raises(APIConnectionError):
                call.result(30)
        with running_proxy(tmp_path) as again:
            (row,) = again.calls("ada")
            assert (row["state"], row["amount_pico"]) == ("unconfirmed", row["hold_pico"])
            again.assert_adds_up()


def test_the_practice_model_answers_through_serve_and_says_what_it_is(tmp_path: Path) -> None:
    with running_proxy(tmp_path, "--host", "127.0.0.1") as proxy:
        with urllib.request.urlopen(f"{proxy.base_url}/v1/models") as answer:
            models = json.load(answer)["data"]
        assert {model["owned_by"] for model in models} == {"practice"}
        key = proxy.add_account("ada").key
        answered = OpenAI(base_url=f"{proxy.base_url}/v1", api_key=key).chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": "What is a token?"}]
        )
        assert answered.system_fingerprint == "practice"
        assert proxy.calls("ada")[0]["upstream"] == "practice"


def test_a_second_ctrl_c_cuts_a_running_call_and_charges_it_before_the_end(tmp_path: Path) -> None:
    answer = Scripted(chunks=("Hello ", "again"), hang="mid stream")
    with (
        FakeOpenAI(answer) as upstream,
        running_proxy(tmp_path, upstream=upstream.base_url) as proxy,
    ):
        key = proxy.add_account("ada").key
        with OpenAI(base_url=proxy.base_url, api_key=key, max_retries=0) as client:
            stream = client.chat.completions.create(
                model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
            next(iter(stream))
            proxy.process.send_signal(signal.SIGINT)
            wait_until_refused(proxy)
            proxy.process.send_signal(signal.SIGINT)
            assert proxy.process.wait(10) == 0
        assert [row["state"] for row in proxy.calls("ada")] == ["unconfirmed"]
        proxy.assert_adds_up()


def wait_until_refused(proxy: RunningProxy) -> None:
    """Until the first signal was heard: nobody new is let in."""
    deadline = time.monotonic() + 10
    with suppress(OSError):
        while time.monotonic() < deadline:
            proxy.get("/healthz")
            time.sleep(0.02)
        raise AssertionError("the proxy goes on")
