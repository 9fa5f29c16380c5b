"""Reading a body: what is refused, and the bound on the prompt's tokens that holds for all else."""

import json
import random
from typing import Any

import pytest

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import BadRequest
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.request import ChatRequest, read_chat_request
from swsllm_nb.tokenizer import count_tokens, o200k_base

LONG = "a long text of many words " * 40


def read(messages: Any = None, **members: Any) -> ChatRequest:
    given = [{"role": "user", "content": "Hi"}] if messages is None else messages
    body = {"model": "gpt-4o-mini", "messages": given, **members}
    return read_chat_request(json.dumps(body).encode(), Offer(ages=False))


def bytes_of(value: Any) -> int:
    return len(json.dumps(value).encode())


def test_the_bound_is_that_of_the_promise() -> None:
    assert read().prompt_tokens() == 64 + 16 + count_tokens("Hi")
    two = [{"role": "system", "content": LONG}, {"role": "user", "content": LONG}]
    assert read(two).prompt_tokens() == 64 + 2 * (16 + count_tokens(LONG))


TOOL_CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": LONG}}


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "a name"), ("tool_call_id", "call"), ("refusal", LONG), ("tool_calls", [TOOL_CALL])],
)
def test_what_else_a_message_carries_is_bounded_by_its_bytes(field: str, value: Any) -> None:
    plain = {"role": "assistant", "content": "Hi"}
    more = read([{**plain, field: value}]).prompt_tokens() - read([plain]).prompt_tokens()
    assert more >= bytes_of(value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function", "function": {"name": "f", "description": LONG}}]),
        ("tool_choice", {"type": "function", "function": {"name": LONG}}),
        ("response_format", {"type": "json_schema", "json_schema": {"description": LONG}}),
    ],
)
def test_tools_and_schemas_are_bounded_by_their_bytes(field: str, value: Any) -> None:
    assert read(**{field: value}).prompt_tokens() - read().prompt_tokens() >= bytes_of(value)


@pytest.mark.parametrize("joint", ["", "\n"])
@pytest.mark.parametrize("texts", [["a"] * 5000, [""] * 5000, ["0", *["²10" * 3000] * 5]])
def test_a_text_in_parts_is_bounded_however_a_server_joins_them(
    texts: list[str], joint: str
) -> None:
    parts = [{"type": "text", "text": text} for text in texts]
    joined = len(o200k_base().encode_ordinary(joint.join(texts)))
    assert read([{"role": "user", "content": parts}]).prompt_tokens() >= joined
    assert read([{"role": "user", "content": parts}]).prompt_tokens() >= 8 * len(texts)


@pytest.mark.parametrize(
    "text", ["0²1" * 40_000, "०७२" * 40_000, "a۳۹|۱۳۹" * 20_000, "Straße " * 30_000]
)
def test_a_long_text_is_never_counted_for_less_than_it_has(text: str) -> None:
    request = read([{"role": "user", "content": text}])
    assert request.prompt_tokens() >= len(o200k_base().encode_ordinary(text))


def test_random_long_texts_of_awkward_characters_are_never_counted_for_less() -> None:
    rng = random.Random(5)
    words = ["0²1", "۳۹۱", "a\u0301", "ǅ", "中文", "'s", "DON'T", "½", "\u3000", "HTMLtag", "1"]
    for _ in range(30):
        some = rng.sample(words, rng.randrange(1, 6))
        text = "".join(rng.choice(some) for _ in range(30_000))
        assert count_tokens(text) >= len(o200k_base().encode_ordinary(text))


def test_choices_and_stated_maximum_are_read() -> None:
    assert (read().choices, read(n=3).choices) == (1, 3)
    assert read(max_completion_tokens=7).stated_cap == 7
    assert read(max_tokens=None).stated_cap is None


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ('{"a":{"b":1,"b":2}}', "twice in one object"),
        ('{"a":' + "[" * 65 + "]" * 65 + "}", "nested too deeply"),
        ("{" + ",".join(f'"{n}":1' for n in range(101)) + "}", "more than 100"),
        ('{"seed":' + "9" * 5000 + "}", "a number in it is too long"),
        ('{"max\\u005ftokens":1,"max_tokens":2}', "twice"),
    ],
)
def test_a_body_that_could_be_read_in_two_ways_or_for_ever_is_refused(body: str, part: str) -> None:
    with pytest.raises(BadRequest, match=part):
        read_chat_request(body.encode(), Offer(ages=False))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"stream": True, "stream_options": {"continuous_usage_stats": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": [[]]}}, "stream_options"),
        ({"messages": [{"role": "user", "content": "x", "prefix": True}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "x", "audio": {}}]}, "messages[0]"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"index": 0.1}]}]},
            "messages[0].tool_calls",
        ),
    ],
)
def test_what_nobody_can_bound_is_refused_by_name(members: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert refused.value.param == param


def test_a_reasoning_model_gets_its_cap_in_its_own_field() -> None:
    request = read(model="o3-mini", max_completion_tokens=900)
    body = json.loads(request.upstream_body(900, "someone"))
    assert body["model"] == "o3-mini-2025-01-31"
    assert body["max_completion_tokens"] == 900
    assert "max_tokens" not in body


@pytest.mark.parametrize("field", ["temperature", "max_tokens"])
def test_what_a_reasoning_model_does_not_know_is_refused(field: str) -> None:
    with pytest.raises(BadRequest, match="not supported with this model") as refused:
        read(model="o3-mini", **{field: 1})
    assert refused.value.param == field


def test_another_secret_knows_no_key_and_gives_another_pseudonym() -> None:
    ours, other = (Secret.of_text("1:" + letter * 40) for letter in "ab")
    assert ours.hash_key("sws-key") != other.hash_key("sws-key")
    assert ours.safety_identifier(1) != other.safety_identifier(1)
    assert ours.safety_identifier(1) != ours.safety_identifier(2)
    assert ours.safety_identifier(1) == Secret.of_text("1:" + "a" * 40).safety_identifier(1)
    assert "aaaa" not in repr(ours)
