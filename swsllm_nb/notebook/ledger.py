"""The proxy's ledger as ``GET /usage`` tells it, and what it makes of a row of the call log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from swsllm_nb.money import pico_from_usd
from swsllm_nb.notebook.calls import Call

__all__ = ["Ledger", "LedgerCall", "client_id_of", "read_ledger", "settled"]


@dataclass(frozen=True)
class LedgerCall:
    """A call in the ledger, in pico-dollars. ``cost_pico`` is None while the call is ``held``.

    ``state``: held, settled, released or unconfirmed. What staff credited for the call later is
    in its cost. Counts are None where the ledger has none.
    """

    at: datetime
    request_id: str
    state: str
    model: str
    stream: bool
    cost_pico: int | None
    hold_pico: int
    prompt_tokens: int | None
    cached_tokens: int | None
    completion_tokens: int | None
    reasoning_tokens: int | None

    @property
    def client_id(self) -> str:
        """What the client called the request, where it did."""
        return client_id_of(self.request_id)

    def is_of(self, call: Call) -> bool:
        """Whether this is what became of the log's row."""
        if call.request_id:
            return self.request_id == call.request_id
        return bool(call.client_id) and self.client_id == call.client_id


@dataclass(frozen=True)
class Ledger:
    """The calls of an account, oldest first, and credits that name none of them."""

    calls: tuple[LedgerCall, ...]
    adjusted_pico: int

    @property
    def spend_pico(self) -> int:
        return self.adjusted_pico + sum(call.cost_pico or 0 for call in self.calls)


def client_id_of(request_id: str) -> str:
    """What the client called the request, where it did."""
    return request_id.removeprefix("req_").partition("_")[2]


def read_ledger(page: Iterable[Mapping[str, Any]]) -> Ledger:
    """The rows of ``GET /usage``. Raises ValueError for what no ledger of ours says."""
    rows = list(page)
    try:
        calls = {row["id"]: _ledger_call(row) for row in rows if row["kind"] == "call"}
        adjusted_pico = 0
        for row in rows:
            if row["kind"] != "adjustment":
                continue
            amount_pico = pico_from_usd(row["cost_usd"])
            adjusted = calls.get(row["adjusts_id"])
            if adjusted is None or adjusted.cost_pico is None:
                adjusted_pico += amount_pico
            else:
                cost_pico = adjusted.cost_pico + amount_pico
                calls[row["adjusts_id"]] = replace(adjusted, cost_pico=cost_pico)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a row of the ledger cannot be read: {error!r}") from error
    return Ledger(tuple(calls.values()), adjusted_pico)


def settled(call: Call, known: LedgerCall) -> Call:
    """The log's row with what the ledger knows better; unchanged while the call is held."""
    if known.cost_pico is None:
        return call
    counts = {
        "prompt_tokens": known.prompt_tokens,
        "cached_tokens": known.cached_tokens,
        "completion_tokens": known.completion_tokens,
        "reasoning_tokens": known.reasoning_tokens,
    }
    told: dict[str, Any] = {name: count for name, count in counts.items() if count is not None}
    return replace(
        call,
        request_id=known.request_id,
        cost_pico=known.cost_pico,
        cost_source="proxy",
        **told,
    )


def _ledger_call(row: Mapping[str, Any]) -> LedgerCall:
    cost_usd = row["cost_usd"]
    return LedgerCall(
        at=datetime.fromisoformat(row["at"]),
        request_id=row["request_id"],
        state=row["state"],
        model=row["model"],
        stream=bool(row["stream"]),
        cost_pico=None if cost_usd is None else pico_from_usd(cost_usd),
        hold_pico=pico_from_usd(row["hold_usd"]),
        prompt_tokens=row["prompt_tokens"],
        cached_tokens=row["cached_tokens"],
        completion_tokens=row["completion_tokens"],
        reasoning_tokens=row["reasoning_tokens"],
    )
