"""What a serving process does beside calls: sums, refusals that were counted, what is too old."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from swsllm_nb.proxy import retention
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.page import pending
from swsllm_nb.proxy.refused import Refused
from swsllm_nb.proxy.store import BEAT_SECONDS, Store

__all__ = ["chores"]

PRUNE_SECONDS = 3600

log = logging.getLogger(__name__)


@asynccontextmanager
async def chores(
    store: Store, refused: Refused, *, beat_seconds: float = BEAT_SECONDS
) -> AsyncIterator[None]:
    """Done again and again while this lasts, and the refusals once more at its end."""
    doing = asyncio.create_task(_keep_doing(store, refused, beat_seconds))
    try:
        yield
    finally:
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        with suppress(StoreUnavailable):
            await refused.flush(store)


async def _keep_doing(store: Store, refused: Refused, beat_seconds: float) -> None:
    prune_at = time.monotonic()
    while True:
        await asyncio.sleep(beat_seconds)
        try:
            await refused.flush(store)
            await store.sum_up()
            if time.monotonic() >= prune_at:
                prune_at = time.monotonic() + PRUNE_SECONDS
                await retention.prune(store)
                await store.write(pending.forget)
        except Exception:
            log.exception("sums and refusals are not up to date; trying again")
