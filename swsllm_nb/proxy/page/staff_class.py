"""The class at a glance: what is left, what was spent on what, and who may need a word."""

from datetime import date, timedelta
from typing import Final

from swsllm_nb.proxy.offer import utc_today
from swsllm_nb.proxy.overview import CourseOverview, ModelDay, course_overview
from swsllm_nb.proxy.page.charts import burn_down
from swsllm_nb.proxy.page.stacks import DailySpend, Stacks, stacked
from swsllm_nb.proxy.page.staff_desk import sheet_answer
from swsllm_nb.proxy.page.visit import Response, Visit
from swsllm_nb.proxy.sheets import Dollars

__all__ = ["overview", "spend_sheet"]

_NAMES_SHOWN: Final = 15
_DAYS_SHOWN: Final = 14
_FEWEST_DAYS: Final = 14


async def overview(visit: Visit) -> Response:
    seen = await visit.site.store.read(course_overview)
    since = (utc_today() - timedelta(days=_DAYS_SHOWN - 1)).isoformat()
    return visit.page(
        "staff/class.html",
        seen=seen,
        names_shown=_NAMES_SHOWN,
        chart=burn_down(seen.days, _last_day(visit), utc_today()),
        picture=_picture(seen.by_model),
        models=_by_model(seen),
        recent=[day for day in reversed(seen.by_model) if day.day >= since],
    )


async def spend_sheet(visit: Visit) -> Response:
    """What each model was used for on each day, and what it cost."""
    seen = await visit.site.store.read(course_overview)
    header = ("Day (UTC)", "Model", "Calls", "Tokens in", "Tokens out", "Spent ($)")
    rows = (
        (one.day, one.model, one.calls, one.prompt_tokens, one.completion_tokens,
         Dollars(one.amount_pico))
        for one in seen.by_model
    )  # fmt: skip
    return await sheet_answer(visit, "spend", header, rows)


def _picture(by_model: list[ModelDay]) -> Stacks | None:
    """From the first day that cost anything to today; None where nothing did."""
    spend = [DailySpend(_day(one.day), one.model, one.amount_pico) for one in by_model]
    if not any(one.amount_pico for one in spend):
        return None
    today = utc_today()
    begins = min(spend[0].day, today - timedelta(days=_FEWEST_DAYS - 1))
    return stacked(spend, begins, max(today, spend[-1].day))


def _by_model(seen: CourseOverview) -> list[tuple[str, int, int]]:
    """Each model with its calls and what they cost, the dearest first."""
    sums: dict[str, tuple[int, int]] = {}
    for one in seen.by_model:
        calls, pico = sums.get(one.model, (0, 0))
        sums[one.model] = (calls + one.calls, pico + one.amount_pico)
    ranked = sorted(sums.items(), key=lambda item: -item[1][1])
    return [(model, calls, pico) for model, (calls, pico) in ranked]


def _last_day(visit: Visit) -> date | None:
    return _day(visit.course.ends) if visit.course.ends else None


def _day(text: str) -> date:
    return date.fromisoformat(text)
