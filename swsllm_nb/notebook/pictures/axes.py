"""What all pictures share: dollars and days on axes, colours, and texts taken as they stand."""

import textwrap
from datetime import tzinfo
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

from swsllm_nb.money import PICO_PER_USD
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.pictures.days import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = [
    "HATCHES",
    "LIGHT_COLOUR",
    "LINE_COLOUR",
    "OTHER_LOOK",
    "OWN_FIGURE",
    "PALETTE",
    "PICTURE_INCHES",
    "all_usd",
    "look",
    "new_axes",
    "place_legend",
    "set_dollar_axis",
    "set_time_axis",
    "take_texts_literally",
    "usd",
    "write_titles",
]

PICTURE_INCHES: Final = (7.2, 3.8)

OWN_FIGURE: Final = "swsllm"
"""Marks a figure that we made: it may grow with its legend."""

PALETTE: Final = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9")
"""Of Okabe and Ito, which the colour-blind tell apart: https://jfly.uni-koeln.de/color/"""
HATCHES: Final = ("", "////", "....", "\\\\\\\\", "xxx")
"""One for each colour of the palette: in black and white these alone tell groups apart."""
OTHER_LOOK: Final = ("#999999", "----")
LINE_COLOUR: Final = PALETTE[0]
LIGHT_COLOUR: Final = PALETTE[4]
"""Of areas: it shows on white and on black."""

_LEGEND_INCHES: Final = 0.62
_LEGEND_WIDTH: Final = 6.0
_LEGEND_ROW_INCHES: Final = 0.2
_LETTER_INCHES: Final = 0.068
_HANDLE_INCHES: Final = 0.45
_FOOTING_LETTERS: Final = 92
_MOST_TICKS: Final = 12
_MOST_DAYS: Final = 8


def new_axes(rows: int | None = None) -> "Axes":
    """Axes on a figure of their own, that the notebook shows at the end of its cell.

    ``rows`` is how many bars lie above each other, where it is a picture of those.
    """
    from matplotlib import pyplot

    width, height = PICTURE_INCHES
    inches = height if rows is None else 1.5 + 0.42 * max(rows, 2)
    figure, ax = pyplot.subplots(figsize=(width, inches), layout="constrained")
    figure.set_gid(OWN_FIGURE)
    return ax


def all_usd(pico: "Sequence[int]") -> "NDArray[Any]":
    """As ``usd``, of many."""
    import numpy as np

    amounts: NDArray[Any] = np.array(pico, dtype="float64") / PICO_PER_USD
    return amounts


def usd(pico: int) -> float:
    """Only for what is drawn or shown in a frame: sums are made of integers."""
    return pico / PICO_PER_USD


def look(place: int, of_other: bool = False) -> dict[str, Any]:
    """Colour and hatch of the group at a place; the edge is that of the axes' own text."""
    from matplotlib import rcParams

    chosen = place % len(PALETTE)
    colour, hatch = OTHER_LOOK if of_other else (PALETTE[chosen], HATCHES[chosen])
    return {
        "facecolor": colour,
        "hatch": hatch,
        "edgecolor": rcParams["axes.edgecolor"],
        "linewidth": 0.4,
    }


def set_dollar_axis(ax: "Axes", which: Literal["x", "y"] = "y") -> None:
    """Dollars as a person reads them, alike in both languages: ``$0.0004``, never 4e-04."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = getattr(ax, f"{which}axis")
    axis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda amount, _: _tick(axis, amount)))
    ax.grid(axis=which, alpha=0.25)


def _tick(axis: Any, amount: float) -> str:
    """The amount with the decimals that tell it from the next tick's: ``$4.9998``."""
    ticks = sorted(axis.get_majorticklocs())
    step = min((after - before for before, after in pairwise(ticks)), default=1)
    decimals = max(2, -Decimal(f"{step:.2g}").adjusted())
    text = f"{abs(amount):,.{decimals}f}"
    return f"{'-' if amount < 0 and float(text.replace(',', '')) else ''}${text}"


