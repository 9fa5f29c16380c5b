"""What is learned of a call's cost, and the one closing of its hold."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal

from swsllm_nb import pricing
from swsllm_nb.money import usd_text
from swsllm_nb.proxy.body import Told
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.ledger import Hold, Outcome
from swsllm_nb.proxy.standing import Balance
from swsllm_nb.proxy.store import Store
from swsllm_nb.wire import Usage, usage_from_body

__all__ = ["Settlement"]

_Breach = Literal["bound", "service_tier"]

COMMIT_PATIENCE_SECONDS = 2

log = logging.getLogger(__name__)


class Settlement:
    """Closes a hold exactly once: with the usage, with nothing, or with the whole hold.

    Nothing is charged before ``sent``; from then on the hold is, until something better is known.
    ``doubt`` is why that would be, as far as the call has come.
    """

    def __init__(self, store: Store, hold: Hold) -> None:
        self.hold = hold
        self.upstream: str | None = None
        self.doubt = Doubt.NO_ANSWER
        self._store = store
        self._may_have_billed = False
        self._usage: Usage | None = None
        self._usage_is_final = False
        self._other_tier = False
        self._outcome: Outcome | None = None
        self._account: Balance | None = None

    def sent(self) -> None:
        self._may_have_billed = True

    def release(self) -> None:
        """The upstream said, or it is clear, that nothing was billed."""
        self._may_have_billed = False

    def learn(self, told: Told) -> None:
        """Take the usage and the tier that an answer or a chunk tells; counts only ever grow.

        The usage of a chunk without choices is the last word, as is whatever was learned when the
        answer ``completed``.
        """
        self._other_tier = self._other_tier or told.service_tier not in (None, "default")
        if told.usage is None:
            return
        usage = usage_from_body({"usage": told.usage})
        if usage is not None:
            self._usage = usage if self._usage is None else _larger(self._usage, usage)
            self._usage_is_final = self._usage_is_final or told.is_without_choices

    def completed(self) -> None:
        self._usage_is_final = True
        self.doubt = Doubt.NO_USAGE

    @property
    def outcome(self) -> Outcome:
        """How the call is, or by now would be, settled."""
        if self._outcome is not None:
            return self._outcome
        tier: _Breach | None = "service_tier" if self._other_tier else None
        if self._usage is not None and self._usage_is_final:
            charged_pico = pricing.cost(self.hold.prices, self._usage)
            breach: _Breach | None = "bound" if charged_pico > self.hold.hold_pico else tier
            return Outcome("settled", charged_pico, self._usage, self.upstream, breach)
        if self._may_have_billed:
            return Outcome(
                "unconfirmed", self.hold.hold_pico, None, self.upstream, tier, self.doubt
            )
        return Outcome("released", 0, None, self.upstream)

    async def account_after(self) -> Balance | None:
        """The account as the commit left it, or None where that takes longer than 2 s."""
        if self._outcome is None:
            outcome = self._decide()
            # Whatever goes wrong here, ``close`` meets it again.
            with suppress(Exception):
                async with asyncio.timeout(COMMIT_PATIENCE_SECONDS):
                    self._account = await self._store.close_hold(self.hold, outcome)
        return self._account

    async def close(self) -> None:
        """Wait for the commit, however long it takes. A hold that is closed stays as it is."""
        if self._account is None:
            closing = asyncio.create_task(self._store.close_hold(self.hold, self._decide()))
            self._account = await asyncio.shield(closing)

    def cost_fields(self, account: Balance) -> Mapping[str, str]:
        return {
            "cost_usd": usd_text(self.outcome.charged_pico),
            "remaining_usd": usd_text(account.remaining_pico),
            "budget_usd": usd_text(account.budget_pico),
        }

    def _decide(self) -> Outcome:
        """From here on nothing that is learned changes the outcome."""
        if self._outcome is None:
            self._outcome = self.outcome
            if self._outcome.breach is not None:
                log.error(
                    "%s broken: %s cost %s pico-dollars and held %s",
                    self._outcome.breach,
                    self.hold.request_id,
                    self._outcome.charged_pico,
                    self.hold.hold_pico,
                )
        return self._outcome


def _larger(one: Usage, other: Usage) -> Usage:
    return Usage(
        max(one.prompt_tokens, other.prompt_tokens),
        max(one.completion_tokens, other.completion_tokens),
        max(one.cached_tokens, other.cached_tokens),
        max(one.cache_write_tokens, other.cache_write_tokens),
        max(one.reasoning_tokens, other.reasoning_tokens),
    )
