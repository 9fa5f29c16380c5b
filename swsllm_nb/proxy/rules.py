"""Which requests may be sent on: an allow-list per model, and OpenAI's own 400s.

What could raise a bill beyond its bound (images, audio, hosted tools, ``store``, other tiers ...)
is on no list, and so refused by name. Messages follow those of the API as seen in public threads.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from swsllm_nb.catalogue import Model
from swsllm_nb.proxy.errors import BadRequest

__all__ = ["check_rules"]

_ROLES = ("developer", "system", "user", "assistant", "tool", "function")
_CHECKED_MESSAGE_FIELDS = ("name", "refusal", "tool_call_id", "tool_calls", "function_call")
_MESSAGE_FIELDS = ("role", "content", *_CHECKED_MESSAGE_FIELDS)
_PLAIN = frozenset({"role", "content"})
_STREAM_OPTIONS = frozenset({"include_usage", "include_obfuscation"})
_PART_TEXT: Final = {"text": "text", "refusal": "refusal"}
_MESSAGES_LIMIT = 2048


@dataclass(frozen=True)
class _Number:
    low: float
    high: float
    whole: bool = False

    def fault(self, value: Any) -> str | None:
        kinds = (int,) if self.whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return f"expected {'an integer' if self.whole else 'a number'}"
        if not self.low <= value <= self.high:
            least = f"expected a value from {self.low:g}"
            most = "" if self.high == float("inf") else f" to {self.high:g}"
            return f"{least}{most}, but got {str(value)[:40]}"
        return None


def _kind(name: str, *types: type) -> Callable[[Any], str | None]:
    return lambda value: None if isinstance(value, types) else f"expected {name}"


def _stream_options_fault(value: Any) -> str | None:
    if not isinstance(value, dict):
        return "expected an object"
    if not value.keys() <= _STREAM_OPTIONS or not all(isinstance(v, bool) for v in value.values()):
        return f"expected true or false for {' and '.join(sorted(_STREAM_OPTIONS))}"
    return None


_CHECKS: Final[Mapping[str, Callable[[Any], str | None]]] = {
    "frequency_penalty": _Number(-2, 2).fault,
    "logit_bias": _kind("an object", dict),
    "logprobs": _kind("a boolean", bool),
    "max_completion_tokens": _Number(1, float("inf"), whole=True).fault,
    "max_tokens": _Number(1, float("inf"), whole=True).fault,
    "n": _Number(1, 128, whole=True).fault,
    "parallel_tool_calls": _kind("a boolean", bool),
    "presence_penalty": _Number(-2, 2).fault,
    "reasoning_effort": _kind("a string", str),
    "response_format": _kind("an object", dict),
    "seed": _Number(-(2**63), 2**63 - 1, whole=True).fault,
    "stop": _kind("a string or a list of strings", str, list),
    "stream": _kind("a boolean", bool),
    "stream_options": _stream_options_fault,
    "temperature": _Number(0, 2).fault,
    "tools": _kind("a list", list),
    "top_logprobs": _Number(0, 20, whole=True).fault,
    "top_p": _Number(0, 1).fault,
    "user": _kind("a string", str),
}


def check_rules(model: Model, values: Mapping[str, Any]) -> None:
    """Raises BadRequest, naming the first parameter that may not be sent to ``model`` so."""
    for field, value in values.items():
        _check_field(model, field)
        fault = _CHECKS[field](value) if field in _CHECKS and value is not None else None
        if fault:
            raise BadRequest(f"Invalid value for '{field}': {fault}.", param=field)
    _check_cap(model, values)
    if values.get("stream_options") is not None and not values.get("stream"):
        raise BadRequest(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    _check_messages(values.get("messages"))
    _check_tools(values.get("tools") or [])


def _check_field(model: Model, field: str) -> None:
    if field in model.unsupported:
        advice = f" {model.unsupported[field]}".rstrip()
        raise BadRequest(
            f"Unsupported parameter: '{field}' is not supported with this model.{advice}",
            param=field,
            code="unsupported_parameter",
        )
    if field not in model.fields:
        raise BadRequest(
            f"Unrecognized request argument supplied: {field[:100]}. "
            f"This proxy sends on: {', '.join(sorted(model.fields - set(model.unsupported)))}.",
            param=field[:100],
        )


def _check_cap(model: Model, values: Mapping[str, Any]) -> None:
    stated = [
        field for field in ("max_tokens", "max_completion_tokens") if values.get(field) is not None
    ]
    if len(stated) == 2:
        raise BadRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
        )
    for field in stated:
        if values[field] > model.max_output_tokens:
            raise BadRequest(
                f"{field} is too large: {values[field]}. This model supports at most "
                f"{model.max_output_tokens} completion tokens.",
                param=field,
            )


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise BadRequest(
            "Invalid value for 'messages': expected a list of at least one message.",
            param="messages",
        )
    if len(messages) > _MESSAGES_LIMIT:
        raise BadRequest(
            f"Too many messages: {len(messages)}, at most {_MESSAGES_LIMIT} are allowed.",
            param="messages",
        )
    for index, message in enumerate(messages):
        _check_message(message, index)


def _check_message(message: Any, index: int) -> None:
    if _is_plain(message):
        return
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise BadRequest(f"Invalid type for '{where}': expected an object.", param=where)
    if message.get("role") not in _ROLES:
        raise BadRequest(
            f"Invalid value for '{where}.role': supported values are {', '.join(_ROLES)}.",
            param=f"{where}.role",
        )
    _check_message_fields(message, where)
    _check_content(message.get("content"), f"{where}.content")


def _is_plain(message: Any) -> bool:
    """Whether it is nothing but a known role and a text, as nearly every message is."""
    return (
        isinstance(message, dict)
        and message.keys() == _PLAIN
        and isinstance(message["content"], str)
        and message["role"] in _ROLES
    )


def _check_message_fields(message: Mapping[str, Any], where: str) -> None:
    for field, value in message.items():
        if field not in _MESSAGE_FIELDS:
            raise BadRequest(
                f"Unrecognized field in '{where}': {field[:100]}. This proxy sends on: "
                f"{', '.join(_MESSAGE_FIELDS)}.",
                param=where,
            )
        if value is not None and field in _CHECKED_MESSAGE_FIELDS and not _is_text_only(value):
            raise BadRequest(
                f"Invalid value for '{where}.{field}': expected texts only.",
                param=f"{where}.{field}",
            )


def _is_text_only(value: Any) -> bool:
    """Whether a value is made of texts: what else a number may weigh in tokens nobody says."""
    if isinstance(value, dict):
        return all(_is_text_only(part) for part in value.values())
    if isinstance(value, list):
        return all(_is_text_only(part) for part in value)
    return isinstance(value, str)


def _check_content(content: Any, where: str) -> None:
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        raise BadRequest(f"Invalid type for '{where}': expected a string or a list.", param=where)
    for index, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        text_field = _PART_TEXT.get(kind) if isinstance(kind, str) else None
        if text_field is None:
            raise BadRequest(
                f"Invalid value for '{where}[{index}].type': this proxy sends on text only.",
                param=f"{where}[{index}].type",
            )
        if part.keys() != {"type", text_field} or not isinstance(part[text_field], str):
            raise BadRequest(
                f"Invalid value for '{where}[{index}]': expected 'type' and a string "
                f"'{text_field}'.",
                param=f"{where}[{index}]",
            )


def _check_tools(tools: list[Any]) -> None:
    for index, tool in enumerate(tools):
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise BadRequest(
                f"Invalid value for 'tools[{index}].type': this proxy sends on functions only.",
                param=f"tools[{index}].type",
            )
