"""One call through a real proxy, in every way it can end; the ledger is looked at each time."""

import asyncio
import gzip
import itertools
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
import requests
from fake_openai import DEFAULT_USAGE, FakeOpenAI, Scripted, error
from openai import OpenAI
from proxies import RunningProxy, running_proxy
from stores import account_named

from swsllm_nb.catalogue import default_catalogue, packaged_rows
from swsllm_nb.money import pico_from_usd
from swsllm_nb.pricing import cost
from swsllm_nb.proxy.course import set_model_row
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.wire import Usage

MINI = "gpt-4o-mini-2024-07-18"
HI: list[Any] = [{"role": "user", "content": "Hi!"}]

_numbers = itertools.count()


class Student:
    """An account of its own for one test, and the ways to call with its key."""

    def __init__(self, proxy: RunningProxy, budget_usd: str = "5.00") -> None:
        self.proxy = proxy
        self.name = f"student-{next(_numbers)}"
        self.key = proxy.add_account(self.name, budget_usd).key
        self.client = OpenAI(base_url=proxy.base_url, api_key=self.key, max_retries=0)

    def post(self, body: Any, **headers: str) -> requests.Response:
        raw = body if isinstance(body, (str, bytes)) else json.dumps(body)
        fields = {"Authorization": f"Bearer {self.key}", **headers}
        url = f"{self.proxy.base_url}/chat/completions"
        return requests.post(url, data=raw, headers=fields, timeout=60)

    def ask(self, **options: Any) -> requests.Response:
        return self.post({"model": MINI, "messages": HI, **options})

    @property
    def only_call(self) -> dict[str, Any]:
        (row,) = self.proxy.calls(self.name)
        return row

    @property
    def account(self) -> Any:
        return self.proxy.ask(lambda store: account_named(store, self.name))

    def assert_released(self) -> None:
        assert (self.only_call["state"], self.only_call["amount_pico"]) == ("released", 0)
        assert (self.account.spend_pico, self.account.reserved_pico) == (0, 0)

    def assert_unconfirmed(self, doubt: Doubt) -> None:
        row = self.only_call
        assert (row["state"], row["amount_pico"]) == ("unconfirmed", row["hold_pico"])
        assert row["reason"] == doubt
        assert (self.account.spend_pico, self.account.reserved_pico) == (row["hold_pico"], 0)

    def assert_settled(self, usage: Usage = DEFAULT_USAGE) -> None:
        model = default_catalogue().find(self.only_call["model"])
        assert model is not None
        charged = cost(model.prices, usage)
        assert (self.only_call["state"], self.only_call["amount_pico"]) == ("settled", charged)
        assert (self.account.spend_pico, self.account.reserved_pico) == (charged, 0)
        assert charged <= self.only_call["hold_pico"]


@pytest.fixture
def student(proxy: RunningProxy, upstream: FakeOpenAI) -> Iterator[Student]:
    upstream.requests.clear()
    upstream.invoice.clear()
    yield Student(proxy)
    assert not upstream.answers, "the test did not use all that it scripted"


def test_a_plain_answer_is_settled_and_says_what_it_cost(
    student: Student, upstream: FakeOpenAI
) -> None:
    answer = student.ask()
    assert answer.json()["choices"][0]["message"]["content"] == "Hello from the stub."
    student.assert_settled()
    assert answer.headers["x-request-id"] == student.only_call["request_id"]
    assert answer.headers["x-swsllm-cost-usd"] == "0.0000054"
    assert answer.headers["x-swsllm-remaining-usd"] == "4.9999946"
    assert answer.headers["x-swsllm-budget-usd"] == "5.00"
    assert upstream.invoice == [DEFAULT_USAGE]


