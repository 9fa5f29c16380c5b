"""The practice model answers as OpenAI does: in real tokens, within caps, the same for a seed."""

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from importlib import resources
from types import SimpleNamespace
from typing import Any

import pytest

from swsllm_nb.proxy.practice import PracticeUpstream
from swsllm_nb.proxy.practice.model import END, NextToken, NGramModel
from swsllm_nb.proxy.practice.prose import practice_model
from swsllm_nb.proxy.practice.visible import VisibleText
from swsllm_nb.tokenizer import count_tokens, o200k_base
from swsllm_nb.wire import usage_from_body

QUESTION = "What is temperature?"


def send(body: bytes) -> SimpleNamespace:
    async def sent() -> SimpleNamespace:
        upstream = PracticeUpstream(seconds_per_token=0)
        async with upstream.post(body) as answer:
            chunks = [chunk async for chunk in answer.chunks()]
        await upstream.close()
        return SimpleNamespace(status=answer.status, text=b"".join(chunks), chunks=chunks)

    return asyncio.run(sent())


def request(question: str = QUESTION, **members: Any) -> bytes:
    ours = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
    return json.dumps(ours | members).encode()


def ask(question: str = QUESTION, **members: Any) -> dict[str, Any]:
    answer = send(request(question, **members))
    assert answer.status == 200, answer.text
    body = json.loads(answer.text)
    assert isinstance(body, dict)
    return body


def text_of(body: dict[str, Any], index: int = 0) -> str:
    return str(body["choices"][index]["message"]["content"])


def stream(question: str = QUESTION, **members: Any) -> list[dict[str, Any]]:
    """The chunks of a stream; its framing is checked on the way."""
    answer = send(request(question, stream=True, **members))
    assert answer.status == 200
    events = answer.text.decode().split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(event.startswith("data: ") for event in events[:-1])
    return [json.loads(event.removeprefix("data: ")) for event in events[:-2]]


def streamed_text(chunks: Sequence[dict[str, Any]], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    return "".join(c["delta"].get("content", "") for c in choices if c["index"] == index)


@pytest.mark.parametrize("tokens", [0, 3, 20, "nonsense"])
def test_a_distribution_sums_to_one(tokens: int | str) -> None:
    steered = practice_model().steered_by(QUESTION)
    written = o200k_base().encode_ordinary(
        "Temperature is a number that decides how boldly the model picks the next token."
        if isinstance(tokens, int)
        else "cats embedding of river zebra"
    )[: tokens if isinstance(tokens, int) else None]
    following = steered.next_token(written)
    probabilities = following.probabilities()
    assert sum(probabilities.values()) == pytest.approx(1, abs=1e-9)
    assert all(0 <= probability <= 1 for probability in probabilities.values())
    assert list(probabilities) == sorted(probabilities)
    plain = practice_model().english.model.next_token(written).probabilities()
    assert sum(plain.values()) == pytest.approx(1, abs=1e-9)


def test_draws_are_as_frequent_as_the_distribution_says() -> None:
    model = NGramModel([(5, 1, 2), (5, 1, 3), (5, 1, 3), (5, 4, 4)])
    following = model.next_token([5, 1])
    rng, tempered = random.Random(7), model.unigrams.tempered(1)
    drawn = [following.draw(tempered, rng) for _ in range(20_000)]
    for token, probability in following.probabilities().items():
        assert drawn.count(token) / len(drawn) == pytest.approx(probability, abs=0.015)


def test_tokens_that_no_context_knows_are_drawn_too() -> None:
    unigrams = NGramModel([(5, 1, 2, 3, 3)]).unigrams
    following = NextToken.of({1: 0.5}, 0.5, unigrams)
    rng, tempered = random.Random(7), unigrams.tempered(1)
    drawn = [following.draw(tempered, rng) for _ in range(20_000)]
    for token, probability in following.probabilities().items():
        assert drawn.count(token) / len(drawn) == pytest.approx(probability, abs=0.015)
    assert 1 not in {following.draw(tempered, rng, {1}) for _ in range(100)}


def test_a_low_temperature_sharpens_and_a_high_one_flattens() -> None:
    model = NGramModel([(5, 1, 2), (5, 1, 3), (5, 1, 3), (5, 4, 4)])
    following = model.next_token([5, 1])
    shares = []
    for temperature in (0.2, 1, 2):
        rng, tempered = random.Random(7), model.unigrams.tempered(temperature)
        drawn = [following.draw(tempered, rng) for _ in range(2_000)]
        shares.append(drawn.count(3) / len(drawn))
    assert shares[0] > shares[1] > shares[2]


def test_ties_are_broken_by_the_lowest_token_id() -> None:
    model = NGramModel([(5, 16), (5, 9)])
    assert model.next_token([5]).most_likely() == 9


def test_the_same_seed_gives_the_same_answers_in_every_process() -> None:
    program = (
        "import asyncio, sys\n"
        "from swsllm_nb.proxy.practice import PracticeUpstream\n"
        "async def sent(body):\n"
        "    async with PracticeUpstream(0).post(body) as answer:\n"
        "        return b''.join([chunk async for chunk in answer.chunks()])\n"
        "for line in sys.stdin.buffer.read().splitlines():\n"
        "    sys.stdout.buffer.write(asyncio.run(sent(line)) + b'\\n')\n"
    )
    bodies = [
        request(question, seed=11, temperature=temperature)
        for question in (QUESTION, "Was ist ein Token?", "zzz")
        for temperature in (0, 1, 1.5, 2)
    ]
    answers = []
    for hash_seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program],
            input=b"\n".join(bodies),
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
        )
        answers.append([text_of(json.loads(line)) for line in run.stdout.splitlines()])
    assert answers[0] == answers[1]
    assert answers[0] == [text_of(json.loads(send(body).text)) for body in bodies]


