"""Bytes that no client would send, to a live proxy: never a 500, a hang, growth or a stuck hold.

Hypothesis makes the bytes, from a fixed seed. Each batch is sent twice: what the process holds
after the second may not be more than after the first.
"""

import json
import os
import socket
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from itertools import product
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from fake_openai import FakeOpenAI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from proxies import PREFIX, RunningProxy, running_proxy

CLIENT_TIMEOUT_SECONDS = 30
CALLS_PER_ACCOUNT = 80
GROWTH_LIMIT_BYTES = 4 * 2**20
HANDLES_LIMIT = 8

FEW = 40
MANY = 300
EXAMPLES = pytest.mark.parametrize(
    "examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
)

MINI = "gpt-4o-mini-2024-07-18"


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Target:
    """A live proxy, and keys that have not yet been used too often."""

    def __init__(self, proxy: RunningProxy, log: Path) -> None:
        self.proxy = proxy
        self._log = log
        self._log_seen = 0
        self._calls = 0
        self._key = ""
        host, _, port = proxy.base_url.removeprefix("http://").partition("/")[0].partition(":")
        self._address = (host, int(port))

    @property
    def key(self) -> str:
        if self._calls % CALLS_PER_ACCOUNT == 0:
            self._key = self.proxy.add_account(f"hostile-{self._calls}").key
        self._calls += 1
        return self._key

    def post(self, body: bytes, *fields: bytes, path: str = "/chat/completions") -> Answer | None:
        """One call with a good key; ``fields`` are further header lines."""
        return self.request(
            b"POST", path, b"Authorization: Bearer " + self.key.encode(), *fields, body=body
        )

    def request(
        self, method: bytes, path: str, *fields: bytes, body: bytes | None = None
    ) -> Answer | None:
        length = [] if body is None else [b"Content-Length: %d" % len(body)]
        head = [method + b" " + (PREFIX + path).encode() + b" HTTP/1.1", b"Host: proxy"]
        lines = [*head, b"Connection: close", *fields, *length, b"", body or b""]
        return self.send(b"\r\n".join(lines), method=method.decode("latin-1"))

    def send(self, raw: bytes, *, method: str = "POST", half: bool = False) -> Answer | None:
        """What comes back for some bytes, or None where it hung up without a word."""
        with socket.create_connection(self._address, CLIENT_TIMEOUT_SECONDS) as connection:
            try:
                connection.sendall(raw)
                if half:
                    connection.shutdown(socket.SHUT_WR)
            except TimeoutError:
                raise
            except OSError:
                pass  # it answered before it had read all, and that answer is still to be read
            response = HTTPResponse(connection, method=method)
            try:
                response.begin()
                return Answer(response.status, response.read())
            except (HTTPException, ConnectionError):
                return None
            finally:
                response.close()

    def leave(self, raw: bytes) -> None:
        """Send some bytes and reset the connection."""
        with socket.create_connection(self._address, CLIENT_TIMEOUT_SECONDS) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(raw)

    def resident_bytes(self) -> int:
        pages = (Path("/proc") / str(self.proxy.process.pid) / "statm").read_text().split()[1]
        return int(pages) * 4096

    def handles(self) -> int:
        return len(list((Path("/proc") / str(self.proxy.process.pid) / "fd").iterdir()))

    def assert_well(self) -> None:
        """Alive, answering, surprised by nothing, its sums right, and no hold left open."""
        assert self.proxy.process.poll() is None
        assert "Traceback" not in self.new_in_the_log()
        answer = self.request(b"GET", "/account", b"Authorization: Bearer " + self.key.encode())
        assert answer is not None
        assert answer.status == 200
        wait_until(lambda: not self.held())
        self.proxy.assert_adds_up()

    def new_in_the_log(self) -> str:
        whole = self._log.read_bytes()
        new = whole[self._log_seen :].decode(errors="replace")
        self._log_seen = len(whole)
        return new

    def held(self) -> int:
        accounts = self.proxy.ask(lambda store: store.accounts())
        return sum(account.reserved_pico for account in accounts)


def wait_until(done: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    """A process of its own: it is looked at from outside, and nobody else may make it grow."""
    folder = tmp_path_factory.mktemp("hostile")
    with FakeOpenAI() as upstream, ExitStack() as running:
        with errors_written_to(folder / "log"):
            proxy = running.enter_context(
                running_proxy(folder / "data", upstream=upstream.base_url)
            )
        yield Target(proxy, folder / "log")


@contextmanager
def errors_written_to(log: Path) -> Iterator[None]:
    """A process that is started meanwhile writes what it has to complain of into a file."""
    kept = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def check_many(target: Target, examples: int, check: Callable[[DataObject], None]) -> None:
    """Run ``check`` on as many drawn examples, twice the same, and look at the process."""
    batch = settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )(given(st.data())(check))
    batch()
    target.assert_well()
    resident, handles = target.resident_bytes(), target.handles()
    batch()
    target.assert_well()
    assert target.resident_bytes() - resident < GROWTH_LIMIT_BYTES
    assert target.handles() - handles <= HANDLES_LIMIT


