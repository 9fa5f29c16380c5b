"""The call log against a real proxy's ledger: nothing is lost, to the last pico-dollar."""

import asyncio
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import openai
import pandas as pd
import pytest
from fake_openai import FakeOpenAI, Scripted
from proxies import RunningProxy

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook import client as client_module
from swsllm_nb.notebook.answer import Question
from swsllm_nb.notebook.calls import CallLog, Whereabouts, log_path
from swsllm_nb.notebook.connection import Connection
from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.errors import CallFailed, Interrupted, LLMError
from swsllm_nb.notebook.reconcile import Reconciliation
from swsllm_nb.proxy import accounts

MESSAGES: Any = [{"role": "user", "content": "Hi"}]
SLOW = Scripted(text="one two three four five six", wait_between_chunks=0.05)
_names = (f"student {number}" for number in itertools.count())


@pytest.fixture
def connection(proxy: RunningProxy, upstream: FakeOpenAI) -> Iterator[Connection]:
    yield Connection(proxy.base_url, proxy.add_account(next(_names)).key, "test")
    upstream.answers.clear()


@pytest.fixture
def course_in(connection: Connection) -> Iterator[Callable[[str], Course]]:
    """Courses of one account in notebooks by name, as kernels on one machine have them."""
    made: list[Course] = []

    def course(notebook: str) -> Course:
        log = CallLog(log_path(connection))
        made.append(Course(connection, log, lambda: Whereabouts(notebook=notebook)))
        return made[-1]

    yield course
    for each in made:
        each.close()


@pytest.fixture
def course(course_in: Callable[[str], Course]) -> Course:
    return course_in("here.ipynb")


def ask(course: Course, **fields: Any) -> Any:
    return course.client().chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, **fields)


def wait_until(done: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come in time"
        time.sleep(0.01)


def assert_whole(found: Reconciliation, course: Course) -> None:
    """The difference is 0, and the log's own rows say what the proxy says."""
    assert found.difference_pico == 0
    logged = course._log.calls().values()
    assert sum(call.cost_pico or 0 for call in logged) == found.notebook_pico + found.machine_pico
    account = course.account()
    assert account is not None
    assert found.spent_pico == account.spend_pico


def test_calls_of_every_kind_add_up_to_what_the_proxy_charged(
    course: Course, upstream: FakeOpenAI, proxy: RunningProxy
) -> None:
    ask(course)
    list(ask(course, stream=True))
    upstream.answers.append(SLOW)
    next(ask(course, stream=True))
    upstream.answers.append(SLOW)
    left = ask(course, stream=True)
    next(left)
    left.close()
    with pytest.raises(openai.BadRequestError):
        ask(course, max_tokens=-1)
    upstream.answers.append(Scripted(status=400, body="no"))
    with pytest.raises(openai.APIStatusError):
        ask(course)
    asyncio.run(_cancelled(course, upstream))
    wait_until(lambda: not course.reconcile()._in_state("held"))
    found = course.reconcile()
    assert_whole(found, course)
    assert found.notebook_pico == found.spent_pico > 0
    assert (found.elsewhere_pico, found.machine_pico, found.strays) == (0, 0, 0)
    assert course.log()["cost_usd"].notna().all()
    proxy.assert_adds_up()


def test_the_ledger_is_a_frame_of_every_call_with_what_the_log_knows_of_them(
    course_in: Callable[[str], Course], connection: Connection, upstream: FakeOpenAI
) -> None:
    course = course_in("here.ipynb")
    ask(course)
    elsewhere = openai.OpenAI(base_url=connection.base_url, api_key=connection.key)
    with elsewhere:
        elsewhere.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError):
        ask(course, max_tokens=-1)
    ledger = course.ledger()
    assert ledger is not None
    assert list(ledger["kind"]) == ["grant", "call", "call", "call"]
    assert list(ledger["notebook"]) == ["", "here.ipynb", "", "here.ipynb"]
    assert list(ledger["status"]) == ["", "ok", "ok", "refused"]
    account = course.account()
    assert account is not None
    left_pico = round(ledger["remaining_usd"].iloc[-1] * PICO_PER_USD)
    assert left_pico == account.remaining_pico < account.budget_pico


