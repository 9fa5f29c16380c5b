"""What a burn-down shows: what was granted, spent, held and left after each event, and for how
long that lasts."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Final

from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.pictures.days import aware
from swsllm_nb.notebook.pictures.forecast import Forecast, forecast
from swsllm_nb.notebook.pictures.history import ADJUSTMENT, GRANT, UNCONFIRMED, History

__all__ = ["Band", "Burn", "Out", "burn_of"]

ZOOM_BELOW: Final = 0.1
"""Where less than this part of the budget is spent, a line on an axis from $0 shows nothing."""
_BEGINNING: Final = 0.05
"""In this first part of a course the even pace says nothing yet, and may be out of sight."""
_MOST_BANDS: Final = 5
_NO_MONEY: Final = "insufficient_quota"


@dataclass(frozen=True)
class Band:
    """What one group had cost after each event, in pico-dollars; ``name`` is '' for none."""

    name: str
    by: str
    spent_pico: list[int]
    is_other: bool = False


@dataclass(frozen=True)
class Out:
    """A budget that ran out: since when, with nothing left or too little, and what that refused."""

    since: datetime
    has_nothing: bool
    refused: int


@dataclass(frozen=True)
class Burn:
    """All that the picture draws and says; lists have one amount in pico-dollars per event.

    ``amounts_pico`` is what is left after each event, or what was spent where ``start_pico``,
    what there was before the first, is None because nobody said. ``granted_pico`` is what there
    would be if nothing had been spent, ``elsewhere_pico`` what is gone without a call in the log.
    ``uncounted`` is how many calls of unknown cost no later word of the proxy has included.
    ``as_of`` is the moment until which the history is known. ``typed_pico`` is a budget that was
    stated and is not used, because the ledger tells its grants.
    """

    history: History
    start_pico: int | None
    amounts_pico: list[int]
    granted_pico: list[int]
    elsewhere_pico: list[int]
    uncounted: int
    knows_budget: bool
    as_of: datetime
    until: datetime | None
    wants_forecast: bool
    typed_pico: int | None

    @property
    def falls(self) -> bool:
        return self.start_pico is not None

    @property
    def left_pico(self) -> int:
        """The last amount."""
        return self.amounts_pico[-1] if self.amounts_pico else self.start_pico or 0

    @property
    def whole_pico(self) -> int:
        """All that was granted."""
        return self.granted_pico[-1] if self.granted_pico else self.start_pico or 0

    @cached_property
    def spent_pico(self) -> int:
        if not self.falls:
            return self.left_pico
        return self.whole_pico - self.left_pico - sum(self.history.held_pico)

    @cached_property
    def low_pico(self) -> int:
        return min(self._line_pico)

    @cached_property
    def high_pico(self) -> int:
        return max(*self._line_pico, self.whole_pico if self.knows_budget else 0)

    @property
    def begins_with_grant(self) -> bool:
        """So there is nothing before it to draw."""
        return bool(self.history.events) and self.history.events[0] == GRANT

    @cached_property
    def is_zoomed(self) -> bool:
        """Whether only the part of the dollar axis around the line is shown."""
        span = self.high_pico - self.low_pico
        if not (self.falls and 0 < span < ZOOM_BELOW * self.high_pico) or self.forecast:
            return False
        if self.until is None or not self.amounts_pico:
            return True
        return self.as_of - self.first < _BEGINNING * (self.until - self.first)

    @cached_property
    def first(self) -> datetime:
        return aware(self.history.moments[0])

    @cached_property
    def forecast(self) -> Forecast | None:
        history = self.history
        if not (self.falls and self.wants_forecast and len(history)):
            return None
        # An adjustment is of another day's call: it is no spending of the day it was written.
        calls = [event not in (GRANT, ADJUSTMENT) for event in history.events]
        costs = [cost for cost, is_call in zip(history.costs_pico, calls, strict=True) if is_call]
        return forecast(history.moments[calls], costs, self.left_pico, self.as_of)

    @cached_property
    def out(self) -> Out | None:
        """When it ran out, where it did and nothing was granted since."""
        history, amounts = self.history, self.amounts_pico
        if not (self.falls and amounts):
            return None
        codes = history.texts("error_code")
        refused = [
            event == "refused" and code in (_NO_MONEY, "")
            for event, code in zip(history.events, codes, strict=True)
        ]
        place = len(amounts)
        if amounts[-1] <= 0:
            while place and amounts[place - 1] <= 0:
                place -= 1
        else:
            while place and refused[place - 1] and codes[place - 1] == _NO_MONEY:
                place -= 1
        if place == len(amounts):
            return None
        since = aware(history.moments[place])
        return Out(since, amounts[-1] <= 0, sum(refused[place:]))

    def pace(self) -> list[tuple[datetime, int]]:
        """The corners of the even pace: each grant spread evenly from its day to the last one."""
        if self.until is None or not self.falls or not len(self.history):
            return []
        grants = [(self.first, self.start_pico or 0)] if self.start_pico else []
        grants += [
            (aware(at), amount)
            for at, amount in zip(self.history.moments, self.history.granted_pico, strict=True)
            if amount
        ]
        corners: list[tuple[datetime, int]] = []
        for at, amount in grants:
            if at >= self.until:
                break
            before = 0
            if corners:
                last_at, last_pico = corners[-1]
                before = int(last_pico * ((self.until - at) / (self.until - last_at)))
                corners.append((at, before))
            corners.append((at, before + amount))
        return [*corners, (self.until, 0)] if corners else []

    def bands(self, by: str) -> list[Band]:
        """What the biggest five groups cost, the dearest first, then all others as one."""
        history = self.history
        names = history.groups(by)
        corrections = say("corrections", "Korrekturen")
        for place, (event, request) in enumerate(
            zip(history.events, history.texts("request_id"), strict=True)
        ):
            if event == ADJUSTMENT and not request:
                names[place] = corrections
        sums: dict[str, int] = dict.fromkeys(names, 0)
        for name, cost in zip(names, history.costs_pico, strict=True):
            sums[name] += cost
        ranked = sorted((name for name in sums if sums[name]), key=lambda name: -sums[name])
        kept = ranked if len(ranked) <= _MOST_BANDS + 1 else ranked[:_MOST_BANDS]
        bands = [Band(name, by, self._spent_of({name}, names)) for name in kept]
        if len(ranked) > len(kept):
            rest = set(ranked) - set(kept)
            others = say(f"{len(rest)} others", f"{len(rest)} weitere")
            bands.append(Band(others, by, self._spent_of(rest, names), is_other=True))
        if any(self.elsewhere_pico):
            unlogged = say("not in this log", "nicht im Protokoll")
            bands.append(Band(unlogged, by, self.elsewhere_pico, is_other=True))
        return bands

    def _spent_of(self, chosen: set[str], names: list[str]) -> list[int]:
        spent, sums = 0, []
        for name, cost in zip(names, self.history.costs_pico, strict=True):
            if name in chosen:
                spent += cost
            sums.append(spent)
        return sums

    @cached_property
    def _line_pico(self) -> list[int]:
        if self.begins_with_grant:
            return self.amounts_pico
        return [self.start_pico or 0, *self.amounts_pico]

    @cached_property
    def unconfirmed_pico(self) -> list[int]:
        """What each unconfirmed call is charged with."""
        events = zip(self.history.events, self.history.costs_pico, strict=True)
        return [cost for event, cost in events if event == UNCONFIRMED]


def burn_of(
    history: History,
    *,
    budget_pico: int | None = None,
    until: datetime | None = None,
    wants_forecast: bool = True,
    now: datetime | None = None,
) -> Burn:
    """``now`` is where the history was read just now; else it is known until its last row."""
    tells_grants = any(history.granted_pico)
    start = 0 if tells_grants else budget_pico
    if start is None and not history.is_ledger:
        start = _start_pico(history)
    moments = history.moments
    last = aware(moments[-1]) if len(moments) else now or datetime.now(UTC)
    amounts, granted, elsewhere, uncounted = _walk(history, start)
    return Burn(
        history=history,
        start_pico=start,
        amounts_pico=amounts,
        granted_pico=granted,
        elsewhere_pico=elsewhere,
        uncounted=uncounted,
        knows_budget=tells_grants or budget_pico is not None,
        as_of=max(last, now or last),
        until=until,
        wants_forecast=wants_forecast,
        typed_pico=budget_pico if tells_grants else None,
    )


def _walk(history: History, start: int | None) -> tuple[list[int], list[int], list[int], int]:
    """What is left (or was spent), was granted and went elsewhere after each event."""
    amounts: list[int] = []
    granted: list[int] = []
    elsewhere: list[int] = []
    amount, whole, gone, uncounted = start or 0, start or 0, 0, 0
    sign = 1 if start is None else -1
    told_pico = [None] * len(history) if history.is_ledger else history.told_pico
    for cost, grant, held, told, is_unknown in zip(
        history.costs_pico,
        history.granted_pico,
        history.held_pico,
        told_pico,
        history.is_unknown,
        strict=True,
    ):
        whole += grant
        amount += sign * (cost + held) + grant
        uncounted += is_unknown
        if told is not None and start is not None:
            # What others hold for a moment comes back; only what is more than that was granted.
            surplus = told - amount
            back = min(surplus, gone)
            gone -= back
            whole += surplus - back
            amount, uncounted = told, 0
        amounts.append(amount)
        granted.append(whole)
        elsewhere.append(gone)
    return amounts, granted, elsewhere, uncounted


def _start_pico(history: History) -> int | None:
    """What there was before the first call of a log, or None where nobody said."""
    spent = 0
    for cost, told in zip(history.costs_pico, history.told_pico, strict=True):
        spent += cost
        if told is not None:
            return told + spent
    return None
