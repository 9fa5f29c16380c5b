"""``ask()``: an answer with its cost, a mistake as one sentence, a stop that works at once."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from cells import KEY
from fake_openai import FakeOpenAI, Scripted, error

import swsllm_nb
from swsllm_nb.notebook import asking
from swsllm_nb.notebook.answer import Answer
from swsllm_nb.notebook.calls import log_path
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed, Interrupted, LLMError, Trouble, explain, scrub
from swsllm_nb.notebook.inquiry import answers_of, inquiry_of
from swsllm_nb.notebook.options import Options
from swsllm_nb.wire import Usage

COST = {"cost_usd": "0.0001", "remaining_usd": "3.91", "budget_usd": "5.00"}


class Course:
    """A desk as a script has it, whose key was given in code."""

    def __init__(self, base_url: str) -> None:
        self.desk = Desk()
        self._course = self.desk.course(base_url, KEY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._course, name)

    @property
    def last(self) -> Answer | None:
        return self.desk.last

    def ask(self, text: str, paint: Callable[[str], None] = str, **given: Any) -> Answer:
        inquiry = inquiry_of(self.desk, text, Options.of(**given))
        (answer,) = answers_of(self.desk, inquiry, source="ask", paint=paint)
        assert isinstance(answer, Answer)
        return answer


@pytest.fixture
def course(server: FakeOpenAI) -> Iterator[Course]:
    running = Course(server.base_url)
    yield running
    running.close()


def test_an_answer_knows_its_text_its_usage_and_its_cost(
    server: FakeOpenAI, course: Course
) -> None:
    server.answers.append(
        Scripted(chunks=("Be", "cause."), cost=COST, headers={"x-request-id": "r-1"})
    )
    answer = course.ask("Why?", system="Be brief.")
    assert str(answer) == answer.text == "Because."
    assert answer.usage == server.invoice[0]
    assert (answer.cost_usd, answer.cost_source) == (Decimal("0.0001"), "proxy")
    assert (answer.finish_reason, answer.request_id) == ("stop", "r-1")
    assert answer.messages[-1] == {"role": "user", "content": "Why?"}
    assert answer.footnote == "gpt-4o-mini · 12 in + 6 out · $0.0001 · $3.91 of $5.00 left"
    assert course.last is answer
    assert list(course.log()["source"]) == ["ask"]


def test_only_what_was_chosen_is_sent(server: FakeOpenAI, course: Course) -> None:
    course.ask("Hi")
    course.ask("Hi", temperature=0, seed=0, max_tokens=5, stop=("a", "b"))
    asked, chosen = (request.body for request in server.requests)
    assert set(asked) == {"model", "messages", "stream", "stream_options"}
    assert (chosen["temperature"], chosen["seed"], chosen["stop"]) == (0, 0, ["a", "b"])


def test_the_practice_model_is_named_as_such(server: FakeOpenAI, course: Course) -> None:
    server.answers.append(Scripted(fingerprint="practice"))
    assert "practice model" in course.ask("Hi").footnote
    assert "practice" not in course.ask("Hi").footnote


def test_an_unknown_cost_is_called_unknown(server: FakeOpenAI, course: Course) -> None:
    server.answers.append(Scripted(model="llama"))
    answer = course.ask("Hi", model="llama")
    assert answer.cost_usd is None
    assert "cost unknown" in answer.footnote


def test_the_text_is_painted_while_it_comes_and_by_the_thread_that_asked(
    server: FakeOpenAI, course: Course
) -> None:
    server.answers.append(Scripted(chunks=tuple("abcdef"), wait_between_chunks=0.06))
    painted: list[str] = []

    def paint(text: str) -> None:
        assert threading.current_thread() is threading.main_thread()
        painted.append(text)

    course.ask("Hi", paint=paint)
    assert len(set(painted)) > 2
    assert all("abcdef".startswith(text) for text in painted)


def test_what_had_come_of_a_cut_answer_is_kept(server: FakeOpenAI, course: Course) -> None:
    server.answers.append(Scripted(text="One two", cut="before usage", clean_cut=True))
    with pytest.raises(CallFailed, match="broke before") as failure:
        course.ask("Hi")
    assert failure.value.partial is course.last
    assert str(course.last) == "One two "
    assert course.last is not None
    assert course.last.cost_usd is None


def test_a_server_that_hangs_is_one_sentence_and_is_not_asked_again(
    server: FakeOpenAI, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "_TIMEOUT_SECONDS", 0.2)
    server.default = Scripted(hang="before headers")
    with pytest.raises(CallFailed, match="did not answer in time"):
        course.ask("Hi")
    assert [each.method for each in server.requests].count("POST") == 1
    assert list(course.log()["error_code"]) == ["timeout"]


def test_a_busy_server_is_asked_again(server: FakeOpenAI, course: Course) -> None:
    server.answers.append(Scripted(status=503, body="busy", headers={"retry-after-ms": "1"}))
    assert str(course.ask("Hi")) == "Hello from the stub. "
    assert list(course.log()["retries"]) == [0, 1]


@pytest.fixture
def sigint_interrupts() -> Iterator[None]:
    """Also where the tests are run in the background of a script, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("sigint_interrupts")
