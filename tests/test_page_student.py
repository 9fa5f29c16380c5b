"""The student's page: what it says of an account is so, wherever its machine stands."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from apps import SECRET, Course
from argon2 import PasswordHasher
from stores import execute
from visitors import Visitor, visiting

from swsllm_nb.catalogue import packaged_rows
from swsllm_nb.proxy import auth
from swsllm_nb.proxy.course import model_rows
from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.office import Office


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
