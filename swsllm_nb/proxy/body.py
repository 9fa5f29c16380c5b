"""JSON as the calls' path reads it: a request's top level, and what an answer tells (msgspec).

A name that occurs twice in one object of a request is refused at every level: which of the two
counts differs between servers, and only one of them would have been priced.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from swsllm_nb.proxy.errors import BadRequest

__all__ = ["Members", "Told", "read_members", "read_told", "write_members"]

_MEMBERS_LIMIT = 100
_DEPTH_LIMIT = 64
_PARTS_LIMIT = 100_000
"""Of objects, lists and names; in texts such characters count as well, and far fewer fit a model.

A megabyte of empty lists takes half a second to read, and then fifty megabytes.
"""


@dataclass(frozen=True, slots=True)
class Members:
    """The top level of a request's body: each member's value, and the bytes it had."""

    values: Mapping[str, Any]
    raw: Mapping[str, msgspec.Raw]


class Told(msgspec.Struct):
    """What the proxy reads of an answer or a chunk; None, or no bytes, is what was not told."""

    choices: msgspec.Raw = msgspec.Raw()
    usage: Any = None
    service_tier: Any = None
    error: Any = None

    @property
    def is_without_choices(self) -> bool:
        """Whether this is the event that only tells the usage."""
        return bytes(self.choices).split() in ([b"[]"], [b"[", b"]"])

    @property
    def is_completion(self) -> bool:
        return bool(bytes(self.choices))


class _NotUsable(ValueError):
    """Says of the body what is wrong with it."""


_raw_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_told = msgspec.json.Decoder(Told)


def read_members(body: bytes) -> Members:
    """The members of the object that ``body`` is. Raises BadRequest for anything else."""
    try:
        return _members(body)
    except RecursionError:
        fault = "it is nested too deeply"
    except json.JSONDecodeError as error:
        follows = error.msg == "Extra data"
        fault = "something follows the object" if follows else str(error)
    except (_NotUsable, msgspec.DecodeError, UnicodeDecodeError) as error:
        fault = str(error)
    except ValueError:
        fault = "a number in it is too long"
    raise BadRequest(
        "We could not parse the JSON body of your request. The body must be one JSON object "
        f"in UTF-8 ({fault})."
    )


def _members(body: bytes) -> Members:
    nested = body.count(b"[") + body.count(b"{")
    if nested + body.count(b":") > _PARTS_LIMIT:
        raise _NotUsable(f"it has more than {_PARTS_LIMIT:,} of the characters {{, [ and :")
    values = _decoder.decode(body.decode("utf-8"))
    if not isinstance(values, dict):
        raise _NotUsable("it is not an object")
    if len(values) > _MEMBERS_LIMIT:
        raise _NotUsable(f"it has more than {_MEMBERS_LIMIT} members")
    if nested > _DEPTH_LIMIT:
        _check_depth(values, 0)
    # Both readings saw the same names: no name is there twice.
    return Members(values, _raw_members.decode(body))


def write_members(values: Mapping[str, Any], raw: Mapping[str, msgspec.Raw]) -> bytes:
    """One JSON object of values, and of members whose bytes are known."""
    return msgspec.json.encode({**values, **raw})


def read_told(text: bytes) -> Told | None:
    """What an answer or a chunk tells; None for what is no JSON object."""
    try:
        return _told.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return _read_leniently(text)


def _read_leniently(text: bytes) -> Told | None:
    """As the standard library reads, which takes half of a surrogate pair for a character."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    told = {name: document[name] for name in Told.__struct_fields__ if name in document}
    if "choices" in told:
        told["choices"] = msgspec.Raw(json.dumps(told["choices"]).encode())
    return Told(**told)


def _refuse_constant(name: str) -> Any:
    raise _NotUsable(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _NotUsable(f"{name[:100]!r} occurs twice in one object")
            seen.add(name)
    return members


_decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)


def _check_depth(value: Any, depth: int) -> None:
    if depth > _DEPTH_LIMIT:
        raise _NotUsable("it is nested too deeply")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            _check_depth(part, depth + 1)
