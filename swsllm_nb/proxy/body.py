"""The top level of a JSON body: each member with its value and with the text it had.

A name that occurs twice in one object is refused at every level: which of the two counts differs
between servers, and only one of them would have been priced.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from swsllm_nb.proxy.errors import BadRequest

__all__ = ["Member", "read_members"]

_BLANK = re.compile(r"[ \t\n\r]*")
_MEMBERS_LIMIT = 100
_DEPTH_LIMIT = 64


@dataclass(frozen=True)
class Member:
    """A top-level member: its value, and the text it had."""

    value: Any
    text: str


class _NotUsable(ValueError):
    """Says of the body what is wrong with it."""


def read_members(body: bytes) -> Mapping[str, Member]:
    """The members of the object that ``body`` is. Raises BadRequest for anything else."""
    try:
        return dict(_members(body.decode("utf-8")))
    except RecursionError:
        fault = "it is nested too deeply"
    except (_NotUsable, json.JSONDecodeError, UnicodeDecodeError) as error:
        fault = str(error)
    except ValueError:
        fault = "a number in it is too long"
    raise BadRequest(
        "We could not parse the JSON body of your request. The body must be one JSON object "
        f"in UTF-8 ({fault})."
    )


def _members(text: str) -> Iterator[tuple[str, Member]]:
    """The members of the object that ``text`` is. Raises ValueError, also for a name used twice."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique)
    position = _expect(text, "{", 0)
    seen: set[str] = set()
    while True:
        if not seen and text.startswith("}", position):
            position = _expect(text, "}", position)
            break
        name, position = decoder.raw_decode(text, position)
        if not isinstance(name, str):
            raise _NotUsable("a name was expected")
        if name in seen:
            raise _NotUsable(f"{name[:100]!r} occurs twice")
        seen.add(name)
        if len(seen) > _MEMBERS_LIMIT:
            raise _NotUsable(f"it has more than {_MEMBERS_LIMIT} members")
        start = _expect(text, ":", position)
        value, position = decoder.raw_decode(text, start)
        _check_depth(value)
        yield name, Member(value, text[start:position])
        position = _skip_blank(text, position)
        if not text.startswith(",", position):
            position = _expect(text, "}", position)
            break
        position = _expect(text, ",", position)
    if position != len(text):
        raise _NotUsable("something follows the object")


def _expect(text: str, character: str, position: int) -> int:
    position = _skip_blank(text, position)
    if not text.startswith(character, position):
        raise _NotUsable(f"{character!r} was expected at character {position}")
    return _skip_blank(text, position + 1)


def _skip_blank(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _refuse_constant(name: str) -> Any:
    raise _NotUsable(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _NotUsable("a name occurs twice in one object")
    return members


def _check_depth(value: Any, depth: int = 1) -> None:
    if depth > _DEPTH_LIMIT:
        raise _NotUsable("it is nested too deeply")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            _check_depth(part, depth + 1)
