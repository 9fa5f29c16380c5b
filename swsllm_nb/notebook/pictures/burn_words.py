"""What a burn-down says: its headline, the line under it, and the sentence under the picture."""

from datetime import timedelta
from typing import Final

from swsllm_nb.money import show_cost, show_left, show_spent
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.notebook.pictures.burn import Band, Burn
from swsllm_nb.notebook.pictures.days import day_text
from swsllm_nb.notebook.pictures.forecast import LEAST_DAYS, WINDOW_DAYS, Forecast
from swsllm_nb.notebook.pictures.history import HELD

__all__ = ["footing", "headline", "name_of", "sentence"]

_A_MOMENT: Final = timedelta(seconds=1)


def headline(burn: Burn) -> str:
    """What is left, such as ``$3.91 of $5.00 left``."""
    if not burn.falls:
        least = say("at least ", "mindestens ") if burn.uncounted else ""
        return f"{least}{show_cost(burn.spent_pico)} " + say("spent", "ausgegeben")
    most = say("at most ", "höchstens ") if burn.uncounted else ""
    of_whole = f" {say('of', 'von')} {show_left(burn.whole_pico)}" if burn.knows_budget else ""
    return f"{most}{_left(burn)}{of_whole} {say('left', 'übrig')}"


def footing(burn: Burn) -> str:
    """What the headline rests on, such as ``$1.09 spent · 42 calls in the proxy's ledger``, and
    until when it lasts."""
    return " · ".join(filter(None, (_basis(burn), _in_short(burn))))


def _basis(burn: Burn) -> str:
    history = burn.history
    parts = [_spent(burn) if history.calls else "", _held(burn)]
    parts.append(history.where() if history.calls else "")
    if not burn.falls:
        parts.append(say("budget unknown", "Budget unbekannt"))
    unconfirmed = burn.unconfirmed_pico
    if unconfirmed:
        count, usd = len(unconfirmed), show_cost(sum(unconfirmed))
        parts.append(
            say(f"{grouped(count)} unconfirmed ({usd})", f"{grouped(count)} unbestätigt ({usd})")
        )
    if history.unknown:
        count = history.unknown
        parts.append(
            say(f"{grouped(count)} of unknown cost", f"{grouped(count)} mit unbekannten Kosten")
        )
    if burn.typed_pico is not None:
        typed = show_left(burn.typed_pico)
        parts.append(
            say(
                f"the ledger tells the budget: {typed} is not used",
                f"das Buch nennt das Budget: {typed} gilt nicht",
            )
        )
    return " · ".join(filter(None, parts))


def sentence(burn: Burn, bands: list[Band]) -> str:
    """What the picture says, to whoever cannot see it."""
    history = burn.history
    if not history.calls:
        none = say("no calls yet", "noch keine Aufrufe")
        return f"{headline(burn)}: {none}."
    since = day_text(burn.first.astimezone(), burn.as_of.astimezone().year)
    says = [f"{headline(burn)}: {_basis(burn)}, {say('since', 'seit')} {since}.", _outlook(burn)]
    if bands and burn.spent_pico > 0:
        dearest = bands[0]
        cost, spent = show_cost(dearest.spent_pico[-1]), show_cost(burn.spent_pico)
        says.append(
            say(
                f"Most went to {name_of(dearest.name, dearest.by)}: {cost} of {spent}.",
                f"Am meisten kostete {name_of(dearest.name, dearest.by)}: {cost} von {spent}.",
            )
        )
    return " ".join(filter(None, says))


def name_of(group: str, by: str) -> str:
    """A group as it is called; the calls that name none are a group as well."""
    none = {
        "exercise": say("no exercise", "keine Aufgabe"),
        "source": say("outside this machine's log", "nicht im Protokoll hier"),
    }
    return group or none.get(by, say("(none)", "(ohne)"))


def _spent(burn: Burn) -> str:
    least = say("at least ", "mindestens ") if burn.uncounted else ""
    if not burn.falls:
        return ""
    return f"{least}{show_spent(burn.spent_pico, _left(burn))} {say('spent', 'ausgegeben')}"


