"""The part of a chat completion request that the practice model honours, checked."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from swsllm_nb.tokenizer import count_tokens

__all__ = ["Message", "PracticeRequest", "UnusableRequest", "read_request"]

_ROLES: Final = ("developer", "system", "user", "assistant", "tool", "function")
_JSON_FORMATS: Final = ("json_object", "json_schema")
_STOPS_LIMIT: Final = 4
_BYTES_PER_TOOL_TOKEN: Final = 4
_REASONING_TOKENS: Final = {"minimal": 16, "low": 32, "medium": 64, "high": 128}


class UnusableRequest(Exception):
    """The practice model cannot answer this body: OpenAI's error 400."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code


@dataclass(frozen=True)
class Message:
    role: str
    name: str | None
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def tokens(self) -> int:
        """As OpenAI counts a message: its text, its name, and 3 (or 4) that frame them."""
        apart = sum(map(count_tokens, self.texts))
        # A proxy may have counted the parts in either way; neither count may be exceeded.
        content = min(apart, count_tokens("".join(self.texts))) if len(self.texts) > 1 else apart
        return content + 3 + (count_tokens(self.name) + 1 if self.name is not None else 0)


@dataclass(frozen=True)
class PracticeRequest:
    model: str
    messages: tuple[Message, ...]
    stream: bool
    include_usage: bool
    cap_tokens: int | None
    """Per choice, reasoning included; None where the request states none."""
    stops: tuple[str, ...]
    seed: int | None
    temperature: float
    choices: int
    as_json: bool
    reasoning_tokens: int
    tool_bytes: int

    @property
    def question(self) -> str:
        """The last user message, or the last message where no user speaks."""
        asked = [message for message in self.messages if message.role == "user"]
        return (asked or self.messages)[-1].text

    def prompt_tokens(self) -> int:
        tools = self.tool_bytes // _BYTES_PER_TOOL_TOKEN
        return 3 + tools + sum(message.tokens() for message in self.messages)


def read_request(body: bytes) -> PracticeRequest:
    """Raises UnusableRequest for anything that is not a chat completion request."""
    try:
        members = json.loads(body)
        if not isinstance(members, dict):
            raise UnusableRequest("The body of a chat completion must be one JSON object.")
        return _request({name: value for name, value in members.items() if value is not None})
    except RecursionError:
        raise UnusableRequest("The JSON body is nested too deeply.") from None
    except ValueError:
        raise UnusableRequest("We could not parse the JSON body of your request.") from None


def _request(members: Mapping[str, Any]) -> PracticeRequest:
    model = members.get("model")
    if not isinstance(model, str) or not model:
        raise UnusableRequest("You must provide a model parameter.", "model")
    options = _object(members, "stream_options")
    return PracticeRequest(
        model=model,
        messages=_messages(members),
        stream=_flag(members, "stream"),
        include_usage=_flag(options, "include_usage", "stream_options."),
        cap_tokens=_cap(members),
        stops=_stops(members.get("stop", [])),
        seed=_whole(members, "seed", -(2**63), 2**63 - 1),
        temperature=_temperature(members.get("temperature", 1)),
        choices=_whole(members, "n", 1, 128) or 1,
        as_json=_object(members, "response_format").get("type") in _JSON_FORMATS,
        reasoning_tokens=_reasoning(model, members.get("reasoning_effort")),
        tool_bytes=_tool_bytes(members.get("tools")),
    )


def _invalid(param: str, expected: str) -> UnusableRequest:
    return UnusableRequest(
        f"Invalid value for '{param}': expected {expected}.", param, "invalid_value"
    )


def _object(members: Mapping[str, Any], param: str) -> Mapping[str, Any]:
    value = members.get(param, {})
    if not isinstance(value, dict):
        raise _invalid(param, "an object")
    return value


def _flag(members: Mapping[str, Any], name: str, prefix: str = "") -> bool:
    value = members.get(name)
    if value is not None and not isinstance(value, bool):
        raise _invalid(prefix + name, "a boolean")
    return bool(value)


def _whole(members: Mapping[str, Any], param: str, low: int, high: int | None) -> int | None:
    value = members.get(param)
    if value is None:
        return None
    if type(value) is not int or value < low or (high is not None and value > high):
        limit = f"from {low} to {high}" if high is not None else f"of at least {low}"
        raise _invalid(param, f"an integer {limit}")
    return value


def _cap(members: Mapping[str, Any]) -> int | None:
    fields = ("max_tokens", "max_completion_tokens")
    caps = [cap for field in fields if (cap := _whole(members, field, 1, None)) is not None]
    if len(caps) > 1:
        raise UnusableRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            "max_tokens",
        )
    return caps[0] if caps else None


def _stops(stop: Any) -> tuple[str, ...]:
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(text, str) for text in stops):
        raise _invalid("stop", "a string or a list of strings")
    if len(stops) > _STOPS_LIMIT:
        raise _invalid("stop", f"at most {_STOPS_LIMIT} strings")
    return tuple(text for text in stops if text)


def _temperature(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 2:
        raise _invalid("temperature", "a number from 0 to 2")
    return float(value)


def _reasoning(model: str, effort: Any) -> int:
    if not re.match(r"o\d", model):
        return 0
    return _REASONING_TOKENS.get(str(effort), _REASONING_TOKENS["medium"])


def _tool_bytes(tools: Any) -> int:
    if tools is None:
        return 0
    compact = json.dumps(tools, ensure_ascii=False, separators=(",", ":"))
    return len(compact.encode("utf-8", "surrogatepass"))


def _messages(members: Mapping[str, Any]) -> tuple[Message, ...]:
    if "messages" not in members:
        raise UnusableRequest(
            "Missing required parameter: 'messages'.", "messages", "missing_required_parameter"
        )
    messages = members["messages"]
    if not isinstance(messages, list) or not messages:
        raise _invalid("messages", "a list of at least one message")
    return tuple(_message(message, f"messages[{i}]") for i, message in enumerate(messages))


def _message(message: Any, where: str) -> Message:
    if not isinstance(message, dict):
        raise _invalid(where, "an object")
    role, name = message.get("role"), message.get("name")
    if role not in _ROLES:
        raise _invalid(f"{where}.role", f"one of {', '.join(_ROLES)}")
    if name is not None and not isinstance(name, str):
        raise _invalid(f"{where}.name", "a string")
    return Message(role, name, _texts(role, message.get("content"), f"{where}.content"))


def _texts(role: str, content: Any, where: str) -> tuple[str, ...]:
    if isinstance(content, str):
        return (content,)
    if content is None and role in ("assistant", "tool", "function"):
        return ()
    if not isinstance(content, list):
        raise _invalid(where, "a string or a list of text parts")
    return tuple(_part(part, f"{where}[{i}]") for i, part in enumerate(content))


def _part(part: Any, where: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get(kind) if kind in ("text", "refusal") else None
    if not isinstance(text, str):
        raise _invalid(where, "a text part; the practice model reads text only")
    return text
