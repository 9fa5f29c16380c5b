"""What groups of calls cost, and how many tokens they took, as bars and in words."""

from typing import TYPE_CHECKING, Any, Final

from swsllm_nb.money import show_cost
from swsllm_nb.notebook.language import grouped, say
from swsllm_nb.notebook.pictures.axes import (
    HATCHES,
    LINE_COLOUR,
    OTHER_LOOK,
    PALETTE,
    look,
    new_axes,
    place_legend,
    set_dollar_axis,
    take_texts_literally,
    usd,
    write_titles,
)
from swsllm_nb.notebook.pictures.burn_words import name_of
from swsllm_nb.notebook.pictures.history import History
from swsllm_nb.notebook.pictures.shares import TOKEN_PARTS, Share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["cost_sentence", "draw_costs", "draw_tokens", "token_sentence"]

_MOST_BARS: Final = 10
_NAME_LETTERS: Final = 30


def draw_costs(history: History, shares: list[Share], by: str, ax: "Axes | None") -> "Axes":
    shown = _shown(shares, "cost_pico")
    ax = new_axes(len(shown)) if ax is None else ax
    for place, (share, is_other) in enumerate(shown):
        hatch = OTHER_LOOK[1] if is_other else ""
        ax.barh(place, usd(share.cost_pico), height=0.7, color=LINE_COLOUR, hatch=hatch)
    labels = [f"{show_cost(share.cost_pico)} · {_calls(share.calls)}" for share, _ in shown]
    set_dollar_axis(ax, "x")
    _finish(ax, shown, by, [max(0.0, usd(share.cost_pico)) for share, _ in shown], labels)
    unknown = sum(share.unknown for share in shares)
    parts = [history.where(), _dearest(shares, by)]
    if unknown:
        parts.append(
            say(f"{grouped(unknown)} of unknown cost", f"{grouped(unknown)} mit unbekannten Kosten")
        )
    whole = show_cost(sum(share.cost_pico for share in shares))
    headline = f"{whole} {say('spent', 'ausgegeben')}"
    write_titles(ax, headline, " · ".join(filter(None, parts)))
    take_texts_literally(ax)
    return ax


def draw_tokens(history: History, shares: list[Share], by: str, ax: "Axes | None") -> "Axes":
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    shown = _shown(shares, "tokens")
    ax = new_axes(len(shown)) if ax is None else ax
    words = _token_words()
    for part, (name, word) in enumerate(zip(TOKEN_PARTS, words, strict=True)):
        counts = [getattr(share, name) for share, _ in shown]
        if not any(counts):
            continue
        starts = [
            sum(getattr(share, before) for before in TOKEN_PARTS[:part]) for share, _ in shown
        ]
        style: dict[str, Any] = {"facecolor": PALETTE[part], "hatch": HATCHES[part]}
        edge = look(0)["edgecolor"]
        ax.barh(
            range(len(shown)),
            counts,
            left=starts,
            height=0.7,
            label=f"{word} {short(sum(counts))}",
            edgecolor=edge,
            linewidth=0.4,
            **style,
        )
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10], integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda count, _: short(round(count))))
    labels = [f"{short(share.tokens)} · {_calls(share.calls)}" for share, _ in shown]
    _finish(ax, shown, by, [float(share.tokens) for share, _ in shown], labels)
    ax.grid(axis="x", alpha=0.25)
    place_legend(ax)
    write_titles(ax, _token_headline(shares), " · ".join(_token_footing(history, shares)))
    take_texts_literally(ax)
    return ax


def cost_sentence(history: History, shares: list[Share], by: str) -> str:
    whole = sum(share.cost_pico for share in shares)
    dearest = sorted(shares, key=lambda share: -share.cost_pico)[:3]
    each = ", ".join(f"{name_of(share.name, by)} {show_cost(share.cost_pico)}" for share in dearest)
    more = len(shares) - len(dearest)
    if more:
        each += say(f" and {more} more", f" und {more} weitere")
    unknown = sum(share.unknown for share in shares)
    said = say(
        f"{show_cost(whole)} spent in {history.where()}, by {by}: {each or 'nothing'}.",
        f"{show_cost(whole)} ausgegeben, {history.where()}, nach {by}: {each or 'nichts'}.",
    )
    if unknown:
        said += say(
            f" {grouped(unknown)} of them have an unknown cost, which is not in it.",
            f" {grouped(unknown)} davon haben unbekannte Kosten; die sind nicht dabei.",
        )
    return said


