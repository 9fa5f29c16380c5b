"""Exact dollars, and how they are shown."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.money import pico_from_usd, show_cost, show_left, usd_text


@given(st.integers(-(2**63), 2**63))
def test_an_amount_written_as_text_is_read_back_exactly(pico: int) -> None:
    assert pico_from_usd(usd_text(pico)) == pico


@pytest.mark.parametrize(
    ("pico", "text"),
    [(0, "0.00"), (5 * 10**12, "5.00"), (4_999_720_000_000, "4.99972"), (-1, "-0.000000000001")],
)
def test_text_is_exact_with_at_least_two_decimals(pico: int, text: str) -> None:
    assert usd_text(pico) == text


@pytest.mark.parametrize(
    "amount",
    [
        "",
        "five",
        "1,5",
        "NaN",
        "inf",
        "0.0000000000001",
        0.1,
        True,
        Decimal("sNaN"),
        "1e3",
        "1e999999",
        "5_0",
        "1" * 10,
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        pico_from_usd(amount)


@pytest.mark.parametrize(
    ("usd", "shown"),
    [
        ("0", "$0.00"),
        ("0.0000996", "$0.0001"),
        ("0.0000054", "$0.0000054"),
        ("0.000012345", "$0.000012"),
        ("0.0099999999", "$0.01"),
        ("0.05", "$0.05"),
        ("0.12345", "$0.1235"),
        ("1.255", "$1.26"),
        ("-0.5", "-$0.50"),
    ],
)
def test_a_cost_is_shown_as_a_person_reads_it(usd: str, shown: str) -> None:
    assert show_cost(pico_from_usd(usd)) == shown


@pytest.mark.parametrize(
    ("usd", "shown"),
    [("3.9199", "$3.91"), ("4.9999999", "$4.99"), ("0.99999", "$0.9999"), ("0.00789", "$0.0078")],
)
def test_what_is_left_never_shows_more_than_there_is(usd: str, shown: str) -> None:
    assert show_left(pico_from_usd(usd)) == shown


@pytest.mark.parametrize(
    ("left", "shown"),
    [("4.9999454", "$4.99994"), ("4.995", "$4.995"), ("4.99", "$4.99"), ("5", "$5.00")],
)
def test_a_first_small_cost_can_be_seen_in_what_is_left(left: str, shown: str) -> None:
    assert show_left(pico_from_usd(left), pico_from_usd("5.00")) == shown
