"""Pictures of what was spent, each with a twin that gives its figures as a table.

Each takes a frame, as ``ledger()`` and ``log()`` give it, and returns the Axes it drew on. Without
a frame it is of this account: the proxy's ledger where there is one, so that calls from anywhere
count, else this machine's log; the line under the title says which. No global style is touched.
The sentence printed under a picture says what it says, for whoever cannot see it.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from swsllm_nb.notebook.accepted import amount_pico, whole_number
from swsllm_nb.notebook.desk import Desk, desk_here
from swsllm_nb.notebook.errors import CallFailed, LLMError, NotConnected
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.offers import prices_of
from swsllm_nb.notebook.pictures import burn_picture, repriced, share_pictures, shares
from swsllm_nb.notebook.pictures.burn import Band, Burn, burn_of
from swsllm_nb.notebook.pictures.burn_words import sentence
from swsllm_nb.notebook.pictures.days import moment_of
from swsllm_nb.notebook.pictures.history import History
from swsllm_nb.notebook.pictures.saying import say_under
from swsllm_nb.notebook.pictures.shown import Picture, rendered
from swsllm_nb.pricing import Prices

if TYPE_CHECKING:
    from decimal import Decimal

    import pandas as pd
    from matplotlib.axes import Axes

__all__ = [
    "burn_down",
    "burn_down_frame",
    "burn_down_picture",
    "cost_by",
    "cost_by_frame",
    "ledger",
    "most_expensive",
    "tokens",
    "tokens_frame",
    "what_if",
    "what_if_frame",
]

_DEAREST_COLUMNS = (
    "at", "model", "exercise", "source", "notebook", "prompt_tokens", "completion_tokens",
    "cost_usd", "status", "prompt", "request_id",
)  # fmt: skip


def ledger() -> "pd.DataFrame":
    """Every call, grant and adjustment in the proxy's ledger, from wherever it was made.

    The columns of ``log()`` and ``kind``, ``state``, ``granted_usd``, ``held_usd``, ``reason``.
    Source, notebook, exercise and texts are there for the calls that this machine's log knows;
    with them the calls that were refused, which no ledger keeps. Raises LLMError where the server
    keeps none.
    """
    course = desk_here().course()
    found = course.ledger()
    if found is None:
        where = course.connection.base_url
        raise LLMError(
            say(
                f"The server at {where} keeps no ledger; log() has every call of this machine.",
                f"Der Server {where} führt kein Buch; log() hat jeden Aufruf dieses Rechners.",
            )
        )
    return found


def burn_down(
    frame: "pd.DataFrame | None" = None,
    *,
    budget_usd: "str | float | Decimal | None" = None,
    until: "date | datetime | str | None" = None,
    by: str | None = None,
    ax: "Axes | None" = None,
    forecast: bool = True,
) -> "Axes":
    """Draw what is left of the budget after each call, and until when it will last.

    ``budget_usd``, such as ``"5.00"``, is for a server that tells none. ``until``, such as
    ``"2027-01-31"``, is the last day, to which the even pace leads; the proxy's is taken where it
    tells one. ``by`` shows what was spent on what: model, exercise or source. The forecast draws
    the days of the last four weeks anew and gives the days between which 8 of 10 such courses of
    things use up what is left. Raises ValueError for a frame that cannot be drawn, and LLMError.
    """
    read, typed_pico = _given(frame, budget_usd)
    burn, bands = _burn(read, typed_pico, until, by, forecast)
    drawn = burn_picture.draw(burn, bands, ax)
    say_under(sentence(burn, bands))
    return drawn


def burn_down_frame(
    frame: "pd.DataFrame | None" = None,
    *,
    budget_usd: "str | float | Decimal | None" = None,
    until: "date | datetime | str | None" = None,
    by: str | None = None,
    forecast: bool = True,
) -> "pd.DataFrame":
    """The table of ``burn_down``: a row per event with what is left after it, in USD.

    With ``by`` a column for what each group had cost by then; with a forecast a row for each of
    the days on which the rest is used up with 10, 50 and 90 %.
    """
    read, typed_pico = _given(frame, budget_usd)
    return burn_picture.table(*_burn(read, typed_pico, until, by, forecast))


def burn_down_picture(desk: Desk, by: str | None) -> Picture:
    """What ``burn_down`` draws of a desk's account, and its sentence, for ``%llm burndown``."""
    burn, bands = _burn(_read(desk), None, None, by, True)
    return rendered(lambda ax: burn_picture.draw(burn, bands, ax), sentence(burn, bands))


