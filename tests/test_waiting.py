"""What cannot succeed is asked once; what can is asked again, with a countdown that can be seen."""

import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from email.utils import formatdate
from functools import partial
from pathlib import Path
from typing import Any

import openai
import pytest
from certificates import own_certificate
from fake_openai import FakeOpenAI, Scripted, error

import swsllm_nb
from swsllm_nb.notebook import waiting
from swsllm_nb.notebook.answer import Question
from swsllm_nb.notebook.calls import CallLog, Whereabouts, log_path
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.errors import CallFailed, Interrupted

KEY = "sk-marked-0123456789abcdef"
QUESTION = Question("gpt-4o-mini", ({"role": "user", "content": "Hi"},))

HOPELESS = {
    "insufficient_quota": Scripted(status=429, body=error("Gone.", "insufficient_quota")),
    "a newer code of that type": Scripted(
        status=429,
        body={"error": {"type": "insufficient_quota", "code": "credit_balance_exhausted"}},
    ),
    "400": Scripted(status=400, body=error("Bad.", param="max_tokens")),
    "401": Scripted(status=401, body=error("No.", "invalid_api_key")),
    "402": Scripted(status=402, body=error("Pay.")),
    "403": Scripted(status=403, body=error("Over.", "not_allowed")),
    "404": Scripted(status=404, body=error("The model does not exist.", "model_not_found")),
    "a final 429": Scripted(
        status=429, body=error("No.", "rate_limit_exceeded"), headers={"x-should-retry": "false"}
    ),
    "an upper bound that was charged": Scripted(
        status=502, body=error("Charged.", "upstream_failed"), headers={"x-should-retry": "false"}
    ),
    "a page that is no API": Scripted(body="<html>Welcome</html>"),
}
MAY_HAVE_COST = {
    "cut before the headers": Scripted(cut="before headers"),
    "cut in the middle": Scripted(cut="mid stream"),
    "an unexplained 500": Scripted(status=500, body="boom"),
    "a gateway's timeout": Scripted(status=504, body="<html></html>"),
}


@pytest.fixture
def course(server: FakeOpenAI) -> Iterator[Course]:
    running = course_at(server.base_url)
    yield running
    running.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSES_SECONDS", (0.01, 0.02))


def course_at(base_url: str) -> Course:
    connection = Connection(base_url, KEY, "test")
    return Course(connection, CallLog(log_path(connection)))


def ask(course: Course, notice: Any = None, **fields: Any) -> str:
    from swsllm_nb.notebook.asking import ask as ask_course
    from swsllm_nb.notebook.attempt import Ticket

    question = Question(QUESTION.model, QUESTION.messages, **fields)
    ticket = Ticket(Whereabouts())
    return str(ask_course(question, ticket, *course._clients(), lambda text: None, notice))


@pytest.mark.parametrize("name", HOPELESS)
@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_succeed_is_asked_once(
    server: FakeOpenAI, course: Course, name: str, stream: bool
) -> None:
    server.default = HOPELESS[name]
    with pytest.raises(CallFailed) as failure:
        ask(course, stream=stream)
    assert failure.value.retry is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", sorted(HOPELESS.keys() - {"402"}))
def test_nor_does_the_plain_client_ask_twice(server: FakeOpenAI, course: Course, name: str) -> None:
    server.default = HOPELESS[name]
    with pytest.raises(openai.APIError):
        course.client().chat.completions.create(model="gpt-4o-mini", messages=[])
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", MAY_HAVE_COST)
def test_what_may_have_cost_something_is_not_asked_again(
    server: FakeOpenAI, course: Course, name: str
) -> None:
    server.default = MAY_HAVE_COST[name]
    with pytest.raises(CallFailed):
        ask(course)
    assert len(server.requests) == 1


