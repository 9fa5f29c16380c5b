"""Reading the body of a chat completion, and writing its top level anew for the upstream.

Only the top level is looked at and rewritten: every nested value travels as the text it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swsllm_nb.catalogue import Model
from swsllm_nb.prompt import prompt_tokens
from swsllm_nb.proxy.body import Members, read_members, write_members
from swsllm_nb.proxy.errors import BadRequest
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.rules import check_rules

__all__ = ["ChatRequest", "read_chat_request"]

_CAP_FIELDS = ("max_tokens", "max_completion_tokens")


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
        others = ("tools", "tool_choice", "response_format")
        raw = self.members.raw
        return prompt_tokens(
            self.model.encoding,
            self.members.values["messages"],
            sum(len(bytes(raw[field])) for field in others if field in raw),
        )

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
