"""A frame of calls, grants and adjustments, checked and in order, as all pictures read it."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.language import grouped, say

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["ADJUSTMENT", "GRANT", "GROUPINGS", "HELD", "UNCONFIRMED", "UNKNOWN", "History"]

NEEDED_COLUMNS: Final = ("at", "status", "cost_usd")
GROUPINGS: Final = ("model", "exercise", "source")

GRANT: Final = "grant"
ADJUSTMENT: Final = "adjustment"
HELD: Final = "held"
UNCONFIRMED: Final = "unconfirmed"
UNKNOWN: Final = "cost unknown"

_LARGEST_USD: Final = 1e6
"""No student has a million; as pico-dollars, what is far beyond it is no integer of 64 bits."""


@dataclass(frozen=True)
class History:
    """What happened, oldest first; each list has one value per row of ``frame``.

    ``events``: a call's status (ok, refused, failed, interrupted), ``UNKNOWN`` for an answered
    call of unknown cost, ``HELD`` or ``UNCONFIRMED`` as the ledger says, ``GRANT``, ``ADJUSTMENT``.
    Amounts are pico-dollars, 0 where there is none; ``is_unknown`` tells the calls of unknown
    cost. ``told_pico`` is what the proxy said was left with a call, None where it said nothing.
    ``frame`` is what was given, sorted, ``at`` in UTC. ``is_ledger``: the rows are the proxy's,
    else those of a call log.
    """

    frame: "pd.DataFrame"
    events: list[str]
    costs_pico: list[int]
    is_unknown: list[bool]
    granted_pico: list[int]
    held_pico: list[int]
    told_pico: list[int | None]
    is_ledger: bool

    @classmethod
    def of(cls, frame: "pd.DataFrame") -> "History":
        """Rows sorted by their time, equal times in the order given, times without zone as UTC.

        Raises ValueError for missing columns, and for a time or an amount that is none, with the
        row it is in.
        """
        rows = _in_order(frame)
        kinds, states = _texts(rows, "kind", "call"), _texts(rows, "state", "")
        costs = _amounts(rows, "cost_usd", negative=[kind != "call" for kind in kinds])
        statuses = _texts(rows, "status", "")
        events = [
            _event(*each) for each in zip(kinds, states, statuses, _known(costs), strict=True)
        ]
        sure = (GRANT, ADJUSTMENT, HELD, "refused")
        return cls(
            frame=rows,
            events=events,
            costs_pico=[cost or 0 for cost in costs],
            is_unknown=[
                cost is None and event not in sure and state != "released"
                for cost, event, state in zip(costs, events, states, strict=True)
            ],
            granted_pico=_whole(rows, "granted_usd", events, GRANT),
            held_pico=_whole(rows, "held_usd", events, HELD),
            told_pico=_amounts(rows, "remaining_usd", negative=[True] * len(rows)),
            is_ledger="kind" in rows.columns or "state" in rows.columns,
        )

    def __len__(self) -> int:
        return len(self.events)

    @cached_property
    def calls(self) -> int:
        return sum(event not in (GRANT, ADJUSTMENT) for event in self.events)

    @cached_property
    def unknown(self) -> int:
        """How many calls have an unknown cost."""
        return sum(self.is_unknown)

    @cached_property
    def moments(self) -> "NDArray[Any]":
        """The time of each row as datetime64 in UTC."""
        moments: NDArray[Any] = self.frame["at"].dt.tz_localize(None).to_numpy("datetime64[us]")
        return moments

    def texts(self, column: str) -> list[str]:
        """A column's text of each row; empty where there is none."""
        return _texts(self.frame, column, "")

    def counts(self, column: str) -> list[int | None]:
        """A column's count of each row; None where it is unknown, or below zero."""
        if column not in self.frame.columns:
            return [None] * len(self)
        counts = self.frame[column].astype("float64").tolist()
        return [int(count) if count >= 0 else None for count in counts]

    def groups(self, by: str) -> list[str]:
        """The name of each row's group. Raises ValueError for what cannot be grouped by."""
        if by not in GROUPINGS:
            raise ValueError(
                say(
                    f"Spending is shown by {', '.join(GROUPINGS)}, and not by {by!r}.",
                    f"Ausgaben gibt es nach {', '.join(GROUPINGS)}, nicht nach {by!r}.",
                )
            )
        if by not in self.frame.columns:
            raise ValueError(_missing([by]))
        return self.texts(by)

    def where(self) -> str:
        """What the rows are of, for the line under a title."""
        count = self.calls
        if self.is_ledger:
            return say(
                f"{grouped(count)} call{'' if count == 1 else 's'} in the proxy's ledger",
                f"{grouped(count)} Aufruf{'' if count == 1 else 'e'} im Buch des Proxys",
            )
        return say(
            f"{grouped(count)} call{'' if count == 1 else 's'} in this machine's log",
            f"{grouped(count)} Aufruf{'' if count == 1 else 'e'} im Protokoll dieses Rechners",
        )


