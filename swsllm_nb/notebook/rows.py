"""A row of the call log: as a value, and as the log's file holds it."""

import os
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final, TypeAlias
from uuid import uuid4

from swsllm_nb.wire import Usage

__all__ = [
    "COLUMNS",
    "EPOCH",
    "Call",
    "Row",
    "Whereabouts",
    "belongs_to",
    "call_of",
    "row_of",
    "this_process",
]

Row: TypeAlias = tuple[Any, ...]
"""A row's id, then a value for each of COLUMNS."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_IMPORTED_AS: Final = uuid4().hex


def this_process() -> str:
    """A name that no other process has, its forks included."""
    return f"{_IMPORTED_AS}-{os.getpid()}"


@dataclass(frozen=True)
class Whereabouts:
    """Where a call began: ``source`` is magic, ask or client; the rest is empty where unknown."""

    source: str = "client"
    notebook: str = ""
    cell_id: str = ""
    exercise: str = ""


@dataclass(frozen=True)
class Call:
    """A row of the log, as ``wire.CALLCOLUMNS`` describes it; amounts are pico-dollars.

    None is unknown. What follows ``answer`` is not in the frame: ``client_id`` is the name that
    the client gave the attempt, ``process`` the Python process that made it.
    """

    at: datetime
    source: str
    notebook: str
    cell_id: str
    exercise: str
    model: str
    model_served: str
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None
    cost_pico: int | None
    cost_source: str
    remaining_pico: int | None
    latency_seconds: float
    first_token_seconds: float | None
    stream: bool
    status: str
    finish_reason: str
    error_code: str
    retries: int
    request_id: str
    prompt: str
    answer: str
    budget_pico: int | None = None
    client_id: str = ""
    process: str = field(default_factory=this_process)

    @property
    def usage(self) -> Usage | None:
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return Usage(
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
            cached_tokens=self.cached_tokens or 0,
            reasoning_tokens=self.reasoning_tokens or 0,
        )


def belongs_to(call: Call, notebook: str) -> bool:
    """Whether a call was made in the notebook of this name; in this process where it is empty."""
    return call.notebook == notebook if notebook else call.process == this_process()


_STORED: Final = tuple(each.name for each in fields(Call))
_SQL_TYPES: Final = {
    "at": "INTEGER",  # microseconds since 1970, UTC
    "latency_seconds": "REAL",
    "first_token_seconds": "REAL",
    "stream": "INTEGER",
    "retries": "INTEGER",
}
COLUMNS: Final = {
    name: "INTEGER" if name.endswith(("_tokens", "_pico")) else _SQL_TYPES.get(name, "TEXT")
    for name in _STORED
}
_stored_values: Final = attrgetter(*_STORED)


def row_of(row_id: str, call: Call) -> Row:
    values = (_storable(value) for value in _stored_values(call)[1:])
    return (row_id, (call.at - EPOCH) // _MICROSECOND, *values)


def _storable(value: Any) -> Any:
    """Half of a surrogate pair, which JSON can hold, is no text for a file."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()


def call_of(row: Row) -> Call:
    values = dict(zip(_STORED, row[1:], strict=True))
    at, stream = EPOCH + values["at"] * _MICROSECOND, bool(values["stream"])
    return Call(**values | {"at": at, "stream": stream})
