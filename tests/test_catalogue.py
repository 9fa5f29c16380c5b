"""The rows of models: what is packaged, what staff may lay over it, and what is never let in."""

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from swsllm_nb.catalogue import (
    Catalogue,
    catalogue_on,
    default_catalogue,
    overlaid,
    packaged_rows,
)
from swsllm_nb.pricing import LongPrompts, Prices, Rates

MINI = "gpt-4o-mini-2024-07-18"
LUNA = "gpt-6-luna"
DAY = date(2026, 11, 23)


def mini(**changes: Any) -> dict[str, Any]:
    return {**packaged_rows()[MINI], **changes}


def price(**changes: Any) -> dict[str, Any]:
    return {**packaged_rows()[MINI]["prices"][0], **changes}


def catalogue(row: dict[str, Any], day: date = DAY) -> Catalogue:
    return catalogue_on(overlaid({row["id"]: row}), day)


def prices(**changes: Any) -> Prices:
    found = catalogue(mini(prices=[price(**changes)])).find(MINI)
    assert found
    return found.prices


def test_the_packaged_rows_are_sound() -> None:
    assert overlaid({}) == packaged_rows()


def test_a_row_that_is_switched_off_is_not_on_offer() -> None:
    assert LUNA in packaged_rows()
    assert default_catalogue().find(LUNA) is None
    assert catalogue(mini(enabled=False)).find("gpt-4o-mini") is None
    assert catalogue(mini(enabled=False)).default.id == "gpt-4o-2024-11-20"


def test_a_row_says_its_successor_honestly() -> None:
    successors = {row["aliases"][0]: row["successor"] for row in list(packaged_rows().values())[:3]}
    assert successors == {"gpt-4o-mini": LUNA, "gpt-4o": None, "o3-mini": "gpt-5.6-sol"}
    assert "not confirmed" in packaged_rows()[LUNA]["prices"][0]["source"]


def test_a_new_price_holds_from_its_day_on_and_not_before() -> None:
    row = mini(prices=[price(), price(valid_from="2027-01-01", input_usd="9")])
    before, after = (
        catalogue(row, day).models[0].prices.input_pico
        for day in (date(2026, 12, 31), date(2027, 1, 1))
    )
    assert (before, after) == (150_000, 9_000_000)


def test_a_model_whose_first_price_is_to_come_is_not_yet_on_offer() -> None:
    row = mini(prices=[price(valid_from="2027-01-01")])
    assert catalogue(row, date(2026, 12, 31)).find(MINI) is None
    assert catalogue(row, date(2027, 1, 1)).find(MINI)


def test_a_multiplier_holds_for_every_price_of_its_version() -> None:
    long = {"above_tokens": 272_000, "input_usd": "2", "output_usd": "3"}
    dearer = prices(
        input_usd="1", output_usd="2", cached_input_usd="0.5", cache_write_usd="1.25",
        multiplier="1.1", long_prompts=long,
    )  # fmt: skip
    assert dearer == Prices(
        1_100_000, 2_200_000, 550_000, 1_375_000,
        LongPrompts(272_000, Rates(2_200_000, 3_300_000)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"input_usd": "0.1500001"}, "too fine"),
        (
            {"input_usd": "0.000001", "multiplier": "1.1"},
            "times 1.1 per million tokens",
        ),
        ({"input_usd": 0.15}, "is not an exact amount"),
        ({"output_usd": None}, "is not an amount"),
        ({"output_usd": "-1"}, "no negative price"),
        ({"multiplier": "0"}, "'multiplier' is '0'"),
        ({"multiplier": 1.1}, "as text, such as '1.1'"),
        ({"multiplier": "1e9"}, "as text"),
        ({"valid_from": "soon"}, "a day such as"),
        ({"valid_from": None}, "a day such as"),
        ({"source": ""}, "'source' is ''"),
        ({"long_prompts": {"above_tokens": 0, "input_usd": "1", "output_usd": "1"}}, "from 1 to"),
        ({"long_prompts": {"above_tokens": 5, "input_usd": "1"}}, "has no 'output_usd'"),
        ({"long_prompts": []}, "is no JSON object"),
        ({"price": "1"}, "unknown field 'price'"),
    ],
)
def test_a_price_that_is_none_is_refused_with_a_sentence(
    changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        prices(**changes)
    assert MINI in str(refused.value)


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in mini().items() if name != field}


BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "a missing field": (lambda: without("cap_field"), "has no 'cap_field'"),
    "no id": (lambda: {**mini(), "id": None}, "states another id|'id' is None"),
    "an unknown field": (lambda: mini(colour="red"), "unknown field 'colour'. Known: aliases"),
    "no object": (lambda: ["a"], "is no JSON object"),
    "a cap field of its own": (lambda: mini(cap_field="limit"), "'max_tokens' or 'max_completion"),
    "floor over default": (lambda: mini(floor_cap_tokens=5000), "5000 is above default_cap_tokens"),
    "default over maximum": (lambda: mini(max_output_tokens=300), "above max_output_tokens 300"),
    "maximum over context": (lambda: mini(context_tokens=9000), "above context_tokens 9000"),
    "a limit of 0": (lambda: mini(floor_cap_tokens=0), "a whole number from 1"),
    "a limit that is true": (lambda: mini(floor_cap_tokens=True), "a whole number from 1"),
    "enabled in words": (lambda: mini(enabled="yes"), "true or false"),
    "names that are none": (lambda: mini(aliases=["a", 1]), "a list of texts"),
    "a field that can cost": (lambda: mini(extra_fields=["web_search_options"]), "extra_fields"),
    "rules in numbers": (lambda: mini(unsupported={"n": 1}), "an object of texts"),
    "no list of prices": (lambda: mini(prices={}), "a list of price versions"),
    "two prices of a day": (lambda: mini(prices=[price(), price()]), "two prices that hold from"),
    "a shut-down in words": (lambda: mini(shutdown_date="soon"), "a day such as"),
    "served by nobody": (
        lambda: mini(successor=None, serve_by_successor=True),
        "served by a successor, and names none",
    ),
    "another's name": (lambda: mini(aliases=["gpt-4o"]), "have the name 'gpt-4o'"),
    "two defaults": (
        lambda: {**packaged_rows()["gpt-4o-2024-11-20"], "default": True},
        "Only one model can be the default",
    ),
    "on without a price": (lambda: mini(prices=[]), "cannot be switched on: it has no prices"),
    "on without limits": (
        lambda: mini(context_tokens=None, max_output_tokens=None),
        "has no context_tokens, max_output_tokens",
    ),
    "an alias upstream": (lambda: mini(upstream_model="gpt-4o-mini"), "no dated snapshot"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_row_is_never_let_in(case: str) -> None:
    make, sentence = BROKEN[case]
    row = make()
    name = row["id"] if isinstance(row, dict) and row["id"] else MINI
    with pytest.raises(ValueError, match=sentence):
        overlaid({name: row})


def test_a_row_must_be_laid_over_the_one_it_names() -> None:
    with pytest.raises(ValueError, match="states another id"):
        overlaid({"gpt-4o-2024-11-20": mini()})


def test_a_server_that_costs_nothing_needs_no_dated_name() -> None:
    free = price(input_usd="0", output_usd="0")
    row = mini(id="llama", aliases=[], default=False, prices=[free], encoding="llama's own")
    found = catalogue(row).find("llama")
    assert found
    assert found.upstream_model == "llama"


def test_what_a_row_leaves_out_has_a_meaning() -> None:
    found = default_catalogue().find("gpt-4o-mini")
    assert found
    assert (found.upstream_model, found.upstreams, found.serve_by_successor) == (MINI, (), False)