def assert_civil(answer: Answer | None) -> None:
    """An answer, and not a failure; in OpenAI's envelope where it refuses."""
    assert answer is not None, "no answer came"
    assert answer.status < 500, answer
    if answer.status >= 400:
        assert_envelope(answer)


def assert_envelope(answer: Answer) -> None:
    document = json.loads(answer.body)
    assert document.keys() == {"error"}, document
    told = document["error"]
    assert told.keys() == {"message", "type", "param", "code"}
    assert isinstance(told["message"], str)
    assert isinstance(told["type"], str)
    assert told["message"]
    assert all(told[name] is None or isinstance(told[name], str) for name in ("param", "code"))


# What is drawn.

# Written into the body as they stand: Python would not write them, or not so.
FRAGMENTS = {
    "NaN": "NaN",
    "infinite": "-Infinity",
    "overflows": "1e400",
    "underflows": "-1e-400",
    "many digits": "9" * 5000,
    "many decimals": "0." + "1" * 5000,
    "minus zero": "-0",
    "leading zero": "007",
    "nested": "[" * 63 + "]" * 63,
    "nested more": '{"a":' * 500 + "1" + "}" * 500,
    "nested deeply": "[" * 50_000,
    "a name twice": '{"a":1,"a":2}',
    "a lone surrogate": r'"\ud800"',
    "a pair of surrogates": r'"\ud83d\ude00"',
    "an escaped NUL": r'"\u0000"',
    "a naked NUL": '"\x00"',
    "a naked newline": '"\n"',
    "nothing": "",
    "two values": "1 2",
    "a comment": "1 /* one */",
    "single quotes": "'x'",
    "a long text": '"' + "x" * 200_000 + '"',
    "no words": '"' + "=" * 100_000 + '"',
    "only spaces": '"' + " " * 100_000 + '"',
    "a special token": '"<|endoftext|><|im_start|>"',
    "many messages": "[" + ",".join(['{"role":"user","content":"x"}'] * 10_000) + "]",
}

