"""``swsllm`` with the accounting taken out: what the stack costs when no cent is written.

    python -m load.unaccounted serve --upstream ... --data ...

The same program on the same path, but a hold is decided on numbers in memory and closed there;
nothing is written, not even the call log. Only for measuring.
"""

import logging
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

from swsllm_nb import cli
from swsllm_nb.proxy.ledger import Account, Hold, Intent, Outcome
from swsllm_nb.proxy.store import Store


def take_out(store: type[Store]) -> None:
    """Replace the two writes of a call. Each account's first one is real, to copy from."""
    truly_reserve, truly_close = store.reserve, store.close_hold
    accounts: dict[int, Account] = {}
    pattern: dict[int, Hold] = {}

    async def reserve(self: Store, intent: Intent) -> Hold:
        account = accounts.get(intent.account_id)
        if account is None:
            hold = await truly_reserve(self, intent)
            account = await truly_close(self, hold, Outcome("released", 0))
            accounts[intent.account_id], pattern[intent.account_id] = account, hold
        cap = intent.bound.affordable_cap(account.remaining_pico)
        assert cap is not None, "the benchmark's budget is used up"
        return replace(
            pattern[intent.account_id],
            request_id=intent.request_id,
            cap_tokens=cap,
            hold_pico=intent.bound.hold_pico(cap),
        )

    async def close_hold(self: Store, hold: Hold, outcome: Outcome) -> Account:
        account = accounts[hold.account_id]
        account = replace(account, spend_pico=account.spend_pico + outcome.charged_pico)
        accounts[hold.account_id] = account
        return account

    store.reserve = reserve  # type: ignore[method-assign]
    store.close_hold = close_hold  # type: ignore[method-assign]


def silence() -> None:
    """No line per call."""
    calllog = import_module("swsllm_nb.proxy.calllog")
    calllog.CallLog.write = lambda self, line: None


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    take_out(Store)
    with suppress(ModuleNotFoundError):
        silence()
    cli.main()
