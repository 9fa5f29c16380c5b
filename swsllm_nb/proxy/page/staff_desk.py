"""What staff's pages share: the hand that acts, sentences for people, sheets to take away."""

from collections.abc import Iterable, Sequence

from swsllm_nb.proxy.audit import Entry
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.sheets import Cell, sheet

__all__ = ["details_of", "office_of", "said", "sheet_answer", "teacher_id"]


def office_of(visit: Visit) -> Office:
    """The hand of the teacher whose page it is."""
    assert visit.person is not None
    return Office(visit.site.store, visit.site.secret, visit.person.name)


def teacher_id(visit: Visit) -> int:
    assert visit.person is not None
    return visit.person.id


def said(visit: Visit, error: Exception | str) -> str:
    """What an act refused to do, in the language of the visit."""
    return visit.say(str(error))


def details_of(entry: Entry) -> str:
    """Details of an act in a line; the names of fields are as the staff API has them."""
    return ", ".join(f"{name}: {value}" for name, value in entry.details.items())


def sheet_answer(
    visit: Visit, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> Response:
    """A table to open in a spreadsheet; ``header`` is English."""
    titles = [visit.say(title) for title in header]
    answer = Response(sheet(titles, rows, visit.language), media_type="text/csv; charset=utf-8")
    answer.headers["content-disposition"] = f'attachment; filename="{name}.csv"'
    return visit.finished(answer)
