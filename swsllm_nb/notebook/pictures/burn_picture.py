"""The burn-down: what is left of a budget as a falling step line."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.pictures.axes import (
    all_usd,
    new_axes,
    place_legend,
    set_dollar_axis,
    set_time_axis,
    take_texts_literally,
    usd,
    write_titles,
)
from swsllm_nb.notebook.pictures.burn import Band, Burn
from swsllm_nb.notebook.pictures.burn_lines import (
    draw_end,
    draw_forecast,
    draw_line,
    draw_pace,
    margin_of,
    times_of,
)
from swsllm_nb.notebook.pictures.burn_marks import draw_calls, draw_grants
from swsllm_nb.notebook.pictures.burn_words import footing, headline, name_of
from swsllm_nb.notebook.pictures.days import aware, naive

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["draw", "table"]

_WARNING_PART: Final = 10


def draw(burn: Burn, bands: list[Band], ax: "Axes | None") -> "Axes":
    """Draws on ``ax``, or on a new figure, and returns the Axes."""
    ax = new_axes() if ax is None else ax
    _set_levels(ax, burn)
    if len(burn.history):
        draw_line(ax, burn, bands)
        if not burn.is_zoomed:
            draw_pace(ax, burn)
            draw_forecast(ax, burn)
            draw_end(ax, burn)
        draw_calls(ax, burn)
        draw_grants(ax, burn, bool(bands))
        _set_time(ax, burn)
    if not burn.history.calls:
        if not len(burn.history):
            ax.set_xticks([])
        if not burn.falls:
            ax.set_yticks([])
        none = say("no calls yet", "noch keine Aufrufe")
        box = {"facecolor": ax.get_facecolor(), "linewidth": 0}
        ax.text(0.5, 0.5, none, transform=ax.transAxes, ha="center", va="center", bbox=box)
    place_legend(ax)
    write_titles(ax, headline(burn), footing(burn))
    take_texts_literally(ax)
    return ax


def table(burn: Burn, bands: list[Band]) -> "pd.DataFrame":
    """What the picture shows: a row per event, and one for each end that the forecast gives."""
    import pandas as pd

    history = burn.history
    amount = "remaining_usd" if burn.falls else "spent_usd"
    columns: dict[str, Any] = {
        "at": history.frame["at"].array,
        "event": pd.Series(history.events, dtype="str"),
        "granted_usd": all_usd(history.granted_pico),
        "cost_usd": [
            float("nan") if is_unknown else usd(pico)
            for pico, is_unknown in zip(history.costs_pico, history.is_unknown, strict=True)
        ],
        "held_usd": all_usd(history.held_pico),
        amount: all_usd(burn.amounts_pico),
    }
    columns |= {name_of(band.name, band.by): all_usd(band.spent_pico) for band in bands}
    rows = pd.DataFrame(columns)
    if burn.forecast:
        ends = vars(burn.forecast).values()
        parts = zip((10, 50, 90), ends, strict=True)
        used_up = say("used up with", "aufgebraucht mit")
        coming = [
            {"at": at, "event": f"{used_up} {part} %", amount: 0.0} for part, at in parts if at
        ]
        later = pd.DataFrame(coming).astype({"at": rows["at"].dtype}) if coming else rows[:0]
        rows = pd.concat([rows, later], ignore_index=True)
    return rows


def _set_levels(ax: "Axes", burn: Burn) -> None:
    low, high = usd(burn.low_pico), usd(burn.high_pico)
    if burn.is_zoomed:
        span = high - low
        ax.set_ylim(low - 0.15 * span, high + 0.1 * span)
        ax.set_ylabel(say("left to spend, zoomed in", "übrig, vergrößert"))
        far = say("zoomed in: $0 is far below", "vergrößert: $0 liegt weit darunter")
        ax.annotate(
            f"↓ {far}", *((0, 0), (6, 6), "axes fraction", "offset points"), fontsize="small"
        )
    else:
        height = (max(high, 0.0) - min(low, 0.0)) or 0.01
        ax.set_ylim(min(low, 0.0) - 0.03 * height, min(low, 0.0) + 1.08 * height)
        ax.set_ylabel(
            say("left to spend", "übrig") if burn.falls else say("spent so far", "ausgegeben")
        )
    set_dollar_axis(ax)
    grey = ax.yaxis.label.get_color()
    ax.axhline(0, color=grey, linewidth=1, zorder=2, gid="zero")
    if burn.knows_budget and burn.whole_pico > 0:
        _name_level(ax, usd(burn.whole_pico), say("budget", "Budget"))
        if not burn.is_zoomed:
            warning = usd(burn.whole_pico // _WARNING_PART)
            dashes: dict[str, Any] = {"linestyle": (0, (1, 3)), "linewidth": 1}
            ax.axhline(warning, color="#D55E00", gid="warning", **dashes)
            _name_level(ax, warning, "10 %")
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _name_level(ax: "Axes", amount: float, name: str) -> None:
    """Outside, where no line runs through it."""
    end = (1, amount), (4, 0), ("axes fraction", "data"), "offset points"
    # A budget that a zoom has left behind must not stretch the figure.
    ax.annotate(name, *end, annotation_clip=True, va="center", fontsize="small")


def _set_time(ax: "Axes", burn: Burn) -> None:
    from dateutil.tz import tzlocal  # type: ignore[import-untyped]

    times = times_of(burn)
    first, end = aware(times[0]), aware(times[-1])
    if not burn.is_zoomed:
        margin = margin_of(burn)
        late = burn.forecast and (burn.forecast.late or burn.forecast.early)
        if burn.until is not None:
            end = max(end, burn.until + margin / 2)
        elif late:
            end = max(end, min(late + margin, end + max(end - first, timedelta(days=14))))
    ax.set_xlim(naive(first), naive(end))
    set_time_axis(ax, tzlocal(), burn.as_of.astimezone().tzname() or "")
