"""The instrumented client: every attempt is a row, and the caller notices nothing."""

import gc
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from certificates import own_certificate
from fake_openai import FakeOpenAI, Scripted, error
from pydantic import BaseModel

import swsllm_nb
from swsllm_nb.notebook.calls import Call, CallLog, Whereabouts, log_path
from swsllm_nb.notebook.client import OtherHost, build_client, trouble_of
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.errors import LLMError, explain
from swsllm_nb.wire import Usage

KEY = "sk-marked-0123456789abcdef"
MESSAGES: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "image_url"}]},
]
COST = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}


class Rig:
    """A client of a fake server, and the rows it filed."""

    def __init__(self, server: FakeOpenAI) -> None:
        self.server = server
        self.calls: list[Call] = []
        self.client, self.http_client = build_client(
            Connection(server.base_url, KEY, "test"), self.calls.append, Whereabouts
        )

    @property
    def call(self) -> Call:
        (only,) = self.calls
        return only

    def create(self, **fields: Any) -> Any:
        return self.client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, **fields)

    def text_of_stream(self, **fields: Any) -> str:
        # As naive as loops are: a chunk without choices would break it.
        return "".join(
            chunk.choices[0].delta.content or "" for chunk in self.create(stream=True, **fields)
        )


@pytest.fixture
def rig() -> Iterator[Rig]:
    with FakeOpenAI() as server:
        running = Rig(server)
        yield running
        running.client.close()