TEXTS = st.one_of(
    st.text(st.characters(), max_size=40),  # with lone surrogates
    st.sampled_from(["", "user", "assistant", "tool", "text", "image_url", MINI, "o3-mini", "gpt"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([0, 1, -1, 128, 2**31, 2**63, -(2**63) - 1, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
    st.sampled_from(sorted(FRAGMENTS)).map(lambda name: f"@{name}@"),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)

PLACES: list[tuple[str | int, ...]] = [
    (),
    ("model",),
    ("messages",),
    ("messages", 0),
    ("messages", 1),
    *(("messages", 0, name) for name in ("role", "content", "name", "tool_calls", "tool_call_id")),
    *(("messages", 1, "content", 0, name) for name in ("type", "text", "image_url")),
    ("messages", 1, "content", 0),
    ("tools", 0),
    *(("tools", 0, name) for name in ("type", "function")),
    *(("tools", 0, "function", name) for name in ("name", "parameters")),
    ("response_format", "json_schema", "schema"),
    ("stream_options", "include_usage"),
    *(
        (name,)
        for name in (
            "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "temperature",
            "top_p", "stop", "seed", "user", "logprobs", "top_logprobs", "logit_bias", "tools",
            "tool_choice", "parallel_tool_calls", "response_format", "presence_penalty",
            "frequency_penalty", "reasoning_effort", "service_tier", "store", "metadata", "audio",
            "modalities", "prediction", "web_search_options", "functions", "safety_identifier",
        )
    ),
]  # fmt: skip


def valid_body() -> dict[str, Any]:
    return {
        "model": MINI,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hi!"}]},
        ],
        "max_tokens": 5,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}},
        "stream": False,
    }


def put(body: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """The body with a value at a place; a place that is not there any more is left alone."""
    if not place:
        return value
    inside = body
    for step in place[:-1]:
        try:
            inside = inside[step]
        except (KeyError, IndexError, TypeError):
            return body
    if isinstance(inside, dict) or (isinstance(inside, list) and place[-1] in range(len(inside))):
        inside[place[-1]] = value
    return body


@st.composite
def json_bodies(draw: st.DrawFn) -> bytes:
    """A valid body in which something is of a wrong type, size, place or spelling."""
    body: Any = valid_body()
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        body = put(body, place, draw(VALUES))
    if isinstance(body, dict) and draw(st.booleans()):
        body["stream"] = True
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    for name, fragment in FRAGMENTS.items():
        text = text.replace(f'"@{name}@"', fragment)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged_bodies(draw: st.DrawFn) -> bytes:
    """A body of JSON that was cut, doubled, or spoilt at one place."""
    whole = draw(json_bodies())
    start = draw(st.integers(0, min(len(whole), 2000)))
    end = draw(st.integers(start, min(len(whole), start + 50)))
    inserted = draw(st.binary(max_size=20) | st.just(whole[start:end]) | st.just(whole))
    return draw(
        st.sampled_from(
            [
                whole[:start],
                whole[:start] + inserted + whole[end:],
                whole + inserted,
                b"\xef\xbb\xbf" + whole,
                whole.decode("utf-8", "replace").encode("utf-16"),
            ]
        )
    )


FIELD_NAMES = st.sampled_from(
    [
        "Authorization", "Content-Type", "Content-Encoding", "Accept", "Accept-Encoding", "Cookie",
        "Expect", "Host", "Origin", "Range", "Referer", "TE", "Upgrade", "User-Agent", "X-Custom",
        "X-Forwarded-For", "X-Forwarded-Prefix", "X-Request-Id", "X-Swsllm-Cost",
        "X-Stainless-Lang", "OpenAI-Organization", "Idempotency-Key", "If-None-Match", "Forwarded",
        "Traceparent",
    ]
)  # fmt: skip
FIELD_VALUES = st.one_of(
    st.binary(max_size=60).map(
        lambda raw: bytes(byte for byte in raw if byte == 9 or 32 <= byte != 127)
    ),
    st.sampled_from(
        [b"", b"1", b"gzip", b"br", b"deflate, gzip", b"identity", b"100-continue", b"a" * 4000,
         b"Bearer", b"Bearer ", b"Basic YTpi", b"Bearer \xff", b"websocket", b"text/csv", b"*/*",
         b"application/json; charset=utf-16", b"bytes=0-1", b"chunked"]
    ),
)  # fmt: skip


# The properties.


@EXAMPLES
def test_json_that_is_wrong_somewhere_is_answered_and_never_breaks_the_proxy(
    target: Target, examples: int
) -> None:
    def check(data: DataObject) -> None:
        assert_civil(target.post(data.draw(json_bodies())))

    check_many(target, examples, check)


@EXAMPLES
def test_damaged_bodies_are_answered_and_never_break_the_proxy(
    target: Target, examples: int
) -> None:
    def check(data: DataObject) -> None:
        assert_civil(target.post(data.draw(damaged_bodies() | st.binary(max_size=2000))))

    check_many(target, examples, check)


@EXAMPLES
def test_any_header_value_is_answered_and_never_breaks_the_proxy(
    target: Target, examples: int
) -> None:
    body = json.dumps(valid_body()).encode()

    def check(data: DataObject) -> None:
        fields = data.draw(st.lists(st.tuples(FIELD_NAMES, FIELD_VALUES), min_size=1, max_size=6))
        lines = [name.encode() + b": " + value for name, value in fields]
        path = data.draw(st.sampled_from(["/chat/completions", "/models", "/account", "/usage"]))
        method = b"POST" if path == "/chat/completions" else b"GET"
        key = [b"Authorization: Bearer " + target.key.encode()] * data.draw(st.integers(0, 1))
        sent = body if method == b"POST" else None
        assert_civil(target.request(method, path, *key, *lines, body=sent))

    check_many(target, examples, check)


@EXAMPLES
def test_any_path_and_query_is_answered_and_never_breaks_the_proxy(
    target: Target, examples: int
) -> None:
    bases = ["", "/", "/v1/", "/models/", "/usage?", "/usage?since=", "/usage?cursor=", "/../"]

    def check(data: DataObject) -> None:
        raw = data.draw(st.text(max_size=30).map(str.encode) | st.binary(max_size=30))
        path = data.draw(st.sampled_from(bases)) + quote(raw, safe=data.draw(st.just("/?&=%;:@")))
        key = b"Authorization: Bearer " + target.key.encode()
        assert_civil(target.request(b"GET", path, key))

    check_many(target, examples, check)


@EXAMPLES
def test_bytes_that_are_no_request_are_refused_or_dropped(target: Target, examples: int) -> None:
    """Of half a request nobody can say what it was: no answer is an answer too."""
    head = f"POST {PREFIX}/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 300\r\n"
    parts = st.one_of(
        st.binary(max_size=200),
        st.just(head.encode()),
        st.sampled_from(
            [b"\r\n", b"\r\n\r\n", b"\n", b"GET / HTTP/1.1\r\n", b"PRI * HTTP/2.0\r\n\r\n",
             b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"Content-Length: -1\r\n",
             b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffffff\r\n", b"0\r\n\r\n", b"{" * 300,
             b"Content-Length: 99999999999999999999\r\n", b"\x00" * 50,
             b"CONNECT x:1 HTTP/1.1\r\n\r\n", b"A: " + b"b" * 70_000]
        ),
    )  # fmt: skip

    def check(data: DataObject) -> None:
        raw = b"".join(data.draw(st.lists(parts, min_size=1, max_size=5)))
        answer = target.send(raw, half=True)
        assert answer is None or answer.status < 500

    check_many(target, examples, check)


NO_REQUESTS = {
    "a word": b"hello\r\n\r\n",
    "a tunnel": b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
    "a length beyond all": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
    + b"9" * 20
    + b"\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length and chunks": (
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00",
}


@pytest.mark.parametrize("raw", NO_REQUESTS.values(), ids=list(NO_REQUESTS))
def test_what_is_no_http_is_refused_in_openais_envelope(target: Target, raw: bytes) -> None:
    answer = target.send(raw)
    assert "Traceback" not in target.new_in_the_log()
    assert answer is not None
    assert answer.status == 400
    assert_envelope(answer)
    target.assert_well()


@EXAMPLES
def test_requests_that_end_too_early_leave_nothing_behind(target: Target, examples: int) -> None:
    body = json.dumps(valid_body() | {"stream": True}).encode()

    def check(data: DataObject) -> None:
        fields = f"Authorization: Bearer {target.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        head = f"POST {PREFIX}/chat/completions HTTP/1.1\r\nHost: x\r\n{fields}".encode()
        whole = head + body
        cut = whole[: data.draw(st.integers(0, len(whole)) | st.just(len(whole)))]
        if data.draw(st.booleans()):
            target.leave(cut)
        else:
            answer = target.send(cut, half=True)
            assert answer is None or answer.status < 500

    check_many(target, examples, check)


METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
PATHS = [
    "", "/", "/v1", "/v1/", "/chat/completions", "/v1/chat/completions/", "/models", "/v1/models",
    f"/models/{MINI}", "/models/", "/models/%00", "/models/..%2Faccount", "/account", "/usage",
    "/usage?limit=%00", "/usage?since=%ff", "/healthz", "/readyz", "/metrics", "/staff/api",
    "/nowhere", "//", "/%ff%fe", "/v1/v1/v1/models", "/completions", "/embeddings", "/responses",
    "/" + "x" * 8000, "/?" + "&".join(f"a{number}=1" for number in range(1000)),
]  # fmt: skip


def test_every_method_on_every_path_is_answered(target: Target) -> None:
    for method, path in product(METHODS, PATHS):
        fields = [b"Authorization: Bearer " + target.key.encode()]
        answer = target.request(method.encode(), path, *fields, body=b"{}")
        assert answer is not None, (method, path)
        assert answer.status < 500, (method, path)
        if answer.status >= 400 and method != "HEAD":
            assert_envelope(answer)
    target.assert_well()


@pytest.mark.parametrize("name", FRAGMENTS)
@pytest.mark.parametrize("place", [("messages",), ("messages", 1, "content"), ("seed",), ()])
def test_each_awkward_value_is_answered_wherever_it_stands(
    target: Target, place: tuple[str | int, ...], name: str
) -> None:
    text = json.dumps(put(valid_body(), place, "@@")).replace('"@@"', FRAGMENTS[name])
    assert_civil(target.post(text.encode()))


HUGE = {
    "one text": b'"' + b"x" * 3_900_000 + b'"',
    "spaces": b'"' + b" " * 3_900_000 + b'"',
    "no words": b'"' + b"=" * 1_000_000 + b'"',
    "escapes": b'"' + b"\\u00e9" * 600_000 + b'"',
    "parts": b"[" + b",".join([b'{"type":"text","text":"x"}'] * 100_000) + b"]",
    "digits": b"1" * 3_900_000,
    "brackets": b"[" * 3_900_000,
    "too large": b'"' + b"x" * 20_000_000 + b'"',
}


@pytest.mark.parametrize("content", HUGE.values(), ids=list(HUGE))
def test_huge_bodies_are_answered(target: Target, content: bytes) -> None:
    text = json.dumps(put(valid_body(), ("messages", 1, "content"), "@@")).encode()
    assert_civil(target.post(text.replace(b'"@@"', content)))


def test_after_all_that_it_is_well(target: Target) -> None:
    target.assert_well()
    answer = target.post(json.dumps(valid_body()).encode())
    assert answer is not None
    assert answer.status == 200
