"""The student's page: the budget, the calls, the key, and how to use it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from swsllm_nb import pricing
from swsllm_nb.proxy.books import course_sums
from swsllm_nb.proxy.course import Course
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.own import LiveKey, live_key
from swsllm_nb.proxy.page.charts import burn_down
from swsllm_nb.proxy.page.front import offered
from swsllm_nb.proxy.page.receipt_filter import STATUSES, ReceiptFilter, read_filter
from swsllm_nb.proxy.page.snippets import snippets_for
from swsllm_nb.proxy.page.visit import Page, Response, Visit
from swsllm_nb.proxy.receipts import Day, ReceiptPage, Unconfirmed, receipts, unconfirmed
from swsllm_nb.proxy.receipts import burn_down as days_of_account
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work

__all__ = ["student_of", "student_pages"]

_SHOWN_RECEIPTS = 20
_SHOWN_UNCONFIRMED = 10
_SMALL_PROMPT_TOKENS = 100


@dataclass(frozen=True)
class _Home:
    """What the page reads of the database, on one state of it."""

    page: ReceiptPage
    unconfirmed: Unconfirmed
    days: list[Day]
    key: LiveKey | None
    course_unspent_pico: int | None


def student_pages() -> Sequence[Page]:
    return [Page("/", home, "student")]


def student_of(visit: Visit) -> Account:
    """Whose page it is."""
    assert visit.person is not None, "the page is for who is signed in"
    assert visit.person.account is not None, "the page is for students"
    return visit.person.account


async def home(visit: Visit) -> Response:
    account = student_of(visit)
    asked = read_filter(visit.query)
    read = await visit.site.store.read(lambda: _home(account.id, asked, visit.course))
    least_pico = _least_call_pico(visit.site.offer, account)
    now = datetime.now(UTC)
    today, last_day = now.astimezone().date(), last_day_of(account)
    return visit.page(
        "student.html",
        account=account,
        bar=_bar(account),
        last_day=last_day,
        waiting=_moment(account.valid_from, now) > now,
        over=_moment(account.valid_until, datetime.max.replace(tzinfo=UTC)) <= now,
        used_up=account.budget_pico - account.spend_pico < least_pico,
        course_used_up=read.course_unspent_pico is not None
        and read.course_unspent_pico < least_pico,
        chart=burn_down(read.days, last_day, today),
        receipts=read.page.receipts,
        older=read.page.next_before_id,
        asked=asked,
        statuses=STATUSES,
        unconfirmed=read.unconfirmed,
        key=read.key,
        models=offered(visit.site.offer),
        snippets=snippets_for(visit.base_url, visit.site.offer),
    )


def _home(account_id: int, asked: ReceiptFilter, course: Course) -> Work[_Home]:
    return _Home(
        page=(
            yield from receipts(
                account_id, asked.wanted, before_id=asked.before_id, limit=_SHOWN_RECEIPTS
            )
        ),
        unconfirmed=(yield from unconfirmed(account_id, limit=_SHOWN_UNCONFIRMED)),
        days=(yield from days_of_account(account_id)),
        key=(yield from live_key(account_id)),
        course_unspent_pico=(yield from _course_unspent_pico(course)),
    )


def _course_unspent_pico(course: Course) -> Work[int | None]:
    """What the whole course may still spend; None where no cap is set."""
    if course.cap_pico is None:
        return None
    spend_pico: int = (yield from course_sums())["spend_pico"]
    return course.cap_pico - spend_pico


def last_day_of(account: Account) -> date | None:
    """The last day on which calls are answered, by this machine's calendar."""
    if account.valid_until is None:
        return None
    end = datetime.fromisoformat(account.valid_until).astimezone()
    return (end - timedelta(microseconds=1)).date()


def _moment(at: str | None, none: datetime) -> datetime:
    return none if at is None else datetime.fromisoformat(at)


def _least_call_pico(offer: Offer, account: Account) -> int:
    """What the cheapest question holds at least: with less left, none is answered any more."""
    allowed = account.allowed_models
    asked = [one for one in offer.catalogue.models if allowed is None or one.id in allowed]
    serving = [model for model in map(offer.serving, asked) if model]
    bounds = [pricing.bound(model, _SMALL_PROMPT_TOKENS) for model in serving]
    return min((bound.hold_pico(bound.floor_cap_tokens) for bound in bounds), default=0)


@dataclass(frozen=True)
class Bar:
    """The parts of a budget as shares of 1000."""

    spent: int
    held: int


def _bar(account: Account) -> Bar:
    whole = max(account.budget_pico, account.spend_pico + account.reserved_pico, 1)
    spent = _share(account.spend_pico, whole)
    return Bar(spent, min(_share(account.reserved_pico, whole), 1000 - spent))


def _share(part_pico: int, whole_pico: int) -> int:
    """Rounded up, so that the rest never looks like more than it is."""
    return min(1000, -(-max(part_pico, 0) * 1000 // whole_pico))
