"""Reading the body of a chat completion, and writing its top level anew for the upstream.

Only the top level is looked at and rewritten: every nested value travels as the text it was.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from swsllm_nb.pricing import Catalogue, Model
from swsllm_nb.proxy.errors import BadRequest, ModelNotFound
from swsllm_nb.proxy.rules import check_rules
from swsllm_nb.tokens import count_tokens

__all__ = ["ChatRequest", "Member", "read_chat_request"]

_BLANK = re.compile(r"[ \t\n\r]*")

_CAP_FIELDS = ("max_tokens", "max_completion_tokens")

_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_REQUEST = 64
_TOKENS_PER_UNKNOWN_ENCODING = 512


@dataclass(frozen=True)
class Member:
    """A top-level member: its value, and the text it had."""

    value: Any
    text: str


@dataclass(frozen=True)
class ChatRequest:
    """A request that may be sent on, once its hold is taken."""

    model: Model
    members: Mapping[str, Member]

    @property
    def stream(self) -> bool:
        return bool(self._value("stream"))

    @property
    def wants_usage(self) -> bool:
        """Whether the client itself asked for the usage event of a stream."""
        options = self._value("stream_options") or {}
        return bool(options.get("include_usage"))

    @property
    def stated_cap(self) -> int | None:
        caps = [self._value(field) for field in _CAP_FIELDS]
        return next((cap for cap in caps if cap is not None), None)

    @property
    def choices(self) -> int:
        return self._value("n") or 1

    def prompt_characters(self) -> int:
        return len(self.members["messages"].text)

    def prompt_tokens(self) -> int:
        """At least the tokens that the upstream will count for the prompt.

        Texts are counted, everything else is charged by its bytes: nobody publishes how tools
        and schemas are counted.
        """
        exact = self.model.encoding == "o200k_base"
        tokens = _TOKENS_PER_REQUEST + (0 if exact else _TOKENS_PER_UNKNOWN_ENCODING)
        for message in self.members["messages"].value:
            texts, rest = _split_message(message)
            tokens += _TOKENS_PER_MESSAGE + len(_bytes(rest))
            tokens += sum(count_tokens(text) if exact else len(_bytes(text)) for text in texts)
        for field in ("tools", "tool_choice", "response_format"):
            if field in self.members:
                tokens += len(_bytes(self.members[field].text))
        return tokens

    def upstream_body(self, cap_tokens: int, safety_identifier: str) -> bytes:
        """The body with our cap, usage on every stream, the default tier and a pseudonym."""
        ours: dict[str, Any] = {
            "model": self.model.id,
            self.model.cap_field: cap_tokens,
            "service_tier": "default",
            "safety_identifier": safety_identifier,
        }
        if self.stream:
            options = self._value("stream_options") or {}
            ours["stream_options"] = {**options, "include_usage": True}
        texts = {name: json.dumps(value) for name, value in ours.items()}
        texts |= {
            name: member.text
            for name, member in self.members.items()
            if name not in ours and name not in _CAP_FIELDS and member.value is not None
        }
        inside = ",".join(f"{json.dumps(name)}:{text}" for name, text in texts.items())
        return _bytes(f"{{{inside}}}")

    def _value(self, name: str) -> Any:
        member = self.members.get(name)
        return None if member is None else member.value


def read_chat_request(body: bytes, catalogue: Catalogue) -> ChatRequest:
    """Check a body against the catalogue's rules. Raises BadRequest or ModelNotFound."""
    try:
        members = dict(_members(body.decode("utf-8")))
    except RecursionError:
        raise BadRequest("The JSON body is nested too deeply.") from None
    except ValueError as error:
        raise BadRequest(
            "We could not parse the JSON body of your request. The body must be one JSON object "
            f"in UTF-8 ({error})."
        ) from None
    model = _model(members, catalogue)
    check_rules(model, {name: member.value for name, member in members.items()})
    return ChatRequest(model, members)


def _model(members: Mapping[str, Member], catalogue: Catalogue) -> Model:
    name = members["model"].value if "model" in members else None
    if not isinstance(name, str):
        raise BadRequest("You must provide a model parameter.", param="model")
    model = catalogue.find(name)
    if model is None:
        offered = ", ".join(row.id for row in catalogue.models)
        raise ModelNotFound(
            f"The model `{name[:100]}` does not exist or you do not have access to it. "
            f"This proxy offers: {offered}."
        )
    return model


def _members(text: str) -> Iterator[tuple[str, Member]]:
    """The members of the object that ``text`` is. Raises ValueError, also for a name used twice."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    position = _expect(text, "{", 0)
    seen: set[str] = set()
    while True:
        if not seen and text.startswith("}", position):
            position = _expect(text, "}", position)
            break
        name, position = decoder.raw_decode(text, position)
        if not isinstance(name, str):
            raise ValueError("a name was expected")
        if name in seen:
            raise ValueError(f"{name[:100]!r} occurs twice")
        seen.add(name)
        start = _expect(text, ":", position)
        value, position = decoder.raw_decode(text, start)
        yield name, Member(value, text[start:position])
        position = _skip_blank(text, position)
        if not text.startswith(",", position):
            position = _expect(text, "}", position)
            break
        position = _expect(text, ",", position)
    if position != len(text):
        raise ValueError("something follows the object")


def _expect(text: str, character: str, position: int) -> int:
    position = _skip_blank(text, position)
    if not text.startswith(character, position):
        raise ValueError(f"{character!r} was expected at character {position}")
    return _skip_blank(text, position + 1)


def _skip_blank(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _split_message(message: Mapping[str, Any]) -> tuple[list[str], str]:
    """The texts of a message, and all else that a model may be shown of it as one JSON text."""
    content = message.get("content")
    parts = content if isinstance(content, list) else [{"text": content or ""}]
    texts = [part[name] for part in parts for name in part if name != "type"]
    rest = {
        name: value
        for name, value in message.items()
        if name not in ("role", "content") and value is not None
    }
    return texts, json.dumps(rest) if rest else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
