"""What was refused to whom: counted in memory, so that no refusal waits for the disk."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from swsllm_nb.proxy.calllog import CallLine
from swsllm_nb.proxy.store import Store
from swsllm_nb.proxy.work import Work, ask

__all__ = ["Refusals", "Refused", "refusals_of"]

MOST_KINDS = 10_000
"""More different refusals within a few seconds are an attack, and not all of them are counted."""

_ROWS_AT_ONCE = 200
_CODE = re.compile(r"[\w.-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Refusals:
    """How often an account was refused in a UTC hour, and why; ``model`` is '' where none is known.

    Calls are counted as well that the upstream refused, or failed at.
    """

    hour: str
    code: str
    model: str
    refusals: int
    last_at: str


class _Kind(NamedTuple):
    account_id: int
    hour: str
    code: str
    model: str


class _Count(NamedTuple):
    refusals: int
    last_at: str

    def plus(self, other: "_Count") -> "_Count":
        return _Count(self.refusals + other.refusals, max(self.last_at, other.last_at))


class Refused:
    """Counts the lines of the call log that tell of a refusal."""

    def __init__(self) -> None:
        self._counts: dict[_Kind, _Count] = {}

    def count(self, line: CallLine) -> None:
        failed = line.error is not None or (line.status or 0) >= 400
        # Who has left was refused nothing.
        if line.account_id is None or line.status is None or not failed:
            return
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        self._add(_Kind(line.account_id, now[:13], _code(line), line.model or ""), _Count(1, now))

    def _add(self, kind: _Kind, count: _Count) -> None:
        known = self._counts.get(kind)
        if known is not None:
            self._counts[kind] = known.plus(count)
        elif len(self._counts) < MOST_KINDS:
            self._counts[kind] = count

    async def flush(self, store: Store) -> None:
        """Add what was counted to the database; what could not be is kept for the next time."""
        counted, self._counts = self._counts, {}
        written = 0
        rows = sorted(counted.items())
        try:
            while batch := rows[written : written + _ROWS_AT_ONCE]:
                # Before it is known: what is cancelled may be written all the same.
                written += len(batch)
                await store.write(partial(_added, batch))
        except Exception:
            written -= len(batch)
            raise
        finally:
            for kind, count in rows[written:]:
                self._add(kind, count)


def _code(line: CallLine) -> str:
    """An upstream words its codes as it likes."""
    if line.error is None:
        return "invalid_request_error"
    return line.error if _CODE.fullmatch(line.error) else "other"


def _added(rows: list[tuple[_Kind, _Count]]) -> Work[None]:
    for kind, count in rows:
        yield ask(_ADD, *kind, *count)


_ADD = """
    INSERT INTO refusals (account_id, hour, code, model, refusals, last_at)
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account_id, hour, code, model)
    DO UPDATE SET refusals = refusals.refusals + excluded.refusals,
        last_at = CASE WHEN excluded.last_at > refusals.last_at THEN excluded.last_at
                       ELSE refusals.last_at END
"""


def refusals_of(account_id: int, *, limit: int = 100) -> Work[list[Refusals]]:
    """An account's refusals, the newest hours first."""
    rows = yield ask(
        "SELECT hour, code, model, refusals, last_at FROM refusals WHERE account_id = $1 "
        "ORDER BY hour DESC, last_at DESC LIMIT $2",
        account_id, limit,
    )  # fmt: skip
    return [Refusals(**dict(row)) for row in rows]
