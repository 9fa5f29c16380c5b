"""What a burn-down marks on its line: single calls, by their kind, and grants."""

from collections import Counter
from typing import TYPE_CHECKING, Final

from swsllm_nb.money import usd_text
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.notebook.pictures.axes import LINE_COLOUR, all_usd, usd
from swsllm_nb.notebook.pictures.burn import Burn
from swsllm_nb.notebook.pictures.history import ADJUSTMENT, GRANT, HELD, UNCONFIRMED, UNKNOWN

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MARKERS", "draw_calls", "draw_grants"]

MARKERS: Final = {
    "ok": ("o", LINE_COLOUR),
    UNKNOWN: ("o", "none"),
    "refused": ("X", "#D55E00"),
    "failed": ("v", "#CC79A7"),
    "interrupted": ("s", "#E69F00"),
    UNCONFIRMED: ("P", "#009E73"),
    HELD: ("D", "none"),
}
"""Form and colour of each kind of call: the form alone tells them apart in print."""

MANY_CALLS: Final = 60
MOST_MARKS: Final = 300
"""More ordinary calls are a line without marks; of other kinds so many have one."""


def draw_calls(ax: "Axes", burn: Burn) -> None:
    """A marker per call on the amount after it, in one collection per kind of call."""
    import numpy as np

    history = burn.history
    times = history.moments
    amounts = all_usd(burn.amounts_pico)
    events = np.array(history.events)
    small = min(1.0, (MANY_CALLS / max(1, history.calls)) ** 0.5)
    for kind, count in Counter(history.events).items():
        if kind in (GRANT, ADJUSTMENT) or (kind == "ok" and count > MOST_MARKS):
            continue
        form, colour = MARKERS.get(kind, ("D", "#999999"))
        chosen = np.flatnonzero(events == kind)
        if chosen.size > MOST_MARKS:
            chosen = chosen[np.linspace(0, chosen.size - 1, MOST_MARKS).astype(int)]
        is_round, hollow = form == "o", colour == "none"
        (marks,) = ax.plot(
            times[chosen],
            amounts[chosen],
            linestyle="none",
            marker=form,
            markersize=5 * max(0.4, small) if is_round else 8,
            markerfacecolor=ax.get_facecolor() if hollow else colour,
            markeredgecolor=LINE_COLOUR if hollow else ax.get_facecolor(),
            markeredgewidth=1.5 if hollow else 0.0 if is_round else 0.7,
            zorder=3,
            gid="calls",
        )
        # What needs no legend is the ordinary.
        if kind != "ok" or set(history.events) - {"ok", GRANT, ADJUSTMENT}:
            marks.set_label(f"{_word(kind)} ({grouped(count)})")


def _word(kind: str) -> str:
    german = {
        "ok": "beantwortet",
        UNKNOWN: "Kosten unbekannt",
        "refused": "abgelehnt",
        "failed": "fehlgeschlagen",
        "interrupted": "abgebrochen",
        UNCONFIRMED: "unbestätigt",
        HELD: "läuft noch",
    }
    english = {"ok": "answered", HELD: "running"}
    return say(english.get(kind, kind), german.get(kind, kind))


def draw_grants(ax: "Axes", burn: Burn, above_bands: bool) -> None:
    """The upward steps after the first, each with what was granted."""
    import numpy as np

    grants = np.flatnonzero(burn.history.granted_pico)
    for place in grants[1 if burn.start_pico == 0 else 0 :]:
        pico = burn.history.granted_pico[place]
        sign = "+" if pico > 0 else "-"
        level = burn.granted_pico if above_bands else burn.amounts_pico
        point = (burn.history.moments[place], usd(level[place]))
        ax.annotate(
            f"{sign}${usd_text(abs(pico))}",
            *(point, (3, 4), "data", "offset points"),
            annotation_clip=True,
            fontsize="small",
            fontweight="bold",
        )
