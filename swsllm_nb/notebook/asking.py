"""Asking: in a thread, so that the stop button works everywhere."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.answer import Answer, Question
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call
from swsllm_nb.notebook.errors import CallFailed, Interrupted, Trouble, explain

if TYPE_CHECKING:
    from swsllm_nb.notebook.client import (
        ChatCompletion,
        ChatCompletionChunk,
        OpenAI,
        RecordingClient,
        Stream,
    )

__all__ = ["ask", "ask_together"]

_POLL_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 180.0
_PRACTICE_FINGERPRINT: Final = "practice"


def ask(
    question: Question,
    ticket: Ticket,
    client: "OpenAI",
    http_client: "RecordingClient",
    paint: Callable[[str], None],
) -> Answer:
    """Asks and waits; ``paint`` gets the text so far about 20 times a second, in this thread.

    Raises CallFailed, or Interrupted where the wait was interrupted; both keep what had come.
    """
    asking = _Asking(question, ticket, client, http_client)
    try:
        asking.start()
        # A wait without a timeout cannot be interrupted on Windows.
        while not asking.finished.wait(_POLL_SECONDS):
            paint(asking.text)
    except KeyboardInterrupt:
        ticket.stop()
        raise Interrupted(asking.partial_answer()) from None
    if asking.failure:
        asking.failure.partial = asking.partial_answer()
        raise asking.failure
    return asking.answer()


def ask_together(
    asked: Sequence[tuple[Question, Ticket]],
    client: "OpenAI",
    http_client: "RecordingClient",
) -> list[Answer | CallFailed]:
    """Asks several questions at once; gives each answer, or how it failed, in their order.

    Raises Interrupted; all are stopped then.
    """
    running = [_Asking(question, ticket, client, http_client) for question, ticket in asked]
    try:
        for asking in running:
            asking.start()
        while not all(asking.finished.wait(_POLL_SECONDS) for asking in running):
            pass
    except KeyboardInterrupt:
        for _, ticket in asked:
            ticket.stop()
        raise Interrupted from None
    return [asking.failure or asking.answer() for asking in running]


class _Asking(threading.Thread):
    """Reads one stream to its end. A daemon: a server that hangs must not hold up an exit."""

    def __init__(
        self,
        question: Question,
        ticket: Ticket,
        client: "OpenAI",
        http_client: "RecordingClient",
    ) -> None:
        super().__init__(name="swsllm-ask", daemon=True)
        self.finished = threading.Event()
        self.failure: CallFailed | None = None
        self._question = question
        self._ticket = ticket
        self._client = client
        self._http_client = http_client
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
        question = self._question
        # Any: the library types messages and fields more closely than what a course passes on.
        completions: Any = self._client.with_options(timeout=_TIMEOUT_SECONDS).chat.completions
        if not question.stream:
            self._take_whole(
                completions.create(
                    model=question.model, messages=list(question.messages), **question.fields
                )
            )
            return
        stream: Stream[ChatCompletionChunk] = completions.create(
            model=question.model, messages=list(question.messages), stream=True, **question.fields
        )
        for chunk in stream:
            self._take(chunk)
            if self._ticket.stopped:
                stream.close()
                return
        call = self._ticket.calls[-1]
        if call.status != "ok":
            # The library takes a stream that just ends for a complete one.
            trouble = Trouble(code=call.error_code, base_url=self._base_url)
            self.failure = explain(trouble)

    def _take(self, chunk: "ChatCompletionChunk") -> None:
        self._practice = self._practice or chunk.system_fingerprint == _PRACTICE_FINGERPRINT
        # None in an event that is no chunk; the call's row will say so.
        for choice in chunk.choices or ():
            if choice.index == 0 and choice.delta.content:
                self._pieces.append(choice.delta.content)

    def _take_whole(self, completion: "ChatCompletion") -> None:
        self._practice = completion.system_fingerprint == _PRACTICE_FINGERPRINT
        for choice in completion.choices or ():
            if choice.index == 0 and choice.message.content:
                self._pieces.append(choice.message.content)

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
            seconds=call.latency_seconds,
        )
