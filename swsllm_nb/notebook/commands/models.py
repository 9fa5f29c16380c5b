"""``%llm models``: what can be asked, what it costs, and how long it will be there."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.commands.tables import show_table
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import NotConnected
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.offers import Offer, offers_of, packaged_offers
from swsllm_nb.notebook.question import default_model, options_not_taken

__all__ = ["show"]

_SOON_DAYS: Final = 90


def show(desk: Desk, words: Sequence[str]) -> None:
    """The models: price, limits, last day and successor, and which options they do not take."""
    taken("models", words)
    today = datetime.now(UTC).date()
    offers, source = _offers(desk)
    asked = desk.settings.models or (default_model(),)
    rows = [_row(each, asked, today) for each in sorted(offers, key=lambda one: one.order(today))]
    columns = (
        say("model", "Modell"),
        say("in", "hinein"),
        say("cached in", "aus dem Cache"),
        say("out", "hinaus"),
        say("reads", "liest"),
        say("writes", "schreibt"),
        say("there until", "gibt es bis"),
        say("does not take", "kennt nicht"),
    )
    prices = say(
        "Prices in USD per million tokens, limits in tokens.",
        "Preise in USD je Million Tokens, Grenzen in Tokens.",
    )
    show_table(columns, rows, (f"{prices} {source}",))


def _offers(desk: Desk) -> tuple[list[Offer], str]:
    try:
        course = desk.course()
    except NotConnected:
        packaged, ours = packaged_offers()
        not_yet = say(
            "there is no connection to a course yet", "es gibt noch keine Verbindung zu einem Kurs"
        )
        return packaged, f"{ours}: {not_yet}."
    return offers_of(course)


def _row(offer: Offer, asked: Sequence[str], today: date) -> tuple[str, ...]:
    unknown = "?"
    model = next(filter(None, map(default_catalogue().find, reversed(offer.names))), None)
    is_asked = any(name in offer.names for name in asked)
    name = ", ".join(dict.fromkeys(offer.names))
    return (
        f"▶ {name} " + say("(asked by default)", "(wird gefragt)") if is_asked else name,
        _dollars(offer.input_usd),
        _dollars(offer.cached_usd),
        _dollars(offer.output_usd),
        unknown if offer.context_tokens is None else f"{offer.context_tokens:,}",
        unknown if offer.answer_tokens is None else f"{offer.answer_tokens:,}",
        _until(offer, today),
        ", ".join(options_not_taken(model)) if model else unknown,
    )


def _until(offer: Offer, today: date) -> str:
    day = offer.shutdown_date
    if day is None:
        return say("no end is known", "kein Ende bekannt")
    then = say(f", then {offer.successor}", f", danach {offer.successor}")
    after = then if offer.successor else ""
    if offer.served_by:
        return say(f"{day}: served by {offer.served_by}", f"{day}: es antwortet {offer.served_by}")
    days = (day - today).days
    if days <= 0 and offer.is_listed:
        return say(f"{day}, and answers here still", f"{day}, und antwortet hier noch")
    if days <= 0:
        return say(f"GONE since {day}", f"WEG seit {day}") + after
    if days <= _SOON_DAYS:
        return say(f"SOON GONE: {day}, in {days} days", f"BALD WEG: {day}, in {days} Tagen") + after
    return f"{day}{after}"


def _dollars(usd: str | None) -> str:
    return say("unknown", "unbekannt") if usd is None else f"${usd}"