@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself SIGINT there")
@pytest.mark.parametrize("place", ["before headers", "mid stream"])
def test_an_interrupt_ends_the_wait_at_once_and_files_the_row(
    server: FakeOpenAI, course: Course, place: Any
) -> None:
    server.default = Scripted(text="One two", hang=place)

    def interrupt() -> None:
        server.wait_for_requests(1)
        if place == "mid stream":
            painted.wait(10)
        pressed_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    painted = threading.Event()
    pressed_at: list[float] = []
    button = threading.Thread(target=interrupt)
    button.start()
    with pytest.raises(Interrupted, match="does not stop the cost") as stopped:
        course.ask("Hi", paint=lambda text: painted.set() if text else None)
    assert time.monotonic() - pressed_at[0] < 1
    button.join()
    assert not isinstance(stopped.value, Exception), "a loop's `except Exception` would go on"
    assert list(course.log()["status"]) == ["interrupted"]
    if place == "mid stream":
        assert str(stopped.value.partial) == "One "
        assert server.client_left.wait(10)
    assert [each.method for each in server.requests].count("POST") == 1


def test_an_account_is_what_the_proxy_says_and_has_no_row(
    server: FakeOpenAI, course: Course
) -> None:
    assert course.account() is None
    server.pages["/account"] = {"hello": "world"}
    assert course.account() is None
    server.pages["/account"] = {
        "account": "ana",
        "budget_usd": "5.00",
        "spend_usd": "1.09",
        "remaining_usd": "3.91",
    }
    account = course.account()
    assert account is not None
    assert account.remaining_pico == 3_910 * 10**9
    assert course.budget_usd() == "5.00"
    assert len(course.log()) == 0


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_server_that_is_restarted_is_not_taken_for_one_without_accounts(
    server: FakeOpenAI, course: Course, status: int
) -> None:
    server.pages["/account"] = Scripted(status=status, body="later")
    with pytest.raises(CallFailed, match=str(status)):
        course.account()
    for other in (403, 404, 405, 500, 501):
        server.pages["/account"] = Scripted(status=other, body="no")
        assert course.account() is None


def test_the_key_is_in_no_repr_no_traceback_and_no_log_file(
    server: FakeOpenAI, course: Course
) -> None:
    answer = course.ask("Hi")
    server.answers.append(Scripted(status=401, body=error(f"Wrong key {KEY}.", "invalid_api_key")))
    with pytest.raises(CallFailed) as failure:
        course.ask("Hi")
    course.close()
    trace = "".join(traceback.format_exception(failure.value))
    assert KEY not in trace + repr(answer) + repr(course) + repr(course.connection)
    written = log_path(course.connection).read_bytes()
    assert b"Hello from the stub" in written
    assert KEY.encode() not in written


def test_equal_answers_are_equal() -> None:
    one = Answer("a", "m", (), Usage(1, 1))
    assert one == Answer("a", "m", (), Usage(1, 1))
    assert one != Answer("b", "m", (), Usage(1, 1))


def test_ask_in_a_script_shares_one_course(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    assert swsllm_nb.last() is None
    answer = swsllm_nb.ask("Hi")
    assert swsllm_nb.last() is answer
    swsllm_nb.client().chat.completions.create(model="gpt-4o-mini", messages=[])
    assert list(swsllm_nb.log()["source"]) == ["ask", "client"]
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_the_burn_down_is_drawn_from_the_log(
    server: FakeOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SWSLLM_BASE_URL", server.base_url)
    monkeypatch.setenv("SWSLLM_API_KEY", KEY)
    server.default = Scripted(cost=COST)
    swsllm_nb.ask("Hi")
    axes = swsllm_nb.burn_down(budget_usd="5.00")
    assert axes.lines
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(status=400, message=f"Bad {KEY} and sk-proj-abcdef1234"),
        Trouble(code="insufficient_quota", status=429, message=f"Gone. {KEY}"),
        Trouble(code="no_server", base_url=f"http://host/{KEY}"),
        Trouble(code="model_not_found", status=404, model=KEY),
        Trouble(message=f"Authorization: Bearer {KEY}"),
        Trouble(message=f"the keys sws-{'a1' * 20} and sk-{'p9' * 20}"),
        Trouble(status=500, message="x" * 50_000),
        Trouble(status=502, message="<html><body>Bad gateway</body></html>"),
        Trouble(code="insufficient_quota", status=429),
        Trouble(),
    ],
)
def test_every_sentence_is_short_one_line_and_without_a_key(trouble: Trouble) -> None:
    sentence = str(explain(trouble, KEY))
    assert "sk-m" not in sentence
    assert "sk-p" not in sentence
    assert "sws-" not in sentence
    assert "<html" not in sentence
    assert "\n" not in sentence
    assert "{" not in sentence
    assert len(sentence) < 900
    assert sentence[-1] in ".!?…"


