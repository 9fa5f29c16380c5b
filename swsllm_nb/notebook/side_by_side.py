"""The answers of several models to one question, in one table."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from swsllm_nb.notebook.display import FAILED_STYLE, STYLE, shows_html, write
from swsllm_nb.notebook.footnotes import cost_text, tokens_text
from swsllm_nb.notebook.markdown import DOLLARS_CLASS, clean_html, printable
from swsllm_nb.wire import Usage

__all__ = ["Column", "show_table"]

TABLE_STYLE: Final = "width: 100%; table-layout: fixed; margin: 0; font-size: inherit"
CELL_STYLE: Final = "text-align: left; vertical-align: top; overflow-wrap: anywhere"
COLUMN_WIDTH: Final = "14em"
"""At least: a narrower page scrolls the table sideways."""


@dataclass(frozen=True)
class Column:
    """What one model made of the question; None is unknown.

    ``cost_source`` is one of the call log's. ``failure`` is the sentence that says why the call
    failed; ``text`` is then what had come.
    """

    model: str
    text: str = ""
    seconds: float | None = None
    usage: Usage | None = None
    cost_pico: int | None = None
    cost_source: str = "unknown"
    failure: str = ""

    @property
    def facts(self) -> tuple[str, str, str]:
        """Seconds, tokens and cost; all empty where nothing came of it."""
        if self.failure and not self.text:
            return "", "", ""
        seconds = "" if self.seconds is None else f"{self.seconds:.1f} s"
        return seconds, tokens_text(self.usage), cost_text(self.cost_pico, self.cost_source)


def show_table(columns: Sequence[Column]) -> None:
    """Shows them in the cell that runs now, or one below the other in a terminal."""
    if not shows_html():
        write(_plain(columns) + "\n")
        return
    from IPython.display import display

    bundle = {"text/html": _html(columns), "text/plain": _plain(columns)}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _plain(columns: Sequence[Column]) -> str:
    blocks = [
        (column.model, column.text, column.failure, " · ".join(filter(None, column.facts)))
        for column in columns
    ]
    return "\n\n".join(printable("\n".join(filter(None, block))) for block in blocks)


def _html(columns: Sequence[Column]) -> str:
    heads = "".join(_cell("th", escape(printable(column.model)), "") for column in columns)
    answers = "".join(_answer(column) for column in columns)
    facts = "".join(
        f"<tr>{''.join(_cell('td', escape(fact), STYLE) for fact in row)}</tr>"
        for row in zip(*(column.facts for column in columns), strict=True)
        if any(row)
    )
    width = f"min-width: calc({len(columns)} * {COLUMN_WIDTH})"
    table = (
        f'<table style="{TABLE_STYLE}; {width}"><thead><tr>{heads}</tr></thead>'
        f"<tbody><tr>{answers}</tr>{facts}</tbody></table>"
    )
    return f'<div class="swsllm {DOLLARS_CLASS}" style="overflow-x: auto">{table}</div>'


def _answer(column: Column) -> str:
    failure = f'<div style="{FAILED_STYLE}">{escape(printable(column.failure))}</div>'
    return _cell("td", clean_html(column.text) + (failure if column.failure else ""), "")


def _cell(tag: str, html: str, style: str) -> str:
    return f'<{tag} style="{"; ".join(filter(None, (style, CELL_STYLE)))}">{html}</{tag}>'
