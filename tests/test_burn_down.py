"""The burn-down picture, read back from its artists."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from histories import (
    DAY,
    NAN,
    START,
    amounts,
    booked,
    call,
    drawn,
    formulas,
    grant,
    ledger_of,
    log_of,
    named,
    spending,
    step_line,
    words,
)  # fmt: skip
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.dates import num2date
from matplotlib.lines import Line2D
from matplotlib.text import Text

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.pictures import burn_down, burn_down_frame
from swsllm_nb.notebook.pictures.axes import LINE_COLOUR
from swsllm_nb.notebook.pictures.burn_marks import MARKERS


@pytest.fixture(autouse=True)
def untouched_matplotlib() -> Iterator[None]:
    """Every figure is closed, and no picture has touched a global style."""
    before = mpl.rcParams.copy()
    yield
    plt.close("all")
    assert mpl.rcParams == before


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", "Europe/Berlin")
        time.tzset()
        yield
    time.tzset()


def markers(ax: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in named(ax, "calls")}


def moment(at: datetime) -> np.datetime64:
    return np.datetime64(at.replace(tzinfo=None), "us")


def dollar_ticks(ax: Axes) -> list[str]:
    low, high = ax.get_ylim()
    labels = zip(ax.get_yticks(), drawn(ax).get_yticklabels(), strict=True)
    return [label.get_text() for amount, label in labels if low <= amount <= high]


def test_the_line_starts_at_the_budget_and_steps_down_by_each_cost() -> None:
    ax = burn_down(spending(1.0, 0.5), budget_usd="5")
    assert amounts(ax) == [5.0, 4.0, 3.5, 3.5]


def test_the_line_begins_before_the_first_call_and_ends_after_the_last() -> None:
    x = step_line(burn_down(spending(1.0, 0.5), budget_usd="5")).get_xdata()
    assert x[0] < x[1] < x[2] < x[3]
    assert x[1] == moment(START)


def test_the_proxys_word_goes_before_budget_less_cost() -> None:
    log = log_of(call(0, 1.0), call(1, 1.0, left=2.5), call(2, 0.5))
    assert amounts(burn_down(log, budget_usd="5"))[:4] == [5.0, 4.0, 2.5, 2.0]


def test_without_a_budget_the_proxys_word_tells_where_the_line_began() -> None:
    ax = burn_down(log_of(call(0, 1.0), call(1, 0.5, left=3.5)))
    assert amounts(ax)[:3] == [5.0, 4.0, 3.5]
    assert ax.get_title("left") == "$3.50 left"


def test_without_budget_and_word_the_line_is_what_was_spent_and_says_so() -> None:
    ax = burn_down(spending(0.25, 0.5))
    assert amounts(ax)[:3] == [0.0, 0.25, 0.75]
    assert ax.get_title("left") == "$0.75 spent"
    assert "budget unknown" in words(ax)
    assert ax.get_ylabel() == "spent so far"


def test_the_title_says_what_is_left_and_the_line_under_it_what_was_spent() -> None:
    ax = burn_down(spending(1.0, 0.09), budget_usd=Decimal(5))
    assert ax.get_title("left") == "$3.91 of $5.00 left"
    assert "$1.09 spent · 2 calls in this machine's log" in words(ax)


@pytest.mark.parametrize(
    "spent", ["3.674", "0.0134", "0.50005", "0.00028", "4.99988", "0.005", "5"]
)
def test_what_is_left_and_what_is_spent_add_up_to_the_budget(spent: str) -> None:
    ax = burn_down(spending(float(spent)), budget_usd="5")
    left, budget = (Decimal(text) for text in re.findall(r"\$([\d.]+)", ax.get_title("left")))
    (footing,) = re.findall(r"\$([\d.]+) spent", words(ax))
    assert left + Decimal(footing) == budget == 5


def test_one_call_is_a_picture() -> None:
    ax = drawn(burn_down(spending(1.0), budget_usd="5"))
    assert amounts(ax) == [5.0, 4.0, 4.0]
    assert "1 call in this machine's log" in words(ax)


@pytest.mark.parametrize("budget", ["5", "0", None])
def test_an_empty_log_says_no_calls_yet(budget: str | None) -> None:
    ax = drawn(burn_down(log_of(), budget_usd=budget))
    assert "no calls yet" in words(ax)
    title = f"${budget}.00 of ${budget}.00 left" if budget else "$0.00 spent"
    assert ax.get_title("left") == title


def test_calls_are_drawn_in_the_order_of_their_times() -> None:
    log = log_of(call(20, 0.5, left=3.5), call(0, 1.0, left=4.0))
    assert amounts(burn_down(log, budget_usd="5"))[:3] == [5.0, 4.0, 3.5]


def test_times_of_mixed_zones_are_the_moments_they_name() -> None:
    log = spending(1.0, 1.0).astype({"at": object})
    tokyo = timezone(timedelta(hours=9))
    log["at"] = [START.astimezone(tokyo) + timedelta(hours=1), START]
    x = step_line(burn_down(log, budget_usd="5")).get_xdata()
    assert list(x[1:3]) == [moment(START), moment(START + timedelta(hours=1))]


@pytest.mark.usefixtures("in_berlin")
def test_the_time_axis_shows_local_time_and_names_the_zone() -> None:
    ax = drawn(burn_down(spending(*[0.1] * 7), budget_usd="5"))
    assert ax.get_xlabel() == "local time (CET)"
    assert "10:30" in [label.get_text() for label in ax.get_xticklabels()]
    tick = num2date(ax.get_xticks()[0], tz=UTC)
    assert START - timedelta(hours=1) <= tick <= START + timedelta(hours=2)


def test_every_kind_of_call_has_a_marker_of_its_own_form_and_a_count() -> None:
    log = log_of(
        call(0, 1.0),
        call(1, NAN),
        call(2, 0.0, status="refused"),
        call(3, 0.0, status="refused"),
        call(4, 0.0, status="failed"),
        call(5, 0.1, status="interrupted"),
    )
    ax = burn_down(log, budget_usd="5")
    seen = markers(ax)
    counted = {label: len(line.get_xdata()) for label, line in seen.items()}
    assert counted == {
        "answered (1)": 1,
        "cost unknown (1)": 1,
        "refused (2)": 2,
        "failed (1)": 1,
        "interrupted (1)": 1,
    }
    looks = {
        (line.get_marker(), line.get_markerfacecolor() == LINE_COLOUR) for line in seen.values()
    }
    assert len(looks) == 5
    legend = ax.get_legend()
    assert legend is not None
    assert {text.get_text() for text in legend.get_texts()} == set(counted)


def test_markers_lie_on_the_amount_after_their_call() -> None:
    (line,) = markers(burn_down(spending(1.0, 0.5), budget_usd="5")).values()
    assert list(line.get_ydata()) == [4.0, 3.5]


def test_a_log_of_answers_only_needs_no_legend() -> None:
    assert burn_down(spending(1.0), budget_usd="5").get_legend() is None


def test_a_status_that_is_not_known_is_drawn_under_its_name() -> None:
    ax = burn_down(log_of(call(0, 1.0, status="queued")), budget_usd="5")
    assert list(markers(ax)) == ["queued (1)"]


def test_unknown_costs_are_counted_and_make_the_amounts_bounds() -> None:
    log = log_of(call(0, 1.0), call(1), call(2, status="failed"), call(3, status="refused"))
    ax = burn_down(log, budget_usd="5")
    assert ax.get_title("left") == "at most $4.00 of $5.00 left"
    assert "at least $1.00 spent · 4 calls in this machine's log · 2 of unknown cost" in words(ax)
    assert burn_down(log).get_title("left") == "at least $1.00 spent"


def test_unknown_costs_that_the_proxy_has_counted_since_are_no_longer_in_doubt() -> None:
    ax = burn_down(log_of(call(0), call(1, 0.5, left=4.0)), budget_usd="5")
    assert ax.get_title("left") == "$4.00 of $5.00 left"
    assert "1 of unknown cost" in words(ax)


def test_more_than_was_left_before_is_a_top_up_and_not_less_spending() -> None:
    ax = burn_down(log_of(call(0, 1.0, left=4.0), call(1, 1.0, left=8.0)), budget_usd="5")
    assert ax.get_title("left") == "$8.00 of $10.00 left"
    assert "$2.00 spent" in words(ax)


def test_what_calls_in_flight_held_and_gave_back_is_no_top_up() -> None:
    ax = burn_down(log_of(call(0, 1.0, left=3.5), call(1, 0.5, left=3.5)), budget_usd="5")
    assert ax.get_title("left") == "$3.50 of $5.00 left"
    assert "$1.50 spent" in words(ax)


def test_tiny_spending_is_zoomed_to_be_seen_and_the_picture_says_so() -> None:
    ax = burn_down(spending(1e-4, 7e-5), budget_usd="5")
    low, high = ax.get_ylim()
    assert 4.9997 < low < 4.99983
    assert 5 < high < 5.0001
    assert ax.get_title("left") == "$4.9998 of $5.00 left"
    assert ax.get_ylabel() == "left to spend, zoomed in"
    assert "$0 is far below" in words(ax)
    assert not ax.collections


def test_ordinary_spending_is_shown_down_to_zero_with_the_area_under_it() -> None:
    ax = burn_down(spending(1.0), budget_usd="5")
    low, high = ax.get_ylim()
    assert low < 0 < 5 < high
    assert "zoomed" not in words(ax)
    assert len(ax.collections) == 1


@pytest.mark.parametrize("budget", ["5", "0", None])
def test_zero_budget_and_a_tenth_of_it_are_lines(budget: str | None) -> None:
    ax = burn_down(spending(0.0), budget_usd=budget)
    levels = {
        gid: {float(level) for line in named(ax, gid) for level in line.get_ydata()}
        for gid in ("zero", "granted", "warning")
    }
    assert levels["zero"] == {0}
    assert levels["granted"] == ({float(budget)} if budget else set())
    assert levels["warning"] == ({0.5} if budget == "5" else set())


def test_a_budget_that_was_overdrawn_goes_below_zero_in_sight() -> None:
    ax = burn_down(spending(3.0, 2.5), budget_usd="5")
    low, _ = ax.get_ylim()
    assert low < -0.5
    assert ax.get_title("left") == "-$0.50 of $5.00 left"
    assert "-$1.00" in dollar_ticks(burn_down(spending(9.0), budget_usd="5")) or low < -0.5


@pytest.mark.parametrize(
    "log",
    [
        spending(1e-4, 7e-5),
        spending(3e-9),
        spending(0.02, 0.3),
        spending(5.0),
        spending(900.0),
        spending(0.0),
        log_of(),
    ],
    ids=["tiny", "nearly nothing", "some", "all", "more", "free", "none"],
)
@pytest.mark.parametrize("budget", ["5", "1000", "0", None])
def test_dollar_ticks_are_amounts_a_person_reads_and_never_repeat(
    log: pd.DataFrame, budget: str | None
) -> None:
    labels = dollar_ticks(burn_down(log, budget_usd=budget))
    assert len(set(labels)) == len(labels)
    assert len(labels) >= 2 or (len(log) == 0 and budget is None)
    for label in labels:
        assert label.startswith(("$", "-$"))
        assert "e" not in label
        assert len(label.split(".")[1]) >= 2


def test_a_zoom_by_hand_gives_the_ticks_the_decimals_they_need() -> None:
    ax = burn_down(spending(1.0), budget_usd="5")
    ax.set_ylim(4.0, 4.0004)
    labels = dollar_ticks(ax)
    assert "$4.0002" in labels
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize(
    ("log", "budget"),
    [
        (spending(1.0, 0.09), "5"),
        (spending(1e-4), "5"),
        (spending(1e-4), None),
        (log_of(call(0), call(1, status="refused")), "5"),
        (log_of(), "5"),
    ],
)
def test_no_text_of_the_figure_is_read_as_a_formula(log: pd.DataFrame, budget: str | None) -> None:
    ax = drawn(burn_down(log, budget_usd=budget))
    # A zoom by hand can ask for ticks that were not there before.
    ax.set_ylim(0.5, 0.9)
    ax.yaxis.get_major_locator().set_params(nbins=10)
    assert formulas(ax) == []
    assert len(ax.figure.findobj(Text)) > 10


def test_every_pair_of_markers_differs_in_form_or_filling() -> None:
    looks = [(form, colour == "none") for form, colour in MARKERS.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("background", ["white", "black"])
def test_line_and_markers_stand_out_from_light_and_dark(background: str) -> None:
    colours = {LINE_COLOUR} | {colour for _, colour in MARKERS.values() if colour != "none"}
    ratios = {colour: contrast(colour, background) for colour in colours}
    # The orange and pink marks have their form to be told by; the line has only its colour.
    assert ratios[LINE_COLOUR] >= 3
    assert min(ratios.values()) >= 2


def contrast(colour: str, background: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(name: str) -> float:
        parts = np.array(to_rgb(name))
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    darker, lighter = sorted([luminance(colour), luminance(background)])
    return (lighter + 0.05) / (darker + 0.05)


def test_five_hundred_calls_are_a_line_without_a_mark_for_each() -> None:
    few, many = (burn_down(spending(*[0.001] * count)) for count in (5, 500))
    assert len(markers(few)) == 1
    assert not markers(many)
    assert all(after >= before for before, after in pairwise(amounts(many)))


def test_thousands_of_refused_calls_are_counted_and_not_all_drawn() -> None:
    log = log_of(*(call(minute, 0.0, status="refused") for minute in range(2_000)))
    ((label, line),) = markers(burn_down(log, budget_usd="5")).items()
    assert label == "refused (2,000)"
    assert len(line.get_xdata()) == 300


def test_it_draws_on_the_axes_it_is_given() -> None:
    figure, (first, second) = plt.subplots(1, 2)
    assert burn_down(spending(1.0), budget_usd="5", ax=second) is second
    assert not first.lines
    assert plt.get_fignums() == [figure.number]


def test_the_frame_is_not_changed() -> None:
    log = spending(1.0, 0.5).iloc[::-1]
    before = log.copy()
    burn_down(log, budget_usd="5")
    pd.testing.assert_frame_equal(log, before)


def test_a_frame_that_is_no_call_log_is_refused_with_the_columns_it_lacks() -> None:
    with pytest.raises(ValueError, match="no column cost_usd; pass what log"):
        burn_down(log_of()[["at", "status"]])


def test_a_budget_that_is_no_amount_is_refused() -> None:
    with pytest.raises(LLMError, match="'five' is none"):
        burn_down(log_of(), budget_usd="five")


def test_importing_the_pictures_imports_neither_pandas_nor_matplotlib() -> None:
    heavy = ["openai", "pandas", "matplotlib", "numpy", "dateutil"]
    code = (
        f"import swsllm_nb.notebook.pictures, sys; print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_ledgers_line_begins_with_the_grant_and_ends_with_what_is_not_held() -> None:
    ledger = ledger_of(
        grant(0, 5.0),
        booked(10, 1.0),
        booked(20, 0.25, "unconfirmed"),
        booked(30, state="held", held_usd=0.5),
    )
    ax = burn_down(ledger)
    assert amounts(ax) == [5.0, 4.0, 3.75, 3.25, 3.25]
    assert ax.get_title("left") == "$3.25 of $5.00 left"
    shown = words(ax)
    assert "$1.25 spent · $0.50 held for 1 running call · 3 calls in the proxy's ledger" in shown
    assert "1 unconfirmed ($0.25)" in shown
    assert {"answered (1)", "unconfirmed (1)", "running (1)"} == set(markers(ax))


def test_a_grant_after_the_first_is_an_upward_step_with_its_amount() -> None:
    ax = burn_down(ledger_of(grant(0, 5.0), booked(10, 1.0), grant(20, 2.5), booked(30, 0.5)))
    assert amounts(ax) == [5.0, 4.0, 6.5, 6.0, 6.0]
    assert [text for text in words(ax).splitlines() if text.startswith("+")] == ["+$2.50"]
    assert ax.get_title("left") == "$6.00 of $7.50 left"


def test_a_credit_raises_what_is_left_and_lowers_what_was_spent() -> None:
    credit = call(20, -0.4, status="", kind="adjustment")
    ax = burn_down(ledger_of(grant(0, 5.0), booked(10, 1.0), credit))
    assert amounts(ax)[:3] == [5.0, 4.0, 4.4]
    assert "$0.60 spent · 1 call in the proxy's ledger" in words(ax)


def test_a_ledgers_grants_count_and_a_typed_budget_is_said_not_to() -> None:
    ax = burn_down(ledger_of(grant(0, 5.0), booked(10, 1.0)), budget_usd="7")
    assert ax.get_title("left") == "$4.00 of $5.00 left"
    assert "the ledger tells the budget: $7.00 is not used" in words(ax)


def test_a_budget_that_ran_out_shows_when_and_what_was_refused_after() -> None:
    refused = [booked(30 + n, 0.0, "", error_code="insufficient_quota") for n in range(7)]
    ax = burn_down(ledger_of(grant(0, 5.0), booked(10, 4.0), booked(20, 1.0), *refused))
    assert "Used up on 23 Nov 09:20; 7 calls refused since" in words(ax)
    (line,) = named(ax, "out")
    assert line.get_xdata()[0].replace(tzinfo=UTC) == START + timedelta(minutes=20)


def test_a_rest_that_pays_for_no_call_is_told_from_none() -> None:
    refused = booked(30, 0.0, "", error_code="insufficient_quota")
    ax = burn_down(ledger_of(grant(0, 5.0), booked(10, 4.9999), refused))
    assert "Too little for a call since 23 Nov 09:30; 1 call refused since" in words(ax)
    topped_up = ledger_of(grant(0, 5.0), booked(10, 4.9999), refused, grant(40, 1.0))
    assert not named(burn_down(topped_up), "out")


def test_the_bands_of_groups_fill_all_between_what_was_granted_and_what_is_left() -> None:
    rows = [booked(n, 0.1 * n, model=f"m{n % 8}", exercise="ex1") for n in range(1, 25)]
    ledger = ledger_of(grant(0, 50.0), *rows, grant(30, 5.0))
    ax = burn_down(ledger, by="model")
    bands = [area for area in ax.collections if area.get_hatch() is not None or area.get_label()]
    assert [str(area.get_label()).rpartition(" ")[0] for area in bands] == [
        "m0", "m7", "m6", "m5", "m4", "3 others",
    ]  # fmt: skip
    assert len({area.get_hatch() for area in bands}) == 6
    table = burn_down_frame(ledger, by="model")
    groups = table.columns[table.columns.get_loc("remaining_usd") + 1 :]
    gone = table["granted_usd"].cumsum() - table["remaining_usd"]
    assert np.allclose(table[groups].sum(axis=1), gone)


def test_what_left_the_budget_without_a_call_in_the_log_is_a_band_of_its_own() -> None:
    log = log_of(call(0, 1.0, left=4.0, model="m"), call(1, 0.5, left=2.0, model="m"))
    table = burn_down_frame(log, budget_usd="5", by="model")
    assert list(table["m"]) == [1.0, 1.5]
    assert list(table["not in this log"]) == [0.0, 1.5]


def test_what_cannot_be_grouped_by_is_refused() -> None:
    with pytest.raises(ValueError, match="by model, exercise, source, and not by 'prompt'"):
        burn_down(spending(1.0), by="prompt")


def test_the_even_pace_leads_from_each_grant_to_zero_on_the_last_day() -> None:
    ledger = ledger_of(grant(0, 4.0), booked(DAY, 1.0), grant(2 * DAY, 1.0))
    ax = burn_down(ledger, until=START + timedelta(days=4))
    (pace,) = named(ax, "pace")
    assert list(pace.get_ydata()) == [4.0, 2.0, 3.0, 0.0]
    days = [(at.replace(tzinfo=UTC) - START).days for at in pace.get_xdata()]
    assert days == [0, 2, 2, 4]


@pytest.mark.parametrize("until", ["soon", "2027-13-01", 7])
def test_a_last_day_that_is_none_is_refused(until: Any) -> None:
    with pytest.raises(ValueError, match="is no day; write it such as '2027-01-31'"):
        burn_down(spending(1.0), until=until)


def steady(days: int, a_day: float, budget: float = 5.0) -> pd.DataFrame:
    calls = (booked(DAY * day + 60 * hour, a_day / 4) for day in range(days) for hour in range(4))
    return ledger_of(grant(0, budget), *calls)


def test_the_forecast_is_a_band_to_zero_with_the_days_in_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ax = burn_down(steady(20, 0.1))
    (band,) = (patch for patch in ax.patches if patch.get_gid() == "forecast")
    (now, left), *ends = band.get_xy()[:3]
    assert left == pytest.approx(3.0)
    assert [amount for _, amount in ends] == [0, 0]
    days = [at - now for at, _ in ends]
    assert 20 < days[0] < 30 < days[1] < 45
    said = capsys.readouterr().out
    found = re.search(r"At this pace it lasts until (\d+ \w+ 2027) \(between", said)
    assert found
    assert "at this pace until" in words(ax)
    assert not burn_down(steady(20, 0.1), forecast=False).patches


@pytest.mark.parametrize(
    ("ledger", "sentence"),
    [
        (steady(3, 0.5), "Too early for a forecast: it takes 7 days of calls."),
        (steady(20, 0.0), "No forecast: nothing was spent in the last 28 days."),
        (steady(20, 0.0001), "At this pace it lasts more than a year."),
    ],
    ids=["early", "nothing", "forever"],
)
def test_where_no_day_can_be_told_the_sentence_says_why(
    ledger: pd.DataFrame, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    burn_down(ledger)
    assert sentence in capsys.readouterr().out


def test_the_same_frame_gives_the_same_table_and_the_table_ends_with_the_forecast() -> None:
    table = burn_down_frame(steady(20, 0.1))
    pd.testing.assert_frame_equal(table, burn_down_frame(steady(20, 0.1)))
    assert list(table["event"].tail(3)) == [
        "used up with 10 %", "used up with 50 %", "used up with 90 %",
    ]  # fmt: skip
    assert table["at"].is_monotonic_increasing


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("at", "yesterday", "Row 1 of the frame .* has 'yesterday' for at, which is no moment"),
        ("at", pd.NaT, "which is no moment"),
        ("cost_usd", -0.5, "Row 1 .* has '-0.5' for cost_usd, which is no amount that can be"),
        ("cost_usd", float("inf"), "has 'inf' for cost_usd"),
        ("cost_usd", "much", "has 'much' for cost_usd"),
        ("remaining_usd", float("-inf"), "has '-inf' for remaining_usd"),
    ],
)
def test_what_cannot_be_is_refused_with_its_row(column: str, value: Any, said: str) -> None:
    # The bad row is the first in time: its number is that of the frame as it was given.
    log = log_of(call(10, 1.0), call(0, 1.0)).astype({column: object})
    log.loc[1, column] = value
    with pytest.raises(ValueError, match=said):
        burn_down(log, budget_usd="5")


def test_numbers_for_times_are_refused_rather_than_taken_for_1970() -> None:
    with pytest.raises(ValueError, match=r"Row 0 .* is no moment"):
        burn_down(spending(1.0).assign(at=[1_700_000_000]))


def test_equal_times_are_all_kept_in_the_order_given() -> None:
    log = log_of(call(0, 1.0), call(0, 0.5), call(0, 0.25))
    assert amounts(burn_down(log, budget_usd="5"))[:4] == [5.0, 4.0, 3.5, 3.25]


def test_naive_times_are_utc() -> None:
    log = spending(1.0).assign(at=[START.replace(tzinfo=None)])
    assert step_line(burn_down(log, budget_usd="5")).get_xdata()[1] == moment(START)


def test_three_columns_are_enough() -> None:
    frame = spending(1.0, 0.5)[["at", "status", "cost_usd"]]
    assert burn_down(frame, budget_usd="5").get_title("left") == "$3.50 of $5.00 left"


def test_german_says_it_in_german_with_the_same_dollars(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    english = dollar_ticks(burn_down(steady(20, 0.1)))
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    ax = burn_down(steady(20, 0.1), until="2027-05-31")
    assert ax.get_title("left") == "$3.00 von $5.00 übrig"
    assert dollar_ticks(ax) == english
    assert "In diesem Tempo reicht es bis" in capsys.readouterr().out
    shown = words(drawn(ax))
    assert "Mai" in shown
    assert "May" not in shown


def test_no_count_in_german_can_be_read_as_a_number_with_decimals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unknown = spending(*[0.001] * 1000, *[float("nan")] * 1500)
    monkeypatch.setenv("SWSLLM_LANGUAGE", "de")
    shown = words(drawn(burn_down(unknown, budget_usd="5"))) + capsys.readouterr().out
    space = "\N{NARROW NO-BREAK SPACE}"
    assert f"2{space}500 Aufrufe im Protokoll" in shown
    assert f"1{space}500 mit unbekannten Kosten" in shown
    assert not re.search(r"(?<!\$)\b\d{1,3}[.,]\d{3}\b", shown), shown
