"""``swsllm doctor``: whether a course can be served, found out without spending a cent."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from swsllm_nb.catalogue import Model
from swsllm_nb.proxy import books
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.machine import Finding, files, room
from swsllm_nb.proxy.offer import Offer, utc_today
from swsllm_nb.proxy.office import check_secret
from swsllm_nb.proxy.settings import PRACTICE, Settings, UpstreamAddress
from swsllm_nb.proxy.store import Store, database_at
from swsllm_nb.proxy.upstream import Page, UpstreamError, fetch
from swsllm_nb.proxy.work import Work, ask

__all__ = ["checkup"]

WRONG_CLOCK_SECONDS: Final = 30
SOON_DAYS: Final = 60

_THIS_MACHINE: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class _Asked:
    """What an upstream said to GET /models: the models' ids, None where it lists none."""

    finding: Finding
    models: frozenset[str] | None = None
    page: Page | None = None


async def checkup(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Finding]:
    """Each finding as soon as it is there."""
    for finding in files(settings.folder, environ):
        yield finding
    yield room(settings.folder)
    offer = Offer(ages=PRACTICE not in settings.upstreams)
    async for finding in _database(settings, offer):
        yield finding
    asked = await asyncio.gather(*map(_ask_upstream, settings.upstreams))
    for one in asked:
        yield one.finding
    clock = next(filter(None, (_date(one.page) for one in asked)), None)
    if clock is not None:
        yield _clock((datetime.now(UTC) - clock).total_seconds(), "upstream")
    listed = {up.name: one.models for up, one in zip(settings.upstreams, asked, strict=True)}
    for finding in _models(offer, listed):
        yield finding
    for finding in await _public(settings):
        yield finding


async def _database(settings: Settings, offer: Offer) -> AsyncIterator[Finding]:
    database = database_at(settings.folder, settings.database)
    try:
        before, newest = await database.migrate(rehearse=True)
        if before != newest:
            yield Finding(
                "database", "look", f"It is of version {before}, and serving brings it to {newest}."
                " Back it up before: swsllm backup.",
            )  # fmt: skip
            return
        async with Store(database) as store:
            await check_secret(store, settings.secret)
            await offer.refresh(lambda: store.read(model_rows))
            accounts = await store.accounts()
            differences = await store.read(books.differences)
            if database.shared:
                yield _clock(await store.read(_database_seconds_ahead), "database")
    except (OSError, ValueError, StoreUnavailable) as error:
        yield Finding("database", "wrong", str(error))
        return
    if differences:
        yield Finding(
            "database", "wrong", f"{len(differences)} accounts are not the sum of their rows: "
            "see 'swsllm ledger check', and report it.",
        )  # fmt: skip
        return
    yield Finding(
        "database", "good", f"It answers, its secret is this one, and the books of "
        f"{len(accounts)} accounts add up.",
    )  # fmt: skip


async def _ask_upstream(address: UpstreamAddress) -> _Asked:
    subject = f"upstream {address.name}"
    if address == PRACTICE:
        return _Asked(Finding(subject, "good", "The practice model answers; nobody is billed."))
    try:
        page = await fetch(f"{address.base_url.rstrip('/')}/models", address.key)
    except UpstreamError as error:
        return _Asked(Finding(subject, "wrong", f"{address.base_url} cannot be reached ({error})."))
    if page.status in (401, 403):
        key = "the key" if address.key else "to answer without a key"
        return _Asked(
            Finding(subject, "wrong", f"It refuses {key} ({page.status}): is the right one set?"),
            page=page,
        )
    models = _ids(page)
    if models is None:
        sentence = f"It answers {page.status} and lists no models: the first call tells more."
        return _Asked(Finding(subject, "look", sentence), page=page)
    return _Asked(
        Finding(subject, "good", f"It takes the key and lists {len(models)} models."), models, page
    )


def _ids(page: Page) -> frozenset[str] | None:
    try:
        return frozenset(str(row["id"]) for row in json.loads(page.body)["data"])
    except (ValueError, KeyError, TypeError):
        return None