def test_a_stream_is_settled_and_hides_the_usage_that_nobody_asked_for(
    student: Student, upstream: FakeOpenAI
) -> None:
    stream = student.client.chat.completions.create(model=MINI, messages=HI, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.strip() == "Hello from the stub."
    student.assert_settled()
    assert upstream.requests[-1].body["stream_options"] == {"include_usage": True}


def test_a_stream_shows_the_usage_that_was_asked_for(student: Student) -> None:
    stream = student.client.chat.completions.create(
        model=MINI, messages=HI, stream=True, stream_options={"include_usage": True}
    )
    *_, last = stream
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.prompt_tokens == DEFAULT_USAGE.prompt_tokens


def test_a_stream_tells_its_cost_in_a_comment_only_to_who_asks(student: Student) -> None:
    body = json.dumps({"model": MINI, "messages": HI, "stream": True})
    assert ": swsllm" not in student.post(body).text
    events = student.post(body, **{"x-swsllm-cost": "1"}).text.split("\n\n")
    assert events[-2] == "data: [DONE]"
    told = json.loads(events[-3].removeprefix(": swsllm "))
    assert told == {"cost_usd": "0.0000054", "remaining_usd": "4.9999892", "budget_usd": "5.00"}


def test_the_upstream_gets_our_cap_our_key_and_a_pseudonym_and_no_word_of_the_student(
    student: Student, upstream: FakeOpenAI
) -> None:
    student.ask(max_completion_tokens=77, temperature=0.25)
    sent = upstream.requests[-1]
    assert sent.headers["authorization"] == "Bearer sk-upstream-secret"
    pseudonym = sent.body.pop("safety_identifier")
    assert sent.body == {
        "model": MINI,
        "max_tokens": 77,
        "messages": HI,
        "service_tier": "default",
        "temperature": 0.25,
    }
    assert student.key not in str(sent)
    assert student.name not in str(sent)
    student.ask()
    assert upstream.requests[-1].body["safety_identifier"] == pseudonym


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (b"ex1", "ex1"),
        ("Übung 1".encode(), "Übung 1"),
        ("Übung 1".encode("latin-1"), None),
        (b"x" * 65, None),
        (b"a\tb", None),
        (b"", None),
    ],
)
def test_the_exercise_of_a_call_is_kept_or_left_out_and_never_sent_on(
    student: Student, upstream: FakeOpenAI, told: bytes, kept: str | None
) -> None:
    body = json.dumps({"model": MINI, "messages": HI})
    headers = {"authorization": f"Bearer {student.key}", "x-swsllm-exercise": told}
    requests.post(
        f"{student.proxy.base_url}/chat/completions", data=body, headers=headers, timeout=60
    ).raise_for_status()
    assert student.only_call["exercise"] == kept
    assert "x-swsllm-exercise" not in upstream.requests[-1].headers
    student.assert_settled()


def test_nested_values_travel_as_the_text_they_were(student: Student, upstream: FakeOpenAI) -> None:
    messages = '[ {"role":"user", "content":"1\\u00e9 \\/ 1.0 1e2"} ]'
    student.post(f'{{"model":"gpt-4o-mini",\n"messages" : {messages},"logit_bias":{{"5":1.50}}}}')
    assert f'"messages":{messages}'.encode() in upstream.requests[-1].raw
    assert b'"logit_bias":{"5":1.50}' in upstream.requests[-1].raw


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("status", "body", "seen"),
    [
        (400, error("Bad value", "bad_value", "temperature"), 400),
        (404, error("The model does not exist", "model_not_found"), 404),
        (429, error("Rate limit reached in organization org-secret", "rate_limit_exceeded"), 429),
        (500, error("The server had an error"), 502),
        (401, error("Incorrect API key provided: sk-upstream-secret", "invalid_api_key"), 502),
        (429, error("You exceeded your current quota", "insufficient_quota"), 502),
        (400, "not JSON", 400),
    ],
)
def test_an_upstream_that_refuses_costs_nothing_and_keeps_its_secrets(
    student: Student, upstream: FakeOpenAI, status: int, body: Any, seen: int, stream: bool
) -> None:
    # Nobody waits here as long as that.
    wait = {"retry-after": "30"}
    upstream.answers.append(Scripted(status=status, body=body, headers=wait))
    answer = student.ask(stream=stream)
    assert answer.status_code == seen
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert "secret" not in answer.text
    assert answer.headers["x-swsllm-cost-usd"] == "0.00"
    student.assert_released()


