"""Accounts and the course as JSON tells them: amounts in dollars, as exact decimal strings."""

from dataclasses import asdict
from typing import Any

from swsllm_nb.money import usd_text
from swsllm_nb.proxy import words
from swsllm_nb.proxy.accounts import named
from swsllm_nb.proxy.course import Course, course
from swsllm_nb.proxy.invoice import billable, verdict
from swsllm_nb.proxy.listing import Listed, listed_account
from swsllm_nb.proxy.overview import CourseOverview
from swsllm_nb.proxy.refused import refusals_of
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work

__all__ = [
    "in_usd",
    "public_account",
    "staff_account",
    "staff_detail",
    "staff_invoice",
    "staff_listed",
    "staff_overview",
]


def public_account(account: Account, course: Course | None) -> dict[str, Any]:
    """An account as its student sees it; of no course (None), nothing is told."""
    return {
        "account": account.name,
        "course": course and course.name,
        "budget_usd": usd_text(account.budget_pico),
        "spend_usd": usd_text(account.spend_pico),
        "reserved_usd": usd_text(account.reserved_pico),
        "remaining_usd": usd_text(account.remaining_pico),
        "valid_until": account.valid_until,
        "contact": course and course.contact,
        "language": account.language or (course and course.language),
    }


def staff_account(account: Account, course: Course | None) -> dict[str, Any]:
    """An account as staff see it: its student's view, whose it is, and its limits."""
    return {
        **public_account(account, course),
        "full_name": account.full_name or None,
        "email": account.email or None,
        "enabled": account.enabled,
        "in_flight_limit": account.in_flight_limit,
        "per_minute_limit": account.per_minute_limit,
        "valid_from": account.valid_from,
        "allowed_models": account.allowed_models,
        "password_is_initial": account.password_is_initial,
    }


def staff_listed(listed: Listed, course: Course | None) -> dict[str, Any]:
    """An account with what staff want to see of it at a glance."""
    judged = in_usd(listed)
    del judged["account"]
    return {**staff_account(listed.account, course), **judged, "days_left": listed.days_left}


def staff_detail(name: str) -> Work[dict[str, Any]]:
    """All that staff see of one account, and what was refused to it, the newest hours first.

    Raises ValueError, in a sentence, where there is no such account.
    """
    account = yield from named(name)
    listed = yield from listed_account(name)
    assert listed is not None, "it was found in the same state of the database"
    refusals = yield from refusals_of(account.id)
    told = staff_listed(listed, (yield from course()))
    return {**told, "refusals": [asdict(one) for one in refusals]}


def staff_overview(seen: CourseOverview) -> dict[str, Any]:
    told: dict[str, Any] = in_usd(seen)
    for part in ("near_limit", "idle"):
        told[part] = [staff_listed(one, None) for one in getattr(seen, part)]
    for stuck, one in zip(told["stuck"], seen.stuck, strict=True):
        stuck["account"] = staff_listed(one.listed, None)
        del stuck["listed"]
    return told


def staff_invoice(since: str, until: str, billed_usd: str | None) -> Work[dict[str, Any]]:
    """What calls of some days came to, and whether what was billed for them agrees.

    Raises ValueError, in a sentence, for what are no days or no sum.
    """
    first, last = words.days(since, until)
    billed_pico = None if billed_usd is None else words.billed_pico(billed_usd)
    sums = yield from billable(first, last)
    told = None if billed_pico is None else verdict(sums, billed_pico)
    return {
        "since": first,
        "until": last,
        "charged_usd": usd_text(sums.charged_pico),
        "least_usd": usd_text(sums.least_pico),
        "most_usd": usd_text(sums.most_pico),
        **(in_usd(told) if told else {"billed_usd": None}),
        "agrees": told and told.agrees,
        "models": [in_usd(one) for one in sums.models],
    }


def in_usd(told: Any) -> Any:
    """The fields of a dataclass, with each amount in pico-dollars told in dollars."""
    return _dollars(asdict(told))


def _dollars(told: Any) -> Any:
    if isinstance(told, dict):
        return dict(_told(name, value) for name, value in told.items())
    return [_dollars(each) for each in told] if isinstance(told, (list, tuple)) else told


def _told(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_pico"):
        return f"{name.removesuffix('_pico')}_usd", None if value is None else usd_text(value)
    return name, _dollars(value)