def _held(burn: Burn) -> str:
    held = [pico for pico, event in zip(burn.history.held_pico, burn.history.events, strict=True)
            if event == HELD]  # fmt: skip
    if not held:
        return ""
    usd, count = show_cost(sum(held)), len(held)
    return say(
        f"{usd} held for {count} running call{'' if count == 1 else 's'}",
        f"{usd} gehalten für {count} laufende{'n Aufruf' if count == 1 else ' Aufrufe'}",
    )


def _left(burn: Burn) -> str:
    return show_left(burn.left_pico, burn.whole_pico)


def _outlook(burn: Burn) -> str:
    if burn.out:
        return _ran_out(burn)
    if not (burn.falls and burn.wants_forecast):
        return ""
    if burn.forecast:
        return _lasts(burn.forecast, burn.as_of.astimezone().year) + _last_day(burn)
    days = (burn.as_of - burn.first).days
    if days < LEAST_DAYS:
        return say(
            f"Too early for a forecast: it takes {LEAST_DAYS} days of calls.",
            f"Zu früh für eine Vorhersage: Sie braucht Aufrufe über {LEAST_DAYS} Tage.",
        )
    return say(
        f"No forecast: nothing was spent in the last {WINDOW_DAYS} days.",
        f"Keine Vorhersage: In den letzten {WINDOW_DAYS} Tagen wurde nichts ausgegeben.",
    )


def _ran_out(burn: Burn) -> str:
    assert burn.out
    since = burn.out.since.astimezone()
    moment = f"{day_text(since)} {since:%H:%M}"
    count = burn.out.refused
    calls = say(
        f"; {grouped(count)} call{'' if count == 1 else 's'} refused since",
        f"; seither {grouped(count)} Aufruf{'' if count == 1 else 'e'} abgelehnt",
    )
    told = (
        say(f"Used up on {moment}", f"Aufgebraucht am {moment}")
        if burn.out.has_nothing
        else say(
            f"Too little for a call since {moment}", f"Zu wenig für einen Aufruf seit {moment}"
        )
    )
    return f"{told}{calls if count else ''}."


def _in_short(burn: Burn) -> str:
    """The outlook in the few words that the picture has room for."""
    if burn.out:
        return _ran_out(burn).removesuffix(".")
    told = burn.forecast
    if told is None:
        return ""
    year = burn.as_of.astimezone().year
    if told.early is None or told.middle is None or told.late is None:
        return _lasts(told, year).removesuffix(".")
    ends = (told.early, told.middle, told.late)
    early, middle, late = (day_text(each.astimezone(), year) for each in ends)
    return say(
        f"at this pace until {middle} ({early} to {late})",
        f"in diesem Tempo bis {middle} ({early} bis {late})",
    )


def _lasts(told: Forecast, year: int) -> str:
    if told.early is None:
        return say(
            "At this pace it lasts more than a year.", "In diesem Tempo reicht es über ein Jahr."
        )
    early = told.early.astimezone()
    if told.middle is None or told.late is None:
        day = day_text(early, year)
        return say(
            f"At this pace it lasts at least until {day}, and most likely far longer.",
            f"In diesem Tempo reicht es mindestens bis {day}, wahrscheinlich viel länger.",
        )
    middle, late = told.middle.astimezone(), told.late.astimezone()
    same_month = (early.year, early.month) == (late.year, late.month)
    first = f"{early.day}{say('', '.')}" if same_month else day_text(early, year)
    shown, last = day_text(middle, year), day_text(late, year)
    return say(
        f"At this pace it lasts until {shown} (between {first} and {last}).",
        f"In diesem Tempo reicht es bis {shown} (zwischen {first} und {last}).",
    )


def _last_day(burn: Burn) -> str:
    """Whether that is enough: the last day is the one that ends at ``until``."""
    if burn.until is None or burn.forecast is None:
        return ""
    day = day_text((burn.until - _A_MOMENT).astimezone(), burn.as_of.astimezone().year)
    early, middle = burn.forecast.early, burn.forecast.middle
    if early is None or early >= burn.until:
        return say(
            f" That is beyond the last day, {day}.", f" Das ist nach dem letzten Tag, {day}."
        )
    if middle is not None and middle < burn.until:
        return say(
            f" That is before the last day, {day}.", f" Das ist vor dem letzten Tag, dem {day}."
        )
    return say(f" The last day is {day}.", f" Der letzte Tag ist {day}.")