def test_a_refusal_that_is_no_text_is_told_and_logged_all_the_same(
    student: Student, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(Scripted(status=400, body=error("No \ud800", "\ud800", "\ud800")))
    answer = student.ask()
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "message": "No ?", "type": "invalid_request_error", "param": "?", "code": "?",
    }  # fmt: skip
    student.assert_released()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "doubt"),
    [
        (Scripted(status=500, body="<html>Bad gateway</html>"), Doubt.REFUSED),
        (Scripted(status=408, body=error("Timeout")), Doubt.REFUSED),
        (Scripted(cut="before headers"), Doubt.NO_ANSWER),
    ],
    ids=["500 without JSON", "408", "cut before the headers"],
)
def test_an_upstream_that_may_have_billed_costs_the_hold_and_is_not_asked_again(
    student: Student, upstream: FakeOpenAI, script: Scripted, doubt: Doubt, stream: bool
) -> None:
    upstream.answers.append(script)
    retrying = student.client.with_options(max_retries=2)
    with pytest.raises(openai.InternalServerError, match="unconfirmed") as failed:
        retrying.chat.completions.create(model=MINI, messages=HI, stream=stream)
    student.assert_unconfirmed(doubt)
    told = pico_from_usd(failed.value.response.headers["x-swsllm-cost-usd"])
    assert told == student.only_call["amount_pico"]
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("place", ["mid stream", "before usage"])
@pytest.mark.parametrize("clean", [False, True])
def test_a_cut_stream_ends_in_an_error_event_and_costs_the_hold(
    student: Student, upstream: FakeOpenAI, place: Any, clean: bool
) -> None:
    upstream.answers.append(Scripted(cut=place, clean_cut=clean))
    stream = student.client.chat.completions.create(model=MINI, messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        list(stream)
    student.assert_unconfirmed(Doubt.BROKEN_OFF)


def test_a_stream_cut_after_its_usage_costs_what_was_used(
    student: Student, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(Scripted(cut="before done"))
    stream = student.client.chat.completions.create(model=MINI, messages=HI, stream=True)
    with pytest.raises(openai.APIError, match=r"had said what it used.*\$0\.0000054 is charged"):
        list(stream)
    student.assert_settled()


@pytest.mark.parametrize(
    ("script", "status", "doubt"),
    [
        (Scripted(tells_usage=False), 200, Doubt.NO_USAGE),
        (Scripted(body={"hello": "world"}), 502, Doubt.UNREADABLE),
    ],
    ids=["no usage", "no completion"],
)
def test_an_answer_without_usage_costs_the_hold(
    student: Student, upstream: FakeOpenAI, script: Scripted, status: int, doubt: Doubt
) -> None:
    upstream.answers.append(script)
    assert student.ask().status_code == status
    student.assert_unconfirmed(doubt)


def leave(student: Student, upstream: FakeOpenAI, until: bytes) -> None:
    """Ask for a stream, read until these bytes have come, and hang up."""
    body = json.dumps({"model": MINI, "messages": HI, "stream": True}).encode()
    port = urlsplit(student.proxy.base_url).port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            f"POST /chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {student.key}"
            f"\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            + body
        )
        upstream.wait_for_requests(1)
        read = b""
        while until not in read:
            read += connection.recv(65536)


def wait_until_closed(student: Student) -> None:
    deadline = time.monotonic() + 30
    while not (calls := student.proxy.calls(student.name)) or calls[0]["state"] == "held":
        assert time.monotonic() < deadline, "the call was never settled"
        time.sleep(0.01)


LEAVING = {
    "before the first byte": b"",
    "mid stream": b'"content": "a',
    "at the usage chunk": b'"finish_reason": "stop"',
}


@pytest.mark.parametrize("until", LEAVING.values(), ids=LEAVING)
def test_a_client_that_leaves_pays_what_was_used(
    student: Student, upstream: FakeOpenAI, until: bytes
) -> None:
    upstream.answers.append(
        Scripted(chunks=tuple("abcd"), wait_before_headers=0.2, wait_between_chunks=0.05)
    )
    leave(student, upstream, until)
    wait_until_closed(student)
    student.assert_settled()
    assert upstream.invoice == [DEFAULT_USAGE]


def test_a_client_that_left_is_settled_before_a_proxy_that_is_told_to_stop_ends(
    upstream: FakeOpenAI, tmp_path: Path
) -> None:
    upstream.requests.clear()
    upstream.answers.append(Scripted(chunks=tuple("abcdefgh"), wait_between_chunks=0.2))
    with running_proxy(tmp_path, upstream=upstream.base_url) as proxy:
        student = Student(proxy)
        leave(student, upstream, LEAVING["mid stream"])
        proxy.process.terminate()
        assert student.only_call["state"] == "held"
        proxy.process.wait(30)
        student.assert_settled()


def test_what_one_read_brought_goes_on_as_the_bytes_it_was(
    student: Student, upstream: FakeOpenAI
) -> None:
    head = '{"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", '
    said = [f'data: {head}"choices": [{{"index": 0}}], "usage": null,  "n": {n}}}' for n in "12"]
    usage = '"usage": {"prompt_tokens": 12, "completion_tokens": 6}'
    told = f'data: {head}"choices": [], {usage}}}'
    odd = [": a comment", "event: odd\ndata: {}", *said, told, "data: [DONE]"]
    upstream.answers.append(Scripted(body="".join(event + "\n\n" for event in odd)))
    odd.remove(told)
    answer = student.ask(stream=True)
    assert answer.text == "".join(event + "\n\n" for event in odd)
    student.assert_settled()


def test_the_calls_per_minute_are_told_as_openai_tells_them(student: Student) -> None:
    for stream in (False, True):
        headers = student.ask(stream=stream).headers
        limit = int(headers["x-ratelimit-limit-requests"])
        assert 0 < int(headers["x-ratelimit-remaining-requests"]) < limit
        assert re.fullmatch(r"\d+ms|\d+(\.\d+)?s", headers["x-ratelimit-reset-requests"])


def test_a_packed_request_is_answered(student: Student, upstream: FakeOpenAI) -> None:
    body = gzip.compress(json.dumps({"model": MINI, "messages": HI}).encode())
    answer = student.post(body, **{"content-encoding": "gzip"})
    assert answer.status_code == 200
    assert upstream.requests[-1].body["messages"] == HI
    refused = student.post(body, **{"content-encoding": "br"})
    assert refused.status_code == 415
    assert refused.json()["error"]["code"] == "unsupported_content_encoding"


def test_a_request_in_chunks_is_answered(student: Student) -> None:
    body = json.dumps({"model": MINI, "messages": HI}).encode()
    answer = requests.post(
        f"{student.proxy.base_url}/chat/completions",
        data=iter([body[:10], body[10:]]),
        headers={"Authorization": f"Bearer {student.key}"},
        timeout=60,
    )
    assert answer.status_code == 200
    student.assert_settled()


def test_no_server_at_the_upstreams_address_costs_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with running_proxy(tmp_path_factory.mktemp("alone"), upstream=address) as alone:
            student = Student(alone)
            answer = student.ask()
            assert answer.status_code == 502
            assert "Nothing was charged" in answer.json()["error"]["message"]
            student.assert_released()


BAD_BODIES = {
    "not JSON": ("{", "parse the JSON body"),
    "a list": ("[]", "parse the JSON body"),
    "nothing": ("", "parse the JSON body"),
    "not UTF-8": (b'{"model":"\xff"}', "parse the JSON body"),
    "a name twice": ('{"model":"gpt-4o-mini","model":"gpt-4o"}', "occurs twice"),
    "NaN": ('{"temperature":NaN}', "NaN is not JSON"),
    "something behind": ('{"model":"gpt-4o-mini"} {}', "follows the object"),
    "nested deeply": ('{"messages":' + "[" * 90_000 + "]" * 90_000 + "}", "nested too deeply"),
}


@pytest.mark.parametrize(("body", "part"), BAD_BODIES.values(), ids=BAD_BODIES)
def test_a_body_that_cannot_be_read_is_refused_in_words(
    student: Student, upstream: FakeOpenAI, body: str | bytes, part: str
) -> None:
    answer = student.post(body)
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert part in answer.json()["error"]["message"]
    assert (student.proxy.calls(student.name), upstream.requests) == ([], [])


BAD_FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "negative max_tokens": ({"max_tokens": -1}, "max_tokens"),
    "max_tokens of zero": ({"max_tokens": 0}, "max_tokens"),
    "max_tokens as text": ({"max_tokens": "5"}, "max_tokens"),
    "max_tokens as a boolean": ({"max_tokens": True}, "max_tokens"),
    "more than the model can": ({"max_tokens": 16385}, "max_tokens"),
    "both maxima": ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
    "too many choices": ({"n": 129}, "n"),
    "a hot temperature": ({"temperature": 2.1}, "temperature"),
    "no messages": ({"messages": []}, "messages"),
    "messages as text": ({"messages": "hi"}, "messages"),
    "an unknown role": ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
    "an image": (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].type",
    ),
    "a hosted tool": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a dearer tier": ({"service_tier": "priority"}, "service_tier"),
    "storing": ({"store": True}, "store"),
    "options of a stream without one": ({"stream_options": {}}, "stream_options"),
}