def test_a_plain_call_is_a_row(rig: Rig) -> None:
    rig.server.answers.append(
        Scripted(headers={"x-request-id": "r-1"}, model="gpt-4o-mini-2024-07-18")
    )
    rig.create()
    call = rig.call
    assert (call.model, call.model_served) == ("gpt-4o-mini", "gpt-4o-mini-2024-07-18")
    assert (call.prompt, call.answer) == ("Hi", "Hello from the stub.")
    assert call.usage == rig.server.invoice[0]
    assert (call.cost_pico, call.cost_source) == (12 * 150_000 + 6 * 600_000, "computed")
    assert (call.status, call.finish_reason, call.request_id) == ("ok", "stop", "r-1")
    assert (call.stream, call.retries, call.source) == (False, 0, "client")
    assert call.latency_seconds > 0
    assert call.first_token_seconds is None


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_what_the_proxy_settled_is_what_it_cost(rig: Rig, stream: bool, packed: bool) -> None:
    rig.server.answers.append(Scripted(cost=COST, gzip=packed))
    if stream:
        assert rig.text_of_stream() == "Hello from the stub. "
    else:
        rig.create()
    call = rig.call
    assert (call.cost_pico, call.cost_source) == (10**8, "proxy")
    assert (call.remaining_pico, call.budget_pico) == (3_910 * 10**9, 5 * 10**12)
    assert rig.server.requests[0].headers["x-swsllm-cost"] == "1"
    assert rig.server.requests[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize(
    ("exercise", "told"), [("ex3", "ex3"), ("Übung 3", "Übung 3"), ("", None), ("a\nb", None)]
)
def test_the_server_is_told_the_exercise_that_a_call_is_for_where_a_header_can_say_it(
    exercise: str, told: str | None
) -> None:
    with FakeOpenAI() as server:
        client, _ = build_client(
            Connection(server.base_url, KEY, "test"),
            lambda call: None,
            lambda: Whereabouts(exercise=exercise),
        )
        with client:
            client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert server.requests[0].headers.get("x-swsllm-exercise") == told


@pytest.mark.parametrize("packed", [False, True])
def test_usage_is_learned_of_streams_whose_caller_did_not_ask(rig: Rig, packed: bool) -> None:
    rig.server.answers.append(Scripted(gzip=packed))
    assert rig.text_of_stream() == "Hello from the stub. "
    assert rig.server.requests[0].body["stream_options"] == {"include_usage": True}
    assert rig.call.usage == rig.server.invoice[0]
    assert rig.call.first_token_seconds is not None


def test_other_stream_options_stay(rig: Rig) -> None:
    rig.text_of_stream(stream_options={"include_obfuscation": False})
    options = rig.server.requests[0].body["stream_options"]
    assert options == {"include_obfuscation": False, "include_usage": True}


def test_a_caller_that_asks_for_usage_gets_it(rig: Rig) -> None:
    chunks = list(rig.create(stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens == 12
    assert rig.call.usage == rig.server.invoice[0]


def test_every_way_to_call_is_seen(rig: Rig) -> None:
    class Reply(BaseModel):
        word: str

    completions = rig.client.chat.completions
    rig.server.answers.append(Scripted(text='{"word": "hi"}'))
    parsed = completions.parse(model="gpt-4o-mini", messages=MESSAGES, response_format=Reply)
    assert parsed.choices[0].message.parsed == Reply(word="hi")
    with completions.stream(model="gpt-4o-mini", messages=MESSAGES) as events:
        assert events.get_final_completion().choices[0].message.content
    raw = completions.with_raw_response.create(model="gpt-4o-mini", messages=MESSAGES)
    assert raw.parse().choices[0].message.content == "Hello from the stub."
    for stream in (False, True):
        with completions.with_streaming_response.create(
            model="gpt-4o-mini", messages=MESSAGES, stream=stream
        ) as response:
            assert b"stub." in response.read()
    assert [call.status for call in rig.calls] == ["ok"] * 5
    assert [call.usage for call in rig.calls] == rig.server.invoice


def test_the_comment_about_the_cost_is_kept_from_raw_readers(rig: Rig) -> None:
    rig.server.answers.append(Scripted(cost=COST))
    with rig.client.chat.completions.with_streaming_response.create(
        model="gpt-4o-mini", messages=MESSAGES, stream=True
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"
    assert rig.call.cost_source == "proxy"


def test_a_server_that_refuses_stream_options_is_asked_again_once_and_remembered(
    rig: Rig,
) -> None:
    rig.server.default = Scripted(refuses_stream_options=True, tells_usage=False)
    for _ in range(2):
        assert rig.text_of_stream() == "Hello from the stub. "
    asked = ["stream_options" in request.body for request in rig.server.requests]
    assert asked == [True, False, False]
    assert [call.cost_source for call in rig.calls] == ["estimated", "estimated"]
    assert all(call.completion_tokens == 6 for call in rig.calls)


def test_a_refusal_that_names_something_else_is_not_asked_again(rig: Rig) -> None:
    rig.server.answers.append(
        Scripted(status=400, body=error("max_tokens is negative.", param="max_tokens"))
    )
    with pytest.raises(openai.BadRequestError, match="negative"):
        rig.create(stream=True, max_tokens=-1)
    assert len(rig.server.requests) == 1
    assert (rig.call.status, rig.call.cost_pico) == ("refused", 0)


def test_the_cost_of_a_model_without_a_price_is_unknown(rig: Rig) -> None:
    rig.server.answers.append(Scripted(model="llama"))
    rig.client.chat.completions.create(model="llama", messages=MESSAGES)
    assert (rig.call.cost_pico, rig.call.cost_source) == (None, "unknown")
    assert rig.call.prompt_tokens == 12


def test_each_attempt_is_a_row_of_its_own(rig: Rig) -> None:
    busy = Scripted(status=503, body="busy", headers={"retry-after-ms": "1"})
    rig.server.answers.extend([busy, busy])
    rig.create()
    assert [(call.retries, call.status) for call in rig.calls] == [
        (0, "failed"),
        (1, "failed"),
        (2, "ok"),
    ]
    assert rig.calls[0].cost_source == "unknown"


def test_money_that_is_gone_is_asked_for_once(rig: Rig) -> None:
    body = error("Your budget is used up.", "insufficient_quota")
    rig.server.answers.append(Scripted(status=429, body=body))
    with pytest.raises(openai.RateLimitError):
        rig.create(stream=True)
    assert len(rig.server.requests) == 1
    assert (rig.call.status, rig.call.error_code) == ("refused", "insufficient_quota")


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("place", ["before headers", "mid stream", "before usage", "before done"])
def test_a_stream_is_complete_only_with_its_last_word(rig: Rig, place: Any, clean: bool) -> None:
    rig.server.answers.append(Scripted(cut=place, clean_cut=clean))
    with suppress(openai.APIConnectionError):
        list(
            rig.client.with_options(max_retries=0).chat.completions.create(
                model="gpt-4o-mini", messages=MESSAGES, stream=True
            )
        )
    assert rig.call.status == "failed"
    assert rig.call.error_code in ("cut", "unreadable")
    if place == "before done":
        assert rig.call.usage == rig.server.invoice[0]
    else:
        assert (rig.call.cost_pico, rig.call.cost_source) == (None, "unknown")


def test_an_error_in_the_middle_of_a_stream_is_a_failed_row(rig: Rig) -> None:
    broken = f"data: {json.dumps(error('It broke.', 'server_error'))}\n\n"
    rig.server.answers.append(Scripted(body=broken, headers={"content-type": "text/event-stream"}))
    with pytest.raises(openai.APIError, match="It broke"):
        list(rig.create(stream=True))
    assert (rig.call.status, rig.call.error_code) == ("failed", "server_error")


def test_a_stream_left_half_read_is_interrupted_however_it_is_left(rig: Rig) -> None:
    rig.server.default = Scripted(text="One two three", hang="mid stream")
    assert next(rig.create(stream=True)).choices
    gc.collect()
    assert [call.status for call in rig.calls] == ["interrupted"]
    stream = rig.create(stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == ["", "One "]
    stream.close()
    stream.close()
    assert [call.status for call in rig.calls] == ["interrupted"] * 2
    assert rig.calls[1].answer == "One "
    del stream
    unread = rig.create(stream=True)
    del unread
    gc.collect()
    assert [call.status for call in rig.calls] == ["interrupted"] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself SIGINT there")
@pytest.mark.parametrize(("stream", "place"), [(False, "before headers"), (True, "mid stream")])
def test_an_interrupt_of_the_plain_client_leaves_its_row_and_tells_the_server(
    rig: Rig, stream: bool, place: Any
) -> None:
    rig.server.answers.append(Scripted(text="One two", hang=place))
    read = threading.Event()

    def press() -> None:
        rig.server.wait_for_requests(1)
        if stream:
            read.wait(10)
        os.kill(os.getpid(), signal.SIGINT)

    def wait_for_the_answer() -> None:
        for chunk in rig.create(stream=stream):
            if chunk.choices[0].delta.content:
                read.set()

    button = threading.Thread(target=press)
    button.start()
    with pytest.raises(KeyboardInterrupt):
        wait_for_the_answer()
    button.join()
    assert (rig.call.status, rig.call.cost_pico) == ("interrupted", None)
    assert rig.server.client_left.wait(10)


def test_a_stream_that_is_open_when_the_interpreter_ends_has_its_row(own_folders: Path) -> None:
    script = (
        "import sys, weakref\n"
        "class Early: pass\n"
        "early = Early()\n"
        "if sys.argv[2] == 'early': weakref.finalize(early, print)\n"
        "import swsllm_nb\n"
        "stream = swsllm_nb.client(sys.argv[1], 'sk-some-key').chat.completions.create(\n"
        "    model='gpt-4o-mini', messages=[{'role': 'user', 'content': 'Hi'}], stream=True)\n"
        "next(stream)\n"
    )
    root = Path(swsllm_nb.__file__).parents[1]
    with FakeOpenAI(default=Scripted(text="One two three", hang="mid stream")) as server:
        for when in ("early", "late"):
            command = [sys.executable, "-c", script, server.base_url, when]
            subprocess.run(command, check=True, timeout=60, cwd=root)
        log = CallLog(log_path(Connection(server.base_url, "sk-some-key", "")))
    assert list(log.frame()["status"]) == ["interrupted"] * 2


def test_nobody_at_the_address_is_a_failed_row() -> None:
    with FakeOpenAI() as server:
        pass
    rig = Rig(server)
    with pytest.raises(openai.APIConnectionError):
        rig.client.with_options(max_retries=0).chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES
        )
    assert (rig.call.status, rig.call.error_code) == ("failed", "no_server")
    rig.client.close()


def test_a_server_that_hangs_is_a_failed_row(rig: Rig) -> None:
    rig.server.answers.append(Scripted(hang="before headers"))
    patient = rig.client.with_options(max_retries=0, timeout=0.2)
    with pytest.raises(openai.APITimeoutError):
        patient.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    assert (rig.call.status, rig.call.error_code) == ("failed", "timeout")


def test_other_pages_pass_without_a_row(rig: Rig) -> None:
    rig.server.pages["/models"] = {"object": "list", "data": []}
    assert list(rig.client.models.list()) == []
    assert rig.calls == []


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_to_another_host_is_one_sentence_and_takes_nothing_there(
    rig: Rig, status: int
) -> None:
    with FakeOpenAI() as elsewhere:
        target = {"location": f"{elsewhere.base_url}/chat/completions"}
        rig.server.answers.append(Scripted(status=status, body="moved", headers=target))
        with pytest.raises(openai.OpenAIError, match=f"belongs to {rig.server.origin}"):
            rig.create()
        assert elsewhere.requests == []
    assert len(rig.server.requests) == 1
    assert (rig.call.status, rig.call.error_code) == ("failed", "other_host")


def test_a_course_key_is_sent_to_no_other_host_whatever_is_asked(rig: Rig) -> None:
    with FakeOpenAI() as elsewhere:
        away = rig.client.with_options(base_url=elsewhere.base_url)
        for ask in (
            lambda: away.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES),
            lambda: list(away.models.list()),
            lambda: away.get("/account", cast_to=object),
            lambda: rig.client.get(f"{elsewhere.origin}/v1/models", cast_to=object),
            lambda: rig.client.with_options(
                base_url=elsewhere.base_url,
                api_key="another",
                default_headers={"x-other": f"{KEY}"},
            ).get("/models", cast_to=object),
        ):
            with pytest.raises(OtherHost) as refused:
                ask()
            assert KEY not in str(refused.value)
            assert str(explain(trouble_of(refused.value), KEY)) == str(refused.value)
        assert elsewhere.requests == []
    assert rig.calls == [], "what was not sent is no attempt"
    assert isinstance(refused.value, openai.OpenAIError)
    (line,) = refused.value._render_traceback_()
    assert line.count("\n") == 0
    assert "nothing was sent to" in line


def test_the_same_name_at_another_port_or_scheme_is_another_host(rig: Rig) -> None:
    rig.server.pages["/models"] = {"object": "list", "data": []}
    other = rig.server.base_url.replace("http:", "https:")
    with pytest.raises(OtherHost):
        rig.client.with_options(base_url=other).models.list()
    assert list(rig.client.with_options(base_url=f"{rig.server.origin}/other").models.list()) == []


def test_another_servers_own_key_goes_to_it_and_is_none_of_this_logs_business(rig: Rig) -> None:
    with FakeOpenAI() as elsewhere:
        theirs = rig.client.with_options(base_url=elsewhere.base_url, api_key="sk-of-another")
        theirs.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        assert elsewhere.requests[0].headers["authorization"] == "Bearer sk-of-another"
    assert rig.calls == []


def test_the_proxies_of_the_environment_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.origin)
        calls: list[Call] = []
        client, _ = build_client(
            Connection("http://llm.invalid/v1", KEY, ""), calls.append, Whereabouts
        )
        client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
        client.close()
        assert len(proxy.requests) == 1


def test_the_connection_is_used_again(rig: Rig) -> None:
    for _ in range(3):
        rig.create()
    pool: Any = rig.http_client._transport
    assert len(pool._pool.connections) == 1


def test_the_key_is_in_no_row_no_repr_and_no_body(rig: Rig) -> None:
    rig.server.answers.append(Scripted(status=401, body=error("No.", "invalid_api_key")))
    with pytest.raises(openai.AuthenticationError) as failure:
        rig.create()
    rig.text_of_stream()
    everything = [*rig.calls, rig.http_client, failure.value, failure.value.request.headers]
    assert KEY not in "".join(map(repr, everything))
    assert all(KEY.encode() not in request.raw for request in rig.server.requests)
    assert all(KEY not in request.path for request in rig.server.requests)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_the_network_may_cut_a_stream_anywhere(line_end: str, size: int) -> None:
    head = {"object": "chat.completion.chunk", "created": 1, "id": "1", "model": "gpt-4o-mini"}

    def chunk(content: str) -> str:
        choice = {"index": 0, "delta": {"content": content}, "finish_reason": None}
        return "data: " + json.dumps({**head, "choices": [choice]})

    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    told = "data: " + json.dumps({**head, "choices": [], "usage": usage})
    events = [chunk("a: [DONE]"), ": ping", chunk('"usage":{'), chunk("\n:"), told, "data: [DONE]"]
    raw = "".join(event + line_end * 2 for event in events).encode()
    pieces = [raw[start : start + size] for start in range(0, len(raw), size)]

    class Pieces(httpx2.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield from pieces

    calls: list[Call] = []
    client, http_client = build_client(
        Connection("http://llm.invalid/v1", KEY, ""), calls.append, Whereabouts
    )
    answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())
    http_client._transport = httpx2.MockTransport(lambda request: answer)
    chunks = client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=True)
    text = "".join(each.choices[0].delta.content or "" for each in chunks)
    client.close()
    assert text == 'a: [DONE]"usage":{\n:' == calls[0].answer
    assert calls[0].usage == Usage(prompt_tokens=3, completion_tokens=4)
    assert calls[0].status == "ok"


def test_loading_the_extension_imports_nothing_heavy_and_says_nothing() -> None:
    script = (
        "import sys\n"
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell.instance()\n"
        "before = set(sys.modules)\n"
        "shell.run_line_magic('load_ext', 'swsllm_nb')\n"
        "heavy = {'openai', 'pandas', 'matplotlib', 'ipywidgets', 'httpx2', 'tiktoken', 'nh3'}\n"
        "print(sorted(heavy & (set(sys.modules) - before)))\n"
    )
    root = Path(swsllm_nb.__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=root,
        check=True,
    )
    assert (run.stdout, run.stderr) == ("[]\n", "")


def test_a_server_without_tls_is_not_called_absent(rig: Rig) -> None:
    assert "http:// or with https://" in _sentence_of(rig.server.base_url.replace("http", "https"))


def test_a_certificate_that_nobody_vouches_for_is_not_called_absent(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(tmp_path / "own.pem"))
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake_hands() -> None:
            with suppress(OSError):
                context.wrap_socket(listener.accept()[0], server_side=True).close()

        greeter = threading.Thread(target=shake_hands)
        greeter.start()
        sentence = _sentence_of(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
        greeter.join(10)
    assert "does not trust the certificate" in sentence


def test_a_server_that_is_not_there_is_called_absent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
    assert "No server answers" in _sentence_of(address)


def _sentence_of(base_url: str) -> str:
    connection = Connection(base_url, KEY, "test")
    client, _ = build_client(connection, lambda call: None, Whereabouts)
    with client, pytest.raises(openai.APIConnectionError) as failure:
        client.with_options(max_retries=0).chat.completions.create(
            model="gpt-4o-mini", messages=MESSAGES
        )
    return str(explain(trouble_of(failure.value)))


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself SIGINT there")
@pytest.mark.parametrize("stream", [True, False])
def test_the_stop_button_ends_a_plain_call_in_one_sentence(rig: Rig, stream: bool) -> None:
    rig.server.default = Scripted(hang="mid stream" if stream else "before headers")

    def interrupt() -> None:
        rig.server.wait_for_requests(1)
        os.kill(os.getpid(), signal.SIGINT)

    button = threading.Thread(target=interrupt)
    button.start()
    with pytest.raises(KeyboardInterrupt, match="does not stop the cost"):
        rig.text_of_stream() if stream else rig.create()
    button.join()
    assert [call.status for call in rig.calls] == ["interrupted"]


@pytest.mark.parametrize("kind", ["application/json", "text/html", "text/event-stream"])
@pytest.mark.parametrize("stream", [True, False])
def test_what_is_no_completion_is_an_error_and_no_answer(rig: Rig, kind: str, stream: bool) -> None:
    rig.server.default = Scripted(body="{oops", headers={"content-type": kind})
    with pytest.raises(openai.OpenAIError) as failure:
        rig.text_of_stream() if stream else rig.create()
    assert "is no chat completion" in str(explain(trouble_of(failure.value)))
    assert len(rig.server.requests) == 1
    assert (rig.call.status, rig.call.error_code) == ("failed", "unreadable")


def test_a_stream_whose_packing_is_broken_is_an_error_of_the_library(rig: Rig) -> None:
    rig.server.default = Scripted(
        body="data: no gzip",
        headers={"content-type": "text/event-stream", "content-encoding": "gzip"},
    )
    with pytest.raises(openai.APIConnectionError) as failure:
        rig.text_of_stream()
    assert "is no chat completion" in str(explain(trouble_of(failure.value)))


def test_the_key_in_a_question_is_not_sent(rig: Rig) -> None:
    for call in (
        partial(rig.create, user=KEY),
        partial(rig.create, stop=[f"a {KEY} b"]),
        partial(rig.text_of_stream, metadata={"x": KEY}),
    ):
        with pytest.raises(LLMError, match="nothing was sent") as failure:
            call()
        assert KEY not in str(failure.value)
    assert not rig.server.requests
    assert not rig.calls


@pytest.mark.parametrize(
    ("base_url", "sentence"),
    [
        ("http://no-such-host.invalid/v1", "leads to no machine"),
        ("http://127.0.0.1:9/v1", "No server answers"),
    ],
)
def test_a_name_that_leads_nowhere_is_told_from_a_server_that_is_off(
    base_url: str, sentence: str
) -> None:
    assert sentence in _sentence_of(base_url)


def test_a_web_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeOpenAI(default=Scripted(status=403, body="no")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.origin)
        assert "HTTPS_PROXY" in _sentence_of("https://llm.invalid/v1")