def test_without_a_seed_answers_differ_and_with_one_they_do_not() -> None:
    assert len({text_of(ask(temperature=1.5)) for _ in range(6)}) > 1
    assert len({text_of(ask(temperature=1.5, seed=3)) for _ in range(6)}) == 1


def test_the_same_seed_draws_differently_for_another_prompt() -> None:
    polite = ask(QUESTION + " Please!", seed=3, temperature=1.8)
    assert text_of(polite) != text_of(ask(seed=3, temperature=1.8))


def test_temperature_zero_gives_one_answer_whatever_the_seed() -> None:
    assert len({text_of(ask(temperature=0, seed=seed)) for seed in range(5)}) == 1
    assert text_of(ask(temperature=1e-300)) == text_of(ask(temperature=0))


def test_a_high_temperature_is_more_diverse_than_a_low_one() -> None:
    def words(temperature: float) -> int:
        answers = [text_of(ask(temperature=temperature, seed=seed)) for seed in range(8)]
        return len({word for answer in answers for word in answer.split()})

    assert words(2) > 2 * words(0.2)


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("cap", [1, 2, 7, 30])
def test_a_cap_is_never_exceeded_and_says_length(field: str, cap: int) -> None:
    for seed, temperature in enumerate((0, 0.7, 1, 1.5, 2)):
        for question in (QUESTION, "Was ist das Wetter?"):
            body = ask(question, seed=seed, temperature=temperature, **{field: cap})
            assert count_tokens(text_of(body)) <= cap
            assert body["usage"]["completion_tokens"] <= cap
            cut = body["usage"]["completion_tokens"] == cap
            assert cut == (body["choices"][0]["finish_reason"] == "length")
            assert cut or cap == 30
    assert ask(temperature=0, max_tokens=7)["choices"][0]["finish_reason"] == "length"


def test_a_cap_cuts_the_answer_that_would_have_come() -> None:
    whole, cut = ask(seed=4), ask(seed=4, max_tokens=9)
    assert text_of(whole).startswith(text_of(cut))
    assert cut["usage"]["completion_tokens"] == 9


def test_no_answer_has_more_real_tokens_than_were_billed() -> None:
    for seed in range(40):
        question = "Was ist ein Prompt?" if seed % 2 else "What is a prompt?"
        for json_mode in ({}, {"response_format": {"type": "json_object"}}):
            body = ask(question, seed=seed, temperature=2, **json_mode)
            assert count_tokens(text_of(body)) <= body["usage"]["completion_tokens"]


def test_answers_end_by_themselves_even_at_the_extremes() -> None:
    for temperature in (0, 2):
        for question in (QUESTION, "Hallo!", "Wer war Markow?", "", "zzz", "🦊"):
            body = ask(question, temperature=temperature, seed=1)
            assert body["choices"][0]["finish_reason"] == "stop"
            assert 0 < body["usage"]["completion_tokens"] <= 240


