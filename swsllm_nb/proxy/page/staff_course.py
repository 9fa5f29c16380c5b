"""What holds for the course as a whole, and the trail of what staff did."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Final

from swsllm_nb.proxy.audit import Entry
from swsllm_nb.proxy.course_acts import course_texts
from swsllm_nb.proxy.page.long_sheets import ROWS_AT_ONCE, long_sheet
from swsllm_nb.proxy.page.staff_desk import amount, details_of, office_of, said
from swsllm_nb.proxy.page.staff_forms import changed_fields, chosen_models
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.page.words import row_id
from swsllm_nb.proxy.sheets import Cell

__all__ = ["course_page", "trail", "trail_sheet"]

_FIELDS: Final = (
    "name", "begins", "ends", "contact", "language", "default_budget_usd", "cap_usd",
    "retention_days", "keys_shown_once",
)  # fmt: skip
_TRAIL_ROWS: Final = 100


async def course_page(visit: Visit) -> Response:
    if visit.request.method != "POST":
        return await _form(visit, {})
    changes = changed_fields(visit, _FIELDS)
    if "keys_shown_once" in changes:
        changes["keys_shown_once"] = changes["keys_shown_once"] or "no"
    for name in changes.keys() & {"default_budget_usd", "cap_usd"}:
        changes[name] = amount(visit, name)
    try:
        changes |= _changed_models(visit)
        if not changes:
            return visit.redirect("/staff/course", visit.say("Nothing was changed."))
        seen = {name: visit.field(f"was.{name}") for name in changes}
        await office_of(visit).set_course(seen, **changes)
    except ValueError as error:
        return await _form(visit, changes, said(visit, error))
    return visit.redirect("/staff/course", visit.say("The course was changed."))


def _changed_models(visit: Visit) -> dict[str, str]:
    """Raises ValueError where it cannot be told which models are meant."""
    which, ticked = visit.field("which_models"), ",".join(visit.fields("model"))
    was = visit.field("was.default_models")
    # Those that held before are ticked in the form.
    models = chosen_models(which, "" if which == "all" and was else ticked)
    return {} if models in (None, was) else {"default_models": models or ""}


async def _form(visit: Visit, typed: dict[str, str], trouble: str | None = None) -> Response:
    office = office_of(visit)
    was = course_texts(await office.course())
    rows = await office.models()
    models = [
        row["model"] for row in rows if row["enabled"] or row["model"] in was["default_models"]
    ]
    return visit.page(
        "staff/course.html", 400 if trouble else 200,
        was=was, course=was | typed, models=models, trouble=trouble,
    )  # fmt: skip


async def trail(visit: Visit) -> Response:
    """What staff did, the newest first."""
    before = row_id(visit.query.get("before", ""))
    entries = await office_of(visit).audit(before=before, limit=_TRAIL_ROWS + 1)
    shown = entries[:_TRAIL_ROWS]
    older = f"?before={shown[-1].id}" if len(entries) > _TRAIL_ROWS else None
    told = [(entry, details_of(entry)) for entry in shown]
    return visit.page("staff/trail.html", entries=told, older=older, newest=before is None)


async def trail_sheet(visit: Visit) -> Response:
    await office_of(visit).note_export("export_trail")
    titles = [visit.say(title) for title in ("Time (UTC)", "Who", "Act", "Account", "Details")]
    return await long_sheet(visit, "trail", titles, _trail_rows(visit))


async def _trail_rows(visit: Visit) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    before = None
    while entries := await office_of(visit).audit(before=before, limit=ROWS_AT_ONCE):
        yield [_row(entry) for entry in entries]
        before = entries[-1].id


def _row(entry: Entry) -> tuple[Cell, ...]:
    details = json.dumps(entry.details, ensure_ascii=False)
    return (entry.at, entry.author, entry.act, entry.account, details)
