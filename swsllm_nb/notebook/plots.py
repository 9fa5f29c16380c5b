"""Pictures of the call log. Each takes a frame, gives the Axes it drew on, and shows nothing."""

import io
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from swsllm_nb.money import PICO_PER_USD, pico_from_usd
from swsllm_nb.notebook.burn import UNKNOWN, Burn, burn_from_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pandas import DataFrame

__all__ = ["Picture", "burn_down", "burn_down_picture"]

LINE_COLOUR: Final = "#0072B2"
MARKERS: Final = {
    "ok": ("o", LINE_COLOUR, "answered"),
    UNKNOWN: ("o", "none", UNKNOWN),
    "refused": ("X", "#D55E00", "refused"),
    "failed": ("v", "#CC79A7", "failed"),
    "interrupted": ("s", "#E69F00", "interrupted"),
}
"""Form, colour and word of each kind of call: the form alone tells them apart in print."""

MANY_CALLS: Final = 60
MOST_TICKS: Final = 20
SHORTEST_MARGIN: Final = timedelta(seconds=5)


PICTURE_INCHES: Final = (7.2, 3.8)
SHOWN_DPI: Final = 96
PIXELS_PER_SHOWN: Final = 2
"""A screen of high density shows each of them."""


@dataclass(frozen=True)
class Picture:
    """A PNG, its size on the screen in pixels, and what it says in words."""

    png: bytes
    width: int
    height: int
    text: str


def burn_down_picture(frame: "DataFrame", *, budget_usd: str | None = None) -> Picture:
    """What ``burn_down`` draws, on a figure of its own that no notebook shows a second time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=PICTURE_INCHES, layout="constrained")
    ax = burn_down(frame, budget_usd=budget_usd, ax=figure.subplots())
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=PIXELS_PER_SHOWN * SHOWN_DPI)
    width, height = (round(inches * SHOWN_DPI) for inches in PICTURE_INCHES)
    words = (ax.get_title(loc="left"), *(each.get_text() for each in ax.texts[-1:]))
    return Picture(page.getvalue(), width, height, "\n".join(filter(None, words)))


def burn_down(
    frame: "DataFrame", *, budget_usd: str | Decimal | None = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw what is left of the budget after each call of a call log.

    ``frame`` is what ``log()`` gives: a row per call, amounts in USD, ``at`` in UTC (the axis
    shows local time). What remains is what the proxy said with a call, else the amount before
    it less its cost. Without a budget and without the proxy's word the line is what was spent.
    Draws on ``ax``, or on a new figure, and returns the Axes.

    Raises ValueError for a frame that lacks columns of the call log, and for a budget that is
    not an exact amount.
    """
    budget = None if budget_usd is None else pico_from_usd(budget_usd) / PICO_PER_USD
    burn = burn_from_frame(frame, budget)
    if ax is None:
        from matplotlib import pyplot

        _, ax = pyplot.subplots(figsize=PICTURE_INCHES, layout="constrained")
    _set_dollar_axis(ax, burn)
    if burn.times:
        _set_time_axis(ax, burn)
        _draw_line(ax, burn)
        _draw_calls(ax, burn)
    else:
        ax.set_xticks([])
        if not burn.falls:
            ax.set_yticks([])
        ax.text(0.5, 0.5, "no calls yet", transform=ax.transAxes, ha="center", va="center")
    _write_titles(ax, burn)
    _take_texts_literally(ax)
    return ax


def _draw_line(ax: "Axes", burn: Burn) -> None:
    import numpy

    # The amounts before the first call and after the last need some width to be seen.
    margin = max(SHORTEST_MARGIN, (burn.times[-1] - burn.times[0]) / 25)
    x = numpy.array([burn.times[0] - margin, *burn.times, burn.times[-1] + margin])
    y = numpy.array([*burn.amounts_usd, burn.amounts_usd[-1]])
    ax.plot(x, y, drawstyle="steps-post", color=LINE_COLOUR, linewidth=2, zorder=2.5)
    if not burn.is_zoomed:
        # Without $0 in the picture the area under the line would mean nothing.
        ax.fill_between(x, y, step="post", color=LINE_COLOUR, alpha=0.12, linewidth=0)
    ax.margins(x=0)


