"""What was granted, is spent, held and left: a value that shows itself, at one moment."""

from collections.abc import Callable
from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from swsllm_nb.money import PICO_PER_USD, show_left, show_spent, usd_text
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.markdown import DOLLARS_CLASS, printable
from swsllm_nb.notebook.spend import LogSpend, at_most_left, spent_from_here, words_of_log

if TYPE_CHECKING:
    from swsllm_nb.notebook.gauge_widget import BudgetWidget

__all__ = ["Budget", "Follow", "Listener"]

_WARN_BELOW: Final = 10
"""The gauge changes its colour where less than one in so many of what was granted is left."""


@dataclass(frozen=True)
class Budget:
    """An account's money in pico-dollars, as it was ``at`` a moment. ``str()`` is exact.

    ``told_by`` is "log" where the server keeps no accounts: what this machine's log adds up, with
    ``unknown_calls`` of unknown cost; what was granted is then what was typed in, None where
    nothing was. Calls are answered before ``until``, None where there is no end.
    """

    granted_pico: int | None
    spent_pico: int
    at: datetime
    held_pico: int = 0
    until: datetime | None = None
    contact: str = ""
    told_by: Literal["proxy", "log"] = "proxy"
    unknown_calls: int = 0
    # No field: a frame is made of budgets by copying their fields, and a connection has no copy.
    _follow: InitVar["Follow | None"] = None

    def __post_init__(self, _follow: "Follow | None") -> None:
        object.__setattr__(self, "_follow", _follow)

    @property
    def left_pico(self) -> int | None:
        """None where nobody said what was granted; where the log tells, it is the most there is."""
        if self.granted_pico is None:
            return None
        return self.granted_pico - self.spent_pico - self.held_pico

    @property
    def granted_usd(self) -> Decimal | None:
        return _in_usd(self.granted_pico)

    @property
    def spent_usd(self) -> Decimal:
        return Decimal(self.spent_pico) / PICO_PER_USD

    @property
    def held_usd(self) -> Decimal:
        return Decimal(self.held_pico) / PICO_PER_USD

    @property
    def left_usd(self) -> Decimal | None:
        return _in_usd(self.left_pico)

    def widget(self) -> "BudgetWidget":
        """The same as a widget that follows every call of this kernel to the same server.

        It lives as long as the kernel: in a notebook for others, leave the budget itself.
        """
        from swsllm_nb.notebook.gauge_widget import BudgetWidget

        return BudgetWidget(self, self._follow)  # type: ignore[attr-defined]

    def html(self, *, is_current: bool = True) -> str:
        """A gauge and words, without styles or scripts: the same in a notebook nobody trusts.

        Where it is not ``is_current``, the words say so.
        """
        notes = self._notes()
        if not is_current:
            notes.append(_not_current())
        rows = [f"{self._meter()}<b>{_text(self._headline())}</b>", *map(_text, notes)]
        # JupyterLab keeps the tag: a date that is torn apart at its hyphens is hard to read.
        details = [f"<nobr>{_text(detail)}</nobr>" for detail in self._details()]
        if self.contact and not (self._ended or self._is_used_up):
            details.append(_text(f"{say('questions', 'Fragen')}: {self.contact}"))
        rows.append(f"<small>{' · '.join(details)}</small>")
        body = "".join(f"<div>{row}</div>" for row in rows)
        return f'<div class="swsllm {DOLLARS_CLASS}">{body}</div>'

    def __str__(self) -> str:
        return "\n".join([*self._figures(), *map(printable, self._notes())])

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("Budget(…)" if cycle else str(self))

    @property
    def _ended(self) -> datetime | None:
        """When it ended; None where calls are answered still."""
        return self.until if self.until and self.until <= self.at else None

    @property
    def _is_used_up(self) -> bool:
        # What is held may come back.
        return self.told_by == "proxy" and self.spent_pico >= (self.granted_pico or 0)

    @property
    def _log_spend(self) -> LogSpend:
        return LogSpend(self.spent_pico, self.unknown_calls)

    def _meter(self) -> str:
        granted, left = self.granted_pico, self.left_pico
        if not granted or left is None or self._ended:
            return ""
        within = min(max(left, 0), granted)
        amounts = {"max": granted, "low": granted // _WARN_BELOW, "value": within}
        told = "".join(f' {name}="{usd_text(pico)}"' for name, pico in amounts.items())
        # A label is no attribute that JupyterLab keeps.
        return f'<meter min="0"{told} title="{_text(self._headline())}"></meter> '

    def _headline(self) -> str:
        if self._ended:
            return _over(self._ended)
        left = self._left()
        return f"{left[0].upper()}{left[1:]}"

    def _left(self) -> str:
        if self.told_by == "proxy":
            granted, left = show_left(self.granted_pico or 0), self._shown_left()
            return say(f"{left} of {granted} left", f"{left} von {granted} übrig")
        if self.granted_pico is None:
            return words_of_log(self._log_spend, None)
        return at_most_left(self._log_spend, self.granted_pico)

    def _shown_left(self) -> str:
        return show_left(self.left_pico or 0, self.granted_pico)

    def _notes(self) -> list[str]:
        if self.told_by == "log":
            return _notes_of_log(is_typed_in=self.granted_pico is not None)
        granted = self.granted_pico or 0
        if self._ended:
            return [_ask(self.contact)]
        if self._is_used_up:
            return [f"{_used_up(is_granted=granted > 0)} {_ask(self.contact)}"]
        if (granted - self.spent_pico) * _WARN_BELOW < granted:
            return [say("Less than a tenth is left.", "Weniger als ein Zehntel ist übrig.")]
        return []

    def _details(self) -> list[str]:
        moment = say(f"as of {_moment(self.at)}", f"Stand {_moment(self.at)}")
        if self.told_by == "log":
            is_told = self.granted_pico is None
            return [moment] if is_told else [spent_from_here(self._log_spend), moment]
        details = [self._left()] if self._ended else []
        shown_left = self._shown_left()
        spent = show_spent(self.spent_pico, shown_left).replace("$-", "-$")
        details.append(say(f"{spent} spent", f"{spent} ausgegeben"))
        if self.held_pico:
            held = show_spent(self.held_pico, shown_left)
            details.append(
                say(f"{held} held for running calls", f"{held} für laufende Aufrufe gehalten")
            )
        if self.until is not None and not self._ended:
            last = _moment(_last(self.until))
            details.append(say(f"until {last}", f"bis {last}"))
        return [*details, moment]

    def _figures(self) -> list[str]:
        """One line each, with the exact amounts in a column."""
        if self.told_by == "log":
            return [words_of_log(self._log_spend, self.granted_pico)]
        rows = [
            (say("granted", "bewilligt"), _exact(self.granted_pico or 0)),
            (say("spent", "ausgegeben"), _exact(self.spent_pico)),
            (say("held right now", "jetzt gehalten"), _exact(self.held_pico)),
            (say("left", "übrig"), _exact(self.left_pico or 0)),
            (say("until", "bis"), _moment(_last(self.until)) if self.until else ""),
            (say("questions to", "Fragen an"), printable(self.contact)),
            (say("as of", "Stand"), _moment(self.at)),
        ]
        figures = [f"{name:<14} {told}" for name, told in rows if told]
        return [*figures, _over(self._ended)] if self._ended else figures


Listener: TypeAlias = Callable[[Budget | None], None]
"""Is told the budget after calls, and None where it could not be asked."""

Follow: TypeAlias = Callable[[Listener], Callable[[], None]]
"""Tells a listener from now on, in another thread; what is returned ends that."""


def _in_usd(pico: int | None) -> Decimal | None:
    return None if pico is None else Decimal(pico) / PICO_PER_USD


def _exact(pico: int) -> str:
    return f"{'-' if pico < 0 else ''}${usd_text(abs(pico))}"


def _text(told: str) -> str:
    return escape(printable(told))


def _moment(at: datetime) -> str:
    """In this machine's own time, to the minute, with its zone: a hub's is rarely the reader's."""
    local = at.astimezone()
    return f"{local:{say('%Y-%m-%d', '%d.%m.%Y')} %H:%M} {local.tzname() or ''}".rstrip()


def _last(until: datetime) -> datetime:
    """The last moment on which calls are answered: an end at midnight belongs to the day before."""
    return until - timedelta(microseconds=1)


def _over(until: datetime) -> str:
    ended = _moment(_last(until))
    return say(
        f"The account ended {ended}: calls are refused.",
        f"Das Konto endete {ended}: Aufrufe werden abgelehnt.",
    )


def _used_up(*, is_granted: bool) -> str:
    nothing = say("Nothing was granted yet", "Noch ist nichts bewilligt")
    what = say("Used up", "Aufgebraucht") if is_granted else nothing
    refused = say(
        "calls that cost something are refused.", "Aufrufe, die etwas kosten, werden abgelehnt."
    )
    return f"{what}: {refused}"


def _ask(contact: str) -> str:
    if contact:
        return say(f"Ask {contact}.", f"Frag {contact}.")
    return say("Ask the teaching staff.", "Frag die Lehrenden.")


def _not_current() -> str:
    return say(
        "Not up to date: the proxy cannot be asked now.",
        "Nicht aktuell: Der Proxy lässt sich gerade nicht fragen.",
    )


def _notes_of_log(*, is_typed_in: bool) -> list[str]:
    only = say(
        "This server keeps no accounts: this is what the log of this machine says, and only that. "
        "Calls from elsewhere are not in it.",
        "Dieser Server führt keine Konten: Das sagt das Protokoll dieses Rechners, und nur das. "
        "Aufrufe von anderswo fehlen darin.",
    )
    if is_typed_in:
        return [only]
    return [
        only,
        say(
            "It does not tell your budget either: type it in, such as %llm budget 5.00, and it is "
            "counted down from there.",
            "Er nennt auch kein Budget: Tipp es ein, etwa %llm budget 5.00, dann wird davon "
            "heruntergezählt.",
        ),
    ]
