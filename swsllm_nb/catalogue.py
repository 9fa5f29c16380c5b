"""The models on offer: rows of JSON, read and checked into what a call is served and priced by."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache, lru_cache
from importlib import resources
from itertools import pairwise
from typing import Any, Final

from swsllm_nb.fields import Fields
from swsllm_nb.pricing import LongPrompts, Prices, Rates

__all__ = [
    "Catalogue",
    "Model",
    "Row",
    "catalogue_on",
    "checked_rows",
    "default_catalogue",
    "overlaid",
    "packaged_rows",
]

Row = Mapping[str, Any]
"""A row as it is written: a JSON object, whole."""

_CAP_FIELDS = ("max_tokens", "max_completion_tokens")
_EXTRA_FIELDS = frozenset({"reasoning_effort", "verbosity"})
"""What a row may allow beside the common fields: nothing that can raise a bill."""

_REQUIRED: Final = frozenset(
    {
        "id", "aliases", "default", "enabled", "prices", "context_tokens", "max_output_tokens",
        "cap_field", "default_cap_tokens", "floor_cap_tokens", "encoding", "extra_fields",
        "unsupported", "shutdown_date", "successor",
    }
)  # fmt: skip
_OPTIONAL: Final = frozenset({"serve_by_successor", "upstream_model", "upstreams"})
_RATE_FIELDS: Final = frozenset({"input_usd", "output_usd"})
_RATE_OPTIONAL: Final = frozenset({"cached_input_usd", "cache_write_usd"})
_SNAPSHOT = re.compile(r".*\d{4}-?\d{2}-?\d{2}", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class Model:
    """A model on offer: a snapshot, its prices, its limits and its rules.

    ``cap_field`` is the field that carries the maximum upstream. ``unsupported`` names the fields
    that the model refuses, each with what OpenAI's message adds (often nothing). ``upstreams``
    names those that may serve it, none meaning all.
    """

    id: str
    aliases: tuple[str, ...]
    default: bool
    prices: Prices
    priced_from: date
    context_tokens: int
    max_output_tokens: int
    cap_field: str
    default_cap_tokens: int
    floor_cap_tokens: int
    encoding: str
    fields: frozenset[str]
    unsupported: Mapping[str, str]
    shutdown_date: date | None
    successor: str | None
    serve_by_successor: bool
    upstream_model: str
    upstreams: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The models that are switched on and priced; any other is refused."""

    models: tuple[Model, ...]

    def find(self, name: str) -> Model | None:
        """The model of a snapshot id or an alias."""
        for model in self.models:
            if name == model.id or name in model.aliases:
                return model
        return None

    @property
    def default(self) -> Model:
        """The row marked so, else the first."""
        return next((model for model in self.models if model.default), self.models[0])


def default_catalogue() -> Catalogue:
    """The catalogue that comes with the package, with the prices of today."""
    return _packaged_on(datetime.now(UTC).date())


@lru_cache(maxsize=1)
def _packaged_on(day: date) -> Catalogue:
    return catalogue_on(packaged_rows(), day)


def packaged_rows() -> Mapping[str, Row]:
    return {row["id"]: row for row in _packaged()["models"]}


def overlaid(rows: Mapping[str, Row]) -> Mapping[str, Row]:
    """All rows, staff's in place of the packaged ones that they name.

    Raises ValueError with a sentence, so that a broken row can be neither stored nor served.
    """
    return checked_rows({**packaged_rows(), **rows})


def checked_rows(rows: Mapping[str, Row]) -> Mapping[str, Row]:
    """The same rows, if each is sound and they agree with each other."""
    enabled: list[Row] = []
    for name, row in rows.items():
        _read(row, date.max)
        if row["id"] != name:
            raise ValueError(f"The model row {name!r} states another id, {row['id']!r}.")
        if row["enabled"]:
            enabled.append(row)
    _check_unique(name for row in enabled for name in {row["id"], *row["aliases"]})
    defaults = [row["id"] for row in enabled if row["default"]]
    if len(defaults) > 1:
        raise ValueError(f"Only one model can be the default, and {' and '.join(defaults)} are.")
    return rows


def catalogue_on(rows: Mapping[str, Row], day: date) -> Catalogue:
    """What the rows offer on a day, at its prices. Raises ValueError for a row that is broken."""
    read = (_read(row, day) for row in rows.values())
    return Catalogue(tuple(model for model in read if model is not None))


