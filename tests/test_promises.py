"""What students are promised today, word for word, against a running proxy.

The snippets are those of the course's page, changed in nothing but address, key and ``[...]``.
"""

import json
import subprocess
from typing import Any

import pytest
import requests
from proxies import RunningProxy
from tools import find


@pytest.fixture(scope="module")
def key(practice_proxy: RunningProxy) -> str:
    return practice_proxy.add_account("promised").key


@pytest.fixture
def environment_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)


@pytest.mark.usefixtures("environment_key")
def test_the_pages_openai_snippet_gets_an_answer(practice_proxy: RunningProxy) -> None:
    from openai import OpenAI

    client = OpenAI(base_url=f"{practice_proxy.base_url}/")
    completion = client.chat.completions.create(
        model="gpt-4o-mini-2024-07-18",
        messages=[{"role": "user", "content": "Who won the world series in 2020?"}],
    )
    assert completion.choices[0].message.content
    assert completion.model == "gpt-4o-mini-2024-07-18"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens > 0


def test_the_pages_requests_snippet_gets_an_answer(practice_proxy: RunningProxy, key: str) -> None:
    data = {
        "model": "gpt-4o-mini-2024-07-18",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Who won the world series in 2020?"},
            {
                "role": "assistant",
                "content": "The Los Angeles Dodgers won the World Series in 2020.",
            },
            {"role": "user", "content": "Where was it played?"},
        ],
    }
    url = f"{practice_proxy.base_url}/chat/completions"
    api_key = key
    req = requests.post(url, headers={"Authorization": "Bearer " + api_key}, json=data)
    assert req.status_code == 200
    assert req.json()["choices"][0]["message"]["content"]


def test_the_pages_curl_line_gets_an_answer(practice_proxy: RunningProxy, key: str) -> None:
    line = (
        "curl -X POST ADDRESS/chat/completions -H 'Authorization: Bearer my-api-key' "
        "-H 'Content-Type: application/json' -d "
        """'{"model" : "gpt-4o-mini-2024-07-18", "messages": [{"role": "user", "content": """
        """"Who won the world series in 2020?"}, {"role": "assistant", "content": "The Los """
        """Angeles Dodgers won the World Series in 2020."}, {"role": "user", "content": "Where """
        """was it played?"}]}'"""
    )
    find("curl")
    command = line.replace("ADDRESS", practice_proxy.base_url).replace("my-api-key", key)
    ran = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout)["choices"][0]["message"]["role"] == "assistant"


EIGHT_PARAMETERS = """
{
  "model": "gpt-4o-mini-2024-07-18",
  "messages": [
    { "role": "system", "content": "You are a helpful assistant." },
    { "role": "user", "content": "Who won the world series in 2020?" },
    {
      "role": "assistant",
      "content": "The Los Angeles Dodgers won the World Series in 2020."
    },
    { "role": "user", "content": "Where was it played?" }
  ],
  "temperature": 1.53,
  "top_p": 0.3,
  "max_tokens": 1000,
  "presence_penalty": 1.3,
  "frequency_penalty": 1.2,
  "stream": true,
  "response_format": { "type": "json_object" }
}
"""


def post(proxy: RunningProxy, key: str, body: str, path: str = "/chat/completions") -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return requests.post(f"{proxy.base_url}{path}", data=body, headers=headers, timeout=60)


@pytest.mark.parametrize("path", ["/chat/completions", "/v1/chat/completions"])
def test_the_pages_body_with_all_eight_parameters_streams_a_json_object(
    practice_proxy: RunningProxy, key: str, path: str
) -> None:
    answer = post(practice_proxy, key, EIGHT_PARAMETERS, path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert all(len(chunk["choices"]) == 1 for chunk in chunks), "usage was not asked for"
    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
    assert isinstance(json.loads(text), dict)


def test_a_username_and_password_are_refused_with_a_sentence(
    practice_proxy: RunningProxy,
) -> None:
    url = f"{practice_proxy.base_url}/chat/completions"
    answer = requests.post(url, auth=("ada", "secret"), json={}, timeout=60)
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert error["code"] == "invalid_api_key"
    assert "username and password do not work" in error["message"]


def test_a_used_up_budget_is_refused_in_a_sentence_that_names_the_teaching_staff(
    practice_proxy: RunningProxy,
) -> None:
    poor = practice_proxy.add_account("poor", "0.0000001")
    answer = post(practice_proxy, poor.key, EIGHT_PARAMETERS)
    assert answer.status_code == 429
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json()["error"]
    assert error["code"] == error["type"] == "insufficient_quota"
    assert "teaching staff" in error["message"]
    assert practice_proxy.calls("poor") == []


def test_the_current_models_and_their_prices_can_be_seen_without_a_key(
    practice_proxy: RunningProxy,
) -> None:
    listed = requests.get(f"{practice_proxy.base_url}/models", timeout=60).json()["data"]
    prices = {
        row["id"]: (row["input_usd_per_million"], row["output_usd_per_million"]) for row in listed
    }
    assert prices == {
        "o3-mini-2025-01-31": ("1.10", "4.40"),
        "gpt-4o-2024-11-20": ("2.50", "10.00"),
        "gpt-4o-mini-2024-07-18": ("0.15", "0.60"),
    }


def test_the_current_spend_can_be_seen_with_the_key(practice_proxy: RunningProxy, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    seen = requests.get(f"{practice_proxy.base_url}/account", headers=headers, timeout=60).json()
    charged = sum(row["amount_pico"] for row in practice_proxy.calls("promised"))
    assert seen["account"] == "promised"
    assert seen["budget_usd"] == "5.00"
    assert round(float(seen["spend_usd"]) * 10**12) == charged
