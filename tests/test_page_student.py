"""The student's page: what it says of an account is so, wherever its machine stands."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apps import SECRET, Course
from argon2 import PasswordHasher
from stores import execute
from visitors import Visitor, teacher, visiting

from swsllm_nb.catalogue import packaged_rows
from swsllm_nb.proxy import auth
from swsllm_nb.proxy.audit import note
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.errors import StoreUnavailable
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import Office
from swsllm_nb.proxy.page import long_sheets, staff_course


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1)
    monkeypatch.setattr(auth, "_FOR_CHOSEN", cheap)


@pytest.fixture(params=["UTC", "Europe/Berlin", "Asia/Tokyo", "America/Los_Angeles"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose clock shows the time of one of these places."""
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


def in_hours(hours: float) -> str:
    moment = datetime.now(UTC) + timedelta(hours=hours)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


async def set_account(served: Course, **columns: Any) -> None:
    for column, value in columns.items():
        await execute(served.store, f"UPDATE accounts SET {column} = $1 WHERE name = 'ada'", value)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be changed here")
@pytest.mark.usefixtures("zone")
def test_that_an_account_has_not_begun_or_is_over_is_said_in_every_time_zone(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        for begins, ends, waiting, over in (
            (0.25, None, True, False),
            (-0.25, None, False, False),
            (None, 0.25, False, False),
            (None, -0.25, False, True),
        ):
            stated = {"valid_from": begins, "valid_until": ends}
            await set_account(served, **{n: h and in_hours(h) for n, h in stated.items()})
            page = (await ada.get("/")).text
            assert ("Your account begins on" in page) is waiting
            assert ("Your account ended on" in page) is over

    visiting(tmp_path, act)


def test_a_budget_that_pays_for_none_of_the_models_one_may_use_is_used_up(tmp_path: Path) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await set_account(served, spend_pico=5 * 10**12 - 10**9)
        assert "Your budget is used up" not in (await ada.get("/")).text
        await set_account(served, allowed_models='["gpt-4o-2024-11-20"]')
        assert "Your budget is used up" in (await ada.get("/")).text

    visiting(tmp_path, act)


def test_that_the_money_of_the_whole_course_is_used_up_is_said_with_whom_to_ask(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada, hand = Visitor(served), Office(served.store, SECRET, "a test")
        await ada.settle_in("ada", served.password)
        await hand.add_account("bob", "5.00")
        await hand.set_course(contact="room 12", cap_usd="6.00")
        await execute(served.store, "UPDATE accounts SET spend_pico = $1", 3 * 10**12 - 10**9)
        assert "whole course is used up" not in (await ada.get("/")).text
        await execute(served.store, "UPDATE accounts SET spend_pico = $1", 3 * 10**12 - 1)
        page = (await ada.get("/")).text
        assert "The money of the whole course is used up, so calls are refused now" in page
        assert page.count("room 12") == 2
        assert "Your budget is used up" not in page

    visiting(tmp_path, act)


def test_every_unconfirmed_charge_is_there_with_its_reason_however_many_are_newer(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        for first, reason in ((1, None), (2, Doubt.NO_USAGE.value), (32, Doubt.PROXY_DIED.value)):
            await execute(served.store, _UNCONFIRMED, first, reason)
        await execute(
            served.store,
            "INSERT INTO ledger (kind, account_id, at, adjusts_id) "
            "SELECT 'adjustment', account_id, at, id FROM ledger WHERE reason = $1",
            Doubt.PROXY_DIED.value,
        )
        ada = Visitor(served, **{"accept-language": "de"})
        await ada.settle_in("ada", served.password)
        page = (await ada.get("/")).text
        shown = re.findall(r"<li><code>req_(\d+)<", page)
        assert shown == [str(number) for number in range(31, 21, -1)]
        assert page.count("sagte nicht, was sie verbraucht hat") == len(shown)
        assert "zusammen $310.00" in page
        link = re.search(r'href="/llm(/\?status=unconfirmed)#calls">21 weitere', page)
        assert link is not None
        listed = (await ada.get(link[1])).text
        assert "der Proxy wurde angehalten" in listed
        assert "inzwischen korrigiert" in listed
        await execute(served.store, "UPDATE ledger SET amount_pico = 0 WHERE request_id <> 'req_1'")
        assert "warum, wurde nicht festgehalten" in (await ada.get("/")).text

    visiting(tmp_path, act)


_UNCONFIRMED = """
    INSERT INTO ledger (kind, state, account_id, at, request_id, amount_pico, hold_pico, reason)
    WITH RECURSIVE calls (n) AS (
        SELECT $1 UNION ALL
        SELECT n + 1 FROM calls WHERE n < CASE $1 WHEN 1 THEN 1 WHEN 2 THEN 31 ELSE 150 END
    )
    SELECT 'call', 'unconfirmed', 1, utc_now(), 'req_' || n, 10000000000000, 10000000000000, $2
    FROM calls
"""


def test_sheets_go_to_their_very_end_and_what_breaks_off_is_no_whole_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(long_sheets, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(staff_course, "ROWS_AT_ONCE", 7)

    async def act(served: Course) -> None:
        await execute(served.store, _UNCONFIRMED, 32, None)
        for _ in range(20):
            await served.store.write(lambda: note("a test", "edit", 1))
        ada, staff = Visitor(served), Visitor(served)
        await ada.settle_in("ada", served.password)
        await staff.settle_in("lehr", await teacher(served), "/staff")
        for visitor, path, rows in (
            (ada, "/receipts.csv", 119 + 1),
            (ada, "/receipts.csv?status=released", 0),
            (staff, "/staff/accounts/1/ledger.csv", 119 + 1),
            (staff, "/staff/trail.csv", 20 + 5),
        ):
            lines = (await visitor.get(path)).text.splitlines()
            assert len(set(lines)) - 1 == rows, path
        read, calls = served.store.read, iter(range(100))

        async def away(work: Any) -> Any:
            if next(calls) > 3:
                raise StoreUnavailable("the database is away")
            return await read(work)

        monkeypatch.setattr(served.store, "read", away)
        # A server closes the connection; here nobody sees the answer's end.
        with pytest.raises(AssertionError):
            await ada.get("/receipts.csv")
        assert "/receipts.csv failed" in caplog.text

    visiting(tmp_path, act)


def test_what_is_granted_is_never_shown_as_more_and_what_is_taken_back_has_its_sign_in_front(
    tmp_path: Path,
) -> None:
    async def act(served: Course) -> None:
        ada = Visitor(served)
        await ada.settle_in("ada", served.password)
        await Office(served.store, SECRET, "a test").grant(["ada"], "-0.004", "too much")
        page = (await ada.get("/")).text
        assert "left of $4.99<" in page
        assert "-$0.004" in page
        assert "$-" not in page
        assert "+-" not in page
        assert "+$5.00" in page

    visiting(tmp_path, act)


def test_a_model_whose_upstream_is_not_set_up_is_no_fault_of_the_page(tmp_path: Path) -> None:
    offer = Offer(ages=False)

    async def act(served: Course) -> None:
        hand = Office(served.store, SECRET, "a test")
        for name in packaged_rows():
            await hand.set_model(name, upstreams=["elsewhere"])
        await offer.refresh(lambda: served.store.read(model_rows))
        answer = await Visitor(served).get("/your-data")
        assert answer.status_code == 200
        assert "nowhere at the moment" in answer.text

    visiting(tmp_path, act, offer=offer)
