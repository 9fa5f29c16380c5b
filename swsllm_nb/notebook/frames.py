"""Frames of calls, and how a page shows them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.wire import CALL_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

    from swsllm_nb.notebook.ledger import LedgerCall

__all__ = ["calls_frame", "history_frame", "ledger_frame", "table_html"]

_LEDGER_COUNTS: Final = (
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
)


def calls_frame(stored: Mapping[str, Sequence[Any]]) -> "pd.DataFrame":
    """The call log's frame of the log's values by column: amounts in pico-dollars, None where
    unknown, ``at`` in microseconds since 1970. Without calls ``stored`` may be empty."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for name, dtype in CALL_COLUMNS.items():
        if name.endswith("_usd"):
            pico = stored.get(name.replace("_usd", "_pico"), ())
            columns[name] = pd.Series([_usd(amount) for amount in pico], dtype="float64")
        elif name == "at":
            moments = pd.to_datetime(list(stored.get(name, ())), unit="us", utc=True)
            columns[name] = moments.as_unit("us")
        else:
            columns[name] = pd.Series(list(stored.get(name, ())), dtype=dtype)
    return pd.DataFrame(columns)


def history_frame(rows: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    """The frame of ``swsllm_nb.ledger()``: see ``booked.booked``; amounts in pico-dollars, ``at``
    in microseconds since 1970."""
    import pandas as pd

    names = (name.replace("_usd", "_pico") for name in CALL_COLUMNS)
    frame = calls_frame({name: [row[name] for row in rows] for name in names})
    for place, name in enumerate(("kind", "state")):
        frame.insert(1 + place, name, pd.Series([row[name] for row in rows], dtype="str"))
    for name in ("granted", "held"):
        usd = [_usd(row[f"{name}_pico"]) for row in rows]
        frame[f"{name}_usd"] = pd.Series(usd, dtype="float64")
    frame["reason"] = pd.Series([row["reason"] for row in rows], dtype="str")
    return frame


def ledger_frame(calls: Sequence[tuple[str, "LedgerCall"]]) -> "pd.DataFrame":
    """Calls of the proxy's ledger, each after the place it was made at; amounts in USD."""
    import pandas as pd

    known = [call for _, call in calls]
    columns: dict[str, Any] = {
        "at": pd.to_datetime([call.at for call in known], utc=True),
        "place": pd.Series([place for place, _ in calls], dtype="str"),
        "model": pd.Series([call.model for call in known], dtype="str"),
        "stream": pd.Series([call.stream for call in known], dtype="bool"),
        "state": pd.Series([call.state for call in known], dtype="str"),
    }
    for name in _LEDGER_COUNTS:
        columns[name] = pd.Series([getattr(call, name) for call in known], dtype="Int64")
    columns["cost_usd"] = [_usd(call.cost_pico) for call in known]
    columns["hold_usd"] = [_usd(call.hold_pico) for call in known]
    columns["request_id"] = pd.Series([call.request_id for call in known], dtype="str")
    return pd.DataFrame(columns)


def table_html(frame: "pd.DataFrame") -> str:
    """The frame as a table whose dollars stay dollars where a page typesets maths."""
    import pandas as pd

    shown: Any = frame
    with pd.option_context("display.html.use_mathjax", False):
        return f'<div class="mathjax_ignore">{shown._repr_html_()}</div>'


def _usd(pico: int | None) -> float:
    return float("nan") if pico is None else pico / PICO_PER_USD