def test_an_answer_that_finds_no_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ask(temperature=0)
    monkeypatch.setattr("swsllm_nb.proxy.practice.answer._ENOUGH_TOKENS", 12)
    sentence = ask(temperature=0)
    assert text_of(sentence).count(".") == 1
    assert text_of(sentence).endswith(".")
    monkeypatch.setattr("swsllm_nb.proxy.practice.answer._TOO_MANY_TOKENS", 14)
    cut = ask(temperature=0)
    assert cut["usage"]["completion_tokens"] == 14
    assert text_of(whole).startswith(text_of(cut))
    assert cut["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    "stop", [" number", "umber that dec", ["zzz", "."], "the next token. At", ["T"], "!!!"]
)
def test_a_stop_never_appears_and_the_text_before_it_does(stop: str | list[str]) -> None:
    whole = text_of(ask(temperature=0))
    stops = [stop] if isinstance(stop, str) else stop
    ends = [whole.find(text) for text in stops if text in whole]
    expected = whole[: min(ends)] if ends else whole
    body = ask(temperature=0, stop=stop)
    assert text_of(body) == expected
    assert body["choices"][0]["finish_reason"] == "stop"
    assert streamed_text(stream(temperature=0, stop=stop)) == expected
    if ends and expected:
        assert body["usage"]["completion_tokens"] < ask(temperature=0)["usage"]["completion_tokens"]


def test_the_beginning_of_a_stop_is_shown_as_soon_as_it_leads_nowhere() -> None:
    visible = VisibleText(["abc"])
    assert [visible.add(token) for token in (b"xa", b"b", b"ab", b"d", b"a")] == [
        "x", "", "ab", "abd", ""
    ]  # fmt: skip
    assert visible.rest() == "a"
    assert not visible.stopped


def test_the_first_of_several_stops_ends_the_answer() -> None:
    visible = VisibleText(["c", "b"])
    assert visible.add(b"abc") == "a"
    assert visible.stopped
    assert visible.add(b"d") + visible.rest() == ""


def test_a_character_is_shown_when_its_last_byte_is_there() -> None:
    visible = VisibleText()
    assert [visible.add(bytes([byte])) for byte in "ä🦊".encode()] == ["", "ä", "", "", "", "🦊"]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"n": 3},
        {"max_tokens": 12},
        {"stop": ["ken", " th"]},
        {"response_format": {"type": "json_object"}},
        {"model": "o3-mini-2025-01-31", "max_completion_tokens": 90},
    ],
)
def test_a_stream_says_the_same_as_the_plain_answer(members: dict[str, Any]) -> None:
    members |= {"seed": 5, "temperature": 1.2}
    plain = ask(**members)
    chunks = stream(stream_options={"include_usage": True}, **members)
    for index, choice in enumerate(plain["choices"]):
        assert streamed_text(chunks, index) == text_of(plain, index)
        ends = [c for chunk in chunks for c in chunk["choices"] if c["index"] == index]
        assert ends[0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
        assert [end["finish_reason"] for end in ends if end["finish_reason"]] == [
            choice["finish_reason"]
        ]
        assert ends[-1]["delta"] == {}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plain["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_a_stream_sends_a_chunk_per_token_and_usage_only_when_asked() -> None:
    chunks = stream(seed=1)
    assert all("usage" not in chunk for chunk in chunks)
    assert all(chunk["choices"] for chunk in chunks)
    assert len(chunks) - 2 == ask(seed=1)["usage"]["completion_tokens"]
    assert len({chunk["id"] for chunk in chunks}) == 1
    answer = send(request(seed=1, stream=True))
    assert len(answer.chunks) > 10


def test_a_stream_pauses_before_every_token(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def noted(seconds: float) -> None:
        pauses.append(seconds)

    async def sent() -> None:
        async with PracticeUpstream(0.5).post(request(max_tokens=4, stream=True)) as answer:
            with monkeypatch.context() as patched:
                patched.setattr(asyncio, "sleep", noted)
                assert [chunk async for chunk in answer.chunks()]

    asyncio.run(sent())
    assert pauses[:4] == [0.5] * 4


def test_a_body_has_the_members_of_openais() -> None:
    body = ask(seed=1)
    assert list(body) == [
        "id", "object", "created", "model", "service_tier", "system_fingerprint", "choices", "usage"
    ]  # fmt: skip
    assert body["id"].startswith("chatcmpl-practice-")
    assert body["object"] == "chat.completion"
    assert body["model"] == "gpt-4o-mini"
    assert body["system_fingerprint"] == "practice"
    choice = body["choices"][0]
    assert choice["message"] == {"role": "assistant", "content": text_of(body), "refusal": None}
    assert choice["logprobs"] is None
    chunk = stream(seed=1)[1]
    assert chunk["object"] == "chat.completion.chunk"
    assert chunk["system_fingerprint"] == "practice"
    assert set(chunk["choices"][0]) == {"index", "delta", "logprobs", "finish_reason"}
    assert usage_from_body(body) is not None


ODD_MESSAGES: list[list[dict[str, Any]]] = [
    [{"role": "user", "content": ""}],
    [{"role": "user", "content": "👩‍👩‍👧‍👦🦊" * 50}],
    [{"role": "user", "name": "Zoë_" * 16, "content": "hi"}] * 3,
    [{"role": "system", "content": "a"}, {"role": "user", "content": "b"}] * 300,
    [{"role": "user", "content": [{"type": "text", "text": "a"}] * 500}],
    [
        {
            "role": "user",
            "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}],
        }
    ],
    [{"role": "user", "content": "<|endoftext|><|endofprompt|>" * 20}],
    [{"role": "user", "content": "\ud800 lone"}],
    [{"role": "assistant", "content": None}, {"role": "tool", "content": "x", "tool_call_id": "1"}],
    [{"role": "user", "content": " " * 50_000 + "=" * 50_000}],
]


@pytest.mark.parametrize("messages", ODD_MESSAGES)
def test_the_prompts_usage_stays_within_what_the_proxy_holds(
    messages: list[dict[str, Any]],
) -> None:
    bound = 64
    for message in messages:
        content = message["content"] or ""
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        bound += 16 + sum(map(count_tokens, texts)) + count_tokens(message.get("name", ""))
    usage = ask(messages=messages, max_tokens=1)["usage"]
    assert 0 < usage["prompt_tokens"] <= bound
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_prompt_tokens_are_counted_as_openai_counts_them() -> None:
    text = "Was ist ein Token?"
    count = len(o200k_base().encode_ordinary(text))
    assert ask(text)["usage"]["prompt_tokens"] == count + 3 + 3
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    apart = ask(messages=[{"role": "user", "content": parts}])["usage"]["prompt_tokens"]
    assert apart == ask("hello")["usage"]["prompt_tokens"]
    named = [{"role": "user", "content": text, "name": "x"}]
    assert ask(messages=named)["usage"]["prompt_tokens"] == count + 3 + 3 + 2


def test_tools_count_no_more_than_their_bytes() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"enum": [1e5] * 99}}}]
    raw = json.dumps(tools, separators=(",", ":")).replace("100000.0", "1e5")
    body = request().decode()[:-1] + f', "tools": {raw}}}'
    usage = json.loads(send(body.encode()).text)["usage"]
    plain = ask()["usage"]["prompt_tokens"]
    assert plain < usage["prompt_tokens"] <= plain + len(raw)