async def _cancelled(course: Course, upstream: FakeOpenAI) -> None:
    client = course.async_client()
    upstream.answers.append(Scripted(wait_before_headers=0.2))
    asked = len(upstream.requests)
    task = asyncio.create_task(
        client.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)  # type: ignore[arg-type]
    )
    await asyncio.to_thread(upstream.wait_for_requests, asked + 1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await client.close()


def test_what_was_spent_elsewhere_is_listed_and_told_from_this_notebooks(
    course_in: Callable[[str], Course], connection: Connection
) -> None:
    here, there = course_in("here.ipynb"), course_in("there.ipynb")
    ask(here)
    for _ in range(2):
        ask(there)
    there.close()
    with openai.OpenAI(base_url=connection.base_url, api_key=connection.key) as bare:
        bare.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES)
    found = here.reconcile()
    assert_whole(found, here)
    assert list(found.frame["place"]) == ["notebook", "machine", "machine", "elsewhere"]
    assert list(found.outside["place"]) == ["machine", "machine", "elsewhere"]
    assert found.notebook_pico == found.elsewhere_pico == found.machine_pico // 2 > 0
    assert found.outside["cost_usd"].gt(0).all()
    assert "outside this machine" in str(found)


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_stopped_before_the_first_byte_is_found_by_the_name_it_gave_itself(
    course: Course, upstream: FakeOpenAI, stream: bool
) -> None:
    upstream.answers.append(Scripted(wait_before_headers=0.5))
    impatient = course.client().with_options(timeout=0.2, max_retries=0)
    with pytest.raises(openai.APITimeoutError):
        impatient.chat.completions.create(model="gpt-4o-mini", messages=MESSAGES, stream=stream)
    assert list(course.log()["request_id"]) == [""]
    assert course.log()["cost_usd"].isna().all()
    wait_until(lambda: bool(course.log()["cost_usd"].notna().all()))
    row = course.log().iloc[0]
    assert (row["cost_source"], row["completion_tokens"]) == ("proxy", 6)
    assert row["request_id"].startswith("req_")
    assert_whole(course.reconcile(), course)


@pytest.mark.skipif(sys.platform == "win32", reason="no process can send itself SIGINT there")
@pytest.mark.parametrize("stopped", ["before headers", "mid stream"])
def test_the_row_of_an_interrupted_call_ends_with_the_proxys_figure(
    course: Course, upstream: FakeOpenAI, proxy: RunningProxy, stopped: str
) -> None:
    upstream.answers.append(
        Scripted(wait_before_headers=0.5) if stopped == "before headers" else SLOW
    )
    painted = threading.Event()
    pressed_at: list[float] = []
    before = len(upstream.requests)

    def press() -> None:
        upstream.wait_for_requests(before + 1)
        if stopped == "mid stream":
            painted.wait(10)
        pressed_at.append(time.monotonic())
        os.kill(os.getpid(), signal.SIGINT)

    button = threading.Thread(target=press)
    button.start()
    question = Question("gpt-4o-mini", tuple(MESSAGES))
    with pytest.raises(Interrupted):
        course.ask(question, Whereabouts("magic"), lambda text: text and painted.set(), None)
    assert time.monotonic() - pressed_at[0] < 0.2
    button.join()
    assert list(course.log()["cost_source"]) == ["unknown"]
    wait_until(lambda: list(course.log()["cost_source"]) == ["proxy"])
    row = course.log().iloc[0]
    (charged,) = (each for each in proxy.calls(_account_name(course)))
    assert (charged["state"], row["status"]) == ("settled", "interrupted")
    (call,) = course._log.calls().values()
    assert call.cost_pico == charged["amount_pico"] > 0
    course.close()
    (later,) = CallLog(log_path(course.connection)).calls().values()
    assert later == call, "the file has it too"
    assert_whole(course.reconcile(), course)


def _account_name(course: Course) -> str:
    account = course.account()
    assert account is not None
    return account.name


def test_held_and_unconfirmed_calls_are_named_and_a_credit_is_counted(
    course: Course, upstream: FakeOpenAI, proxy: RunningProxy
) -> None:
    upstream.answers.extend([Scripted(cut="mid stream"), Scripted(wait_before_headers=1)])
    with suppress(openai.APIError):
        list(ask(course, stream=True))
    running = threading.Thread(target=ask, args=(course,))
    asked = len(upstream.requests)
    running.start()
    upstream.wait_for_requests(asked + 1)
    found = course.reconcile()
    assert found.difference_pico == 0
    assert list(found.unsettled["state"]) == ["held", "unconfirmed"]
    assert "Calls that still run: 1. They hold $0." in str(found)
    assert "Unconfirmed calls: 1. Their upper bound of $0." in str(found)
    running.join()
    (unconfirmed,) = found._in_state("unconfirmed")
    charged_pico = unconfirmed.known.cost_pico
    assert charged_pico
    proxy.write(partial(accounts.credit, unconfirmed.known.request_id, "it broke", "a teacher"))
    after = course.reconcile()
    assert_whole(after, course)
    assert after.spent_pico < charged_pico
    assert "Unconfirmed" not in str(after)


