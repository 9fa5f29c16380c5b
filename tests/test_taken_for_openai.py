"""To the openai library, sync and async, the proxy is OpenAI: every way to call it, every error.

The schema is the published one as the library's own classes state it, taken strictly: nothing
missing, nothing of another type, and from the practice model nothing beside it.
"""

import asyncio
import inspect
import itertools
import json
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest
import requests
from fake_openai import DEFAULT_USAGE, FakeOpenAI, Scripted, error
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from proxies import RunningProxy
from pydantic import BaseModel
from tools import find

from swsllm_nb.proxy.accounts import Limits, set_limits

MINI = "gpt-4o-mini-2024-07-18"
HI: list[Any] = [{"role": "user", "content": "Hi!"}]

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a town.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string"}},
            "required": ["town"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}

_numbers = itertools.count()


@dataclass(frozen=True)
class Caller:
    """An account of its own, and one of the library's two clients with its key."""

    proxy: RunningProxy
    kind: type[OpenAI] | type[AsyncOpenAI]
    name: str
    key: str

    def run(self, act: Callable[[Any], Coroutine[Any, Any, Any]], **options: Any) -> Any:
        """What ``act`` does with a client, in a loop of its own."""

        async def running() -> Any:
            told = {"base_url": self.proxy.base_url, "api_key": self.key, "max_retries": 0}
            async with entered(self.kind(**(told | options))) as client:
                return await act(client)

        return asyncio.run(running())

    def create(self, **options: Any) -> Any:
        body = {"model": MINI, "messages": HI, **options}
        return self.run(lambda client: got(client.chat.completions.create(**body)))

    def chunks(self, **options: Any) -> list[ChatCompletionChunk]:
        async def act(client: Any) -> list[ChatCompletionChunk]:
            body = {"model": MINI, "messages": HI, "stream": True, **options}
            stream = await got(client.chat.completions.create(**body))
            return [chunk async for chunk in each(stream)]

        chunks: list[ChatCompletionChunk] = self.run(act)
        return chunks

    def post(self, body: dict[str, Any]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        url = f"{self.proxy.base_url}/chat/completions"
        return requests.post(url, json=body, headers=headers, timeout=60)

    def wait_until_settled(self) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while (row := self.proxy.calls(self.name)[-1])["state"] == "held":
            assert time.monotonic() < deadline, "the call was never settled"
            time.sleep(0.01)
        return row


async def got(value: Any) -> Any:
    """What either client answers."""
    return await value if inspect.isawaitable(value) else value


async def each(stream: Any) -> AsyncIterator[Any]:
    """What either client yields."""
    if hasattr(stream, "__aiter__"):
        async for item in stream:
            yield item
    else:
        for item in stream:
            yield item


@asynccontextmanager
async def entered(manager: Any) -> AsyncIterator[Any]:
    """What either client enters."""
    if hasattr(manager, "__aenter__"):
        async with manager as value:
            yield value
    else:
        with manager as value:
            yield value


@pytest.fixture(params=[OpenAI, AsyncOpenAI], ids=["sync", "async"])
def caller(
    request: pytest.FixtureRequest, proxy: RunningProxy, upstream: FakeOpenAI
) -> Iterator[Caller]:
    upstream.requests.clear()
    upstream.invoice.clear()
    name = f"caller-{next(_numbers)}"
    yield Caller(proxy, request.param, name, proxy.add_account(name).key)
    assert not upstream.answers, "the test did not use all that it scripted"


@pytest.fixture
def practising(practice_proxy: RunningProxy) -> Caller:
    name = f"practising-{next(_numbers)}"
    return Caller(practice_proxy, OpenAI, name, practice_proxy.add_account(name).key)


@contextmanager
def answering(upstream: FakeOpenAI, script: Scripted) -> Iterator[None]:
    """The same answer to each request, however often somebody tries again."""
    upstream.default = script
    try:
        yield
    finally:
        upstream.default = Scripted()


def completion(**choice: Any) -> dict[str, Any]:
    """A whole answer as OpenAI gives it today."""
    message = {"role": "assistant", "content": None, "refusal": None, "annotations": []}
    message |= choice.pop("message", {})
    return {
        "id": "chatcmpl-CkV2",
        "object": "chat.completion",
        "created": 1_795_420_800,
        "model": MINI,
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"} | choice
        ],
        "usage": {
            "prompt_tokens": 12,
            "completion_tokens": 6,
            "total_tokens": 18,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": "fp_1",
    }


def streamed(*deltas: dict[str, Any]) -> str:
    """A stream as OpenAI writes it today, with padding, and the usage that the proxy asks for."""
    head = {"id": "chatcmpl-CkV2", "object": "chat.completion.chunk", "created": 1_795_420_800}
    head |= {"model": MINI, "service_tier": "default", "system_fingerprint": "fp_1"}
    finished = "tool_calls" if "tool_calls" in deltas[-1] else "stop"
    chunks = []
    for delta, reason in [*((delta, None) for delta in deltas), ({}, finished)]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        chunks.append(head | {"choices": [choice], "usage": None, "obfuscation": "zF3k"})
    chunks.append(head | {"choices": [], "usage": completion()["usage"], "obfuscation": "q"})
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


# The ways to call.


def test_a_plain_call_gives_an_answer_with_its_usage_and_its_request_id(caller: Caller) -> None:
    answer = caller.create()
    assert answer.choices[0].message.content == "Hello from the stub."
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == DEFAULT_USAGE.prompt_tokens
    assert answer._request_id == caller.wait_until_settled()["request_id"]


def test_a_stream_gives_its_chunks_and_its_usage_only_where_it_was_asked_for(
    caller: Caller,
) -> None:
    chunks = caller.chunks()
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == (
        "Hello from the stub. "
    )
    *_, last = caller.chunks(stream_options={"include_usage": True})
    assert (last.choices, last.usage.total_tokens if last.usage else None) == ([], 18)


def test_calls_made_at_once_each_get_their_own_answer(caller: Caller, upstream: FakeOpenAI) -> None:
    async def act(client: Any) -> list[str]:
        calls = (
            got(client.chat.completions.create(model=MINI, messages=HI, n=number))
            for number in range(1, 7)
        )
        return [answer._request_id for answer in await asyncio.gather(*calls)]

    told = caller.run(act)
    assert len(set(told)) == 6
    assert {row["request_id"] for row in caller.proxy.calls(caller.name)} == set(told)
    assert sorted(request.body["n"] for request in upstream.requests) == [1, 2, 3, 4, 5, 6]


class Town(BaseModel):
    """What ``.parse`` reads an answer into."""

    name: str
    people: int


@pytest.mark.parametrize("beta", [False, True])
def test_parse_sends_a_schema_and_reads_the_answer_into_its_class(
    caller: Caller, upstream: FakeOpenAI, beta: bool
) -> None:
    async def act(client: Any) -> Any:
        library = (client.beta if beta else client).chat.completions
        return await got(library.parse(model=MINI, messages=HI, response_format=Town))

    body = completion(message={"content": '{"name":"Leipzig","people":632562}'})
    upstream.answers.append(Scripted(body=body))
    answer = caller.run(act)
    assert answer.choices[0].message.parsed == Town(name="Leipzig", people=632562)
    sent = upstream.requests[-1].body["response_format"]
    assert sent["json_schema"]["schema"]["required"] == ["name", "people"]
    assert sent["json_schema"]["strict"] is True


def test_parse_says_when_an_answer_was_cut(caller: Caller, upstream: FakeOpenAI) -> None:
    async def act(client: Any) -> Any:
        library = client.chat.completions
        return await got(library.parse(model=MINI, messages=HI, response_format=Town))

    body = completion(message={"content": '{"name":"Lei'}, finish_reason="length")
    upstream.answers.append(Scripted(body=body))
    with pytest.raises(openai.LengthFinishReasonError):
        caller.run(act)


CALLS = [
    {
        "id": f"call_{town}",
        "type": "function",
        "function": {"name": "weather", "arguments": f'{{"town": "{town}"}}'},
    }
    for town in ("Leipzig", "Köln")
]


def test_tool_calls_come_back_and_go_in_again_with_their_results(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    body = completion(message={"tool_calls": CALLS}, finish_reason="tool_calls")
    upstream.answers.append(Scripted(body=body))
    options = {"tools": [WEATHER], "tool_choice": "auto", "parallel_tool_calls": True}
    said = caller.create(**options).choices[0].message
    assert [json.loads(call.function.arguments)["town"] for call in said.tool_calls] == [
        "Leipzig", "Köln"
    ]  # fmt: skip
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": "rain"} for call in said.tool_calls
    ]
    spoken = {"role": "assistant", "tool_calls": [call.to_dict() for call in said.tool_calls]}
    caller.create(messages=[*HI, spoken, *results], **options)
    sent = upstream.requests[-1].body
    assert sent["messages"] == [*HI, {"role": "assistant", "tool_calls": CALLS}, *results]
    assert sent["tools"] == [WEATHER]
    assert (sent["tool_choice"], sent["parallel_tool_calls"]) == ("auto", True)


def test_the_stream_helper_gathers_text_tool_calls_and_usage(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    pieces = ('{"to', 'wn": ', '"Leipzig"}')
    first = {"index": 0, "id": "call_1", "type": "function"}
    begun = first | {"function": {"name": "weather", "arguments": ""}}
    deltas = [
        {"role": "assistant", "content": None, "refusal": None, "tool_calls": [begun]},
        *({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces),
    ]

    async def act(client: Any) -> tuple[Any, list[str]]:
        options = {"tools": [WEATHER], "stream_options": {"include_usage": True}}
        helper = client.chat.completions.stream(model=MINI, messages=HI, **options)
        async with entered(helper) as stream:
            seen = [event.type async for event in each(stream)]
            return await got(stream.get_final_completion()), seen

    upstream.answers.append(Scripted(body=streamed(*deltas)))
    final, seen = caller.run(act)
    (call,) = final.choices[0].message.tool_calls
    assert (call.function.name, call.function.parsed_arguments) == ("weather", {"town": "Leipzig"})
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.usage.total_tokens == 18
    assert "tool_calls.function.arguments.done" in seen


def test_a_raw_response_shows_the_headers_and_parses(caller: Caller) -> None:
    async def act(client: Any) -> tuple[Any, Any]:
        library = client.chat.completions.with_raw_response
        raw = await got(library.create(model=MINI, messages=HI))
        return raw, await got(raw.parse())

    raw, answer = caller.run(act)
    assert raw.status_code == 200
    assert raw.headers["content-type"] == "application/json"
    assert raw.headers["x-request-id"] == raw.request_id == answer._request_id
    assert answer.choices[0].message.content == "Hello from the stub."


def test_a_streaming_response_is_read_line_by_line_as_it_comes(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    async def act(client: Any) -> tuple[str, list[str]]:
        library = client.chat.completions.with_streaming_response
        call = library.create(model=MINI, messages=HI, stream=True)
        async with entered(call) as answer:
            kind = answer.headers["content-type"]
            return kind, [line async for line in each(answer.iter_lines())]

    script = streamed({"role": "assistant", "content": "Grüße"}, {"content": "!"})
    upstream.answers.append(Scripted(body=script))
    kind, lines = caller.run(act)
    assert kind.startswith("text/event-stream")
    without_usage = [line for line in script.splitlines() if '"choices": []' not in line]
    assert [line for line in lines if line] == [line for line in without_usage if line]


def test_models_are_listed_and_found_by_snapshot_and_by_alias(caller: Caller) -> None:
    async def act(client: Any) -> tuple[list[Any], Any]:
        listed = await got(client.models.list())
        return [model async for model in each(listed)], await got(client.models.retrieve(MINI))

    listed, found = caller.run(act)
    assert MINI in [model.id for model in listed]
    assert found in listed
    assert {model.object for model in listed} == {"model"}
    alias = caller.run(lambda client: got(client.models.retrieve("gpt-4o-mini")))
    assert alias.id == MINI


def test_logprobs_come_back_as_the_upstream_gave_them(caller: Caller, upstream: FakeOpenAI) -> None:
    told = {"token": "Hi", "logprob": -0.25, "bytes": [72, 105], "top_logprobs": []}
    body = completion(message={"content": "Hi"}, logprobs={"content": [told], "refusal": None})
    upstream.answers.append(Scripted(body=body))
    (choice,) = caller.create(logprobs=True, top_logprobs=5).choices
    assert choice.logprobs.content[0].to_dict() == told
    assert upstream.requests[-1].body["top_logprobs"] == 5


def test_every_harmless_parameter_reaches_the_upstream_as_it_was_sent(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    options: dict[str, Any] = {
        "temperature": 1.53,
        "top_p": 0.3,
        "max_tokens": 1000,
        "presence_penalty": 1.3,
        "frequency_penalty": -1.2,
        "n": 2,
        "seed": 2**53 + 1,
        "stop": ["\n\n", "END"],
        "user": "a pseudonym of my own",
        "logit_bias": {"1734": -100},
        "response_format": {"type": "json_object"},
    }
    caller.create(**options)
    sent = upstream.requests[-1].body
    assert {name: sent[name] for name in options} == options


def test_whole_answers_of_today_travel_byte_by_byte(caller: Caller, upstream: FakeOpenAI) -> None:
    plain = json.dumps(completion(message={"content": "Grüße 🙂"}), indent=1, ensure_ascii=False)
    lines = streamed({"role": "assistant", "content": ""}, {"content": "Grüße"})
    upstream.answers += [Scripted(body=plain), Scripted(body=lines), Scripted(body=lines)]
    asked = {"model": MINI, "messages": HI}
    assert caller.post(asked).content == plain.encode()
    whole = caller.post(asked | {"stream": True, "stream_options": {"include_usage": True}})
    assert whole.content == lines.encode()
    events = [event for event in lines.split("\n\n") if '"choices": []' not in event]
    assert caller.post(asked | {"stream": True}).content == "\n\n".join(events).encode()


# The errors.


UPSTREAM_ERRORS: list[tuple[int, Any, type[openai.APIStatusError], int]] = [
    (400, error("Bad value", "bad_value", "temperature"), openai.BadRequestError, 400),
    (401, error("Incorrect API key", "invalid_api_key"), openai.InternalServerError, 502),
    (403, error("Country not supported", "unsupported"), openai.InternalServerError, 502),
    (404, error("No such model", "model_not_found"), openai.NotFoundError, 404),
    (409, error("Conflict"), openai.ConflictError, 409),
    (413, error("Too large"), openai.APIStatusError, 413),
    (422, error("Cannot be processed"), openai.UnprocessableEntityError, 422),
    (429, error("Slow down", "rate_limit_exceeded"), openai.RateLimitError, 429),
    (500, error("The server had an error"), openai.InternalServerError, 502),
    (503, error("Overloaded"), openai.InternalServerError, 502),
]


@pytest.mark.parametrize(
    ("status", "body", "kind", "seen"),
    UPSTREAM_ERRORS,
    ids=[str(row[0]) for row in UPSTREAM_ERRORS],
)
def test_an_upstreams_error_is_the_librarys_own_class_and_names_its_call(
    caller: Caller,
    upstream: FakeOpenAI,
    status: int,
    body: Any,
    kind: type[openai.APIStatusError],
    seen: int,
) -> None:
    with (
        answering(upstream, Scripted(status=status, body=body)),
        pytest.raises(kind) as raised,
    ):
        caller.create()
    told = raised.value
    assert type(told) is kind
    assert told.status_code == seen
    if seen == status:
        assert (told.code, told.param) == (body["error"]["code"], body["error"]["param"])
    row = caller.wait_until_settled()
    assert (row["state"], row["amount_pico"]) == ("released", 0)
    assert told.request_id == row["request_id"]


OWN_ERRORS: dict[
    str, tuple[dict[str, Any], type[openai.APIStatusError], str | None, str | None]
] = {
    "a bad value": ({"temperature": 3}, openai.BadRequestError, None, "temperature"),
    "a parameter the model lacks": (
        {"model": "o3-mini", "max_tokens": 5},
        openai.BadRequestError,
        "unsupported_parameter",
        "max_tokens",
    ),
    "an unknown model": ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found", None),
    "a long prompt": (
        {"messages": [{"role": "user", "content": "word " * 130_000}]},
        openai.BadRequestError,
        "context_length_exceeded",
        "messages",
    ),
    "a large body": (
        {"messages": [{"role": "user", "content": "x" * 5_000_000}]},
        openai.APIStatusError,
        "request_too_large",
        None,
    ),
}


@pytest.mark.parametrize(
    ("options", "kind", "code", "param"), OWN_ERRORS.values(), ids=list(OWN_ERRORS)
)
def test_what_the_proxy_refuses_itself_is_the_librarys_own_class_too(
    caller: Caller,
    upstream: FakeOpenAI,
    options: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str | None,
    param: str | None,
) -> None:
    with pytest.raises(kind) as raised:
        caller.create(**options)
    told = raised.value
    assert type(told) is kind
    assert (told.code, told.param, told.type) == (code, param, "invalid_request_error")
    assert told.request_id
    assert told.request_id.startswith("req_")
    assert upstream.requests == []


def test_a_wrong_key_is_an_authentication_error(caller: Caller) -> None:
    with pytest.raises(openai.AuthenticationError) as raised:
        caller.run(
            lambda client: got(client.chat.completions.create(model=MINI, messages=HI)),
            api_key="sws-not-a-key",
        )
    assert (raised.value.code, raised.value.status_code) == ("invalid_api_key", 401)
    assert raised.value.request_id


def test_a_model_the_account_may_not_use_is_a_permission_error(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    limits = Limits(allowed_models=("o3-mini-2025-01-31",))
    caller.proxy.write(lambda: set_limits(caller.name, limits))
    with pytest.raises(openai.PermissionDeniedError) as raised:
        caller.create()
    assert raised.value.status_code == 403
    assert raised.value.request_id
    assert upstream.requests == []


def test_too_many_calls_in_a_minute_is_a_rate_limit_that_says_how_long_to_wait(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    caller.proxy.write(lambda: set_limits(caller.name, Limits(per_minute=1)))
    caller.create()
    with pytest.raises(openai.RateLimitError) as raised:
        caller.create()
    assert raised.value.code == "rate_limit_exceeded"
    assert float(raised.value.response.headers["retry-after"]) > 0
    assert raised.value.response.headers.get("x-should-retry") != "false"
    assert len(upstream.requests) == 1


def test_a_model_that_is_not_there_cannot_be_retrieved(caller: Caller) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        caller.run(lambda client: got(client.models.retrieve("gpt-9")))
    assert raised.value.code == "model_not_found"


def test_a_used_up_budget_is_asked_for_exactly_once(caller: Caller, upstream: FakeOpenAI) -> None:
    """The library would repeat a 429 twice: this one says that no repeating helps."""
    poor = caller.proxy.add_account(f"{caller.name}-poor", "0.0000001").key
    asked: list[str] = []

    async def act(client: Any) -> None:
        await got(client.chat.completions.create(model=MINI, messages=HI))

    def count(request: Any) -> None:
        asked.append(str(request.url))

    async def count_too(request: Any) -> None:
        count(request)

    if caller.kind is OpenAI:
        http: Any = openai.DefaultHttpxClient(event_hooks={"request": [count]})
    else:
        http = openai.DefaultAsyncHttpxClient(event_hooks={"request": [count_too]})
    with pytest.raises(openai.RateLimitError) as raised:
        caller.run(act, api_key=poor, max_retries=2, http_client=http)
    assert (raised.value.code, raised.value.type) == ("insufficient_quota", "insufficient_quota")
    assert raised.value.response.headers["x-should-retry"] == "false"
    assert raised.value.request_id
    assert (len(asked), upstream.requests) == (1, [])


def test_a_failure_that_may_pass_is_asked_for_again(caller: Caller, upstream: FakeOpenAI) -> None:
    upstream.answers += [Scripted(status=500, body=error("The server had an error")), Scripted()]
    answer = caller.run(
        lambda client: got(client.chat.completions.create(model=MINI, messages=HI)), max_retries=2
    )
    assert answer.choices[0].message.content == "Hello from the stub."
    assert len(upstream.requests) == 2


def test_a_proxy_that_is_down_is_a_connection_error(caller: Caller) -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{nobody_listens.getsockname()[1]}/v1"
        with pytest.raises(openai.APIConnectionError) as raised:
            caller.run(
                lambda client: got(client.chat.completions.create(model=MINI, messages=HI)),
                base_url=address,
            )
    assert type(raised.value) is openai.APIConnectionError


def test_an_answer_that_takes_too_long_is_a_timeout_and_is_paid_all_the_same(
    caller: Caller, upstream: FakeOpenAI
) -> None:
    upstream.answers.append(Scripted(wait_before_headers=1))
    with pytest.raises(openai.APITimeoutError):
        caller.run(
            lambda client: got(client.chat.completions.create(model=MINI, messages=HI)),
            timeout=0.3,
        )
    upstream.wait_for_requests(1)
    assert caller.wait_until_settled()["state"] == "settled"


# The published schema.


SCHEMA = {"name": "town", "schema": Town.model_json_schema() | {"additionalProperties": False}}

BODIES: dict[str, dict[str, Any]] = {
    "the least": {},
    "two choices": {"n": 2, "max_tokens": 5},
    "JSON mode": {"response_format": {"type": "json_object"}},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": SCHEMA}},
    "tools": {"tools": [WEATHER]},
    "a reasoning model": {"model": "o3-mini", "max_completion_tokens": 500},
}

REQUIRED = {
    "completion": {"id", "object", "created", "model", "choices"},
    "choice": {"index", "message", "logprobs", "finish_reason"},
    "message": {"role", "content", "refusal"},
    "chunk choice": {"index", "delta", "finish_reason"},
    "usage": {"prompt_tokens", "completion_tokens", "total_tokens"},
}


def assert_nothing_beside(model: BaseModel) -> None:
    """No member that the published schema does not name."""
    assert not model.model_extra, model.model_extra
    for _, value in model:
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                assert_nothing_beside(part)


@pytest.mark.parametrize("options", BODIES.values(), ids=list(BODIES))
def test_an_answer_is_what_the_schema_says(practising: Caller, options: dict[str, Any]) -> None:
    raw = practising.post({"model": MINI, "messages": HI, **options}).content
    assert_nothing_beside(ChatCompletion.model_validate_json(raw, strict=True))
    body = json.loads(raw)
    assert body.keys() >= REQUIRED["completion"]
    assert body["usage"].keys() >= REQUIRED["usage"]
    for choice in body["choices"]:
        assert choice.keys() >= REQUIRED["choice"]
        assert choice["message"].keys() >= REQUIRED["message"]


@pytest.mark.parametrize("with_usage", [False, True])
@pytest.mark.parametrize("options", BODIES.values(), ids=list(BODIES))
def test_every_chunk_is_what_the_schema_says(
    practising: Caller, options: dict[str, Any], with_usage: bool
) -> None:
    asked = {"stream_options": {"include_usage": True}} if with_usage else {}
    body = {"model": MINI, "messages": HI, "stream": True, **options, **asked}
    *events, done, nothing = practising.post(body).text.split("\n\n")
    assert (done, nothing) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    for event, chunk in zip(events, chunks, strict=True):
        text = event.removeprefix("data: ")
        assert_nothing_beside(ChatCompletionChunk.model_validate_json(text, strict=True))
        assert chunk.keys() >= REQUIRED["completion"]
        for choice in chunk["choices"]:
            assert choice.keys() >= REQUIRED["chunk choice"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    told = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
    assert len(told) == with_usage
    assert not told or (told[0].keys() >= REQUIRED["usage"] and chunks[-1]["choices"] == [])


# cURL.


def test_curl_streams_and_its_exit_code_tells_a_refusal(practising: Caller) -> None:
    body = json.dumps({"model": MINI, "messages": HI, "stream": True})
    url = f"{practising.proxy.base_url}/chat/completions"

    def curl(key: str) -> subprocess.CompletedProcess[str]:
        sent = ["-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"]
        command = [find("curl"), "--no-buffer", "--silent", "--fail", *sent, "-d", body, url]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    assert curl(practising.key).stdout.endswith("data: [DONE]\n\n")
    assert curl("sws-not-a-key").returncode == 22
