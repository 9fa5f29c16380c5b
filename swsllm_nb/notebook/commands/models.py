"""``%llm models``: what can be asked, what it costs, and how long it will be there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Self

from swsllm_nb.catalogue import Model, default_catalogue
from swsllm_nb.money import usd_text
from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.commands.tables import show_table
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import CallFailed, NotConnected
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.question import default_model, options_not_taken

__all__ = ["show"]

_SOON_DAYS: Final = 90
_TOKENS_PER_PRICE: Final = 1_000_000


@dataclass(frozen=True)
class _Offer:
    """A model as its table row needs it; prices are USD per million tokens, as text."""

    names: tuple[str, ...]
    input_usd: str | None = None
    cached_usd: str | None = None
    output_usd: str | None = None
    context_tokens: int | None = None
    answer_tokens: int | None = None
    shutdown_date: date | None = None
    successor: str | None = None
    served_by: str | None = None
    tells_price: bool = False

    @classmethod
    def packaged(cls, model: Model) -> Self:
        prices = model.prices
        cached_pico = prices.input_pico if prices.cached_input_pico is None else None
        return cls(
            names=(*model.aliases, model.id),
            input_usd=_per_million(prices.input_pico),
            cached_usd=_per_million(prices.cached_input_pico or cached_pico or 0),
            output_usd=_per_million(prices.output_pico),
            context_tokens=model.context_tokens,
            answer_tokens=model.max_output_tokens,
            shutdown_date=model.shutdown_date,
            successor=model.successor,
        )

    @classmethod
    def told(cls, row: Mapping[str, Any]) -> Self:
        """What the server says of a model; what it does not say is filled in from the package."""
        known = default_catalogue().find(row["id"])
        if not isinstance(row.get("input_usd_per_million"), str):
            return cls.packaged(known) if known else cls(names=(row["id"],))
        input_usd = row["input_usd_per_million"]
        return cls(
            names=(*(str(alias) for alias in row.get("aliases") or ()), row["id"]),
            input_usd=input_usd,
            cached_usd=row.get("cached_input_usd_per_million") or input_usd,
            output_usd=row.get("output_usd_per_million"),
            context_tokens=row.get("context_tokens"),
            answer_tokens=row.get("max_output_tokens"),
            shutdown_date=_day(row.get("shutdown_date")),
            successor=row.get("successor"),
            served_by=row.get("served_by"),
            tells_price=True,
        )

    def is_gone(self, today: date) -> bool:
        return self.shutdown_date is not None and self.shutdown_date <= today

    def order(self, today: date) -> tuple[bool, Decimal, str]:
        """Those that are gone last, the cheap before the dear, the unknown after them."""
        return self.is_gone(today), _number(self.input_usd), self.names[0]


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


def _offers(desk: Desk) -> tuple[list[_Offer], str]:
    """The models, and where that is known from."""
    packaged = [_Offer.packaged(model) for model in default_catalogue().models]
    since = max(model.priced_from for model in default_catalogue().models)
    ours = say(
        f"They are those of the list that comes with this package (prices of {since})",
        f"Sie stehen in der Liste, die mit diesem Paket kommt (Preise vom {since})",
    )
    try:
        course = desk.course()
        told = course.models()
    except NotConnected:
        not_yet = say(
            "there is no connection to a course yet", "es gibt noch keine Verbindung zu einem Kurs"
        )
        return packaged, f"{ours}: {not_yet}."
    except CallFailed as failure:
        return packaged, f"{ours}. {failure}"
    where = course.connection.base_url
    if not told:
        lists_none = say(f"{where} lists no models", f"{where} zählt keine Modelle auf")
        return packaged, f"{ours}: {lists_none}."
    offers = [_Offer.told(row) for row in told]
    if all(offer.tells_price for offer in offers):
        return offers, say(f"{where} says so.", f"So sagt es {where}.")
    return offers, say(
        f"The models are those of {where}, which tells no prices. {ours}.",
        f"Die Modelle sind die von {where}, das keine Preise nennt. {ours}.",
    )


def _row(offer: _Offer, asked: Sequence[str], today: date) -> tuple[str, ...]:
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


def _until(offer: _Offer, today: date) -> str:
    day = offer.shutdown_date
    if day is None:
        return say("no end is known", "kein Ende bekannt")
    then = say(f", then {offer.successor}", f", danach {offer.successor}")
    after = then if offer.successor else ""
    if offer.served_by:
        return say(f"{day}: served by {offer.served_by}", f"{day}: es antwortet {offer.served_by}")
    days = (day - today).days
    if days <= 0:
        return say(f"GONE since {day}", f"WEG seit {day}") + after
    if days <= _SOON_DAYS:
        return say(f"SOON GONE: {day}, in {days} days", f"BALD WEG: {day}, in {days} Tagen") + after
    return f"{day}{after}"


def _dollars(usd: str | None) -> str:
    return say("unknown", "unbekannt") if usd is None else f"${usd}"


def _per_million(pico: int) -> str:
    return usd_text(pico * _TOKENS_PER_PRICE)


def _number(usd: str | None) -> Decimal:
    try:
        return Decimal(usd or "Infinity")
    except InvalidOperation:
        return Decimal("Infinity")


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
