"""What the JSON of a chat completion says: the question's body, an answer, or a chunk of one."""

import json
from collections.abc import Mapping
from typing import Any, Final

from swsllm_nb.wire import Usage

__all__ = [
    "asks_for_usage",
    "content_of",
    "estimate",
    "first_choice",
    "json_object",
    "prompt_of",
    "tells_only_usage",
    "text_of",
]

_TOKENS_PER_MESSAGE: Final = 4
"""What OpenAI adds around each message; only an estimate is made of it."""


def asks_for_usage(body: Mapping[str, Any]) -> bool:
    """Whether the caller itself wants the usage chunk of its stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def prompt_of(body: Mapping[str, Any]) -> str:
    """The text of the last user message."""
    for message in reversed(_messages(body)):
        if message.get("role") == "user":
            return _message_text(message)
    return ""


def tells_only_usage(chunk: Mapping[str, Any]) -> bool:
    return chunk.get("choices") == [] and bool(chunk.get("usage"))


def first_choice(document: Mapping[str, Any]) -> dict[str, Any]:
    """The choice with index 0, the only one that is logged."""
    choices = document.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and choice.get("index", 0) == 0:
            return choice
    return {}


def content_of(choice: Mapping[str, Any], part: str) -> str:
    """What was written; of a model that declines, what it says instead."""
    message = choice.get(part)
    if not isinstance(message, dict):
        return ""
    return text_of(message.get("content")) or text_of(message.get("refusal"))


def _messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    messages = body.get("messages")
    listed = messages if isinstance(messages, list) else []
    return [message for message in listed if isinstance(message, dict)]


def _message_text(message: dict[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "\n".join(part for part in parts if isinstance(part, str))
    return text_of(content)


def estimate(body: Mapping[str, Any], answer: str) -> Usage | None:
    """The usage counted here, where the server told none; None without a tokenizer."""
    try:
        from swsllm_nb.tokenizer import count_tokens

        texts = map(_message_text, _messages(body))
        prompt = sum(count_tokens(text) + _TOKENS_PER_MESSAGE for text in texts)
        return Usage(prompt_tokens=prompt, completion_tokens=count_tokens(answer))
    except ImportError:
        return None


def json_object(text: bytes) -> dict[str, Any]:
    """The object, or an empty one for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else ""