def _models(offer: Offer, listed: Mapping[str, frozenset[str] | None]) -> Iterator[Finding]:
    """Until when each model that is switched on lives, and whether an upstream has it."""
    for model in offer.catalogue.models:
        serving = offer.serving(model)
        subject = f"model {model.id}"
        if serving is None:
            urgent = model is offer.catalogue.default
            yield Finding(
                subject, "wrong" if urgent else "look", f"It was shut down on "
                f"{model.shutdown_date}, and {_successor(model)}.",
            )  # fmt: skip
        elif not _is_listed(serving, listed):
            yield Finding(
                subject, "wrong", f"No upstream lists {serving.upstream_model}, which serves it.",
            )  # fmt: skip
        else:
            yield _lives(subject, model, serving)


def _lives(subject: str, model: Model, serving: Model) -> Finding:
    ends = serving.shutdown_date
    name = "It" if serving is model else f"It is served by {serving.id}, which"
    if ends is None:
        return Finding(subject, "good", f"{name} has no known end.")
    days = (ends - utc_today()).days
    if days > SOON_DAYS:
        return Finding(subject, "good", f"{name} ends on {ends}.")
    if days > 0:
        told = f"{name} ends on {ends}, in {days} days, and {_successor(serving)}."
        return Finding(subject, "look", told)
    return Finding(subject, "good", f"{name} ended on {ends}; the practice model serves it on.")


def _successor(model: Model) -> str:
    if model.successor is None:
        return "has no successor: name one with 'swsllm model set'"
    if not model.serve_by_successor:
        return f"is not served by its successor {model.successor}: 'swsllm model set --help'"
    return f"is served by its successor {model.successor} then"


def _is_listed(model: Model, listed: Mapping[str, frozenset[str] | None]) -> bool:
    """Whether one that may serve the model has it, as far as it says which it has."""
    return any(
        models is None or model.upstream_model in models
        for name, models in listed.items()
        if not model.upstreams or name in model.upstreams
    )


async def _public(settings: Settings) -> list[Finding]:
    url = settings.public_url
    if url is None:
        told = "None is told: the page answers at numeric addresses alone, as 127.0.0.1."
        return [Finding("public URL", "look", told)]
    found = []
    address = urlsplit(url)
    if address.scheme == "http" and address.hostname not in _THIS_MACHINE:
        told = f"{url} is not encrypted: whoever listens has the students' keys. Use https."
        found.append(Finding("encryption", "wrong", told))
    if not settings.trusted_proxies:
        told = "No front proxy is trusted: if there is one, every student seems to come from it."
        found.append(Finding("front proxy", "look", told))
    try:
        page = await fetch(f"{url}/healthz", None)
    except UpstreamError as error:
        told = f"{url} does not answer from here ({error}). Does the proxy run?"
        return [*found, Finding("public URL", "look", told)]
    if page.status != 200:
        told = f"{url}/healthz answers {page.status}: another page, or the wrong prefix."
        return [*found, Finding("public URL", "wrong", told)]
    return [*found, Finding("public URL", "good", f"{url} answers.")]


def _database_seconds_ahead() -> Work[float]:
    (row,) = yield ask("SELECT utc_now() AS now")
    return (datetime.now(UTC) - datetime.fromisoformat(row["now"])).total_seconds()


def _date(page: Page | None) -> datetime | None:
    """What time a server has, in whole seconds, where it says so."""
    try:
        return parsedate_to_datetime(page.date).astimezone(UTC) if page and page.date else None
    except ValueError:
        return None


def _clock(ahead_seconds: float, whose: str) -> Finding:
    seconds = round(abs(ahead_seconds))
    if seconds < WRONG_CLOCK_SECONDS:
        return Finding("clock", "good", f"It agrees with the {whose}'s.")
    told = f"It is {seconds} s {'ahead of' if ahead_seconds > 0 else 'behind'} the {whose}'s."
    return Finding("clock", "wrong", f"{told} Days of validity go by it: set it (timedatectl).")
