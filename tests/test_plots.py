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
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.dates import num2date
from matplotlib.lines import Line2D
from matplotlib.text import Text

from swsllm_nb.notebook.plots import LINE_COLOUR, MARKERS, burn_down
from swsllm_nb.wire import CALL_COLUMNS

NAN = float("nan")
START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
EMPTY_VALUES = {"float64": NAN, "Int64": pd.NA, "bool": False, "str": ""}


def call(
    minutes: float = 0, cost: float = NAN, left: float = NAN, status: str = "ok"
) -> dict[str, Any]:
    at = START + timedelta(minutes=minutes)
    return {"at": at, "cost_usd": cost, "remaining_usd": left, "status": status}


def log_of(*calls: dict[str, Any]) -> pd.DataFrame:
    """A call log's frame with all its columns."""
    empty = {name: EMPTY_VALUES.get(kind, pd.NaT) for name, kind in CALL_COLUMNS.items()}
    frame = pd.DataFrame([empty | row for row in calls], columns=list(CALL_COLUMNS))
    return frame.astype(dict(CALL_COLUMNS))


def spending(*costs: float) -> pd.DataFrame:
    return log_of(*(call(minutes=10 * index, cost=cost) for index, cost in enumerate(costs)))


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


def drawn(ax: Axes) -> Axes:
    ax.figure.canvas.draw()
    return ax


def step_line(ax: Axes) -> Line2D:
    (line,) = (line for line in ax.lines if line.get_drawstyle() == "steps-post")
    return line


def amounts(ax: Axes) -> list[float]:
    return [float(amount) for amount in step_line(ax).get_ydata()]


def markers(ax: Axes) -> dict[str, Line2D]:
    return {str(line.get_label()): line for line in ax.lines if line.get_marker() != "None"}


def words(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.figure.findobj(Text))


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
    assert x[1] == START


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
    assert "$1.09 spent · 2 calls in the log" in words(ax)


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
    assert "1 call in the log" in words(ax)


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
    assert list(x[1:3]) == [START, START + timedelta(hours=1)]


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
    assert "at least $1.00 spent · 4 calls in the log · 2 of unknown cost" in words(ax)
    assert burn_down(log).get_title("left") == "at least $1.00 spent"


def test_unknown_costs_that_the_proxy_has_counted_since_are_no_longer_in_doubt() -> None:
    ax = burn_down(log_of(call(0), call(1, 0.5, left=4.0)), budget_usd="5")
    assert ax.get_title("left") == "$4.00 of $5.00 left"
    assert "1 of unknown cost" in words(ax)


def test_after_a_top_up_the_difference_is_not_called_spending() -> None:
    ax = burn_down(log_of(call(0, 1.0, left=4.0), call(1, 1.0, left=8.0)), budget_usd="5")
    assert ax.get_title("left") == "$8.00 of $5.00 left"
    assert "spent" not in words(ax)


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
def test_zero_and_the_budget_are_lines(budget: str | None) -> None:
    ax = burn_down(spending(0.0), budget_usd=budget)
    levels = [set(line.get_ydata()) for line in ax.lines if len(line.get_xdata()) == 2]
    assert {0} in levels
    assert ({float(budget)} in levels) if budget else len(levels) == 1


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
    drawn(ax)
    texts = ax.figure.findobj(Text)
    assert len(texts) > 10
    assert [text.get_text() for text in texts if text.get_parse_math()] == []
    assert not any(text.get_usetex() for text in texts)


def test_every_pair_of_markers_differs_in_form_or_filling() -> None:
    looks = [(form, colour == "none") for form, colour, _ in MARKERS.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("background", ["white", "black"])
def test_line_and_markers_stand_out_from_light_and_dark(background: str) -> None:
    colours = {LINE_COLOUR} | {colour for _, colour, _ in MARKERS.values() if colour != "none"}
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


def test_five_hundred_calls_get_smaller_marks_than_five() -> None:
    few, many = (burn_down(spending(*[0.001] * count)) for count in (5, 500))
    sizes = [next(iter(markers(ax).values())).get_markersize() for ax in (few, many)]
    assert sizes[0] > sizes[1] >= 2
    assert all(after >= before for before, after in pairwise(amounts(many)))


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
    with pytest.raises(ValueError, match="no column cost_usd, remaining_usd; pass what log"):
        burn_down(log_of()[["at", "status"]])


@pytest.mark.parametrize("budget", ["five", 5.0])
def test_a_budget_that_is_no_exact_amount_is_refused(budget: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        burn_down(log_of(), budget_usd=budget)


def test_importing_the_pictures_imports_neither_pandas_nor_matplotlib() -> None:
    heavy = ["openai", "pandas", "matplotlib", "numpy", "dateutil"]
    code = f"import swsllm_nb.notebook.plots, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
