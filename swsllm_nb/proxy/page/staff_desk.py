"""What staff's pages share: the hand that acts, sentences for people, sheets to take away."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.audit import Entry
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page.sentences import retold
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.sheets import Cell, sheet

__all__ = ["amount", "details_of", "file_answer", "in_dollars", "office_of", "said", "sheet_answer"]


def office_of(visit: Visit) -> Office:
    """The hand of the teacher whose page it is."""
    assert visit.person is not None
    return Office(visit.site.store, visit.site.secret, visit.person.name)


def amount(visit: Visit, name: str) -> str:
    """A field with dollars, of which Germans write 2,50."""
    return in_dollars(visit, visit.field(name).strip())


def in_dollars(visit: Visit, text: str) -> str:
    return text.replace(",", ".") if visit.language == "de" and "." not in text else text


def said(visit: Visit, error: Exception | str) -> str:
    """What an act refused to do, in the language of the visit."""
    return retold(str(error), visit.language)


def details_of(entry: Entry) -> str:
    """Details of an act in a line; the names of fields are as the staff API has them."""
    return ", ".join(_detail(name, value) for name, value in entry.details.items())


def _detail(name: str, value: Any) -> str:
    if name.endswith("_pico") and isinstance(value, int):
        return f"{name.removesuffix('_pico')}_usd: {usd_text(value)}"
    return f"{name}: {value}"


async def sheet_answer(
    visit: Visit, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> Response:
    """A table to open in a spreadsheet; ``header`` is English. Calls go on while it is written."""
    titles = [visit.say(title) for title in header]
    document = await asyncio.to_thread(sheet, titles, rows, visit.language)
    return file_answer(visit, f"{name}.csv", document, "text/csv; charset=utf-8")


def file_answer(visit: Visit, name: str, document: bytes | str, media_type: str) -> Response:
    """A file to keep; its name is one of ours and needs no quoting."""
    answer = Response(document, media_type=media_type)
    answer.headers["content-disposition"] = f'attachment; filename="{name}"'
    return visit.finished(answer)