def token_sentence(history: History, shares: list[Share]) -> str:
    return f"{_token_headline(shares)}: {', '.join(_token_footing(history, shares))}."


def short(count: int) -> str:
    """A count as a person reads it, alike in both languages: ``950``, ``12k``, ``3.4M``."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if count >= 10 * size or (count >= size and letter == "M") or count == size:
            return f"{count / size:.3g}{letter}"
    return str(count)


def _shown(shares: list[Share], size: str) -> list[tuple[Share, bool]]:
    """The biggest first, and those beyond the tenth as one."""
    ranked = sorted(shares, key=lambda share: -getattr(share, size))
    if len(ranked) <= _MOST_BARS + 1:
        return [(share, False) for share in ranked]
    rest = ranked[_MOST_BARS:]
    other = Share(say(f"{len(rest)} others", f"{len(rest)} weitere"))
    for share in rest:
        other = other.plus(share)
    return [*((share, False) for share in ranked[:_MOST_BARS]), (other, True)]


def _finish(
    ax: "Axes", shown: list[tuple[Share, bool]], by: str, ends: list[float], labels: list[str]
) -> None:
    """Names at the left, what each comes to at the bar's end, the biggest at the top."""
    names = [name_of(share.name, by) for share, _ in shown]
    cut = [f"{name[: _NAME_LETTERS - 1]}…" if len(name) > _NAME_LETTERS else name for name in names]
    ax.set_yticks(range(len(shown)), cut)
    ax.invert_yaxis()
    for place, (end, label) in enumerate(zip(ends, labels, strict=True)):
        ax.annotate(label, (end, place), (4, 0), textcoords="offset points", va="center")
    if not shown:
        none = say("no calls yet", "noch keine Aufrufe")
        ax.set_xticks([])
        ax.text(0.5, 0.5, none, transform=ax.transAxes, ha="center", va="center")
    # Room for what stands at the end of the longest bar.
    widest = max(ends, default=0.0)
    low = min(0.0, ax.get_xlim()[0]) if widest else 0.0
    ax.set_xlim(low, 1.35 * widest or 0.01)
    ax.spines[["top", "right", "bottom"]].set_visible(False)


def _calls(count: int) -> str:
    return say(
        f"{grouped(count)} call{'' if count == 1 else 's'}",
        f"{grouped(count)} Aufruf{'' if count == 1 else 'e'}",
    )


def _dearest(shares: list[Share], by: str) -> str:
    whole = sum(share.cost_pico for share in shares)
    dearest = max(shares, key=lambda share: share.cost_pico, default=None)
    if dearest is None or whole <= 0 or len(shares) == 1:
        return ""
    part, name = f"{100 * dearest.cost_pico / whole:.0f} %", name_of(dearest.name, by)
    return say(f"{part} on {name}", f"{part} für {name}")


def _token_words() -> tuple[str, ...]:
    return (
        say("prompt", "Frage"),
        say("prompt, cached", "Frage, zwischengespeichert"),
        say("answer", "Antwort"),
        say("reasoning", "Nachdenken"),
    )


def _token_headline(shares: list[Share]) -> str:
    sent = sum(share.prompt_tokens + share.cached_tokens for share in shares)
    came = sum(share.completion_tokens + share.reasoning_tokens for share in shares)
    return say(
        f"{short(sent)} tokens in, {short(came)} out",
        f"{short(sent)} Tokens hin, {short(came)} zurück",
    )


def _token_footing(history: History, shares: list[Share]) -> list[str]:
    uncounted = sum(share.uncounted for share in shares)
    parts = [history.where()]
    if uncounted:
        parts.append(
            say(f"{grouped(uncounted)} without counts", f"{grouped(uncounted)} ohne Zahlen")
        )
    return parts
