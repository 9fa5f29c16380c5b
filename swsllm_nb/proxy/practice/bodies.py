"""Answers as OpenAI writes them: a completion, the events of a stream, an error."""

import json
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

from swsllm_nb.proxy.practice.answer import Choice
from swsllm_nb.proxy.practice.request import PracticeRequest, UnusableRequest

__all__ = ["DONE", "Event", "completion", "error", "events"]

DONE: Final = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Event:
    """One server-sent event, and the number of tokens that are drawn before it."""

    text: bytes
    tokens: int = 0


def completion(request: PracticeRequest, choices: Sequence[Choice]) -> bytes:
    """The body of a plain answer."""
    stated = [
        {
            "index": index,
            "message": {"role": "assistant", "content": choice.text, "refusal": None},
            "logprobs": None,
            "finish_reason": choice.finish_reason,
        }
        for index, choice in enumerate(choices)
    ]
    body = _envelope(request, "chat.completion")
    return _json(body | {"choices": stated, "usage": usage(request, choices)})


def events(request: PracticeRequest, choices: Sequence[Choice]) -> Iterator[Event]:
    """The events of a stream: an opening per choice, its pieces, an end, and the usage if asked."""
    envelope = _envelope(request, "chat.completion.chunk")
    if request.include_usage:
        envelope["usage"] = None

    def chunk(index: int, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        return _event(envelope | {"choices": [choice]})

    for index, choice in enumerate(choices):
        opening = {"role": "assistant", "content": "", "refusal": None}
        yield Event(chunk(index, opening), choice.reasoning_tokens if index == 0 else 0)
    for pieces in zip_longest(*(choice.pieces for choice in choices), fillvalue=""):
        shown = [chunk(index, {"content": piece}) for index, piece in enumerate(pieces) if piece]
        yield Event(b"".join(shown), 1)
    for index, choice in enumerate(choices):
        yield Event(chunk(index, {}, choice.finish_reason))
    if request.include_usage:
        yield Event(_event(envelope | {"choices": [], "usage": usage(request, choices)}))
    yield Event(DONE)


def usage(request: PracticeRequest, choices: Sequence[Choice]) -> dict[str, Any]:
    prompt = request.prompt_tokens()
    written = sum(choice.completion_tokens for choice in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(choice.reasoning_tokens for choice in choices)
        },
    }


def error(fault: UnusableRequest) -> bytes:
    """The body of a 400, in OpenAI's error envelope."""
    return _json(
        {
            "error": {
                "message": fault.message,
                "type": "invalid_request_error",
                "param": fault.param,
                "code": fault.code,
            }
        }
    )


def _envelope(request: PracticeRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-practice-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": request.model,
        "service_tier": "default",
        "system_fingerprint": "practice",
    }


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + _json(body) + b"\n\n"


def _json(body: dict[str, Any]) -> bytes:
    # Escaped to ASCII, so that a lone surrogate in a model's name cannot break the encoding.
    return json.dumps(body, separators=(",", ":")).encode("ascii")
