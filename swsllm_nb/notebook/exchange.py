"""One HTTP attempt of a chat completion, told from its bytes alone: request in, row out."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal

from swsllm_nb import pricing, wire
from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.sse import DONE, Event, Scanner
from swsllm_nb.wire import Usage, usage_from_body

__all__ = ["Exchange", "asks_for_usage", "prompt_of"]

_TOKENS_PER_MESSAGE: Final = 4
"""What OpenAI adds around each message; only an estimate is made of it."""

_NEEDS_A_LOOK: Final = (b'"prompt_tokens"', DONE, b"\n:")
"""In the chunk with the usage, at the end, and in comments."""

Ending = Literal["complete", "closed", "broken"]


class Exchange:
    """Fed with an answer's status, headers and decoded bytes; ``call`` tells what it was.

    With ``hides_usage`` the usage-only chunk, which the caller did not ask for, is kept from it.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        whereabouts: Whereabouts,
        *,
        attempt: int = 0,
        hides_usage: bool = False,
    ) -> None:
        self._at = datetime.now(UTC)
        self._started = time.perf_counter()
        self._body = body
        self._whereabouts = whereabouts
        self._attempt = attempt
        self._hides_usage = hides_usage
        self._scanner: Scanner | None = None
        self._whole = bytearray()
        self._events: list[bytes] = []
        self._status_code: int | None = None
        self._request_id = ""
        self._amounts: dict[str, int | None] = {}
        self._usage: Usage | None = None
        self._texts: list[str] = []
        self._first_token_seconds: float | None = None
        self._model_served = ""
        self._finish_reason = ""
        self._done = False
        self._says_it_streams = False
        self._has_choices = False
        self.error_code = ""
        self.error_param = ""

    def begin(self, status_code: int, headers: Mapping[str, str]) -> None:
        """The answer's status and its headers, whose names ``headers`` finds in any case."""
        self._status_code = status_code
        self._request_id = headers.get(wire.REQUEST_ID_HEADER, "")
        told = {field: headers.get(wire.cost_header(field)) for field in wire.COST_FIELDS}
        self._amounts = {field: _pico(usd) for field, usd in told.items()}
        kind = headers.get("content-type", "")
        self._says_it_streams = "event-stream" in kind
        if self._body.get("stream") is True and status_code < 400 and "json" not in kind:
            self._scanner = Scanner()

    def feed(self, chunk: bytes) -> bytes:
        """Takes bytes of the answer and gives back those that are the caller's."""
        if self._scanner is None:
            self._whole += chunk
            return chunk
        heard_text = self._first_token_seconds is not None
        if heard_text and not self._scanner.rest and _is_plain(chunk):
            # Whole events of text, by far the most: taking each apart would slow the stream down.
            self._events.append(chunk)
            return chunk
        return b"".join(
            event.raw for event in self._scanner.feed(chunk) if self._is_for_caller(event)
        )

    def end(self) -> bytes:
        """The answer's last bytes were fed; gives back what was held of an event cut short."""
        if self._scanner is None:
            self._read_whole()
            return b""
        rest = self._scanner.rest
        if rest.strip() == b"data: " + DONE:
            self._done = True
        elif not self._events and (rest.strip() or not self._says_it_streams):
            self.error_code = "unreadable"
        return rest

    def call(self, ending: Ending, error_code: str = "") -> Call:
        """The row. ``closed``: the caller left; ``broken``: the answer never came to its end."""
        self._read_chunks()
        came_to_its_end = ending == "complete" or self._done
        if came_to_its_end and self._events and not self._has_choices:
            self.error_code = self.error_code or "unreadable"
        latency_seconds = time.perf_counter() - self._started
        status = self._status(ending)
        cut = status == "failed" and ending == "complete" and not self.error_code
        usage, estimated = self._usage, False
        if usage is None and status == "ok":
            usage, estimated = _estimate(self._body, self._text()), True
        cost_pico, cost_source = self._cost(usage, estimated, status)
        return Call(
            at=self._at,
            source=self._whereabouts.source,
            notebook=self._whereabouts.notebook,
            cell_id=self._whereabouts.cell_id,
            exercise=self._whereabouts.exercise,
            model=_text(self._body.get("model")),
            model_served=self._model_served,
            prompt_tokens=usage.prompt_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            cost_pico=cost_pico,
            cost_source=cost_source,
            remaining_pico=self._amounts.get("remaining_usd"),
            budget_pico=self._amounts.get("budget_usd"),
            latency_seconds=latency_seconds,
            first_token_seconds=self._first_token_seconds,
            stream=self._body.get("stream") is True,
            status=status,
            finish_reason=self._finish_reason,
            error_code=self.error_code or error_code or ("cut" if cut else ""),
            retries=self._attempt,
            request_id=self._request_id,
            prompt=prompt_of(self._body),
            answer=self._text(),
        )

    def _status(self, ending: Ending) -> str:
        if self._status_code is not None and self._status_code >= 400:
            return "refused" if self._status_code < 500 else "failed"
        if self.error_code:
            return "failed"
        if self._done:
            return "ok"
        return "interrupted" if ending == "closed" else "failed"

    def _cost(self, usage: Usage | None, estimated: bool, status: str) -> tuple[int | None, str]:
        settled = self._amounts.get("cost_usd")
        if settled is not None:
            return settled, "proxy"
        if status == "refused" and self._status_code not in (408, 499):
            return 0, "computed"
        find = default_catalogue().find
        model = find(self._model_served) or find(_text(self._body.get("model")))
        if usage is None or model is None:
            return None, "unknown"
        return pricing.cost(model.prices, usage), "estimated" if estimated else "computed"

    def _text(self) -> str:
        return "".join(self._texts)

    def _is_for_caller(self, event: Event) -> bool:
        """Reads an event; False for what only this log asked for."""
        told = wire.cost_from_comment(event.comment) if event.comment else {}
        if told:
            self._amounts |= {field: _pico(usd) for field, usd in told.items()}
        if (data := event.data) is None:
            return not told
        if data.strip() == DONE:
            self._done = True
            return True
        self._events.append(event.raw)
        if self._first_token_seconds is None:
            chunk = _json_object(data)
            self.error_code = self.error_code or ("" if chunk else "unreadable")
            if _content(_first_choice(chunk), "delta"):
                self._first_token_seconds = time.perf_counter() - self._started
        return not (self._hides_usage and _tells_only_usage(_json_object(data)))

    def _read_chunks(self) -> None:
        """Reads the stream's chunks all at once, which takes a fraction of one by one."""
        events = b"".join(self._events)
        try:
            texts = (event[len(b"data: ") :] for event in events.split(b"\n\n") if event)
            chunks = json.loads(b"[" + b",".join(texts) + b"]")
        except ValueError:
            # Framed as the standard also allows, or not JSON.
            chunks = [_json_object(event.data or b"") for event in Scanner().feed(events)]
        for chunk in chunks:
            if isinstance(chunk, dict):
                self._read_completion(chunk, "delta")

    def _read_whole(self) -> None:
        document = _json_object(bytes(self._whole))
        self._read_completion(document, "message")
        if self._has_choices:
            self._done = True
        elif not self.error_code:
            refused = self._status_code is not None and self._status_code >= 400
            self.error_code = str(self._status_code) if refused else "unreadable"

    def _read_completion(self, document: dict[str, Any], part: str) -> None:
        if error := document.get("error"):
            details = error if isinstance(error, dict) else {}
            code, kind = _text(details.get("code")), _text(details.get("type"))
            self.error_code = kind if kind == wire.INSUFFICIENT_QUOTA else code or kind or "error"
            self.error_param = _text(details.get("param"))
        if document.get("usage"):
            self._usage = usage_from_body(document)
        self._model_served = _text(document.get("model")) or self._model_served
        self._has_choices = self._has_choices or isinstance(document.get("choices"), list)
        choice = _first_choice(document)
        self._finish_reason = _text(choice.get("finish_reason")) or self._finish_reason
        self._texts.append(_content(choice, part))


