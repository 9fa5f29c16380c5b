"""A student's key: shown, or made anew, to who gives the password once more."""

from collections.abc import Sequence

from swsllm_nb.proxy.audit import STUDENT
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page.sign_in import Refused, check_password
from swsllm_nb.proxy.page.snippets import snippets_for
from swsllm_nb.proxy.page.student import student_of
from swsllm_nb.proxy.page.templating import shown_moment
from swsllm_nb.proxy.page.visit import Page, Response, Visit
from swsllm_nb.proxy.page.words import row_id

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
    """A form that is sent twice, at once or by going back, makes one key: it names the old one."""
    account, office = student_of(visit), _office(visit)
    try:
        await check_password(visit, account.name, visit.field("password"))
    except Refused as refused:
        return _page(visit, status=refused.status, trouble=refused.sentence)
    key = await office.replace_key(account.name, row_id(visit.field("replaces")))
    if key is None:
        return await _replaced_already(visit)
    return _page(visit, key=key, notice=visit.say(
        "This is your new key. The old one has stopped working everywhere."
    ))  # fmt: skip


async def _replaced_already(visit: Visit) -> Response:
    live = await _office(visit).key_of(student_of(visit).id)
    if live is None:
        return visit.redirect("/")
    moment = shown_moment(live[0].created_at, language=visit.language)
    if live[1] is None:
        return _page(visit, trouble=visit.say(
            "That key was replaced already, on %(moment)s, so no other was made. The one that "
            "works cannot be shown again; if you do not have it, make a new one.", moment=moment,
        ))  # fmt: skip
    return _page(visit, key=live[1], notice=visit.say(
        "That key was replaced already, on %(moment)s, so no other was made. This is the one "
        "that works.", moment=moment,
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
