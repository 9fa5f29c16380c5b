"""What staff change of a model, and what they are told instead."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from swsllm_nb.catalogue import Row, catalogue_on, overlaid
from swsllm_nb.proxy.models import changed_row, listed_models

MINI = "gpt-4o-mini-2024-07-18"
LUNA = "gpt-6-luna"
TODAY = date(2026, 11, 23)
LIMITS = {"context_tokens": 200_000, "max_output_tokens": 100_000}


def change(name: str, rows: Mapping[str, Row] | None = None, **changes: Any) -> Row:
    return changed_row(rows or overlaid({}), name, today=TODAY, **changes)


def test_a_row_is_changed_by_its_alias_too_and_the_one_given_stays_as_it_was() -> None:
    rows = overlaid({})
    changed = change("gpt-4o-mini", rows, enabled=False)
    assert changed == {**rows[MINI], "enabled": False}
    assert rows[MINI]["enabled"] is True


def test_a_new_price_is_a_version_of_its_own_and_history_stays() -> None:
    row = change(MINI, output_usd="0.70", source="the price page", valid_from="2026-12-01")
    old, new = row["prices"]
    assert old == overlaid({})[MINI]["prices"][0]
    assert new == {
        "valid_from": "2026-12-01", "source": "the price page", "input_usd": "0.15",
        "output_usd": "0.70",
    }  # fmt: skip
    before, after = (
        catalogue_on(overlaid({MINI: row}), day).models[0].prices.output_pico
        for day in (date(2026, 11, 30), date(2026, 12, 1))
    )
    assert (before, after) == (600_000, 700_000)


def test_a_price_without_a_day_holds_from_today_and_can_be_mended_today() -> None:
    wrong = change(MINI, input_usd="16")
    mended = change(MINI, {**overlaid({}), MINI: wrong}, input_usd="0.16")
    assert [version["valid_from"] for version in mended["prices"]] == ["2025-03-01", "2026-11-23"]
    assert mended["prices"][1]["input_usd"] == "0.16"
    assert mended["prices"][1]["source"] == "stated by the teaching staff"


def test_prices_of_long_prompts_are_stated_part_by_part_and_kept_with_each_version() -> None:
    long = {"long_above_tokens": 100_000, "long_input_usd": "0.30", "long_output_usd": "1.20"}
    rows = {**overlaid({}), MINI: change(MINI, **long, multiplier="1.1")}
    rows[MINI] = change(MINI, rows, output_usd="0.70", valid_from="2026-12-01")
    rows[MINI] = change(MINI, rows, long_input_usd="0.40", valid_from="2026-12-01")
    first, now, later = rows[MINI]["prices"]
    assert "long_prompts" not in first
    assert now["long_prompts"] == {
        "above_tokens": 100_000, "input_usd": "0.30", "output_usd": "1.20",
    }  # fmt: skip
    assert later["long_prompts"] == {**now["long_prompts"], "input_usd": "0.40"}
    assert (later["multiplier"], later["output_usd"]) == ("1.1", "0.70")
    (without,) = change(MINI, rows, long_above_tokens=None, valid_from="2026-12-01")["prices"][2:]
    assert "long_prompts" not in without
    with pytest.raises(ValueError, match="long_prompts"):
        change(MINI, long_above_tokens=100_000)


def test_a_price_of_days_gone_by_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot hold from 2026-11-22.*State 2026-11-23"):
        change(MINI, input_usd="1", valid_from="2026-11-22")


def test_the_successor_is_switched_on_once_all_is_known_of_it() -> None:
    with pytest.raises(ValueError, match="has no context_tokens, max_output_tokens"):
        change(LUNA, enabled=True)
    with pytest.raises(ValueError, match="no dated snapshot"):
        change(LUNA, enabled=True, **LIMITS)
    row = change(LUNA, enabled=True, upstream_model="gpt-6-luna-2026-09-01", **LIMITS)
    found = catalogue_on(overlaid({LUNA: row}), TODAY).find(LUNA)
    assert found
    assert (found.prices.input_pico, found.prices.output_pico) == (100_000, 500_000)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"id": "other"}, "no 'id' that can be changed"),
        ({"prices": []}, "no 'prices' that can be changed"),
        ({"input_usd": "0.1500001"}, "too fine"),
        ({"input_usd": "1", "valid_from": "tomorrow"}, "a day such as"),
        ({"input_usd": "1", "valid_from": "2026-9-01"}, "a day such as"),
        ({"floor_cap_tokens": 9000}, "above default_cap_tokens"),
        ({"aliases": ["gpt-4o"]}, "have the name 'gpt-4o'"),
    ],
)
def test_what_could_not_be_served_is_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        change(MINI, **changes)
    with pytest.raises(ValueError, match=r"There is no model 'gpt-5'\. Known: gpt-4o-mini-2024"):
        change("gpt-5", **changes)


def test_the_list_shows_rows_that_are_off_and_where_a_price_comes_from() -> None:
    rows = {row["model"]: row for row in listed_models(overlaid({}), TODAY)}
    assert (rows[LUNA]["enabled"], rows[LUNA]["input_usd"]) == (False, "0.10")
    assert "not confirmed" in rows[LUNA]["source"]
    assert (rows[MINI]["successor"], rows[MINI]["upstream_model"]) == (LUNA, MINI)
    later = {**overlaid({}), MINI: change(MINI, input_usd="9", valid_from="2026-12-01")}
    prices = [
        next(row["input_usd"] for row in listed_models(later, day) if row["model"] == MINI)
        for day in (TODAY, date(2026, 12, 1))
    ]
    assert prices == ["0.15", "9"]
