"""What the same work would cost on another model."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from swsllm_nb.money import show_cost
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.notebook.pictures.axes import (
    look,
    new_axes,
    place_legend,
    set_dollar_axis,
    take_texts_literally,
    usd,
    write_titles,
)
from swsllm_nb.notebook.pictures.burn_words import name_of
from swsllm_nb.notebook.pictures.history import ADJUSTMENT, GRANT, HELD, History
from swsllm_nb.pricing import Prices, cost
from swsllm_nb.wire import Usage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Repriced", "draw", "reprice", "sentence", "table"]


@dataclass(frozen=True)
class _Work:
    """Calls of one model: what they cost and would cost, in pico-dollars."""

    calls: int
    prompt_tokens: int
    completion_tokens: int
    paid_pico: int
    would_pico: int


@dataclass(frozen=True)
class Repriced:
    """The work by the model it was done on. ``uncounted`` calls are not in it: their tokens or
    their cost are unknown."""

    model: str
    works: dict[str, _Work]
    uncounted: int

    @property
    def paid_pico(self) -> int:
        return sum(work.paid_pico for work in self.works.values())

    @property
    def would_pico(self) -> int:
        return sum(work.would_pico for work in self.works.values())


def reprice(history: History, model: str, prices: Prices) -> Repriced:
    """Each call with its usage at other ``prices``; what was credited counts as not paid."""
    works: dict[str, list[int]] = {}
    uncounted = 0
    columns = ("prompt_tokens", "completion_tokens", "cached_tokens")
    counts = zip(*(history.counts(column) for column in columns), strict=True)
    states = history.texts("state")
    for event, name, paid, is_unknown, state, (prompt, completion, cached) in zip(
        *(history.events, history.texts("model"), history.costs_pico, history.is_unknown),
        *(states, counts),
        strict=True,
    ):
        if event in (GRANT, "refused") or state == "released" or (event == ADJUSTMENT and not name):
            continue
        if event == ADJUSTMENT:
            works.setdefault(name, [0] * 5)[3] += paid
        elif prompt is None or completion is None or is_unknown or event == HELD:
            uncounted += 1
        else:
            would = cost(prices, Usage(prompt, completion, min(cached or 0, prompt)))
            sums = works.setdefault(name, [0] * 5)
            for place, more in enumerate((1, prompt, completion, paid, would)):
                sums[place] += more
    return Repriced(model, {name: _Work(*sums) for name, sums in works.items()}, uncounted)


def table(repriced: Repriced) -> "pd.DataFrame":
    """A row per model that was asked: what its calls cost, and would cost on the other, in USD."""
    import pandas as pd

    works = repriced.works
    columns: dict[str, Any] = {"model": pd.Series(list(works), dtype="str")}
    for name in ("calls", "prompt_tokens", "completion_tokens"):
        counts = [getattr(work, name) for work in works.values()]
        columns[name] = pd.Series(counts, dtype="Int64")
    columns["paid_usd"] = pd.Series(
        [usd(each.paid_pico) for each in works.values()], dtype="float64"
    )
    would = [usd(each.would_pico) for each in works.values()]
    columns["what_if_usd"] = pd.Series(would, dtype="float64")
    return pd.DataFrame(columns)


def draw(history: History, repriced: Repriced, ax: "Axes | None") -> "Axes":
    """Two bars: what was paid, a piece for each model, and what it would have been."""
    ax = new_axes(2) if ax is None else ax
    paid, start = usd(repriced.paid_pico), 0.0
    ranked = sorted(repriced.works.items(), key=lambda each: -each[1].paid_pico)
    for place, (name, work) in enumerate(ranked):
        label = f"{name_of(name, 'model')} {show_cost(work.paid_pico)}"
        ax.barh(0, usd(work.paid_pico), left=start, height=0.6, label=label, **look(place))
        start += usd(work.paid_pico)
    would = usd(repriced.would_pico)
    ax.barh(1, would, height=0.6, facecolor="none", edgecolor=look(0)["edgecolor"], hatch="//")
    ax.set_yticks([0, 1], [say("paid", "bezahlt"), say("on ", "mit ") + repriced.model])
    ax.invert_yaxis()
    for place, pico in enumerate((repriced.paid_pico, repriced.would_pico)):
        end = (usd(pico), place), (4, 0)
        ax.annotate(show_cost(pico), *end, textcoords="offset points", va="center")
    ax.set_xlim(0, 1.2 * max(paid, would) or 0.01)
    set_dollar_axis(ax, "x")
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    if len(ranked) > 1:
        place_legend(ax)
    write_titles(ax, _headline(repriced), " · ".join(_footing(history, repriced)))
    take_texts_literally(ax)
    return ax


def sentence(history: History, repriced: Repriced) -> str:
    return f"{_headline(repriced)}: {', '.join(_footing(history, repriced))}. " + say(
        "The tokens are those of the calls as they were: another model may need more or fewer.",
        "Die Tokens sind die der Aufrufe, wie sie waren: Ein anderes Modell kann mehr oder "
        "weniger brauchen.",
    )


def _headline(repriced: Repriced) -> str:
    would, paid = show_cost(repriced.would_pico), show_cost(repriced.paid_pico)
    return say(
        f"{would} on {repriced.model} instead of {paid}",
        f"{would} mit {repriced.model} statt {paid}",
    )


def _footing(history: History, repriced: Repriced) -> list[str]:
    parts = [history.where(), say("same tokens, other prices", "gleiche Tokens, andere Preise")]
    if repriced.uncounted:
        count = grouped(repriced.uncounted)
        parts.append(
            say(
                f"{count} not in it: tokens or cost unknown",
                f"{count} nicht dabei: Tokens oder Kosten unbekannt",
            )
        )
    return parts