@pytest.mark.parametrize("kind", ["json_object", "json_schema"])
@pytest.mark.parametrize("temperature", [0, 1, 2])
def test_json_mode_answers_one_object(kind: str, temperature: float) -> None:
    for question in (QUESTION, "Gib mir JSON über Katzen"):
        body = ask(question, temperature=temperature, seed=2, response_format={"type": kind})
        answer = json.loads(text_of(body))
        assert list(answer) == ["answer"]
        assert len(answer["answer"]) > 10


def test_json_that_the_cap_cuts_says_length() -> None:
    body = ask(response_format={"type": "json_object"}, max_tokens=8)
    assert body["choices"][0]["finish_reason"] == "length"
    assert text_of(body).startswith('{"answer": "')
    assert count_tokens(text_of(body)) <= 8


@pytest.mark.parametrize("name", ["english.txt", "german.txt"])
def test_the_prose_fits_json_and_whole_characters(name: str) -> None:
    text = resources.files("swsllm_nb.proxy.practice").joinpath(name).read_text("utf-8")
    assert not set('"\\\t') & set(text)
    for token in set(o200k_base().encode_ordinary(text)):
        assert o200k_base().decode_single_token_bytes(token).decode()
        assert token != END


@pytest.mark.parametrize(
    ("question", "begins", "about"),
    [
        ("What is temperature?", "", "temperature"),
        ("Explain streaming in one sentence.", "", "stream"),
        ("Why do cats purr?", "Cats", "cat"),
        ("Was ist ein Token?", "Ein Token ist", "Token"),
        ("Warum sollte ich meinen Schlüssel geheim halten?", "", "Schlüssel"),
        ("Temperatur?", "", "Temperatur"),
        ("Schreib mir ein Haiku", "", "Haiku"),
        ("Hello!", "H", "practice model"),
        ("Hallo, wie geht es dir?", "Hallo", "Übungsmodell"),
        ("Explain quantum physics", "", "practice model"),
        ("Erkläre Quantenphysik", "", "Übungsmodell"),
    ],
)
def test_an_answer_is_about_the_question_and_in_its_language(
    question: str, begins: str, about: str
) -> None:
    answer = text_of(ask(question, temperature=0))
    assert about in answer
    assert answer.startswith(begins)