@pytest.mark.parametrize(("fields", "param"), BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_what_may_not_be_sent_is_refused_by_name_before_any_money_moves(
    student: Student, upstream: FakeOpenAI, fields: dict[str, Any], param: str
) -> None:
    answer = student.ask(**fields)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert (student.proxy.calls(student.name), upstream.requests) == ([], [])


def test_an_unknown_model_is_refused_and_the_offered_ones_are_named(student: Student) -> None:
    with pytest.raises(openai.NotFoundError, match=r"does not exist.*gpt-4o-mini-2024-07-18"):
        student.client.chat.completions.create(model="gpt-5", messages=HI)


def test_a_model_that_has_shut_down_answers_with_its_successors_name(
    tmp_path: Path, upstream: FakeOpenAI
) -> None:
    upstream.requests.clear()
    gone = packaged_rows()["o3-mini-2025-01-31"]

    async def keep_its_last_day() -> None:
        async with Store(database_at(tmp_path, None)) as store:
            await store.write(lambda: set_model_row(gone["id"], gone, "a test"))

    asyncio.run(keep_its_last_day())
    with running_proxy(tmp_path, upstream=upstream.base_url) as proxy:
        student = Student(proxy)
        with pytest.raises(openai.NotFoundError, match=r"not exist.*2026-10-23.*gpt-5\.6-sol"):
            student.client.chat.completions.create(model="o3-mini", messages=HI)
    assert upstream.requests == []


def test_a_wrong_key_is_refused_and_not_repeated(proxy: RunningProxy) -> None:
    client = OpenAI(base_url=proxy.base_url, api_key="sws-wrong-key-of-mine")
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key") as refused:
        client.chat.completions.create(model=MINI, messages=HI)
    assert "wrong-key" not in str(refused.value)


def test_a_body_of_five_megabytes_is_refused(student: Student) -> None:
    answer = student.ask(messages=[{"role": "user", "content": "x" * 5_000_000}])
    assert answer.status_code == 413


def test_a_prompt_longer_than_the_context_is_refused(student: Student) -> None:
    answer = student.ask(messages=[{"role": "user", "content": "word " * 130_000}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_length_exceeded"


def test_a_stated_maximum_that_does_not_fit_is_refused_with_the_one_that_would(
    proxy: RunningProxy, upstream: FakeOpenAI
) -> None:
    student = Student(proxy, "0.001")
    refused = student.ask(max_tokens=2000).json()["error"]
    assert refused["code"] == "insufficient_quota"
    assert "teaching staff" in refused["message"]
    fitting = int(refused["message"].split("max_tokens = ")[1].split(" ")[0])
    assert student.ask(max_tokens=fitting + 1).status_code == 429
    assert student.ask(max_tokens=fitting).status_code == 200
    assert upstream.requests[-1].body["max_tokens"] == fitting


def test_an_unstated_maximum_is_lowered_to_what_the_budget_affords(
    proxy: RunningProxy, upstream: FakeOpenAI
) -> None:
    student = Student(proxy, "0.001")
    assert student.ask().status_code == 200
    sent = upstream.requests[-1].body["max_tokens"]
    assert 256 <= sent < 4096
    row = student.only_call
    assert row["cap_tokens"] == sent
    per_token_pico = json.loads(row["prices"])["output"]
    assert row["hold_pico"] <= 10**9 < row["hold_pico"] + per_token_pico


def test_a_race_of_many_calls_never_spends_more_than_the_budget(
    proxy: RunningProxy, upstream: FakeOpenAI
) -> None:
    hungry = Usage(prompt_tokens=10, completion_tokens=500)
    student = Student(proxy, "0.004")
    upstream.invoice.clear()
    upstream.default = Scripted(usage=hungry)
    try:
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: student.ask(max_tokens=500), range(48)))
    finally:
        upstream.default = Scripted()
    model = default_catalogue().default
    invoice = sum(cost(model.prices, usage) for usage in upstream.invoice)
    admitted = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert len(admitted) == len(upstream.invoice)
    assert student.account.spend_pico == invoice <= student.account.budget_pico
    for refused in answers:
        if refused.status_code == 429:
            code = refused.json()["error"]["code"]
            final = refused.headers.get("x-should-retry") == "false"
            assert final == (code == "insufficient_quota")
            # What is held by others, or too many of one's own at once.
            assert final or refused.headers["retry-after"] in ("10", "2")
