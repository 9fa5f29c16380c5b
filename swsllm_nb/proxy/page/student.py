"""The student's page: the budget, the calls, the key, and how to use it."""

from collections.abc import Sequence

from swsllm_nb.proxy.page.visit import Page, Response, Visit

__all__ = ["student_pages"]


def student_pages() -> Sequence[Page]:
    return [Page("/", home, "student")]


async def home(visit: Visit) -> Response:
    assert visit.person is not None
    return visit.page("student.html", account=visit.person.account)