def test_only_the_last_user_message_is_answered() -> None:
    messages = [
        {"role": "system", "content": "You are a helpful assistant that talks about rivers."},
        {"role": "user", "content": "What is temperature?"},
        {"role": "assistant", "content": "A number."},
        {"role": "user", "content": [{"type": "text", "text": "Und was ist ein Proxy?"}]},
    ]
    assert text_of(ask(messages=messages, temperature=0)).startswith("Ein Proxy ist ein Server")


def test_every_choice_is_billed() -> None:
    body = ask(n=4, seed=9, temperature=1.3)
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2, 3]
    texts = [text_of(body, index) for index in range(4)]
    assert len(set(texts)) > 1
    assert body["usage"]["completion_tokens"] >= sum(map(count_tokens, texts))
    assert text_of(ask(seed=9, temperature=1.3)) == texts[0]
    assert ask(n=3, max_tokens=2)["usage"]["completion_tokens"] == 6


def test_a_reasoning_model_bills_what_it_does_not_show() -> None:
    body = ask(model="o3-mini", seed=1)
    usage = body["usage"]
    reasoning = usage["completion_tokens_details"]["reasoning_tokens"]
    assert reasoning == 64
    visible = usage["completion_tokens"] - reasoning
    assert count_tokens(text_of(body)) <= visible < 241
    assert ask(seed=1)["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0


@pytest.mark.parametrize("cap", [1, 63, 64])
def test_a_cap_that_the_reasoning_fills_leaves_nothing_to_show(cap: int) -> None:
    body = ask(model="o3-mini", max_completion_tokens=cap)
    assert text_of(body) == ""
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == cap
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == cap


def test_reasoning_and_answer_share_one_cap() -> None:
    usage = ask(model="o3-mini", max_completion_tokens=70, n=2)["usage"]
    assert usage["completion_tokens"] == 140
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 128


HOSTILE_MEMBERS: list[dict[str, Any]] = [
    {"messages": {}},
    {"messages": []},
    {"messages": None},
    {"messages": ["hi"]},
    {"messages": [{}]},
    {"messages": [{"role": ["user"], "content": "x"}]},
    {"messages": [{"role": "user"}]},
    {"messages": [{"role": "user", "content": 5}]},
    {"messages": [{"role": "user", "content": {"type": "text"}}]},
    {"messages": [{"role": "user", "content": ["x"]}]},
    {"messages": [{"role": "user", "content": [{"type": ["text"], "text": "x"}]}]},
    {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
    {"messages": [{"role": "user", "content": "x", "name": 5}]},
    {"model": None},
    {"model": 5},
    {"max_tokens": "x"},
    {"max_tokens": 0},
    {"max_tokens": -1},
    {"max_tokens": 1.5},
    {"max_tokens": True},
    {"max_tokens": 5, "max_completion_tokens": 5},
    {"stop": [1]},
    {"stop": {"a": 1}},
    {"stop": ["a", "b", "c", "d", "e"]},
    {"temperature": "hot"},
    {"temperature": 3},
    {"temperature": float("nan")},
    {"temperature": True},
    {"n": 0},
    {"n": 10**9},
    {"n": "2"},
    {"seed": "x"},
    {"seed": 1.5},
    {"stream": "yes"},
    {"stream_options": []},
    {"stream_options": {"include_usage": 1}},
    {"response_format": "json"},
]


@pytest.mark.parametrize("members", HOSTILE_MEMBERS)
def test_a_member_that_cannot_be_used_is_a_400(members: dict[str, Any]) -> None:
    assert_refused(send(request(**members)))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\xfd",
        b'{"model": "x", "messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"model": "x", "messages": [{"role": "user", "content": "x"}], "tools": '
        + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
        b'{"model": "x", "n": ' + b"9" * 10_000 + b"}",
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_used_is_a_400(body: bytes) -> None:
    assert_refused(send(body))


def assert_refused(answer: SimpleNamespace) -> None:
    assert answer.status == 400
    error = json.loads(answer.text)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_null_and_unknown_members_are_ignored() -> None:
    unset: dict[str, Any] = dict.fromkeys(
        ("stop", "seed", "n", "max_tokens", "stream", "response_format")
    )
    assert text_of(
        ask(QUESTION, **unset, reasoning_effort={"odd": 1}, top_p=0.5, store=False, zebra=1)
    )
    assert text_of(ask(model="o1", reasoning_effort={"odd": [1]}))
    assert ask(stop=["", "."])["choices"][0]["finish_reason"] == "stop"


def test_the_upstream_has_a_name_for_the_ledger() -> None:
    assert PracticeUpstream().name == "practice"
