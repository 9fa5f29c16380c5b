"""Who teaches: accounts of staff, their first passwords, and their keys for the staff API."""

from typing import Final

from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import staff_questions as questions
from swsllm_nb.proxy.page.staff_desk import office_of, said
from swsllm_nb.proxy.page.visit import Response, Visit

__all__ = ["answer", "team"]

_ACTS: Final = ("add", "password", "key", "revoke", "enable", "disable")


async def team(visit: Visit) -> Response:
    """All colleagues; and what will happen to the account of one, before it does."""
    if visit.request.method != "POST":
        return await _team(visit)
    act, name = visit.field("act"), visit.field("name").strip()
    if act not in _ACTS or not name:
        return await _team(visit, visit.say("Say who is meant."))
    return await questions.ask(visit, "/staff/team/answer", {"act": act, "name": name})


async def answer(visit: Visit) -> Response:
    """Ask, then do it, once; a password or a key is shown on that page alone."""
    if visit.request.method != "POST":
        token = visit.query.get("question", "")
        question = await questions.seen(visit, token)
        if question is None:
            return questions.gone(visit)
        return visit.page("staff/team_ask.html", **question, token=token)
    question = await questions.answered(visit)
    if question is None:
        return questions.gone(visit)
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
