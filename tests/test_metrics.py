"""What Prometheus is told: every call, on a port of its own, summed over all workers."""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from fake_openai import FakeOpenAI, Scripted
from prometheus_client.parser import text_string_to_metric_families
from proxies import RunningProxy, running_proxy, workers_of

from swsllm_nb.wire import Usage

MODEL = "gpt-4o-mini-2024-07-18"

Samples = dict[tuple[str, ...], float]


@contextmanager
def measured_proxy(
    folder: Path, *options: str, **more: Any
) -> Iterator[tuple[RunningProxy, Callable[[], Samples]]]:
    """A proxy with metrics, and what reads them: values by name and the values of their labels."""
    with running_proxy(folder, "--metrics", "0", *options, **more) as proxy:
        assert proxy.process.stdout is not None
        address = proxy.process.stdout.readline().removeprefix("Metrics: ").strip()
        assert address.endswith("/metrics")
        yield proxy, lambda: samples_at(address)


def samples_at(address: str) -> Samples:
    with urllib.request.urlopen(address, timeout=20) as answer:
        text = answer.read().decode()
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def wait_until(samples: Callable[[], Samples], name: tuple[str, ...], value: float) -> Samples:
    """What is told once ``name`` has a value: a call is counted when its answer has left."""
    deadline = time.monotonic() + 20
    while (told := samples()).get(name) != value:
        assert time.monotonic() < deadline, told
    return told


def ask(proxy: RunningProxy, key: str, **more: Any) -> int:
    question = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
    answer = requests.post(
        f"{proxy.base_url}/chat/completions",
        json={**question, "max_tokens": 10, **more},
        headers={"authorization": f"Bearer {key}"},
        timeout=30,
    )
    return answer.status_code


def answered(proxy: RunningProxy, key: str) -> None:
    """Ask until there is an answer: a machine that is too busy says to come again."""
    while (status := ask(proxy, key)) != 200:
        assert status == 503


def test_calls_tokens_dollars_refusals_latency_holds_and_breaches_are_told(tmp_path: Path) -> None:
    with (
        FakeOpenAI(
            Scripted(), Scripted(), Scripted(cut="before headers"), Scripted(status=400, body="{}")
        ) as upstream,
        measured_proxy(tmp_path, upstream=upstream.base_url) as (proxy, samples),
    ):
        key = proxy.add_account("ada").key
        statuses = [ask(proxy, key), ask(proxy, key, stream=True), ask(proxy, key), ask(proxy, key)]
        assert statuses == [200, 200, 502, 400]
        assert ask(proxy, "sws-of-nobody") == 401
        assert ask(proxy, key, model="gpt-5000") == 404
        told = wait_until(samples, ("swsllm_refusals_total", "model_not_found"), 1)
        calls = {name[1:]: value for name, value in told.items() if name[0] == "swsllm_calls_total"}
        assert calls == {
            (MODEL, "settled", "127.0.0.1"): 2,
            (MODEL, "unconfirmed", "127.0.0.1"): 1,
            (MODEL, "released", "127.0.0.1"): 1,
        }
        assert told["swsllm_refusals_total", "invalid_api_key"] == 1
        assert told["swsllm_tokens_total", "prompt", MODEL] == 24
        assert told["swsllm_tokens_total", "completion", MODEL] == 12
        assert told["swsllm_upstream_seconds_count", MODEL, "127.0.0.1"] == 3
        assert told["swsllm_call_seconds_count", MODEL] == 4
        rows = proxy.calls("ada")
        (unconfirmed,) = [row for row in rows if row["state"] == "unconfirmed"]
        spend = sum(row["amount_pico"] for row in rows) / 10**12
        assert told["swsllm_cost_usd_total", MODEL] == pytest.approx(spend)
        assert told["swsllm_spend_usd",] == pytest.approx(spend)
        assert told["swsllm_budget_usd",] == 5
        assert told["swsllm_unconfirmed",] == 1
        assert told["swsllm_unconfirmed_usd",] == pytest.approx(unconfirmed["amount_pico"] / 10**12)
        assert told["swsllm_database_up",] == 1
        assert not [name for name in told if "ada" in name or key[:8] in name]


def test_a_hold_and_a_bound_that_the_upstream_broke_are_seen(tmp_path: Path) -> None:
    dear = Scripted(usage=Usage(prompt_tokens=12, completion_tokens=5000))
    with ThreadPoolExecutor(1) as pool, ExitStack() as serving:
        upstream = serving.enter_context(FakeOpenAI(dear, Scripted(hang="before headers")))
        with measured_proxy(tmp_path, upstream=upstream.base_url) as (proxy, samples):
            key = proxy.add_account("ada").key
            assert ask(proxy, key) == 200
            asking = pool.submit(ask, proxy, key)
            upstream.wait_for_requests(2)
            told = wait_until(samples, ("swsllm_breaches_total", "bound"), 1)
            assert told["swsllm_holds_open",] == 1
            held = proxy.calls("ada")[1]["hold_pico"] / 10**12
            assert told["swsllm_holds_open_usd",] == pytest.approx(held)
            serving.close()
            assert asking.result(30) == 502


def test_several_workers_are_one_sum_also_after_one_of_them_died(
    tmp_path: Path, fresh_database: Callable[[], str]
) -> None:
    with measured_proxy(tmp_path, "--workers", "2", database=fresh_database()) as (proxy, samples):
        key = proxy.add_account("ada").key
        before = workers_of(proxy)
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda _: answered(proxy, key), range(24)))
        name = ("swsllm_calls_total", MODEL, "settled", "practice")
        wait_until(samples, name, 24)
        assert {samples()[name] for _ in range(6)} == {24}
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 30
        while len(set(workers_of(proxy)) - set(before)) < 1:
            assert time.monotonic() < deadline, "no other worker was started"
            time.sleep(0.05)
        answered(proxy, key)
        wait_until(samples, name, 25)


def test_they_are_on_their_own_port_alone(tmp_path: Path) -> None:
    with (
        measured_proxy(tmp_path) as (proxy, _),
        pytest.raises(urllib.error.HTTPError, match="404"),
    ):
        urllib.request.urlopen(f"{proxy.base_url}/metrics", timeout=20)
