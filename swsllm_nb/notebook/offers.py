"""The models that can be asked: as the server says, else as the packaged catalogue does."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final, Self

from swsllm_nb.catalogue import Model, default_catalogue
from swsllm_nb.money import PICO_PER_USD, usd_text
from swsllm_nb.notebook.course import Course
from swsllm_nb.notebook.errors import CallFailed, LLMError
from swsllm_nb.notebook.language import say
from swsllm_nb.pricing import Prices

__all__ = ["Offer", "offers_of", "packaged_offers", "prices_of"]

_TOKENS_PER_PRICE: Final = 1_000_000


@dataclass(frozen=True)
class Offer:
    """A model as its table row needs it; prices are USD per million tokens, as text.

    ``is_listed`` is whether the server has it today, ``tells_price`` whether it says for how much.
    """

    names: tuple[str, ...]
    input_usd: str | None = None
    cached_usd: str | None = None
    output_usd: str | None = None
    context_tokens: int | None = None
    answer_tokens: int | None = None
    shutdown_date: date | None = None
    successor: str | None = None
    served_by: str | None = None
    is_listed: bool = False
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
            offer = cls.packaged(known) if known else cls(names=(row["id"],))
            return replace(offer, is_listed=True)
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
            is_listed=True,
            tells_price=True,
        )

    @property
    def prices(self) -> Prices | None:
        """Pico-dollars per token; None where they are not known to the last of them.

        Of the server only what calls below the threshold of long prompts cost.
        """
        usd = (self.input_usd, self.output_usd, self.cached_usd or self.input_usd)
        try:
            rates = [Fraction(text or "") * PICO_PER_USD / _TOKENS_PER_PRICE for text in usd]
        except ValueError:
            return None
        if not all(rate.denominator == 1 for rate in rates):
            return None
        given, back, cached = (rate.numerator for rate in rates)
        return Prices(given, back, cached)

    def is_gone(self, today: date) -> bool:
        over = self.shutdown_date is not None and self.shutdown_date <= today
        return over and not self.is_listed

    def order(self, today: date) -> tuple[bool, Decimal, str]:
        """Those that are gone last, the cheap before the dear, the unknown after them."""
        return self.is_gone(today), _number(self.input_usd), self.names[0]


def packaged_offers() -> tuple[list[Offer], str]:
    """The models of the packaged catalogue, and the words for that."""
    models = default_catalogue().models
    since = max(model.priced_from for model in models)
    return [Offer.packaged(model) for model in models], say(
        f"They are those of the list that comes with this package (prices of {since})",
        f"Sie stehen in der Liste, die mit diesem Paket kommt (Preise vom {since})",
    )


def offers_of(course: Course) -> tuple[list[Offer], str]:
    """The models, and a sentence on where that is known from.

    With those of the package that have ended since and that the server has no longer.
    """
    packaged, ours = packaged_offers()
    where, today = course.connection.base_url, datetime.now(UTC).date()
    try:
        told = course.models()
    except CallFailed as failure:
        return packaged, f"{ours}. {failure}"
    if not told:
        lists_none = say(f"{where} lists no models", f"{where} zählt keine Modelle auf")
        return packaged, f"{ours}: {lists_none}."
    offers = [Offer.told(row) for row in told]
    if all(offer.tells_price for offer in offers):
        names = {name for offer in offers for name in offer.names}
        ended = [each for each in packaged if each.is_gone(today) and not names & {*each.names}]
        return [*offers, *ended], say(f"{where} says so.", f"So sagt es {where}.")
    return offers, say(
        f"The models are those of {where}, which tells no prices. {ours}.",
        f"Die Modelle sind die von {where}, das keine Preise nennt. {ours}.",
    )


def prices_of(model: str, course: Course | None) -> Prices:
    """What a model costs: as the server says, else as the packaged catalogue does.

    Raises LLMError, naming those that have a price, where neither knows it.
    """
    offers = offers_of(course)[0] if course else packaged_offers()[0]
    for offer in offers:
        if model in offer.names and (prices := offer.prices):
            return prices
    priced = ", ".join(offer.names[0] for offer in offers if offer.prices)
    raise LLMError(
        say(
            f"Nobody knows what {model} costs; with a price there are: {priced}.",
            f"Niemand weiß, was {model} kostet; einen Preis haben: {priced}.",
        )
    )


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
