"""The proxy's ledger as a frame: its rows, with what only this machine's log knows of them."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.frames import history_frame
from swsllm_nb.notebook.ledger import client_id_of
from swsllm_nb.notebook.rows import EPOCH, Call
from swsllm_nb.wire import CALL_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["booked"]

_STATUSES: Final = {"settled": "ok", "released": "failed", "unconfirmed": "failed"}
"""Of calls that the log does not know: there a settled one may be interrupted, for example."""

_MICROSECOND: Final = timedelta(microseconds=1)
_OF_THE_LOG: Final = (
    "source", "notebook", "cell_id", "exercise", "model_served", "latency_seconds",
    "first_token_seconds", "stream", "finish_reason", "error_code", "retries", "prompt", "answer",
)  # fmt: skip
_OF_THE_LEDGER: Final = (
    "prompt_tokens", "cached_tokens", "completion_tokens", "reasoning_tokens",
)  # fmt: skip
_EMPTY: Final = {"str": "", "bool": False}


def booked(page: Iterable[Mapping[str, Any]], calls: Iterable[Call]) -> "pd.DataFrame":
    """The rows of ``GET /usage``, oldest first, and the calls of the log that were refused.

    The columns of ``log()``, and ``kind`` (call, grant, adjustment), ``state`` (held, settled,
    released, unconfirmed; empty where the ledger has no such call), ``granted_usd``, ``held_usd``
    and ``reason``. An adjustment of a call has that call's ``request_id``, model, exercise and
    source. ``remaining_usd`` is what was left after the row. Raises ValueError for what no
    ledger of ours says.
    """
    logged = _Logged(calls)
    rows: list[dict[str, Any]] = []
    by_id: dict[Any, dict[str, Any]] = {}
    try:
        for told in page:
            row = _row(told, logged, by_id.get(told["adjusts_id"]))
            by_id[told["id"]] = row
            rows.append(row)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a row of the ledger cannot be read: {error!r}") from error
    rows += logged.refused()
    rows.sort(key=lambda row: row["at"])
    left_pico = 0
    for row in rows:
        left_pico += row["granted_pico"] - (row["cost_pico"] or 0) - row["held_pico"]
        row["remaining_pico"] = left_pico
    return history_frame(rows)


class _Logged:
    """The log's calls by what the proxy calls them, else by what the client called them."""

    def __init__(self, calls: Iterable[Call]) -> None:
        self._calls = list(calls)
        self._by_request = {call.request_id: call for call in self._calls if call.request_id}
        self._by_client = {call.client_id: call for call in self._calls if call.client_id}
        self._found: set[int] = set()

    def find(self, request_id: str) -> Call | None:
        call = self._by_request.get(request_id)
        call = call or self._by_client.get(client_id_of(request_id))
        if call is not None:
            self._found.add(id(call))
        return call

    def refused(self) -> list[dict[str, Any]]:
        """The refused calls, of which a ledger has no rows."""
        calls = (call for call in self._calls if call.status == "refused")
        return [
            _empty(call.at)
            | {name: getattr(call, name) for name in (*_OF_THE_LOG, *_OF_THE_LEDGER)}
            | {"model": call.model, "status": "refused", "request_id": call.request_id}
            | {"kind": "call", "cost_pico": 0, "cost_source": "proxy"}
            for call in calls
            if id(call) not in self._found
        ]


def _row(
    told: Mapping[str, Any], logged: _Logged, adjusted: Mapping[str, Any] | None
) -> dict[str, Any]:
    row = _empty(datetime.fromisoformat(told["at"]))
    kind, state = told["kind"], told["state"] or ""
    row |= {"kind": kind, "state": state if kind == "call" else "", "cost_source": "proxy"}
    row["reason"] = told["reason"] or ""
    row["cost_pico"] = None if told["cost_usd"] is None else pico_from_usd(told["cost_usd"])
    row["granted_pico"] = pico_from_usd(told["granted_usd"] or 0)
    if kind != "call":
        names = ("request_id", "model", "exercise", "source", "notebook")
        return row | ({name: adjusted[name] for name in names} if adjusted else {})
    row |= {name: told[name] for name in (*_OF_THE_LEDGER, "model", "request_id")}
    row |= {"stream": bool(told["stream"]), "status": _STATUSES.get(state, "")}
    row["held_pico"] = pico_from_usd(told["hold_usd"]) if state == "held" else 0
    call = logged.find(told["request_id"])
    if call is not None:
        row |= {name: getattr(call, name) for name in _OF_THE_LOG}
        row["status"] = row["status"] and call.status
    row["exercise"] = told.get("exercise") or row["exercise"]
    return row


def _empty(at: datetime) -> dict[str, Any]:
    row: dict[str, Any] = {name: _EMPTY.get(kind) for name, kind in CALL_COLUMNS.items()}
    at_microseconds = (at - EPOCH) // _MICROSECOND
    nothing = {"state": "", "reason": "", "granted_pico": 0, "held_pico": 0}
    return row | nothing | {"at": at_microseconds}