def test_the_address_of_the_course_proxy_is_no_key() -> None:
    address = "https://service.example/sws-llm-proxy"
    assert address in str(explain(Trouble(code="no_server", base_url=address), KEY))


def test_scrubbing_knows_the_live_key_whatever_it_looks_like() -> None:
    assert scrub("abc 12345 xyz", "12345") == "abc (your key) xyz"


def test_braces_in_a_servers_message_are_text() -> None:
    assert "{oops}" in str(explain(Trouble(status=400, message="{oops} {0}")))


def test_an_error_of_a_server_that_speaks_another_dialect_is_read(
    server: FakeOpenAI, course: Course
) -> None:
    server.answers.append(Scripted(status=422, body={"detail": "field required: messages"}))
    with pytest.raises(CallFailed, match="field required: messages"):
        course.ask("Hi")
    server.answers.append(Scripted(status=403, body=error("Your course is over.")))
    with pytest.raises(CallFailed, match="Your course is over"):
        course.ask("Hi")


@pytest.mark.parametrize(
    ("code", "message", "sentence"),
    [
        ("unknown_url", "Invalid URL (POST /x). There are GET /models and GET /model.", "base URL"),
        ("", "There is no page /v1/model, and no models.", "base URL"),
        ("model_not_found", "", "choose one with -m"),
        ("404", "The model `x` does not exist.", "choose one with -m"),
        ("not_found_error", 'Model "x" not found, try pulling it.', "choose one with -m"),
    ],
)
def test_a_404_is_about_the_model_or_about_the_address(
    code: str, message: str, sentence: str
) -> None:
    assert sentence in str(explain(Trouble(code=code, status=404, message=message)))


@pytest.mark.parametrize(
    ("code", "status"), [("upstream_failed", 502), ("proxy_failed", 500), ("upstream_failed", None)]
)
def test_what_our_proxy_says_of_a_fault_stands_alone(code: str, status: int | None) -> None:
    said = "The model's server failed. Nothing was charged; try again in a moment."
    assert str(explain(Trouble(code=code, status=status, message=said))) == said
    assert "run the cell again" in str(explain(Trouble(code=code, status=status))).lower()


def test_what_our_proxy_says_in_the_middle_of_a_stream_stands_alone(
    server: FakeOpenAI, course: Course
) -> None:
    said = "The model's server broke off the answer. Its upper bound of $0.01 is charged."
    event = json.dumps(error(said, "upstream_failed"))
    server.answers.append(
        Scripted(body=f"data: {event}\n\n", headers={"content-type": "text/event-stream"})
    )
    with pytest.raises(CallFailed) as failure:
        course.ask("Hi")
    assert str(failure.value) == said


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", "{}"),
        ("text/event-stream", "{}"),
        ("text/event-stream", "data: {}\n\n"),
        ("text/event-stream", "data: {}\n\ndata: [DONE]\n\n"),
    ],
)
def test_an_answer_without_choices_is_no_chat_completion(
    server: FakeOpenAI, course: Course, kind: str, body: str
) -> None:
    server.answers.append(Scripted(body=body, headers={"content-type": kind}))
    with pytest.raises(CallFailed, match="no chat completion"):
        course.ask("Hi")
    assert list(course.log()["error_code"]) == ["unreadable"]


@pytest.mark.parametrize("kind", ["application/json", "text/html"])
def test_an_empty_page_is_no_chat_completion(server: FakeOpenAI, course: Course, kind: str) -> None:
    server.answers.append(Scripted(body="", headers={"content-type": kind}))
    with pytest.raises(CallFailed, match="no chat completion"):
        course.ask("Hi")


@pytest.mark.parametrize(
    ("prompt", "temperature", "sentence"),
    [
        ("", None, "no question"),
        (" \n", None, "no question"),
        ("Hi", float("nan"), "is to be a number"),
        ("Hi", float("inf"), "is to be a number"),
    ],
)
def test_what_cannot_be_asked_is_not_sent(
    server: FakeOpenAI, course: Course, prompt: str, temperature: float | None, sentence: str
) -> None:
    with pytest.raises(LLMError, match=sentence):
        course.ask(prompt, temperature=temperature)
    assert not server.requests


@pytest.mark.parametrize("text", [None, ["a"], 3])
def test_a_question_that_is_no_text_is_one_sentence(text: Any) -> None:
    with pytest.raises(LLMError, match="takes the question as a text"):
        swsllm_nb.ask(text)


def test_an_answer_is_a_value_that_knows_no_mistakes() -> None:
    script = (
        "import sys, swsllm_nb.notebook.answer\nprint('swsllm_nb.notebook.errors' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