def _event(kind: str, state: str, status: str, is_known: bool) -> str:
    if kind in (GRANT, ADJUSTMENT):
        return kind
    if state in (HELD, UNCONFIRMED):
        return state
    return UNKNOWN if status == "ok" and not is_known else status


def _in_order(frame: "pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    columns = getattr(frame, "columns", ())
    missing = [column for column in NEEDED_COLUMNS if column not in columns]
    if missing:
        raise ValueError(_missing(missing))
    told: Any = frame["at"]
    if pd.api.types.is_numeric_dtype(told):
        moments = pd.Series(pd.NaT, index=told.index)
    elif pd.api.types.is_datetime64_any_dtype(told):
        moments = pd.to_datetime(told, utc=True)
    else:
        moments = pd.to_datetime(told, utc=True, format="mixed", errors="coerce")
    unread = [place for place, is_none in enumerate(moments.isna()) if is_none]
    if unread:
        raise ValueError(_unread(unread[0], "at", told.iloc[unread[0]]))
    rows = frame.reset_index(drop=True).assign(at=moments.array)
    # The index keeps the places in the frame that was given, for what is said of a row.
    return rows.sort_values("at", kind="stable")


def _texts(rows: "pd.DataFrame", column: str, otherwise: str) -> list[str]:
    if column not in rows.columns:
        return [otherwise] * len(rows)
    told = rows[column]
    texts = told.astype(object).where(told.notna(), otherwise).tolist()
    return [text if type(text) is str else str(text) for text in texts]


def _amounts(rows: "pd.DataFrame", column: str, negative: list[bool]) -> list[int | None]:
    """Pico-dollars of a column of USD, None where it is empty; which may be ``negative``."""
    import numpy as np
    import pandas as pd

    if column not in rows.columns:
        return [None] * len(rows)
    told = rows[column]
    numbers = pd.to_numeric(told, errors="coerce").to_numpy("float64", na_value=np.nan)
    empty = told.isna().to_numpy()
    possible = (np.abs(numbers) <= _LARGEST_USD) & ((numbers >= 0) | np.array(negative, bool))
    wrong = np.flatnonzero(~possible & ~empty)
    if wrong.size:
        place = int(wrong[0])
        raise ValueError(_unread(int(rows.index[place]), column, told.iloc[place]))
    pico = np.rint(np.where(empty, 0, numbers) * PICO_PER_USD).astype("int64").tolist()
    return [None if none else amount for amount, none in zip(pico, empty.tolist(), strict=True)]


def _whole(rows: "pd.DataFrame", column: str, events: list[str], of_event: str) -> list[int]:
    """The amounts of the rows of one event, 0 for the others."""
    amounts = _amounts(rows, column, [event == GRANT for event in events])
    return [
        amount or 0 if event == of_event else 0
        for amount, event in zip(amounts, events, strict=True)
    ]


def _known(costs: list[int | None]) -> list[bool]:
    return [cost is not None for cost in costs]


def _missing(columns: list[str]) -> str:
    names = ", ".join(columns)
    return say(
        f"The frame has no column {names}; pass what log() or ledger() gives.",
        f"Der Tabelle fehlt die Spalte {names}; gib, was log() oder ledger() liefert.",
    )


def _unread(place: int, column: str, value: object) -> str:
    shown = str(value)[:40]
    return say(
        f"Row {place} of the frame (.iloc[{place}]) has {shown!r} for {column}, which is no "
        f"{'moment' if column == 'at' else 'amount that can be'}; mend that row or drop it.",
        f"Zeile {place} der Tabelle (.iloc[{place}]) hat {shown!r} in {column}, und das ist kein "
        f"{'Zeitpunkt' if column == 'at' else 'möglicher Betrag'}; bessere sie aus oder lass sie "
        "weg.",
    )
