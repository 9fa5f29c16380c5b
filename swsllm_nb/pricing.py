"""What a call costs, and what it can cost at most, from the catalogue's prices."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache, cached_property
from importlib import resources
from typing import Any

from swsllm_nb.money import pico_from_usd
from swsllm_nb.wire import Usage

__all__ = ["Bound", "Catalogue", "Model", "Prices", "bound", "cost", "default_catalogue"]


@dataclass(frozen=True)
class Prices:
    """Pico-dollars per token. ``cached_input_pico`` None means the full input price."""

    input_pico: int
    output_pico: int
    cached_input_pico: int | None = None

    @cached_property
    def frozen(self) -> str:
        """The prices as the ledger keeps them with each call."""
        stated = {"input": self.input_pico, "output": self.output_pico}
        if self.cached_input_pico is not None:
            stated["cached_input"] = self.cached_input_pico
        return json.dumps(stated, separators=(",", ":"))

    @classmethod
    def thaw(cls, text: str) -> "Prices":
        stated = json.loads(text)
        return cls(stated["input"], stated["output"], stated.get("cached_input"))

    @property
    def dearest_input_pico(self) -> int:
        return max(self.input_pico, self.cached_input_pico or 0)


@dataclass(frozen=True)
class Model:
    """A row of the catalogue: a snapshot, its prices, its limits and its rules.

    ``cap_field`` is the field that carries the maximum upstream. ``unsupported`` names the fields
    that the model refuses, each with what OpenAI's message adds (often nothing).
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


@dataclass(frozen=True)
class Catalogue:
    """The models that are priced; any other is refused."""

    models: tuple[Model, ...]

    def find(self, name: str) -> Model | None:
        """The model of a snapshot id or an alias."""
        for model in self.models:
            if name == model.id or name in model.aliases:
                return model
        return None

    @property
    def default(self) -> Model:
        return next(model for model in self.models if model.default)


@dataclass(frozen=True)
class Bound:
    """The most a call can cost, as a function of the cap that is sent upstream.

    ``cap_tokens`` is the cap wanted; where the client stated none, the budget may lower it down
    to ``floor_cap_tokens``. Where it did, both are the same.
    """

    prompt_pico: int
    pico_per_cap_token: int
    cap_tokens: int
    floor_cap_tokens: int

    def hold_pico(self, cap_tokens: int) -> int:
        return self.prompt_pico + self.pico_per_cap_token * cap_tokens

    def affordable_cap(self, available_pico: int) -> int | None:
        """The largest cap that ``available_pico`` pays for, or None under the floor."""
        if self.hold_pico(self.cap_tokens) <= available_pico:
            return self.cap_tokens
        if self.hold_pico(self.floor_cap_tokens) > available_pico:
            return None
        return (available_pico - self.prompt_pico) // self.pico_per_cap_token


def cost(prices: Prices, usage: Usage) -> int:
    """Pico-dollars of a call with this usage."""
    cached_pico = (
        prices.input_pico if prices.cached_input_pico is None else prices.cached_input_pico
    )
    return (
        (usage.prompt_tokens - usage.cached_tokens) * prices.input_pico
        + usage.cached_tokens * cached_pico
        + usage.completion_tokens * prices.output_pico
    )


def bound(
    model: Model, prompt_tokens: int, *, stated_cap: int | None = None, choices: int = 1
) -> Bound:
    """The bound of a call whose prompt has at most ``prompt_tokens``.

    ``stated_cap`` is the maximum the client asked for, per choice. Raises ValueError where the
    prompt alone fills the model's context.
    """
    room = model.context_tokens - prompt_tokens
    if room < 1:
        raise ValueError(f"{prompt_tokens} tokens do not fit a context of {model.context_tokens}.")
    cap = min(stated_cap or model.default_cap_tokens, model.max_output_tokens, room)
    return Bound(
        prompt_pico=prompt_tokens * model.prices.dearest_input_pico,
        pico_per_cap_token=choices * model.prices.output_pico,
        cap_tokens=cap,
        floor_cap_tokens=cap if stated_cap else min(cap, model.floor_cap_tokens),
    )


@cache
def default_catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = resources.files("swsllm_nb").joinpath("catalogue.json").read_text("utf-8")
    return catalogue_from_json(text, datetime.now(UTC).date())


def catalogue_from_json(text: str, day: date) -> Catalogue:
    """The catalogue with the prices of a day. Raises ValueError for a price that is too fine."""
    document = json.loads(text)
    fields = frozenset(document["fields"])
    return Catalogue(tuple(_model(row, fields, day) for row in document["models"]))


def _model(row: dict[str, Any], fields: frozenset[str], day: date) -> Model:
    known = [price for price in row["prices"] if date.fromisoformat(price["valid_from"]) <= day]
    price = max(known, key=lambda version: date.fromisoformat(version["valid_from"]))
    return Model(
        id=row["id"],
        aliases=tuple(row["aliases"]),
        default=row["default"],
        prices=Prices(
            input_pico=_pico_per_token(price["input_usd"]),
            output_pico=_pico_per_token(price["output_usd"]),
            cached_input_pico=(
                None
                if price["cached_input_usd"] is None
                else _pico_per_token(price["cached_input_usd"])
            ),
        ),
        priced_from=date.fromisoformat(price["valid_from"]),
        context_tokens=row["context_tokens"],
        max_output_tokens=row["max_output_tokens"],
        cap_field=row["cap_field"],
        default_cap_tokens=row["default_cap_tokens"],
        floor_cap_tokens=row["floor_cap_tokens"],
        encoding=row["encoding"],
        fields=fields | set(row["extra_fields"]),
        unsupported=row["unsupported"],
        shutdown_date=date.fromisoformat(row["shutdown_date"]) if row["shutdown_date"] else None,
    )


def _pico_per_token(usd_per_million_tokens: str) -> int:
    per_token, rest = divmod(pico_from_usd(usd_per_million_tokens), 1_000_000)
    if rest:
        raise ValueError(f"${usd_per_million_tokens} per million tokens is too fine.")
    return per_token
