"""Reading the body of a chat completion, and writing its top level anew for the upstream.

Only the top level is looked at and rewritten: every nested value travels as the text it was.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from swsllm_nb.catalogue import Model
from swsllm_nb.proxy.body import Members, read_members, write_members
from swsllm_nb.proxy.errors import BadRequest
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.rules import check_rules
from swsllm_nb.tokens import count_tokens

__all__ = ["ChatRequest", "read_chat_request"]

_CAP_FIELDS = ("max_tokens", "max_completion_tokens")

_TOKENS_PER_MESSAGE = 16
_TOKENS_PER_PART = 8
_TOKENS_PER_REQUEST = 64
_TOKENS_PER_UNKNOWN_ENCODING = 512


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request that may be sent on, once its hold is taken."""

    model: Model
    members: Members

    @property
    def stream(self) -> bool:
        return bool(self.members.values.get("stream"))

    @property
    def wants_usage(self) -> bool:
        """Whether the client itself asked for the usage event of a stream."""
        options = self.members.values.get("stream_options") or {}
        return bool(options.get("include_usage"))

    @property
    def stated_cap(self) -> int | None:
        values = self.members.values
        caps = (values.get(field) for field in _CAP_FIELDS)
        return next((cap for cap in caps if cap is not None), None)

    @property
    def choices(self) -> int:
        return self.members.values.get("n") or 1

    def prompt_tokens(self) -> int:
        """At least the tokens that the upstream will count for the prompt.

        Texts are counted, everything else is charged by its bytes: nobody publishes how tools
        and schemas are counted.
        """
        exact = self.model.encoding == "o200k_base"
        count = count_tokens if exact else _utf8_bytes
        tokens = _TOKENS_PER_REQUEST + (0 if exact else _TOKENS_PER_UNKNOWN_ENCODING)
        for message in self.members.values["messages"]:
            tokens += _TOKENS_PER_MESSAGE + _utf8_bytes(_other_fields(message))
            tokens += _text_tokens(message.get("content"), count)
        for field in ("tools", "tool_choice", "response_format"):
            if field in self.members.raw:
                tokens += len(bytes(self.members.raw[field]))
        return tokens

    def upstream_body(self, cap_tokens: int, safety_identifier: str) -> bytes:
        """The body with our cap, usage on every stream, the default tier and a pseudonym."""
        ours: dict[str, Any] = {
            "model": self.model.upstream_model,
            self.model.cap_field: cap_tokens,
            "service_tier": "default",
            "safety_identifier": safety_identifier,
        }
        if self.stream:
            options = self.members.values.get("stream_options") or {}
            ours["stream_options"] = {**options, "include_usage": True}
        kept = {
            name: text
            for name, text in self.members.raw.items()
            if name not in ours
            and name not in _CAP_FIELDS
            and self.members.values[name] is not None
        }
        return write_members(ours, kept)


def read_chat_request(body: bytes, offer: Offer) -> ChatRequest:
    """Check a body against the catalogue's rules. Raises BadRequest or ModelNotFound."""
    members = read_members(body)
    model = _model(members.values, offer)
    check_rules(model, members.values)
    return ChatRequest(model, members)


def _model(values: Mapping[str, Any], offer: Offer) -> Model:
    name = values.get("model")
    if not isinstance(name, str):
        raise BadRequest("You must provide a model parameter.", param="model")
    return offer.model(name)


def _text_tokens(content: Any, count: Callable[[str], int]) -> int:
    """The tokens of a message's content; how parts are joined differs between servers."""
    if not isinstance(content, list):
        return count(content or "")
    texts = [text for part in content for name, text in part.items() if name != "type"]
    ways = (sum(map(count, texts)), count("".join(texts)), count("\n".join(texts)))
    return max(ways) + _TOKENS_PER_PART * len(texts)


def _other_fields(message: Mapping[str, Any]) -> str:
    """All else that a model may be shown of a message, as one JSON text."""
    rest = {
        name: value
        for name, value in message.items()
        if name not in ("role", "content") and value is not None
    }
    return json.dumps(rest) if rest else ""


def _utf8_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