def asks_for_usage(body: Mapping[str, Any]) -> bool:
    """Whether the caller itself wants the usage chunk of its stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def prompt_of(body: Mapping[str, Any]) -> str:
    """The text of the last user message."""
    messages = body.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return _message_text(message)
    return ""


def _is_plain(chunk: bytes) -> bool:
    """Whether these are whole events that need no look before they are passed on."""
    return (
        chunk.startswith(b"data:")
        and chunk.endswith(b"\n\n")
        and not any(mark in chunk for mark in _NEEDS_A_LOOK)
    )


def _tells_only_usage(chunk: Mapping[str, Any]) -> bool:
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def _first_choice(document: Mapping[str, Any]) -> dict[str, Any]:
    """The choice with index 0, the only one that is logged."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) == 0:
            return choice
    return {}


def _content(choice: Mapping[str, Any], part: str) -> str:
    message = choice.get(part)
    return _text(message.get("content")) if isinstance(message, dict) else ""


def _message_text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return _text(content)


def _estimate(body: Mapping[str, Any], answer: str) -> Usage | None:
    """The usage counted here, where the server told none; None without a tokenizer."""
    try:
        from swsllm_nb.tokens import count_tokens

        messages = [each for each in body.get("messages") or () if isinstance(each, dict)]
        prompt = sum(count_tokens(_message_text(each)) + _TOKENS_PER_MESSAGE for each in messages)
        return Usage(prompt_tokens=prompt, completion_tokens=count_tokens(answer))
    except ImportError:
        return None


def _json_object(text: bytes) -> dict[str, Any]:
    """The object, or an empty one for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _pico(usd: str | None) -> int | None:
    try:
        return None if usd is None else pico_from_usd(usd)
    except ValueError:
        return None
