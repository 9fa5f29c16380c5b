"""One HTTP attempt of a chat completion, told from its bytes alone: request in, row out."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import uuid4

from swsllm_nb import pricing, wire
from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.calls import Call, Whereabouts
from swsllm_nb.notebook.payload import (
    content_of,
    estimate,
    first_choice,
    json_object,
    prompt_of,
    tells_only_usage,
    text_of,
)
from swsllm_nb.sse import DONE, Event, Scanner
from swsllm_nb.wire import Usage, usage_from_body

__all__ = ["Ending", "Exchange"]

_NEEDS_A_LOOK: Final = (b'"prompt_tokens"', DONE, b"\n:")
"""In the chunk with the usage, at the end, and in comments."""

_MOST_PICO: Final = 2**63 - 1
"""What the log's file holds; a server that tells more tells nothing."""

Ending = Literal["complete", "closed", "broken"]


class Exchange:
    """Fed with an answer's status, headers and decoded bytes; ``call`` tells what it was.

    With ``hides_usage`` the usage-only chunk, which the caller did not ask for, is kept from it.
    ``client_id`` is the attempt's own name for itself, known before the server gives one.
    """

    def __init__(
        self,
        body: Mapping[str, Any],
        whereabouts: Whereabouts,
        *,
        attempt: int = 0,
        hides_usage: bool = False,
    ) -> None:
        self.client_id = uuid4().hex
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
            usage, estimated = estimate(self._body, self._text()), True
        cost_pico, cost_source = self._cost(usage, estimated, status)
        return Call(
            at=self._at,
            source=self._whereabouts.source,
            notebook=self._whereabouts.notebook,
            cell_id=self._whereabouts.cell_id,
            exercise=self._whereabouts.exercise,
            model=text_of(self._body.get("model")),
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
            client_id=self.client_id,
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
        model = find(self._model_served) or find(text_of(self._body.get("model")))
        if usage is None or model is None:
            return None, "unknown"
        return pricing.cost(model.prices, usage), "estimated" if estimated else "computed"

    def _text(self) -> str:
        return "".join(self._texts)

    def _is_for_caller(self, event: Event) -> bool:
        """Reads an event; False for what only this log asked for."""
        data = event.data
        told = wire.cost_from_comment(event.comment) if event.comment else {}
        if told:
            self._amounts |= {field: _pico(usd) for field, usd in told.items()}
        if data is None:
            return not told
        if data.strip() == DONE:
            self._done = True
            return True
        self._events.append(event.raw)
        if self._first_token_seconds is None:
            chunk = json_object(data)
            self.error_code = self.error_code or ("" if chunk else "unreadable")
            if content_of(first_choice(chunk), "delta"):
                self._first_token_seconds = time.perf_counter() - self._started
        return not (self._hides_usage and tells_only_usage(json_object(data)))

    def _read_chunks(self) -> None:
        """Reads the stream's chunks all at once, which takes a fraction of one by one."""
        events = b"".join(self._events)
        try:
            texts = (event[len(b"data: ") :] for event in events.split(b"\n\n") if event)
            chunks = json.loads(b"[" + b",".join(texts) + b"]")
        except ValueError:
            # Framed as the standard also allows, or not JSON.
            chunks = [json_object(event.data or b"") for event in Scanner().feed(events)]
        for chunk in chunks:
            if isinstance(chunk, dict):
                self._read_completion(chunk, "delta")

    def _read_whole(self) -> None:
        document = json_object(bytes(self._whole))
        self._read_completion(document, "message")
        if self._has_choices:
            self._done = True
        elif not self.error_code:
            refused = self._status_code is not None and self._status_code >= 400
            self.error_code = str(self._status_code) if refused else "unreadable"

    def _read_completion(self, document: dict[str, Any], part: str) -> None:
        error = document.get("error")
        if error:
            details = error if isinstance(error, dict) else {}
            code, kind = text_of(details.get("code")), text_of(details.get("type"))
            # OpenAI has several codes of this type: with each the money is gone.
            self.error_code = kind if kind == wire.INSUFFICIENT_QUOTA else code or kind or "error"
            self.error_param = text_of(details.get("param"))
        if document.get("usage"):
            self._usage = usage_from_body(document)
        self._model_served = text_of(document.get("model")) or self._model_served
        self._has_choices = self._has_choices or isinstance(document.get("choices"), list)
        choice = first_choice(document)
        self._finish_reason = text_of(choice.get("finish_reason")) or self._finish_reason
        self._texts.append(content_of(choice, part))


def _is_plain(chunk: bytes) -> bool:
    """Whether these are whole events that need no look before they are passed on."""
    return (
        chunk.startswith(b"data:")
        and chunk.endswith(b"\n\n")
        and not any(mark in chunk for mark in _NEEDS_A_LOOK)
    )


def _pico(usd: str | None) -> int | None:
    try:
        pico = None if usd is None else pico_from_usd(usd)
    except ValueError:
        return None
    return pico if pico is None or abs(pico) <= _MOST_PICO else None
