"""The lines and areas of a burn-down, and the times they run over."""

from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import show_cost
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.pictures.axes import LIGHT_COLOUR, LINE_COLOUR, all_usd, look, usd
from swsllm_nb.notebook.pictures.burn import Band, Burn
from swsllm_nb.notebook.pictures.burn_words import name_of
from swsllm_nb.notebook.pictures.days import aware, naive

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["draw_end", "draw_forecast", "draw_line", "draw_pace", "margin_of", "times_of"]

_MOST_CORNERS: Final = 720
SHORTEST_MARGIN: Final = timedelta(seconds=5)


def line_of(burn: Burn, after: list[int], before: int) -> "NDArray[Any]":
    """Amounts at the times that ``times_of`` gives."""
    first = [] if burn.begins_with_grant else [before]
    return all_usd([*first, *after, after[-1]])


def times_of(burn: Burn) -> "NDArray[Any]":
    """Where each amount begins: shortly before the first event, at each, and the end."""
    import numpy as np

    moments = burn.history.moments
    first = [] if burn.begins_with_grant else [moments[0] - np.timedelta64(margin_of(burn))]
    end = max(burn.as_of, aware(moments[-1]) + margin_of(burn))
    last = np.array([naive(end)], dtype="datetime64[us]")
    return np.concatenate([np.array(first, dtype="datetime64[us]"), moments, last])


def margin_of(burn: Burn) -> timedelta:
    """The amounts before the first event and after the last need some width to be seen."""
    return max(SHORTEST_MARGIN, (burn.as_of - burn.first) / 25)


def draw_line(ax: "Axes", burn: Burn, bands: list[Band]) -> None:
    times, amounts = times_of(burn), line_of(burn, burn.amounts_pico, burn.start_pico or 0)
    ax.plot(
        times,
        amounts,
        drawstyle="steps-post",
        color=LINE_COLOUR,
        linewidth=2,
        zorder=2.5,
        gid="amounts",
    )
    seen = _seen(times)
    if burn.falls and burn.knows_budget:
        grey = ax.yaxis.label.get_color()
        granted = line_of(burn, burn.granted_pico, burn.start_pico or 0)
        dashes: dict[str, Any] = {"linestyle": (0, (4, 4)), "linewidth": 1, "alpha": 0.6}
        ax.plot(
            times[seen], granted[seen], drawstyle="steps-post", color=grey, gid="granted", **dashes
        )
    held = line_of(burn, list(accumulate(burn.history.held_pico)), 0)[seen]
    times, amounts = times[seen], amounts[seen]
    if held[-1] and burn.falls:
        label = f"{say('held', 'gehalten')} {show_cost(sum(burn.history.held_pico))}"
        filled: dict[str, Any] = {
            "facecolor": "none",
            "edgecolor": LINE_COLOUR,
            "hatch": "xxxx",
            "linewidth": 0,
        }
        ax.fill_between(times, amounts, amounts + held, step="post", label=label, **filled)
    if bands:
        spent = [line_of(burn, band.spent_pico, 0)[seen] for band in bands]
        high = amounts + held + sum(spent) if burn.falls else amounts
        _draw_bands(ax, bands, spent, times, high)
    elif not burn.is_zoomed:
        # Without $0 in the picture the area under the line would mean nothing.
        ax.fill_between(times, amounts, step="post", color=LIGHT_COLOUR, alpha=0.2, linewidth=0)


def _seen(times: "NDArray[Any]") -> "NDArray[Any]":
    """The places of the amounts that areas are drawn through: where there are more than pixels,
    the last for each of them, because a polygon of so many corners is slow."""
    import numpy as np

    if times.size <= _MOST_CORNERS:
        return np.arange(times.size)
    passed = (times - times[0]).astype("int64")
    pixel = passed * _MOST_CORNERS // passed[-1]
    is_last = np.append(pixel[1:] != pixel[:-1], True)
    is_last[0] = True
    return np.flatnonzero(is_last)


def _draw_bands(
    ax: "Axes",
    bands: list[Band],
    spent: list["NDArray[Any]"],
    times: "NDArray[Any]",
    high: "NDArray[Any]",
) -> None:
    """Each group's spending on top of the next one's, the dearest at the top."""
    for place, band in enumerate(bands):
        low = high - spent[place]
        cost = show_cost(band.spent_pico[-1])
        label = f"{name_of(band.name, band.by)} {cost}"
        style = look(place, band.is_other) | {"zorder": 1.5}
        ax.fill_between(times, low, high, step="post", label=label, **style)
        high = low


def draw_pace(ax: "Axes", burn: Burn) -> None:
    corners = burn.pace()
    if corners:
        ax.plot(
            [naive(at) for at, _ in corners],
            [usd(pico) for _, pico in corners],
            linestyle=(0, (1, 1.5)),
            linewidth=1.5,
            color=ax.yaxis.label.get_color(),
            label=say("even pace", "gleichmäßig"),
            gid="pace",
        )


def draw_forecast(ax: "Axes", burn: Burn) -> None:
    """From what is left now to $0, between the days that 8 of 10 courses of things end on."""
    told = burn.forecast
    if told is None:
        return
    now, left = naive(burn.as_of), usd(burn.left_pico)
    late = told.late or burn.as_of + timedelta(days=4000)
    early, middle = told.early or late, told.middle or late
    ax.fill(
        [now, naive(early), naive(late)],
        [left, 0, 0],
        facecolor=LIGHT_COLOUR,
        alpha=0.4,
        linewidth=0,
        label=say("forecast, 8 of 10", "Vorhersage, 8 von 10"),
        gid="forecast",
    )
    ax.plot([now, naive(middle)], [left, 0], color=LINE_COLOUR, linestyle="--", gid="middle")


def draw_end(ax: "Axes", burn: Burn) -> None:
    """When it ran out, where it did."""
    if burn.out:
        since: Any = naive(burn.out.since)
        ax.axvline(since, color="#D55E00", linestyle="--", linewidth=1.2, gid="out")
