"""A student's key: shown, or made anew, to who gives the password once more."""

from collections.abc import Sequence

from swsllm_nb.proxy.audit import STUDENT
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page.sign_in import Refused, check_password
from swsllm_nb.proxy.page.snippets import snippets_for
from swsllm_nb.proxy.page.student import student_of
from swsllm_nb.proxy.page.visit import Page, Response, Visit

__all__ = ["key_pages"]


def key_pages() -> Sequence[Page]:
    return [
        Page("/key", show, "student", ("POST",)),
        Page("/key/new", renew, "student", ("POST",)),
    ]


async def show(visit: Visit) -> Response:
    account = student_of(visit)
    try:
        await check_password(visit, account.name, visit.field("password"))
    except Refused as refused:
        return _page(visit, status=refused.status, trouble=refused.sentence)
    live = await _office(visit).key_of(account.id)
    if live is None or live[1] is None:
        return _unseen(visit)
    return _page(visit, key=live[1])


async def renew(visit: Visit) -> Response:
    """A form that is sent twice, as by going back, makes one key: it names the one it replaces."""
    account, office = student_of(visit), _office(visit)
    try:
        await check_password(visit, account.name, visit.field("password"))
    except Refused as refused:
        return _page(visit, status=refused.status, trouble=refused.sentence)
    live = await office.key_of(account.id)
    if live is not None and live[0].created_at != visit.field("replaces"):
        if live[1] is None:
            return _unseen(visit)
        return _page(visit, key=live[1], notice=visit.say(
            "That key was replaced already. This is the one that works."
        ))  # fmt: skip
    key = await office.renew_key(account.name)
    return _page(visit, key=key, notice=visit.say(
        "This is your new key. The old one has stopped working everywhere."
    ))  # fmt: skip


def _unseen(visit: Visit) -> Response:
    return _page(visit, trouble=visit.say(
        "The key that works cannot be shown again. Make a new one: it replaces that one."
    ))  # fmt: skip


def _office(visit: Visit) -> Office:
    return Office(visit.site.store, visit.site.secret, STUDENT)


def _page(
    visit: Visit, *, key: str = "", status: int = 200, trouble: str = "", notice: str = ""
) -> Response:
    snippets = snippets_for(visit.base_url, visit.site.offer)
    return visit.page(
        "key.html", status, key=key, snippets=snippets, trouble=trouble, notice=notice
    )
