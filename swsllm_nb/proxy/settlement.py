"""What is learned of a call's cost, and the one closing of its hold."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

from swsllm_nb import pricing
from swsllm_nb.money import usd_text
from swsllm_nb.proxy.ledger import Hold, Outcome
from swsllm_nb.proxy.standing import Balance
from swsllm_nb.proxy.store import Store
from swsllm_nb.wire import Usage, usage_from_body

__all__ = ["Settlement"]

COMMIT_PATIENCE_SECONDS = 2

log = logging.getLogger(__name__)


class Settlement:
    """Closes a hold exactly once: with the usage, with nothing, or with the whole hold.

    Nothing is charged before ``sent``; from then on the hold is, until something better is known.
    """

    def __init__(self, store: Store, hold: Hold) -> None:
        self.hold = hold
        self._store = store
        self._may_have_billed = False
        self._usage: Usage | None = None
        self._usage_is_final = False
        self._closing: asyncio.Task[Balance] | None = None
        self._outcome: Outcome | None = None

    def sent(self) -> None:
        self._may_have_billed = True

    def release(self) -> None:
        """The upstream said, or it is clear, that nothing was billed."""
        self._may_have_billed = False

    def learn(self, document: Any) -> None:
        """Take the usage that an answer or a chunk states; running counts only ever grow.

        That of a chunk without choices is the last word, as is whatever was learned when the
        answer ``completed``.
        """
        stated = usage_from_body(document)
        if stated is None:
            return
        if self._usage is not None:
            pairs = zip(astuple(self._usage), astuple(stated), strict=True)
            stated = Usage(*(max(pair) for pair in pairs))
        self._usage = stated
        self._usage_is_final = self._usage_is_final or document.get("choices") == []

    def completed(self) -> None:
        self._usage_is_final = True

    @property
    def outcome(self) -> Outcome:
        """How the call is, or by now would be, settled."""
        if self._outcome is not None:
            return self._outcome
        if self._usage is not None and self._usage_is_final:
            return Outcome("settled", pricing.cost(self.hold.prices, self._usage), self._usage)
        if self._may_have_billed:
            return Outcome("unconfirmed", self.hold.hold_pico)
        return Outcome("released", 0)

    async def close(self) -> None:
        """Wait for the commit, however long it takes."""
        await asyncio.shield(self._begin_closing())

    async def account_after(self) -> Balance | None:
        """The account as the commit left it, or None where that takes longer than 2 s."""
        closing = self._begin_closing()
        await asyncio.wait([closing], timeout=COMMIT_PATIENCE_SECONDS)
        return closing.result() if closing.done() and not closing.exception() else None

    def cost_fields(self, account: Balance) -> Mapping[str, str]:
        return {
            "cost_usd": usd_text(self.outcome.charged_pico),
            "remaining_usd": usd_text(account.remaining_pico),
            "budget_usd": usd_text(account.budget_pico),
        }

    def _begin_closing(self) -> asyncio.Task[Balance]:
        if self._closing is None:
            self._outcome = outcome = self.outcome
            if outcome.charged_pico > self.hold.hold_pico:
                log.error(
                    "bound broken: %s cost %s pico-dollars and held %s",
                    self.hold.request_id,
                    outcome.charged_pico,
                    self.hold.hold_pico,
                )
            self._closing = asyncio.create_task(self._store.close_hold(self.hold, outcome))
        return self._closing