@cache
def _packaged() -> dict[str, Any]:
    text = resources.files("swsllm_nb").joinpath("catalogue.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def _check_unique(names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"Two models that are switched on have the name {name!r}.")
        seen.add(name)


def _read(row: Row, day: date) -> Model | None:
    """The model of a row; None while it is switched off or has no price yet."""
    name = row.get("id") if isinstance(row, dict) else None
    fields = Fields(f"The model row {name!r:.60}", row, required=_REQUIRED, optional=_OPTIONAL)
    versions = _price_versions(fields)
    limits: dict[str, Any] = {field: fields.count_or_none(field) for field in _LIMITS}
    _check_limits(fields, limits)
    upstream_model = fields.text_or_none("upstream_model") or fields.text("id")
    rest: dict[str, Any] = {
        "id": fields.text("id"),
        "aliases": fields.texts("aliases"),
        "default": fields.flag("default"),
        "cap_field": fields.choice("cap_field", _CAP_FIELDS),
        "encoding": fields.text("encoding"),
        "fields": _allowed_fields(fields),
        "unsupported": _unsupported(fields),
        "shutdown_date": fields.day_or_none("shutdown_date"),
        "successor": fields.text_or_none("successor"),
        "serve_by_successor": fields.flag("serve_by_successor"),
        "upstream_model": upstream_model,
        "upstreams": fields.texts("upstreams"),
    }
    if rest["serve_by_successor"] and not rest["successor"]:
        raise ValueError(f"{fields.where} is to be served by a successor, and names none.")
    if not fields.flag("enabled"):
        return None
    _check_complete(fields, limits, versions, upstream_model)
    valid = [version for version in versions if version <= day]
    if not valid:
        return None
    return Model(**rest, **limits, prices=versions[max(valid)], priced_from=max(valid))


_LIMITS: Final = ("context_tokens", "max_output_tokens", "default_cap_tokens", "floor_cap_tokens")


def _check_limits(fields: Fields, limits: Mapping[str, int | None]) -> None:
    names = ("floor_cap_tokens", "default_cap_tokens", "max_output_tokens", "context_tokens")
    stated = [(name, limit) for name in names if (limit := limits[name]) is not None]
    for (low_name, low), (high_name, high) in pairwise(stated):
        if low > high:
            raise ValueError(f"{fields.where}: {low_name} {low} is above {high_name} {high}.")


def _check_complete(
    fields: Fields,
    limits: Mapping[str, int | None],
    versions: Mapping[date, Prices],
    upstream_model: str,
) -> None:
    """What a row may leave open only as long as it is switched off."""
    missing = [field for field, limit in limits.items() if limit is None]
    if not versions:
        missing.append("prices")
    if missing:
        raise ValueError(
            f"{fields.where} cannot be switched on: it has no {', '.join(missing)}. "
            "A call without them has no upper bound."
        )
    free = not any(price.dearest_input_pico or price.output_pico for price in versions.values())
    if not free and not _SNAPSHOT.fullmatch(upstream_model):
        raise ValueError(
            f"{fields.where} cannot be switched on: '{upstream_model}' is no dated snapshot, so "
            "what it costs can change overnight. State one as upstream_model, such as "
            "'gpt-4o-mini-2024-07-18'."
        )


def _allowed_fields(fields: Fields) -> frozenset[str]:
    extra = frozenset(fields.texts("extra_fields"))
    if not extra <= _EXTRA_FIELDS:
        fields.refuse("extra_fields", f"a list of {' and '.join(sorted(_EXTRA_FIELDS))} at most")
    return extra | set(_packaged()["fields"])


def _unsupported(fields: Fields) -> Mapping[str, str]:
    stated = fields.any("unsupported")
    if not isinstance(stated, dict) or not all(isinstance(text, str) for text in stated.values()):
        fields.refuse("unsupported", "an object of texts")
    return dict(stated)


def _price_versions(fields: Fields) -> Mapping[date, Prices]:
    """Every price that the row states, by the day it holds from."""
    stated = fields.any("prices")
    if not isinstance(stated, list):
        fields.refuse("prices", "a list of price versions")
    versions: dict[date, Prices] = {}
    for document in stated:
        version = Fields(
            f"{fields.where}: a price version",
            document,
            required=_RATE_FIELDS | {"valid_from", "source"},
            optional=_RATE_OPTIONAL | {"multiplier", "long_prompts"},
        )
        version.text("source")
        day = version.day("valid_from")
        if day in versions:
            raise ValueError(f"{fields.where} has two prices that hold from {day} on.")
        versions[day] = _prices(version)
    return versions


def _prices(version: Fields) -> Prices:
    multiplier = version.multiplier("multiplier")
    long_prompts = None
    if version.has("long_prompts"):
        long = Fields(
            f"{version.where}: 'long_prompts'",
            version.any("long_prompts"),
            required=_RATE_FIELDS | {"above_tokens"},
            optional=_RATE_OPTIONAL,
        )
        rates = Rates(**_rates(long, multiplier))
        long_prompts = LongPrompts(long.count("above_tokens"), rates)
    return Prices(**_rates(version, multiplier), long_prompts=long_prompts)


def _rates(fields: Fields, multiplier: Fraction) -> dict[str, Any]:
    return {
        "input_pico": fields.pico_per_token("input_usd", multiplier),
        "output_pico": fields.pico_per_token("output_usd", multiplier),
        "cached_input_pico": fields.pico_per_token_or_none("cached_input_usd", multiplier),
        "cache_write_pico": fields.pico_per_token_or_none("cache_write_usd", multiplier),
    }
