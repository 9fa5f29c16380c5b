"""What stands beside the completions: models, the account, its usage, and health."""

import csv
import functools
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from swsllm_nb.catalogue import Model
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Prices, Rates
from swsllm_nb.proxy import books
from swsllm_nb.proxy.access import authenticate
from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.course import course
from swsllm_nb.proxy.errors import (
    BadRequest,
    NoSuchPage,
    ProxyError,
    error_answer,
)
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.public import public_account
from swsllm_nb.proxy.sheets import harmless
from swsllm_nb.proxy.staff_api import staff_routes
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.store import Store

__all__ = ["create_views"]

_PAGE_LIMIT = 1000
_TOKENS_PER_PRICE = 1_000_000

View = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class _Views:
    offer: Offer
    store: Store
    secret: Secret
    upstream_names: tuple[str, ...]

    async def models(self, _: Request) -> Response:
        offered = ((model, self.offer.serving(model)) for model in self.offer.catalogue.models)
        rows = [self._public_model(model, serving) for model, serving in offered if serving]
        return JSONResponse({"object": "list", "data": rows})

    async def model(self, request: Request) -> Response:
        name = request.path_params["name"]
        serving = self.offer.model(name)
        model = self.offer.catalogue.find(name) or serving
        return JSONResponse(self._public_model(model, serving))

    async def account(self, request: Request) -> Response:
        account = await self._account_of(request)
        return JSONResponse(public_account(account, await self.store.read(course)))

    async def usage(self, request: Request) -> Response:
        account = await self._account_of(request)
        asked = request.query_params
        wanted = functools.partial(
            books.usage,
            account.id,
            request_id=_printable(asked.get("request_id"), "request_id"),
            since=_moment(asked.get("since"), "since"),
            until=_moment(asked.get("until"), "until"),
            after=_count(asked.get("cursor"), "cursor", default=0, low=0, high=2**63 - 1),
            limit=_count(asked.get("limit"), "limit", default=100, low=1, high=_PAGE_LIMIT),
        )
        page = await self.store.read(wanted)
        if "text/csv" in request.headers.get("accept", ""):
            return Response(_csv(page.rows), media_type="text/csv")
        return JSONResponse({"data": page.rows, "next_cursor": page.next_cursor})

    async def healthy(self, _: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(self, _: Request) -> Response:
        await self.store.check()
        return JSONResponse({"status": "ok"})

    async def _account_of(self, request: Request) -> Account:
        authorization = request.headers.get("authorization")
        return (await authenticate(authorization, self.secret, self.store)).account

    def _public_model(self, model: Model, serving: Model) -> dict[str, Any]:
        """A model with the prices and limits of the one that serves it."""
        return {
            "id": model.id,
            "object": "model",
            "created": _snapshot_epoch(model.id),
            "owned_by": "practice" if self.upstream_names == ("practice",) else "openai",
            "shutdown_date": model.shutdown_date and model.shutdown_date.isoformat(),
            "successor": model.successor,
            "served_by": None if serving is model else serving.id,
            "aliases": list(model.aliases),
            "default": model.default,
            **_public_prices(serving.prices),
            "priced_from": serving.priced_from.isoformat(),
            "context_tokens": serving.context_tokens,
            "max_output_tokens": serving.max_output_tokens,
        }


def create_views(
    offer: Offer, store: Store, secret: Secret, upstream_names: tuple[str, ...]
) -> Starlette:
    views = _Views(offer, store, secret, upstream_names)
    pages: Mapping[str, View] = {
        "/models": views.models,
        "/models/{name:path}": views.model,
        "/account": views.account,
        "/usage": views.usage,
        "/healthz": views.healthy,
        "/readyz": views.ready,
    }
    app = Starlette(
        routes=[
            *(Route(path, view, methods=["GET"]) for path, view in pages.items()),
            *staff_routes(store, secret),
        ],
        exception_handlers={ProxyError: _refused, HTTPException: _no_such_page},
    )
    # A redirect would name the host that the client claims, and lose the prefix.
    app.router.redirect_slashes = False
    return app


def _public_prices(prices: Prices) -> dict[str, Any]:
    """What is charged; null means as the full input price, or that long prompts cost no more."""
    long = prices.long_prompts
    long_rates = {"above_tokens": long.above_tokens, **_public_rates(long.rates)} if long else None
    return {**_public_rates(prices), "long_prompts": long_rates}


def _public_rates(rates: Rates) -> dict[str, str | None]:
    told = {
        "input_usd_per_million": rates.input_pico,
        "cached_input_usd_per_million": rates.cached_input_pico,
        "cache_write_usd_per_million": rates.cache_write_pico,
        "output_usd_per_million": rates.output_pico,
    }
    return {
        name: None if pico is None else usd_text(pico * _TOKENS_PER_PRICE)
        for name, pico in told.items()
    }


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, ProxyError)
    answer = error_answer(error)
    return Response(answer.body, answer.status, dict(answer.headers), media_type="application/json")


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = error_answer(
        NoSuchPage(
            f"Invalid URL ({request.method} {request.url.path[:200]}). This proxy answers POST "
            "/chat/completions, GET /models, GET /account and GET /usage."
        )
    )
    return Response(answer.body, error.status_code, error.headers, media_type="application/json")


def _printable(text: str | None, field: str) -> str | None:
    """Not every database takes a NUL in a text."""
    if text is not None and not text.isprintable():
        raise BadRequest(f"'{field}' has characters that no id has.", param=field)
    return text


def _moment(text: str | None, field: str) -> str | None:
    """A moment as the ledger writes it, so that it compares as text."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        utc = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(
            f"'{field}' is not a time in ISO 8601, such as 2026-11-23T10:00:00Z.", param=field
        ) from None
    return utc.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _count(text: str | None, field: str, *, default: int, low: int, high: int) -> int:
    if text is None:
        return default
    short = text.isascii() and text.isdigit() and len(text) < 20
    if not (short and low <= int(text) <= high):
        raise BadRequest(f"'{field}' is not a whole number from {low} to {high}.", param=field)
    return int(text)


def _csv(rows: list[Mapping[str, Any]]) -> str:
    page = io.StringIO()
    if rows:
        writer = csv.DictWriter(page, fieldnames=list(rows[0]))
        writer.writeheader()
        # Reasons and exercises are what somebody wrote.
        written = ("reason", "exercise")
        writer.writerows(
            {**row, **{name: harmless(row[name] or "") for name in written}} for row in rows
        )
    return page.getvalue()


def _snapshot_epoch(model_id: str) -> int:
    """The day in a snapshot's name, in seconds since 1970; 0 for a name without one."""
    try:
        day = datetime.strptime(model_id[-10:], "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return 0
    return int(day.timestamp())
