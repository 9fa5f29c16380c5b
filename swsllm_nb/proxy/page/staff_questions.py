"""What staff are asked before something is done: shown at an address, answered by a form, once.

The address is what browsers go back to and reload, so neither sends a form a second time.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from swsllm_nb.proxy.page import pending
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["answered", "ask", "gone", "keep", "seen"]


async def ask(visit: Visit, path: str, question: Mapping[str, Any]) -> Response:
    """To the page at ``path`` that asks it."""
    return visit.redirect(f"{path}?question={await keep(visit, question)}")


async def keep(visit: Visit, question: Mapping[str, Any]) -> str:
    return await visit.site.store.write(partial(pending.keep, _teacher_id(visit), question))


async def seen(visit: Visit, token: str) -> dict[str, Any] | None:
    """What is asked under a token, if it waits for an answer still."""
    return await visit.site.store.read(partial(pending.look, _teacher_id(visit), token))


async def answered(visit: Visit) -> dict[str, Any] | None:
    """What is answered by the form that was sent; from now on nobody answers it again."""
    token = visit.field("token")
    return await visit.site.store.write(partial(pending.take, _teacher_id(visit), token))


def gone(visit: Visit) -> Response:
    """It was answered already; a sheet of passwords is not shown once more."""
    return visit.page("staff/gone.html", 409)


def _teacher_id(visit: Visit) -> int:
    assert visit.person is not None
    return visit.person.id
