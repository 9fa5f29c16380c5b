"""What a call costs, and what it can cost at most. Pico-dollars per token, integers throughout."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self

from swsllm_nb.wire import Usage

if TYPE_CHECKING:
    from swsllm_nb.catalogue import Model

__all__ = ["Bound", "LongPrompts", "Prices", "Rates", "bound", "cost"]


@dataclass(frozen=True)
class Rates:
    """Pico-dollars per token; None for cached or written input means the full input rate."""

    input_pico: int
    output_pico: int
    cached_input_pico: int | None = None
    cache_write_pico: int | None = None

    @property
    def dearest_input_pico(self) -> int:
        return max(self.input_pico, self.cached_input_pico or 0, self.cache_write_pico or 0)


@dataclass(frozen=True)
class LongPrompts:
    """The rates of a whole call whose prompt has more than ``above_tokens`` tokens."""

    above_tokens: int
    rates: Rates


@dataclass(frozen=True)
class Prices(Rates):
    """The rates of a call, and those that a long prompt has instead, where they differ."""

    long_prompts: LongPrompts | None = None

    def rates_of(self, prompt_tokens: int) -> Rates:
        long = self.long_prompts
        return long.rates if long and prompt_tokens > long.above_tokens else self

    @cached_property
    def frozen(self) -> str:
        """The prices as the ledger keeps them with a call: a short JSON text."""
        document: dict[str, int | dict[str, int]] = {**_frozen_rates(self)}
        if self.long_prompts:
            long = self.long_prompts
            document["long"] = {"above": long.above_tokens, **_frozen_rates(long.rates)}
        return json.dumps(document, separators=(",", ":"))

    @classmethod
    def thaw(cls, text: str) -> Self:
        """The prices of a ``frozen`` text."""
        document = json.loads(text)
        long = document.pop("long", None)
        tier = LongPrompts(long.pop("above"), Rates(**_thawed_rates(long))) if long else None
        return cls(**_thawed_rates(document), long_prompts=tier)


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
    rates = prices.rates_of(usage.prompt_tokens)
    cached = usage.cached_tokens
    # A token is charged once, even where a server counts it as both read and written.
    written = min(usage.cache_write_tokens, usage.prompt_tokens - cached)
    return (
        (usage.prompt_tokens - cached - written) * rates.input_pico
        + cached * _or(rates.cached_input_pico, rates.input_pico)
        + written * _or(rates.cache_write_pico, rates.input_pico)
        + usage.completion_tokens * rates.output_pico
    )


def bound(
    model: "Model", prompt_tokens: int, *, stated_cap: int | None = None, choices: int = 1
) -> Bound:
    """The bound of a call whose prompt has at most ``prompt_tokens``.

    ``stated_cap`` is the maximum the client asked for, per choice. Raises ValueError where the
    prompt alone fills the model's context.
    """
    room = model.context_tokens - prompt_tokens
    if room < 1:
        raise ValueError(f"{prompt_tokens} tokens do not fit a context of {model.context_tokens}.")
    cap = min(stated_cap or model.default_cap_tokens, model.max_output_tokens, room)
    # The prompt may turn out shorter than its bound, and so be charged at either tier.
    possible = (model.prices, model.prices.rates_of(prompt_tokens))
    return Bound(
        prompt_pico=prompt_tokens * max(rates.dearest_input_pico for rates in possible),
        pico_per_cap_token=choices * max(rates.output_pico for rates in possible),
        cap_tokens=cap,
        floor_cap_tokens=cap if stated_cap else min(cap, model.floor_cap_tokens),
    )


def _or(rate_pico: int | None, otherwise_pico: int) -> int:
    return otherwise_pico if rate_pico is None else rate_pico


_FROZEN: Final = {
    "input": "input_pico",
    "cached_input": "cached_input_pico",
    "cache_write": "cache_write_pico",
    "output": "output_pico",
}


def _frozen_rates(rates: Rates) -> dict[str, int]:
    stated = {short: getattr(rates, field) for short, field in _FROZEN.items()}
    return {short: pico for short, pico in stated.items() if pico is not None}


def _thawed_rates(document: dict[str, int]) -> dict[str, Any]:
    return {_FROZEN[short]: pico for short, pico in document.items()}
