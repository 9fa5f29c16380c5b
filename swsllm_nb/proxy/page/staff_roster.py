"""A roster: looked at line by line first, then imported, with a sheet of first passwords."""

import base64
from typing import Any, Final

from swsllm_nb.proxy.office import RosterLine, RosterReport
from swsllm_nb.proxy.page import staff_questions as questions
from swsllm_nb.proxy.page.staff_desk import amount, office_of, said, sheet_answer
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.page.words import parted
from swsllm_nb.proxy.sheets import Cell, Dollars

__all__ = ["answer", "page"]

_LINES_SHOWN: Final = 300
_MOST_NEW: Final = 2000
_HEADER: Final = ("Line", "Account", "Outcome", "Why", "Full name", "E-mail", "Budget ($)")


async def page(visit: Visit) -> Response:
    """Choose a file; it is read, and nothing is done yet."""
    if visit.request.method != "POST":
        return await _choose(visit)
    document = await visit.file("roster")
    if not document:
        return await _choose(visit, visit.say("No file was chosen, or it is empty."))
    question = {
        "document": base64.b64encode(document).decode(),
        "budget": amount(visit, "budget") or None,
    }
    try:
        report = await _import(visit, question, dry_run=True)
    except ValueError as error:
        return await _choose(visit, said(visit, error))
    if report.count("added") > _MOST_NEW:
        trouble = visit.say(
            "%(n)s accounts would be new; here at most %(most)s are added at once, so that their "
            "passwords fit on a sheet. Split the file, or use 'swsllm account import'.",
            n=parted(report.count("added")), most=parted(_MOST_NEW),
        )  # fmt: skip
        return await _choose(visit, trouble)
    return await questions.ask(visit, "/staff/roster/answer", question)


async def answer(visit: Visit) -> Response:
    """What each line would do; then import the file, once, or only give the report away."""
    sending = visit.request.method == "POST"
    looking = not sending or bool(visit.field("as_sheet"))
    token = visit.field("token") if sending else visit.query.get("question", "")
    question = await (questions.seen(visit, token) if looking else questions.answered(visit))
    if question is None:
        return questions.gone(visit)
    if visit.field("no"):
        return visit.redirect("/staff/roster", visit.say("Nothing was done."))
    try:
        report = await _import(visit, question, dry_run=looking)
    except ValueError as error:
        return await _choose(visit, said(visit, error))
    if not looking:
        return visit.page(
            "staff/done.html", act="roster", done=[], refused=[], sheet=report.credentials,
            report=report, lines=_told(visit, report),
        )  # fmt: skip
    if sending:
        return await sheet_answer(
            visit, "roster", _HEADER, (_row(visit, line) for line in report.lines)
        )
    return visit.page("staff/preview.html", report=report, lines=_told(visit, report), token=token)


async def _import(visit: Visit, question: dict[str, Any], *, dry_run: bool) -> RosterReport:
    document = base64.b64decode(question["document"])
    return await office_of(visit).import_roster(
        document, dry_run=dry_run, budget_usd=question["budget"]
    )


async def _choose(visit: Visit, trouble: str | None = None) -> Response:
    course = await office_of(visit).course()
    return visit.page(
        "staff/roster.html", 400 if trouble else 200, course=course, trouble=trouble,
        budget=visit.field("budget"),
    )  # fmt: skip


def _told(visit: Visit, report: RosterReport) -> list[tuple[RosterLine, str]]:
    """The lines that a page has room for, each with its sentence: what was refused comes first."""
    order = ("refused", "changed", "added", "kept")
    lines = sorted(report.lines, key=lambda line: (order.index(line.outcome), line.line))
    return [(line, said(visit, line.sentence or "")) for line in lines[:_LINES_SHOWN]]


def _row(visit: Visit, line: RosterLine) -> tuple[Cell, ...]:
    budget = None if line.budget_pico is None else Dollars(line.budget_pico)
    sentence = said(visit, line.sentence or "")
    return (line.line, line.name, line.outcome, sentence, line.full_name, line.email, budget)