def _draw_calls(ax: "Axes", burn: Burn) -> None:
    """A marker per call, on the amount after it, in one collection per kind of call."""
    import numpy

    times, amounts = numpy.array(burn.times), numpy.array(burn.amounts_usd[1:])
    small = min(1.0, (MANY_CALLS / len(burn.times)) ** 0.5)
    for kind, count in Counter(burn.kinds).items():
        form, colour, word = MARKERS.get(kind, ("D", "#999999", kind))
        chosen = numpy.array([name == kind for name in burn.kinds])
        hollow = colour == "none"
        ax.plot(
            times[chosen],
            amounts[chosen],
            linestyle="none",
            marker=form,
            markersize=5 * max(0.4, small) if form == "o" else 8,
            markerfacecolor=ax.get_facecolor() if hollow else colour,
            markeredgecolor=LINE_COLOUR if hollow else ax.get_facecolor(),
            markeredgewidth=1.5 if hollow else 0.0 if form == "o" else 0.7,
            label=f"{word} ({count})",
            zorder=3,
        )
    if set(burn.kinds) != {"ok"}:
        # A line that falls leaves the lower left empty, one that rises the upper left.
        loc: Literal["lower left", "upper left"] = "lower left" if burn.falls else "upper left"
        lift = (0, 0.1 if burn.is_zoomed else 0, 1, 1)
        ax.legend(loc=loc, bbox_to_anchor=lift, frameon=False, fontsize="small")


def _set_dollar_axis(ax: "Axes", burn: Burn) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    low, high = burn.lowest_usd, burn.highest_usd
    if burn.is_zoomed:
        span = high - low
        ax.set_ylim(low - 0.15 * span, high + 0.1 * span)
        ax.set_ylabel("left to spend, zoomed in")
        ax.annotate(
            "↓ zoomed in: $0 is far below",
            *((0, 0), (6, 6), "axes fraction", "offset points"),
            fontsize="small",
        )
    else:
        height = (max(high, 0.0) - min(low, 0.0)) or 0.01
        ax.set_ylim(min(low, 0.0) - 0.03 * height, min(low, 0.0) + 1.08 * height)
        ax.set_ylabel("left to spend" if burn.falls else "spent so far")
    ax.yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda usd, _: _tick(ax, usd)))
    grey = ax.yaxis.label.get_color()
    ax.axhline(0, color=grey, linewidth=1, zorder=2)
    if burn.budget_usd is not None:
        ax.axhline(burn.budget_usd, color=grey, linewidth=1, linestyle=(0, (4, 4)), alpha=0.6)
        end = (1, burn.budget_usd), (0, 3), ("axes fraction", "data"), "offset points"
        # A budget that a zoom has left behind must not stretch the figure.
        ax.annotate("budget", *end, annotation_clip=True, ha="right", fontsize="small")
    ax.grid(axis="y", alpha=0.25)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _tick(ax: "Axes", usd: float) -> str:
    """The amount with the decimals that tell it from the next tick's: ``$4.9998``."""
    ticks = sorted(ax.yaxis.get_majorticklocs())
    step = min((after - before for before, after in pairwise(ticks)), default=1)
    decimals = max(2, -Decimal(f"{step:.2g}").adjusted())
    text = f"{abs(usd):,.{decimals}f}"
    return f"{'-' if usd < 0 and float(text.replace(',', '')) else ''}${text}"


def _set_time_axis(ax: "Axes", burn: Burn) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    zone = burn.times[-1].tzinfo
    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    ax.xaxis_date(zone)
    ax.xaxis.set_major_locator(locator)
    day = "%d %b %Y"
    formatter = ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator,
        tz=zone,
        formats=["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"],
        zero_formats=["", "%Y", "%d %b", "%d %b", "%H:%M", "%H:%M:%S"],
        offset_formats=["", "%Y", "%Y", day, day, day],
    )
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlabel(f"local time ({burn.times[-1].tzname()})")


def _write_titles(ax: "Axes", burn: Burn) -> None:
    """The answer in large letters, and under it what it rests on."""
    ax.set_title(burn.headline(), loc="left", fontsize="x-large", fontweight="bold", pad=24)
    ax.annotate(burn.footing(), (0, 1), (0, 8), "axes fraction", "offset points")


def _take_texts_literally(ax: "Axes") -> None:
    """Between two dollar signs matplotlib sets a formula, in ticks that a zoom adds as well."""
    from matplotlib.text import Text

    drawn = ax.findobj(Text)
    ticks = [tick for axis in (ax.xaxis, ax.yaxis) for tick in axis.get_major_ticks(MOST_TICKS)]
    for text in (*drawn, *(label for tick in ticks for label in (tick.label1, tick.label2))):
        text.set_parse_math(False)
        text.set_usetex(False)