def test_a_ledger_of_many_pages_is_read_to_its_end(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "_PAGE_ROWS", 3)
    for _ in range(7):
        ask(course)
    found = course.reconcile()
    assert len(found.calls) == 7
    assert_whole(found, course)


def test_rows_that_were_computed_get_the_proxys_figure_and_texts_stay(course: Course) -> None:
    ask(course)
    ((row_id, call),) = course._log.calls().items()
    course._log.put({row_id: replace(call, cost_pico=1, cost_source="computed")})
    found = course.reconcile()
    assert_whole(found, course)
    assert len(found.settled) == 1
    assert "Rows of the log that now have the proxy's figure: 1." in str(found)
    assert list(course._log.calls().values()) == [call]
    assert len(course.reconcile().settled) == 0


def test_a_row_that_the_proxy_does_not_know_is_said_and_changes_no_sum(course: Course) -> None:
    ask(course)
    ((_, call),) = course._log.calls().items()
    course._log.append(replace(call, request_id="another", client_id="", cost_pico=5))
    found = course.reconcile()
    assert (found.strays, found.difference_pico) == (1, 0)
    assert "does not know: 1" in str(found)


def test_an_account_that_spent_nothing_is_whole_and_its_frames_are_empty(course: Course) -> None:
    found = course.reconcile()
    assert (found.spent_pico, found.difference_pico) == (0, 0)
    for frame in (found.frame, found.outside, found.settled, found.unsettled):
        assert isinstance(frame, pd.DataFrame)
        assert len(frame) == 0
        assert "cost_usd" in frame


def test_what_is_shown_keeps_its_dollars_and_speaks_german(
    course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(course)
    found = course.reconcile()
    assert found._repr_html_().startswith('<pre class="mathjax_ignore">')
    assert repr(found) == str(found)
    assert "$0.0000054" in str(found)
    assert "difference                            $0.00" in str(found)
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    assert "in diesem Notebook" in str(found)


def test_a_server_without_a_ledger_is_one_sentence_and_is_not_asked_in_vain() -> None:
    with FakeOpenAI(default=Scripted(text="One two", hang="mid stream")) as server:
        course = Course(Connection(server.base_url, "sk-some-key", "test"), _log(server))
        with pytest.raises(LLMError, match="keeps no ledger"):
            course.reconcile()
        for _ in range(2):
            stream = ask(course, stream=True)
            next(stream)
            stream.close()
            wait_until(lambda: course._settler._ended)
        assert len(_gets(server, "/usage")) == 2
        assert course.log()["cost_usd"].isna().all()
        course.close()


def _gets(server: FakeOpenAI, path: str) -> list[Any]:
    return [each for each in server.requests if each.method == "GET" and path in each.path]


def _log(server: FakeOpenAI) -> CallLog:
    return CallLog(log_path(Connection(server.base_url, "sk-some-key", "test")))


@pytest.mark.parametrize(
    "page",
    [
        {"data": [{"kind": "call"}]},
        {"data": "no"},
        {"rows": []},
        {"data": [{"kind": "adjustment"}]},
    ],
)
def test_another_servers_usage_page_is_no_ledger(page: Any) -> None:
    with FakeOpenAI() as server:
        server.pages["/usage"] = page
        server.pages["/account"] = {"budget_usd": "5", "spend_usd": "0", "remaining_usd": "5"}
        course = Course(Connection(server.base_url, "sk-some-key", "test"), _log(server))
        with pytest.raises(LLMError, match="keeps no ledger"):
            course.reconcile()
        course.close()


def test_a_wrong_key_is_the_sentence_about_keys(proxy: RunningProxy) -> None:
    connection = Connection(proxy.base_url, "sws-" + "x" * 40, "test")
    course = Course(connection, CallLog(log_path(connection)))
    with pytest.raises(CallFailed, match="does not accept your key"):
        course.reconcile()
    course.close()