def set_time_axis(ax: "Axes", zone: tzinfo, name: str) -> None:
    """Moments in local time, months in the reader's language; ``name`` is the zone's."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    class Dates(ConciseDateFormatter):
        def format_ticks(self, values: "Sequence[float]") -> list[str]:
            texts = super().format_ticks(values)  # type: ignore[no-untyped-call]
            return [in_words(text) for text in texts]

        def get_offset(self) -> str:
            return in_words(super().get_offset())  # type: ignore[no-untyped-call]

    locator = AutoDateLocator(tz=zone, minticks=3, maxticks=6)  # type: ignore[no-untyped-call]
    ax.xaxis_date(zone)
    ax.xaxis.set_major_locator(locator)
    day, whole = say("%d %b", "%d. %b"), say("%d %b %Y", "%d. %b %Y")
    formatter = Dates(  # type: ignore[no-untyped-call]
        locator,
        tz=zone,
        formats=["%Y", "%b", day, "%H:%M", "%H:%M", "%H:%M:%S"],
        zero_formats=["", "%Y", day, day, "%H:%M", "%H:%M:%S"],
        offset_formats=["", "%Y", "%Y", whole, whole, whole],
    )
    ax.xaxis.set_major_formatter(formatter)
    ax.set_xlabel(say(f"local time ({name})", f"Ortszeit ({name})"))


def place_legend(ax: "Axes") -> None:
    """Under the axis, at a distance that no size of the picture changes: inside, it would lie on
    what it explains."""
    from matplotlib.transforms import ScaledTranslation

    handles, labels = ax.get_legend_handles_labels()
    if not labels:
        return
    widest = _LETTER_INCHES * max(len(label) for label in labels) + _HANDLE_INCHES
    figure = ax.get_figure()
    assert figure is not None
    down = _LEGEND_INCHES if ax.get_xlabel() else _LEGEND_INCHES / 2
    below = ax.transAxes + ScaledTranslation(0, -down, figure.dpi_scale_trans)
    columns = max(1, min(3, len(labels), int(_LEGEND_WIDTH / widest)))
    more_rows = -(-len(labels) // columns) - 1
    if figure.get_gid() == OWN_FIGURE:
        root: Any = figure
        root.set_figheight(root.get_figheight() + _LEGEND_ROW_INCHES * more_rows)
    ax.legend(
        *(handles, labels),
        loc="upper left",
        bbox_to_anchor=(0, 0),
        bbox_transform=below,
        ncols=columns,
        frameon=False,
        fontsize="small",
        borderaxespad=0,
    )


def write_titles(ax: "Axes", headline: str, footing: str) -> None:
    """The answer in large letters, and under it what it rests on."""
    lines = _wrapped(footing)
    title = {"fontsize": "x-large", "fontweight": "bold"}
    # Without a place matplotlib measures all ticks for one, twice.
    ax.set_title(headline, fontdict=title, loc="left", pad=12 + 14 * len(lines), y=1)
    ax.annotate("\n".join(lines), (0, 1), (0, 8), "axes fraction", "offset points", fontsize=9.5)


def _wrapped(footing: str) -> list[str]:
    """Lines that break only between the parts."""
    unbroken = footing.replace(" ", "\xa0").replace("\xa0·\xa0", "\xa0· ")
    lines = textwrap.wrap(unbroken, _FOOTING_LETTERS, break_long_words=False)
    return [line.replace("\xa0", " ").removesuffix(" ·") for line in lines]


def take_texts_literally(ax: "Axes") -> None:
    """Between two dollar signs matplotlib sets a formula, in ticks that a zoom adds as well."""
    from matplotlib.text import Text
    from matplotlib.ticker import MaxNLocator

    texts: list[Any] = ax.findobj(Text)
    for axis in (ax.xaxis, ax.yaxis):
        # Ticks are made once, and taken from these when a zoom needs more.
        most = _MOST_TICKS if isinstance(axis.get_major_locator(), MaxNLocator) else _MOST_DAYS
        for tick in axis.get_major_ticks(max(most, len(axis.get_majorticklocs()))):
            texts += (tick.label1, tick.label2)
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
