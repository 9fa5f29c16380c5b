"""Small tables: HTML whose dollars stay dollars, and the same as text."""

from collections.abc import Sequence
from html import escape
from typing import Final

from swsllm_nb.notebook.markdown import printable

__all__ = ["show_html", "show_table"]

_ALIGNED: Final = "text-align: left"


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()
) -> None:
    """One output: the table, and under it a line for each note."""
    show_html(_html(columns, rows, notes), _text(columns, rows, notes))


def show_html(html: str, text: str) -> None:
    """One output of HTML in which no formula is set, readable as text where none is shown."""
    from IPython.display import display

    bundle = {
        "text/html": f'<div class="mathjax_ignore">{html}</div>',
        "text/plain": printable(text),
    }
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def _html(columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    head = "".join(f'<th style="{_ALIGNED}">{escape(name)}</th>' for name in columns)
    lines = "".join(
        "<tr>" + "".join(f'<td style="{_ALIGNED}">{escape(cell)}</td>' for cell in row) + "</tr>"
        for row in rows
    )
    under = "".join(f"<div>{escape(note)}</div>" for note in notes)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{under}"


def _text(columns: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str]) -> str:
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (columns, *rows)
    ]
    return "\n".join((*lines, *notes))
