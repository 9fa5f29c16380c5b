"""What is offered on a day: shut-downs, successors, prices, and the rows that staff changed."""

import asyncio
import logging
from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from swsllm_nb.catalogue import Row, packaged_rows
from swsllm_nb.proxy.errors import ModelNotFound
from swsllm_nb.proxy.offer import Offer

MINI = "gpt-4o-mini-2024-07-18"
LUNA = "gpt-6-luna"
LAST_DAY = date(2027, 1, 13)
END = date(2027, 1, 14)

DATED_LUNA = {"upstream_model": "gpt-6-luna-2026-09-01"}
ENABLED_LUNA = {
    **packaged_rows()[LUNA],
    **DATED_LUNA,
    "enabled": True,
    "context_tokens": 200_000,
    "max_output_tokens": 100_000,
}


class Staff:
    """A store whose rows a test sets; a fault is raised instead."""

    def __init__(self, *rows: Row) -> None:
        self.rows: dict[str, Row] = {row["id"]: row for row in rows}
        self.fault: Exception | None = None

    async def model_rows(self) -> Mapping[str, Row]:
        if self.fault:
            raise self.fault
        return dict(self.rows)


def offer(*rows: Row, day: date = date(2026, 11, 23), ages: bool = True) -> Offer:
    made = Offer(ages=ages, today=lambda: day)
    asyncio.run(made.refresh(Staff(*rows).model_rows))
    return made


def row(model: str, **changes: Any) -> Row:
    return {**packaged_rows()[model], **changes}


def refusal(made: Offer, name: str) -> str:
    with pytest.raises(ModelNotFound) as refused:
        made.model(name)
    return str(refused.value)


def test_a_model_serves_until_the_day_before_it_is_shut_down() -> None:
    assert offer(day=LAST_DAY).model("gpt-4o-mini").id == MINI
    assert refusal(offer(day=END), "gpt-4o-mini").startswith(
        "The model `gpt-4o-mini` does not exist or you do not have access to it. "
        "It was shut down on 2027-01-14"
    )


def test_where_nothing_ages_a_model_that_is_gone_goes_on_serving() -> None:
    assert offer(day=date(2040, 1, 1), ages=False).model("o3-mini").id == "o3-mini-2025-01-31"


def test_a_refusal_names_the_successor_and_whether_it_can_be_used_here() -> None:
    off = refusal(offer(day=END), "gpt-4o-mini")
    assert "its successor `gpt-6-luna` is not switched on here: ask the teaching staff" in off
    assert "2027-01-14; use `gpt-6-luna`." in refusal(offer(ENABLED_LUNA, day=END), "gpt-4o-mini")
    assert "which model to use instead" in refusal(offer(ENABLED_LUNA, day=END), "gpt-4o")


def test_a_refusal_names_what_is_on_offer_today() -> None:
    told = refusal(offer(), "gpt-5")
    assert told.endswith("This proxy offers: gpt-4o-mini-2024-07-18, gpt-4o-2024-11-20.")
    assert refusal(offer(day=END), "x" * 5000).endswith("offers: none.")
    assert len(refusal(offer(), "x" * 5000)) < 400


def test_where_staff_said_so_the_successor_serves_with_its_own_prices_and_rules() -> None:
    made = offer(ENABLED_LUNA, row(MINI, serve_by_successor=True), day=END)
    serving = made.model("gpt-4o-mini")
    assert (serving.id, serving.upstream_model) == (LUNA, "gpt-6-luna-2026-09-01")
    assert serving.prices.output_pico == 500_000
    assert serving.cap_field == "max_completion_tokens"
    before = offer(ENABLED_LUNA, row(MINI, serve_by_successor=True), day=LAST_DAY)
    assert before.model("gpt-4o-mini").id == MINI


def test_successors_are_followed_from_one_to_the_next_but_not_in_circles() -> None:
    gone = {"shutdown_date": "2027-01-01", "serve_by_successor": True}
    chain = (row(MINI, successor="gpt-4o", serve_by_successor=True),)
    onwards = row("gpt-4o-2024-11-20", **gone, successor=LUNA)
    back = row("gpt-4o-2024-11-20", **gone, successor="gpt-4o-mini")
    assert offer(*chain, onwards, ENABLED_LUNA, day=END).model("gpt-4o-mini").id == LUNA
    assert "shut down" in refusal(offer(*chain, onwards, day=END), "gpt-4o-mini")
    assert "shut down" in refusal(offer(*chain, back, day=END), "gpt-4o-mini")


def test_prices_and_shut_downs_take_effect_on_their_day_in_a_running_process() -> None:
    dearer = {**packaged_rows()[MINI]["prices"][0], "valid_from": "2027-01-10", "input_usd": "9"}
    days = [date(2027, 1, 9)]
    made = Offer(ages=True, today=lambda: days[-1])
    staff = Staff(row(MINI, prices=[*packaged_rows()[MINI]["prices"], dearer]))
    asyncio.run(made.refresh(staff.model_rows))
    assert made.model(MINI).prices.input_pico == 150_000
    days.append(date(2027, 1, 10))
    assert made.model(MINI).prices.input_pico == 9_000_000
    days.append(END)
    assert "shut down" in refusal(made, MINI)


def test_what_staff_change_and_take_back_is_offered_from_the_next_refresh_on() -> None:
    made, staff = offer(), Staff(row(MINI, enabled=False))
    asyncio.run(made.refresh(staff.model_rows))
    assert "does not exist" in refusal(made, MINI)
    staff.rows = {}
    asyncio.run(made.refresh(staff.model_rows))
    assert made.model(MINI).id == MINI


@pytest.mark.parametrize("way", ["the store fails", "a row is broken", "no rows at all"])
def test_a_refresh_that_fails_keeps_what_was_offered_and_complains_once(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    made, staff = offer(ENABLED_LUNA), Staff(ENABLED_LUNA)
    if way == "the store fails":
        staff.fault = OSError("no disk")
    elif way == "a row is broken":
        staff.rows[MINI] = {**row(MINI), "cap_field": "none"}
    else:
        staff.rows = None  # type: ignore[assignment]
    for _ in range(3):
        asyncio.run(made.refresh(staff.model_rows))
    assert made.model(LUNA).id == LUNA
    assert made.model(MINI).id == MINI
    (complaint,) = caplog.records
    assert complaint.levelno == logging.ERROR
    staff.fault, staff.rows = None, {}
    asyncio.run(made.refresh(staff.model_rows))
    assert "does not exist" in refusal(made, LUNA)