@pytest.mark.parametrize("plain", [True, False])
def test_a_certificate_that_nobody_vouches_for_is_met_once(tmp_path: Path, plain: bool) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(tmp_path / "own.pem"))
    met = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def shake_hands() -> None:
            with suppress(OSError):
                while True:
                    raw, _ = listener.accept()
                    met.append(raw)
                    with suppress(OSError):
                        context.wrap_socket(raw, server_side=True).close()

        greeter = threading.Thread(target=shake_hands)
        greeter.start()
        course = course_at(f"https://127.0.0.1:{listener.getsockname()[1]}/v1")
        create = course.client().chat.completions.create
        call = partial(create, model="gpt-4o-mini", messages=[]) if plain else partial(ask, course)
        with pytest.raises((CallFailed, openai.APIConnectionError)):
            call()
        course.close()
        listener.shutdown(socket.SHUT_RDWR)
        greeter.join(10)
    assert len(met) == 1


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "script",
    [
        Scripted(status=503, body="busy"),
        Scripted(status=429, body=error("Slow down.", "rate_limit_exceeded")),
        Scripted(status=429, body="slow"),
        Scripted(status=502, body=error("Nothing was charged; try again.", "upstream_failed")),
        Scripted(status=500, body={"error": {"message": "Oops", "type": "server_error"}}),
    ],
)
def test_what_can_succeed_is_asked_three_times_and_each_try_is_a_row(
    server: FakeOpenAI, course: Course, script: Scripted
) -> None:
    server.answers.extend([script, script])
    assert ask(course) == "Hello from the stub. "
    assert list(course.log()["retries"]) == [0, 1, 2]
    server.default = script
    with pytest.raises(CallFailed):
        ask(course)
    assert len(server.requests) == 6
    assert list(course.log()["status"])[-1] in ("refused", "failed")


def test_the_server_says_how_long_to_wait_and_it_is_counted_down(
    server: FakeOpenAI, course: Course
) -> None:
    server.answers.append(Scripted(status=429, body=error("Slow."), headers={"retry-after": "2"}))
    told: list[str] = []
    began_at = time.monotonic()
    ask(course, told.append)
    assert time.monotonic() - began_at >= 2
    assert told == [
        "The server is busy (429); trying again in 2 s …",
        "The server is busy (429); trying again in 1 s …",
        "",
    ]


@pytest.mark.parametrize("headers", [{"retry-after": "90"}, {"retry-after": formatdate(4e9)}])
def test_nobody_waits_longer_than_a_minute(
    server: FakeOpenAI, course: Course, headers: dict[str, str]
) -> None:
    server.default = Scripted(status=503, body="busy", headers=headers)
    began_at = time.monotonic()
    with pytest.raises(CallFailed):
        ask(course)
    assert time.monotonic() - began_at < 2
    assert len(server.requests) == 1


@pytest.mark.parametrize("asked", ["soon", "-1", "inf", "nan"])
@pytest.mark.usefixtures("hurried")
def test_a_wish_that_makes_no_sense_is_none(server: FakeOpenAI, course: Course, asked: str) -> None:
    server.answers.append(Scripted(status=503, body="busy", headers={"retry-after": asked}))
    ask(course)
    assert len(server.requests) == 2


def test_a_proxy_that_starts_again_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "PAUSES_SECONDS", (0.6, 0.6))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    told: list[str] = []
    course = course_at(f"http://127.0.0.1:{port}/v1")
    with ExitStack() as stack:

        def notice(line: str) -> None:
            told.append(line)
            if len(told) == 1:
                stack.enter_context(FakeOpenAI(port=port))

        assert ask(course, notice) == "Hello from the stub. "
        course.close()
    assert told == [f"No server answers at {course.connection.base_url}; trying again in 1 s …", ""]
    assert list(course.log()["error_code"]) == ["no_server", ""]


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself SIGINT there")
def test_the_wait_can_be_stopped_at_once(server: FakeOpenAI, course: Course) -> None:
    server.default = Scripted(status=503, body="busy", headers={"retry-after": "30"})
    pressed_at: list[float] = []
    told: list[str] = []

    def notice(line: str) -> None:
        told.append(line)
        if len(told) == 1:
            timer.start()

    def interrupt() -> None:
        pressed_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, interrupt)
    with pytest.raises(Interrupted, match="no call was running"):
        ask(course, notice)
    assert time.monotonic() - pressed_at[0] < 0.2
    assert told[-1] == ""
    assert len(server.requests) == 1


def test_of_several_models_only_the_busy_one_is_asked_again(
    server: FakeOpenAI, course: Course, hurried: None
) -> None:
    from swsllm_nb.notebook.asking import ask_together
    from swsllm_nb.notebook.attempt import Ticket

    server.answers.append(Scripted(status=503, body="busy"))
    asked = [(QUESTION, Ticket(Whereabouts())) for _ in range(3)]
    outcomes = ask_together(asked, *course._clients(), None)
    assert [str(each) for each in outcomes] == ["Hello from the stub. "] * 3
    assert len(server.requests) == 4


def test_in_german_the_wait_is_told_in_german(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    server.answers.append(Scripted(status=503, body="busy", headers={"retry-after": "0.6"}))
    swsllm_nb.ask("Hi")
    told = capsys.readouterr().err
    assert told == "Der Server ist ausgelastet (503); neuer Versuch in 1 s …\n"
