"""Asking: in a thread, so that the stop button works everywhere, and again where that may help."""

import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.answer import Answer, Question
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call
from swsllm_nb.notebook.display import LiveAnswer
from swsllm_nb.notebook.errors import (
    HERE,
    CallFailed,
    Interrupted,
    LLMError,
    Retry,
    Trouble,
    explain,
)
from swsllm_nb.notebook.payload import text_of
from swsllm_nb.notebook.waiting import Patience

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
_CONNECT_SECONDS: Final = 10.0
_PRACTICE_FINGERPRINT: Final = "practice"


def ask(
    question: Question,
    ticket: Ticket,
    client: "OpenAI",
    http_client: "RecordingClient",
    paint: Callable[[str], None],
    notice: Callable[[str], None] | None,
) -> Answer:
    """Asks and waits; ``paint`` gets the text so far about 20 times a second, in this thread.

    What may succeed a moment later, and cost nothing so far, is asked up to three times;
    ``notice`` gets the line that says so, counted down, and an empty one after it. Raises
    CallFailed, or Interrupted where the wait was interrupted; both keep what had come.
    """
    asking = [_Asking(question, ticket, client, http_client)]
    try:
        (outcome,) = _outcomes(asking, lambda: paint(asking[0].text), notice)
    except Interrupted as stop:
        stop.partial = asking[0].partial_answer()
        raise
    if isinstance(outcome, CallFailed):
        outcome.partial = asking[0].partial_answer()
        raise outcome
    return outcome


def ask_together(
    asked: Sequence[tuple[Question, Ticket]],
    client: "OpenAI",
    http_client: "RecordingClient",
    notice: Callable[[str], None] | None,
) -> list[Answer | CallFailed]:
    """Asks several questions at once; gives each answer, or how it failed, in their order.

    Each is asked again where that may help. Raises Interrupted; all are stopped then.
    """
    asking = [_Asking(question, ticket, client, http_client) for question, ticket in asked]
    return _outcomes(asking, lambda: None, notice)


def _outcomes(
    asking: "list[_Asking]", look: Callable[[], None], notice: Callable[[str], None] | None
) -> list[Answer | CallFailed]:
    """``look`` is called while they are waited for; who is asked again takes its place anew."""
    patience = Patience()
    running, tries = asking, 1
    while True:
        _wait_for(running, look)
        pauses = {each: patience.pause_seconds(each.retry, tries) for each in running}
        again = {each: pause for each, pause in pauses.items() if pause is not None}
        if not again:
            return [each.failure or each.answer() for each in asking]
        slowest = max(again, key=again.__getitem__)
        assert slowest.retry is not None
        patience.wait(slowest.retry.why, again[slowest], notice or LiveAnswer().notice)
        asking[:] = [each.anew() if each in again else each for each in asking]
        running, tries = [each for each in asking if not each.finished.is_set()], tries + 1


def _wait_for(running: "Sequence[_Asking]", look: Callable[[], None]) -> None:
    try:
        for each in running:
            each.start()
        # A wait without a timeout cannot be interrupted on Windows.
        while not all(each.finished.wait(_POLL_SECONDS) for each in running):
            look()
    except KeyboardInterrupt:
        for each in running:
            each.ticket.stop()
        raise Interrupted from None


class _Asking(threading.Thread):
    """Reads one answer to its end. A daemon: a server that hangs must not hold up an exit."""

    def __init__(
        self,
        question: Question,
        ticket: Ticket,
        client: "OpenAI",
        http_client: "RecordingClient",
        retries: int = 0,
    ) -> None:
        super().__init__(name="swsllm-ask", daemon=True)
        self.finished = threading.Event()
        self.failure: CallFailed | None = None
        self.ticket = ticket
        self._question = question
        self._client = client
        self._http_client = http_client
        self._retries = retries
        self._pieces: list[str] = []
        self._practice = False

    @property
    def retry(self) -> Retry | None:
        return self.failure.retry if self.failure else None

    @property
    def _base_url(self) -> str:
        return str(self._client.base_url).rstrip("/")

    @property
    def text(self) -> str:
        return "".join(self._pieces)

    def run(self) -> None:
        from swsllm_nb.notebook.client import OpenAIError, trouble_of

        try:
            with self._http_client.under(self.ticket):
                self._read()
        except OpenAIError as error:
            trouble = trouble_of(error, self._base_url)
            self.failure = explain(trouble, self._client.api_key)
        except LLMError as error:
            self.failure = CallFailed(str(error))
        except Exception as error:
            # It must not die in a thread, unheard.
            trouble = Trouble(code=HERE, message=f"{type(error).__name__}: {error}")
            self.failure = explain(trouble, self._client.api_key)
        finally:
            self.finished.set()

    def anew(self) -> "_Asking":
        """The same question once more, not begun yet."""
        again = self._retries + 1
        return _Asking(self._question, self.ticket, self._client, self._http_client, again)

    def answer(self) -> Answer:
        return self._answer(self.ticket.calls[-1])

    def partial_answer(self) -> Answer | None:
        """What had come; None where nothing had."""
        calls = self.ticket.calls
        return self._answer(calls[-1]) if calls and self.text else None

    def _read(self) -> None:
        from swsllm_nb.notebook.client import Timeout

        question = self._question
        patient = self._client.with_options(
            # All tries are ours, and each is numbered in the log.
            max_retries=0,
            timeout=Timeout(_TIMEOUT_SECONDS, connect=_CONNECT_SECONDS),
        )
        # Any: the library types messages and fields more closely than what a course passes on.
        completions: Any = patient.chat.completions
        answer = completions.create(
            model=question.model,
            messages=list(question.messages),
            **({"stream": True} if question.stream else {}),
            extra_headers={"x-stainless-retry-count": str(self._retries)},
            **question.fields,
        )
        if question.stream:
            self._take_stream(answer)
        else:
            self._take_whole(answer)
        call = self.ticket.calls[-1]
        if call.answer and not self.text:
            # A server that does not stream: the library finds no event in a whole answer.
            self._pieces.append(call.answer)
        if call.status != "ok" and not self.ticket.stopped:
            # The library takes a stream that just ends for a complete one.
            trouble = Trouble(code=call.error_code, base_url=self._base_url)
            self.failure = explain(trouble)

    def _take_stream(self, stream: "Stream[ChatCompletionChunk]") -> None:
        for chunk in stream:
            self._take(chunk)
            if self.ticket.stopped:
                stream.close()
                return

    def _take(self, chunk: "ChatCompletionChunk") -> None:
        self._note_fingerprint(chunk)
        # None in an event that is no chunk; the call's row will say so.
        for choice in chunk.choices or ():
            if choice.index == 0 and choice.delta:
                self._pieces.append(text_of(choice.delta.content) or text_of(choice.delta.refusal))

    def _take_whole(self, completion: "ChatCompletion") -> None:
        self._note_fingerprint(completion)
        for choice in completion.choices or ():
            if choice.index == 0 and choice.message:
                message = choice.message
                self._pieces.append(text_of(message.content) or text_of(message.refusal))

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
            seconds=call.latency_seconds,
        )
