"""The picture of spend per model and day: nothing left out, nothing outside of it."""

import re
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from swsllm_nb.proxy.page.stacks import OTHER, DailySpend, Stacks, stacked

MONDAY = date(2026, 11, 2)
USD = 10**12


def spent(days_later: int, model: str, usd: int) -> DailySpend:
    return DailySpend(MONDAY + timedelta(days=days_later), model, usd * USD)


def rectangles(picture: Stacks) -> list[tuple[str, float, float, float, float]]:
    """Model, left, bottom, width and height of every bar."""
    number = r"(-?[\d.]+)"
    shape = re.compile(rf"M{number} {number}h{number}v-{number}h-[\d.]+z")
    return [
        (stack.model, *map(float, found.groups()))  # type: ignore[misc]
        for stack in picture.stacks
        for found in shape.finditer(stack.path)
    ]


def test_bars_of_one_day_stand_on_one_another_the_dearest_model_at_the_bottom() -> None:
    spend = [spent(0, "mini", 1), spent(0, "large", 4), spent(1, "mini", 1)]
    picture = stacked(spend, MONDAY, MONDAY + timedelta(days=9), width=100, height=100)
    assert rectangles(picture) == [
        ("large", 0, 100, 8, 80),
        ("mini", 0, 20, 8, 20),
        ("mini", 10, 100, 8, 20),
    ]
    assert [(stack.model, stack.amount_pico // USD) for stack in picture.stacks] == [
        ("large", 4),
        ("mini", 2),
    ]


def test_lines_are_at_round_amounts_and_reach_above_the_highest_bar() -> None:
    picture = stacked([spent(0, "mini", 17)], MONDAY, MONDAY, height=100)
    assert [pico // USD for _, pico in picture.lines] == [0, 5, 10, 15, 20]
    assert picture.lines[0][0] == 100
    assert picture.lines[-1][0] == 0


def test_a_day_without_calls_and_a_course_without_any_are_pictures_too() -> None:
    picture = stacked([], MONDAY, MONDAY + timedelta(days=30))
    assert picture.stacks == []
    assert next(day for _, day in picture.labels) == MONDAY


def test_a_long_course_has_bars_of_several_days_and_no_cent_less() -> None:
    spend = [spent(day, "mini", 1) for day in range(200)]
    picture = stacked(spend, MONDAY, MONDAY + timedelta(days=199))
    assert picture.bar_days == 4
    assert len(rectangles(picture)) == 50
    assert picture.stacks[0].amount_pico == 200 * USD


def test_too_many_models_for_a_picture_share_the_last_colour() -> None:
    spend = [spent(0, f"model-{number}", 20 - number) for number in range(12)]
    picture = stacked([*spend, spent(0, "", 1)], MONDAY, MONDAY)
    assert [stack.model for stack in picture.stacks] == [
        *(f"model-{number}" for number in range(5)),
        OTHER,
    ]
    assert (
        sum(stack.amount_pico for stack in picture.stacks)
        == sum(row.amount_pico for row in spend) + USD
    )


@given(
    st.lists(
        st.builds(
            DailySpend,
            st.integers(-3, 150).map(lambda days: MONDAY + timedelta(days=days)),
            st.sampled_from(["", *"abcdefgh"]),
            st.integers(-(10**13), 10**15),
        ),
        max_size=30,
    ),
    st.integers(0, 140),
)
def test_every_bar_lies_in_the_picture_and_the_sums_are_exact(
    spend: list[DailySpend], days: int
) -> None:
    ends = MONDAY + timedelta(days=days)
    picture = stacked(spend, MONDAY, ends)
    for _, left, bottom, width, height in rectangles(picture):
        assert left >= 0
        assert left + width <= picture.width + 0.1
        assert bottom - height >= -0.2
        assert bottom <= picture.height
    shown = sum(stack.amount_pico for stack in picture.stacks)
    assert shown == sum(max(0, row.amount_pico) for row in spend if MONDAY <= row.day <= ends)
    assert len(picture.stacks) <= 6
