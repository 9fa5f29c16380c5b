"""What everybody may read without signing in: models and prices, and what becomes of prompts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from swsllm_nb.catalogue import Model
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Rates
from swsllm_nb.proxy.offer import Offer, utc_today
from swsllm_nb.proxy.page.visit import Page, Response, Visit
from swsllm_nb.proxy.page.wheel import own_wheel, wheel_name
from swsllm_nb.proxy.page.words import parted

__all__ = ["OfferedModel", "front_pages", "offered"]

_TOKENS_PER_PRICE = 1_000_000
_SOON_DAYS = 90


@dataclass(frozen=True)
class OfferedModel:
    """A model as people read of it; prices in dollars for a million tokens, as text."""

    id: str
    aliases: tuple[str, ...]
    default: bool
    input_usd: str
    cached_input_usd: str
    output_usd: str
    long_prompts: str | None
    context_tokens: int
    max_output_tokens: int
    default_cap_tokens: int
    cap_field: str
    shutdown_date: date | None
    ends_soon: bool
    is_past: bool
    successor: str | None
    served_by: str | None
    upstreams: tuple[str, ...]
    gone: bool


def front_pages() -> Sequence[Page]:
    return [
        Page("/models-and-prices", models_and_prices, "anyone"),
        Page("/your-data", your_data, "anyone"),
        Page(f"/{wheel_name()}", wheel, "anyone"),
    ]


async def models_and_prices(visit: Visit) -> Response:
    return visit.page("models.html", models=offered(visit.site.offer))


async def wheel(visit: Visit) -> Response:
    """The notebook package: no secret, and the same for everybody."""
    packed = await asyncio.to_thread(own_wheel)
    return visit.download(packed, "application/octet-stream", cache="public, max-age=3600")


async def your_data(visit: Visit) -> Response:
    return visit.page(
        "your_data.html", models=offered(visit.site.offer), hosts=visit.site.upstream_hosts
    )


def offered(offer: Offer) -> list[OfferedModel]:
    """All models that are switched on; those whose time is over say so, and name a successor."""
    return [_shown(model, offer.serving(model)) for model in offer.catalogue.models]


def _shown(model: Model, serving: Model | None) -> OfferedModel:
    priced = serving or model
    end = model.shutdown_date
    long = priced.prices.long_prompts
    return OfferedModel(
        id=model.id,
        aliases=model.aliases,
        default=model.default,
        input_usd=_per_million(priced.prices.input_pico),
        cached_input_usd=_per_million(_cached(priced.prices)),
        output_usd=_per_million(priced.prices.output_pico),
        long_prompts=parted(long.above_tokens) if long else None,
        context_tokens=priced.context_tokens,
        max_output_tokens=priced.max_output_tokens,
        default_cap_tokens=priced.default_cap_tokens,
        cap_field=priced.cap_field,
        shutdown_date=end,
        ends_soon=end is not None and 0 < (end - utc_today()).days <= _SOON_DAYS,
        is_past=end is not None and end <= utc_today(),
        successor=model.successor,
        served_by=serving.id if serving and serving is not model else None,
        upstreams=priced.upstreams,
        gone=serving is None,
    )


def _cached(rates: Rates) -> int:
    return rates.input_pico if rates.cached_input_pico is None else rates.cached_input_pico


def _per_million(pico_per_token: int) -> str:
    return usd_text(pico_per_token * _TOKENS_PER_PRICE)
