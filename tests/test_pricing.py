"""What a call costs and what it can cost at most."""

import json
from datetime import date
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.money import usd_text
from swsllm_nb.pricing import (
    Bound,
    Prices,
    bound,
    catalogue_from_json,
    cost,
    default_catalogue,
)
from swsllm_nb.wire import Usage

MINI = default_catalogue().default


def test_the_three_course_models_have_the_prices_of_the_course() -> None:
    prices = {
        model.id: (model.prices.input_pico, model.prices.output_pico)
        for model in default_catalogue().models
    }
    assert prices == {
        "o3-mini-2025-01-31": (1_100_000, 4_400_000),
        "gpt-4o-2024-11-20": (2_500_000, 10_000_000),
        "gpt-4o-mini-2024-07-18": (150_000, 600_000),
    }


def test_a_model_is_found_by_snapshot_and_alias_and_nothing_else() -> None:
    assert default_catalogue().find("gpt-4o-mini") is MINI
    assert default_catalogue().find("gpt-4o-mini-2024-07-18") is MINI
    assert default_catalogue().find("gpt-4o-mini-2024") is None


def test_the_footnote_of_the_design_is_computed_exactly() -> None:
    assert usd_text(cost(MINI.prices, Usage(312, 88))) == "0.0000996"


def test_cached_tokens_cost_their_own_price_or_the_full_one() -> None:
    usage = Usage(prompt_tokens=100, completion_tokens=1, cached_tokens=60)
    assert cost(Prices(10, 100), usage) == 100 * 10 + 100
    assert cost(Prices(10, 100, cached_input_pico=5), usage) == 40 * 10 + 60 * 5 + 100


def test_a_price_finer_than_a_pico_dollar_per_token_is_refused() -> None:
    document = json.loads(resources.files("swsllm_nb").joinpath("catalogue.json").read_text())
    document["models"][0]["prices"][0]["input_usd"] = "0.1500001"
    with pytest.raises(ValueError, match="too fine"):
        catalogue_from_json(json.dumps(document), date(2026, 11, 23))


def test_a_new_price_holds_from_its_day_on_and_not_before() -> None:
    document = json.loads(resources.files("swsllm_nb").joinpath("catalogue.json").read_text())
    prices = document["models"][0]["prices"]
    prices.append({**prices[0], "valid_from": "2027-01-01", "input_usd": "9"})
    before, after = (
        catalogue_from_json(json.dumps(document), day).models[0].prices.input_pico
        for day in (date(2026, 12, 31), date(2027, 1, 1))
    )
    assert (before, after) == (150_000, 9_000_000)


def test_without_a_stated_maximum_the_rows_default_may_be_lowered_to_its_floor() -> None:
    lenient = bound(MINI, 100)
    assert (lenient.cap_tokens, lenient.floor_cap_tokens) == (4096, 256)
    strict = bound(MINI, 100, stated_cap=900)
    assert (strict.cap_tokens, strict.floor_cap_tokens) == (900, 900)


def test_the_cap_leaves_room_for_the_prompt() -> None:
    assert bound(MINI, 127_990).cap_tokens == 10
    with pytest.raises(ValueError, match="do not fit"):
        bound(MINI, 128_000)


def test_every_choice_is_held_for() -> None:
    one, three = bound(MINI, 10, stated_cap=100), bound(MINI, 10, stated_cap=100, choices=3)
    assert three.hold_pico(100) - three.prompt_pico == 3 * (one.hold_pico(100) - one.prompt_pico)


@given(
    st.builds(
        Bound,
        prompt_pico=st.integers(0, 10**9),
        pico_per_cap_token=st.integers(1, 10**7),
        cap_tokens=st.just(4096),
        floor_cap_tokens=st.integers(1, 4096),
    ),
    st.integers(0, 10**11),
)
def test_the_affordable_cap_is_the_largest_that_fits(call: Bound, available_pico: int) -> None:
    cap = call.affordable_cap(available_pico)
    if cap is None:
        assert call.hold_pico(call.floor_cap_tokens) > available_pico
    else:
        assert call.floor_cap_tokens <= cap <= call.cap_tokens
        assert call.hold_pico(cap) <= available_pico
        assert cap == call.cap_tokens or call.hold_pico(cap + 1) > available_pico


@given(st.integers(0, 100_000), st.integers(1, 16_384), st.integers(1, 8), st.data())
def test_a_settlement_never_exceeds_its_hold(
    prompt: int, cap: int, choices: int, draw: st.DataObject
) -> None:
    call = bound(MINI, prompt, stated_cap=cap, choices=choices)
    used = Usage(
        prompt_tokens=draw.draw(st.integers(0, prompt)),
        completion_tokens=draw.draw(st.integers(0, call.cap_tokens * choices)),
    )
    assert cost(MINI.prices, used) <= call.hold_pico(call.cap_tokens)