def cost_by(
    frame: "pd.DataFrame | None" = None, *, by: str = "model", ax: "Axes | None" = None
) -> "Axes":
    """Draw what each model, exercise or source cost."""
    history = _history(frame)
    found = shares.shares_of(history, by)
    drawn = share_pictures.draw_costs(history, found, by, ax)
    say_under(share_pictures.cost_sentence(history, found, by))
    return drawn


def cost_by_frame(frame: "pd.DataFrame | None" = None, *, by: str = "model") -> "pd.DataFrame":
    """The table of ``cost_by``, the dearest first."""
    return shares.cost_table(shares.shares_of(_history(frame), by), by)


def tokens(
    frame: "pd.DataFrame | None" = None, *, by: str = "model", ax: "Axes | None" = None
) -> "Axes":
    """Draw how many tokens each model, exercise or source took, in and out."""
    history = _history(frame)
    found = shares.shares_of(history, by)
    drawn = share_pictures.draw_tokens(history, found, by, ax)
    say_under(share_pictures.token_sentence(history, found))
    return drawn


def tokens_frame(frame: "pd.DataFrame | None" = None, *, by: str = "model") -> "pd.DataFrame":
    """The table of ``tokens``. Its four counts add up: none is part of another."""
    return shares.token_table(shares.shares_of(_history(frame), by), by)


def what_if(frame: "pd.DataFrame | None" = None, *, model: str, ax: "Axes | None" = None) -> "Axes":
    """Draw what the same calls would have cost on ``model``, with the tokens that they had.

    At the server's prices, else those that come with this package. Raises LLMError for a model
    whose price nobody knows.
    """
    history = _history(frame)
    found = repriced.reprice(history, model, _prices(model))
    drawn = repriced.draw(history, found, ax)
    say_under(repriced.sentence(history, found))
    return drawn


def what_if_frame(frame: "pd.DataFrame | None" = None, *, model: str) -> "pd.DataFrame":
    """The table of ``what_if``: a row per model that was asked."""
    return repriced.table(repriced.reprice(_history(frame), model, _prices(model)))


def most_expensive(n: int = 5, frame: "pd.DataFrame | None" = None) -> "pd.DataFrame":
    """The ``n`` calls that cost most, the dearest first; none of unknown cost is among them."""
    count = whole_number(n, "n", least=1)
    rows = _history(frame).frame
    if "kind" in rows.columns:
        rows = rows[rows["kind"] == "call"]
    known = rows[rows["cost_usd"].notna()]
    ranked = known.sort_values("cost_usd", ascending=False, kind="stable").head(count or 0)
    shown = [name for name in _DEAREST_COLUMNS if name in ranked.columns]
    return ranked[shown].reset_index(drop=True)


def _prices(model: str) -> Prices:
    try:
        course = desk_here().course()
    except NotConnected:
        course = None
    return prices_of(model, course)


@dataclass(frozen=True)
class _Read:
    """What was read of this account; the budget where no ledger tells the grants."""

    frame: "pd.DataFrame"
    budget_pico: int | None = None
    until: str | None = None
    now: datetime | None = None


def _read(desk: Desk) -> _Read:
    course = desk.course()
    try:
        account, found = course.account(), course.ledger()
    except CallFailed:
        # What this machine knows is better than no picture; the line under its title says so.
        account = found = None
    budget_pico = account.budget_pico if account else desk.budget_pico
    return _Read(
        frame=course.log() if found is None else found,
        budget_pico=budget_pico if found is None else None,
        until=account.valid_until if account else None,
        now=datetime.now(UTC),
    )


def _history(frame: "pd.DataFrame | None") -> History:
    return History.of(_read(desk_here()).frame if frame is None else frame)


def _given(
    frame: "pd.DataFrame | None", budget_usd: "str | float | Decimal | None"
) -> tuple[_Read, int | None]:
    typed_pico = None if budget_usd is None else amount_pico(budget_usd, "budget_usd")
    return _read(desk_here()) if frame is None else _Read(frame), typed_pico


def _burn(
    read: _Read,
    typed_pico: int | None,
    until: "date | datetime | str | None",
    by: str | None,
    forecast: bool,
) -> tuple[Burn, list[Band]]:
    burn = burn_of(
        History.of(read.frame),
        budget_pico=read.budget_pico if typed_pico is None else typed_pico,
        until=moment_of(read.until if until is None else until),
        wants_forecast=forecast,
        now=read.now,
    )
    return burn, [] if by is None else burn.bands(by)
