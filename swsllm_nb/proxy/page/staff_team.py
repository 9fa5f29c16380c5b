"""Who teaches: accounts of staff, their first passwords, and their keys for the staff API."""

from typing import Final

from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import pending
from swsllm_nb.proxy.page.staff_ask import gone
from swsllm_nb.proxy.page.staff_desk import office_of, said, teacher_id
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["answer", "team"]

_ACTS: Final = ("add", "password", "key", "revoke", "enable", "disable")


async def team(visit: Visit) -> Response:
    """All colleagues; and what will happen to the account of one, before it does."""
    if visit.request.method != "POST":
        return await _team(visit)
    act, name = visit.field("act"), visit.field("name").strip()
    assert visit.person is not None
    if act not in _ACTS or not name:
        return await _team(visit, visit.say("Say who is meant."))
    if act == "disable" and name == visit.person.name:
        return await _team(visit, visit.say("You cannot switch yourself off. Ask a colleague."))
    question = {"act": act, "name": name}
    token = await visit.site.store.write(lambda: pending.keep(teacher_id(visit), question))
    return visit.page("staff/team_ask.html", act=act, name=name, token=token)


async def answer(visit: Visit) -> Response:
    """Do it, once; a password or a key is shown on this page alone."""
    staff_id, token = teacher_id(visit), visit.field("token")
    question = await visit.site.store.write(lambda: pending.take(staff_id, token))
    if question is None:
        return gone(visit)
    if visit.field("no"):
        return visit.redirect("/staff/team", visit.say("Nothing was done."))
    act, name = question["act"], question["name"]
    try:
        shown = await _do(office_of(visit), act, name)
    except ValueError as error:
        return await _team(visit, said(visit, error))
    if not shown:
        return visit.redirect("/staff/team", visit.say("Done for %(name)s.", name=name))
    return visit.page("staff/team_done.html", act=act, name=name, secret=shown)


async def _do(office: Office, act: str, name: str) -> str:
    """The password or key that is to be shown, "" for none."""
    match act:
        case "add":
            return (await office.add_teacher(name)).password
        case "password":
            return (await office.reset_teacher_password(name)).password
        case "key":
            return await office.new_staff_key(name)
        case "revoke":
            await office.revoke_staff_keys(name)
        case _:
            await office.set_teacher_enabled(name, act == "enable")
    return ""


async def _team(visit: Visit, trouble: str | None = None) -> Response:
    teachers = await office_of(visit).teachers()
    return visit.page(
        "staff/team.html", 400 if trouble else 200, teachers=teachers, trouble=trouble
    )
