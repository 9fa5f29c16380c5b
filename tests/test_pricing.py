"""What a call costs and what it can cost at most."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import usd_text
from swsllm_nb.pricing import Bound, LongPrompts, Prices, Rates, bound, cost
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
    assert cost(Prices(10, 100, cached_input_pico=0), usage) == 40 * 10 + 100


def test_tokens_written_to_the_cache_cost_their_own_price_or_the_full_one() -> None:
    usage = Usage(100, 1, cached_tokens=60, cache_write_tokens=30)
    assert cost(Prices(10, 100), usage) == 100 * 10 + 100
    assert cost(Prices(10, 100, 1, 12), usage) == 10 * 10 + 60 * 1 + 30 * 12 + 100


TIERED = Prices(10, 100, 1, 12, LongPrompts(1000, Rates(20, 150, 2)))


def test_a_prompt_above_the_threshold_makes_the_whole_call_dearer() -> None:
    assert cost(TIERED, Usage(1000, 1, 100, 200)) == 700 * 10 + 100 * 1 + 200 * 12 + 100
    assert cost(TIERED, Usage(1001, 1, 100, 200)) == 701 * 20 + 100 * 2 + 200 * 20 + 150


def test_a_bound_up_to_the_threshold_knows_the_base_rates_alone() -> None:
    model = replace(MINI, prices=TIERED)
    below, above = bound(model, 1000), bound(model, 1001)
    assert (below.prompt_pico, below.pico_per_cap_token) == (1000 * 12, 100)
    assert (above.prompt_pico, above.pico_per_cap_token) == (1001 * 20, 150)
    cheaper = replace(TIERED, long_prompts=LongPrompts(1000, Rates(1, 1)))
    either = bound(replace(MINI, prices=cheaper), 1001)
    assert (either.prompt_pico, either.pico_per_cap_token) == (1001 * 12, 100)


def test_the_frozen_prices_are_short_and_thaw_to_the_same() -> None:
    assert MINI.prices.frozen == '{"input":150000,"output":600000}'
    assert TIERED.frozen == (
        '{"input":10,"cached_input":1,"cache_write":12,"output":100,'
        '"long":{"above":1000,"input":20,"cached_input":2,"output":150}}'
    )
    assert TIERED.frozen is TIERED.frozen


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


PICO = st.integers(0, 10**8)
RATES = {
    "input_pico": PICO,
    "output_pico": PICO,
    "cached_input_pico": st.none() | PICO,
    "cache_write_pico": st.none() | PICO,
}
LONG = st.builds(LongPrompts, st.integers(1, 100_000), st.builds(Rates, **RATES))
PRICES = st.builds(Prices, **RATES, long_prompts=st.none() | LONG)


@st.composite
def usages(draw: st.DrawFn, prompt: int, completion: int) -> Usage:
    """A usage within the bounds that a call was held for."""
    used = draw(st.integers(0, prompt))
    cached = draw(st.integers(0, used))
    return Usage(
        used, draw(st.integers(0, completion)), cached, draw(st.integers(0, used - cached))
    )


@given(PRICES)
def test_whatever_the_prices_thawing_gives_them_back(prices: Prices) -> None:
    assert Prices.thaw(prices.frozen) == prices


@given(PRICES, st.integers(0, 100_000), st.integers(1, 16_384), st.integers(1, 8), st.data())
def test_a_settlement_never_exceeds_its_hold(
    prices: Prices, prompt: int, cap: int, choices: int, data: st.DataObject
) -> None:
    call = bound(replace(MINI, prices=prices), prompt, stated_cap=cap, choices=choices)
    used = data.draw(usages(prompt, call.cap_tokens * choices))
    charged = cost(prices, used)
    assert type(charged) is int
    assert 0 <= charged <= call.hold_pico(call.cap_tokens)


@given(PRICES, st.data())
def test_more_answer_never_costs_less(prices: Prices, data: st.DataObject) -> None:
    used = data.draw(usages(200_000, 1000))
    more = replace(used, completion_tokens=used.completion_tokens + 1)
    rate = prices.rates_of(used.prompt_tokens).output_pico
    assert cost(prices, more) == cost(prices, used) + rate
