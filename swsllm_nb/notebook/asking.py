"""Asking: in a thread, so that the stop button works everywhere, and again where that may help."""

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.answer import Answer, Question
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call
from swsllm_nb.notebook.display import LiveAnswer
from swsllm_nb.notebook.errors import CallFailed, Interrupted, Retry, Trouble, explain
from swsllm_nb.notebook.language import say

if TYPE_CHECKING:
    from swsllm_nb.notebook.client import (
        ChatCompletionChunk,
        OpenAI,
        RecordingClient,
        Stream,
    )

__all__ = ["ask"]

_POLL_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 180.0
_CONNECT_SECONDS: Final = 10.0
_PRACTICE_FINGERPRINT: Final = "practice"

_TRIES: Final = 3
_PATIENCE_SECONDS: Final = 60.0
"""From the first failure on; what could only be tried later fails at once."""
_PAUSES_SECONDS: Final = (2.0, 6.0)
_JITTER: Final = 0.25
_UNSEEN_SECONDS: Final = 0.5


def ask(
    question: Question,
    ticket: Ticket,
    client: "OpenAI",
    http_client: "RecordingClient",
    paint: Callable[[str], None],
    notice: Callable[[str], None] | None = None,
) -> Answer:
    """Asks and waits; ``paint`` gets the text so far about 20 times a second, in this thread.

    What may succeed a moment later, and cost nothing so far, is asked up to three times;
    ``notice`` gets the line that says so, counted down, and an empty one after it. Raises
    CallFailed, or Interrupted where the wait was interrupted; both keep what had come.
    """
    patience_ends_at = math.inf
    for number in range(_TRIES):
        asking = _Asking(question, ticket, client, http_client, number)
        _wait_for(asking, ticket, paint)
        failure = asking.failure
        if failure is None:
            break
        patience_ends_at = min(patience_ends_at, time.monotonic() + _PATIENCE_SECONDS)
        retry, pause_seconds = failure.retry, _pause_seconds(failure.retry, number)
        too_late = time.monotonic() + pause_seconds > patience_ends_at
        if retry is None or too_late or number == _TRIES - 1:
            failure.partial = asking.partial_answer()
            raise failure
        _count_down(retry.why, pause_seconds, notice or LiveAnswer().notice)
    return asking.answer()


def _wait_for(asking: "_Asking", ticket: Ticket, paint: Callable[[str], None]) -> None:
    try:
        asking.start()
        # A wait without a timeout cannot be interrupted on Windows.
        while not asking.finished.wait(_POLL_SECONDS):
            paint(asking.text)
    except KeyboardInterrupt:
        ticket.stop()
        raise Interrupted(asking.partial_answer()) from None


def _pause_seconds(retry: Retry | None, number: int) -> float:
    """What the server asks for; else longer each time, and not the same for a whole class."""
    if retry and retry.after_seconds is not None:
        return retry.after_seconds
    pause = _PAUSES_SECONDS[min(number, len(_PAUSES_SECONDS) - 1)]
    return pause * random.uniform(1, 1 + _JITTER)  # noqa: S311


def _count_down(why: str, seconds: float, notice: Callable[[str], None]) -> None:
    ends_at = time.monotonic() + seconds
    shown = 0
    try:
        while (left := ends_at - time.monotonic()) > 0:
            whole = math.ceil(left)
            if whole != shown and seconds >= _UNSEEN_SECONDS:
                shown = whole
                notice(
                    say(
                        f"{why}; trying again in {whole} s …",
                        f"{why}; neuer Versuch in {whole} s …",
                    )
                )
            time.sleep(min(left, _POLL_SECONDS))
    except KeyboardInterrupt:
        raise Interrupted(
            sentence=say(
                "Stopped while waiting for another try: no call was running.",
                "Beim Warten auf einen neuen Versuch angehalten: Es lief kein Aufruf.",
            )
        ) from None
    finally:
        if shown:
            notice("")


class _Asking(threading.Thread):
    """Reads one answer to its end. A daemon: a server that hangs must not hold up an exit."""

    def __init__(
        self,
        question: Question,
        ticket: Ticket,
        client: "OpenAI",
        http_client: "RecordingClient",
        number: int,
    ) -> None:
        super().__init__(name="swsllm-ask", daemon=True)
        self.finished = threading.Event()
        self.failure: CallFailed | None = None
        self._question = question
        self._ticket = ticket
        self._client = client
        self._http_client = http_client
        self._number = number
        self._pieces: list[str] = []
        self._practice = False

    @property
    def _base_url(self) -> str:
        return str(self._client.base_url).rstrip("/")

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def run(self) -> None:
        from swsllm_nb.notebook.client import OpenAIError, trouble_of

        try:
            with self._http_client.under(self._ticket):
                self._read()
        except OpenAIError as error:
            trouble = trouble_of(error, self._base_url)
            self.failure = explain(trouble, self._client.api_key)
        except Exception as error:
            # It must not die in a thread, unheard.
            trouble = Trouble(message=f"{type(error).__name__}: {error}")
            self.failure = explain(trouble, self._client.api_key)
        finally:
            self.finished.set()

    def answer(self) -> Answer:
        return self._answer(self._ticket.calls[-1])

    def partial_answer(self) -> Answer | None:
        """What had come; None where nothing had."""
        calls = self._ticket.calls
        return self._answer(calls[-1]) if calls and self.text else None

    def _read(self) -> None:
        from swsllm_nb.notebook.client import Timeout

        question = self._question
        patient = self._client.with_options(
            # The tries of ``ask`` are all there are, and each is numbered in the log.
            max_retries=0,
            timeout=Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
        )
        # Any: the library types messages and fields more closely than what a course passes on.
        completions: Any = patient.chat.completions
        answer = completions.create(
            model=question.model,
            messages=list(question.messages),
            stream=question.stream,
            extra_headers={"x-stainless-retry-count": str(self._number)},
            **question.fields,
        )
        if question.stream:
            self._read_stream(answer)
        else:
            self._note_fingerprint(answer)
            message = answer.choices[0].message if answer.choices else None
            self._pieces.append((message and message.content) or "")
        call = self._ticket.calls[-1]
        if call.status != "ok" and not self._ticket.stopped:
            # The library takes a stream that just ends for a complete one.
            trouble = Trouble(code=call.error_code, base_url=self._base_url)
            self.failure = explain(trouble)

    def _read_stream(self, stream: "Stream[ChatCompletionChunk]") -> None:
        for chunk in stream:
            self._take(chunk)
            if self._ticket.stopped:
                stream.close()
                return

    def _take(self, chunk: "ChatCompletionChunk") -> None:
        self._note_fingerprint(chunk)
        # None in an event that is no chunk; the call's row will say so.
        for choice in chunk.choices or ():
            if choice.index == 0 and choice.delta.content:
                self._pieces.append(choice.delta.content)

    def _note_fingerprint(self, told: Any) -> None:
        self._practice = self._practice or told.system_fingerprint == _PRACTICE_FINGERPRINT

    def _answer(self, call: Call) -> Answer:
        return Answer(
            text=self.text,
            model=call.model_served or call.model,
            messages=self._question.messages,
            usage=call.usage,
            cost_pico=call.cost_pico,
            cost_source=call.cost_source,
            remaining_pico=call.remaining_pico,
            budget_pico=call.budget_pico,
            finish_reason=call.finish_reason,
            request_id=call.request_id,
            practice=self._practice,
        )
