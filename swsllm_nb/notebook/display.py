"""An answer as it comes, and the line under it that says what it cost and what is left."""

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, Final

from swsllm_nb.money import show_cost, show_left
from swsllm_nb.notebook.markdown import clean_html
from swsllm_nb.wire import Usage

__all__ = ["LiveAnswer", "footnote", "show_table"]

REPAINT_SECONDS: Final = 0.1
RENDERS_PER_REPAINT: Final = 4
"""A repaint waits this many times as long as the last one took, so that painting long answers
leaves the kernel most of its time."""

# Outside JupyterLab its variables are unknown and the text takes the colour around it.
COLOUR: Final = "var(--jp-content-font-color2, var(--vscode-descriptionForeground, inherit))"
STYLE: Final = f"color: {COLOUR}; font-size: 0.85em; margin-top: 0.6em"
FAILED_STYLE: Final = (
    f"{STYLE}; border-left: 3px solid var(--jp-error-color1, #d32f2f); padding-left: 0.6em"
)

CONTROL_CHARACTERS: Final = dict.fromkeys(
    code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"
)

FINISH_NOTES: Final = {
    "length": "cut at the token limit: raise --max-tokens",
    "content_filter": "stopped by the content filter",
}


def footnote(
    model: str,
    usage: Usage | None,
    cost_pico: int | None,
    cost_source: str = "proxy",
    remaining_pico: int | None = None,
    budget_pico: int | None = None,
    finish_reason: str | None = None,
    practice: bool = False,
) -> str:
    """One line of text: ``gpt-4o-mini · 312 in + 88 out · $0.0001 · $3.91 of $5.00 left``.

    ``cost_source`` is one of the call log's. What is not known is left out, but for the cost: an
    unknown one is called unknown, never $0.
    """
    parts = (
        model,
        _tokens(usage),
        _cost(cost_pico, cost_source),
        _left(remaining_pico, budget_pico),
        "practice model" if practice else "",
        FINISH_NOTES.get(finish_reason or "", ""),
    )
    return " · ".join(part for part in parts if part)


def _tokens(usage: Usage | None) -> str:
    if usage is None:
        return ""
    tokens_in = f"{usage.prompt_tokens:,} in"
    tokens_out = f"{usage.completion_tokens:,} out"
    if usage.cached_tokens:
        tokens_in += f" ({usage.cached_tokens:,} cached)"
    if usage.reasoning_tokens:
        tokens_out += f", {usage.reasoning_tokens:,} of them reasoning"
    return f"{tokens_in} + {tokens_out}"


def _cost(cost_pico: int | None, cost_source: str) -> str:
    if cost_pico is None or cost_source == "unknown":
        return "cost unknown"
    amount = show_cost(cost_pico)
    notes = {
        "computed": f"{amount} (by the price list)",
        "estimated": f"about {amount}",
        "replayed": f"replayed, was {amount}",
    }
    return notes.get(cost_source, amount)


def _left(remaining_pico: int | None, budget_pico: int | None) -> str:
    if remaining_pico is None:
        return ""
    of_budget = "" if budget_pico is None else f" of {show_left(budget_pico)}"
    return f"{show_left(remaining_pico, budget_pico)}{of_budget} left"


class LiveAnswer:
    """One answer on the screen, painted while it comes and complete when it is finished.

    In a notebook it is one output whose saved state is the answer and its footnote, readable
    without a kernel; elsewhere it is printed. Everything is painted by the thread that calls.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._screen = _CellOutput() if _shows_html() else _Print()
        self._painted: str | None = None
        self._next_at = float("-inf")

    def update(self, text: str) -> None:
        """Show the whole answer so far, at once or with a later call where one was just painted."""
        started_at = self._clock()
        if not text or text == self._painted or started_at < self._next_at:
            return
        self._screen.show(text, "", STYLE)
        painted_at = self._clock()
        pause = max(REPAINT_SECONDS, RENDERS_PER_REPAINT * (painted_at - started_at))
        self._painted, self._next_at = text, painted_at + pause

    def finish(self, text: str, footnote: str) -> None:
        """Show the complete answer and its footnote."""
        self._screen.show(text, footnote, STYLE)

    def fail(self, text: str, footnote: str) -> None:
        """Show what came before the call failed or was stopped, and a footnote that says so."""
        if text or footnote:
            self._screen.show(text, footnote, FAILED_STYLE)


class _CellOutput:
    """One display of a cell, replaced at each repaint."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str, footnote: str, style: str) -> None:
        from IPython.display import display

        # No text/markdown: JupyterLab would prefer it, and run the scripts in it.
        bundle = {
            "text/html": _html(text, footnote, style),
            "text/plain": "\n".join(filter(None, (_printable(text), _printable(footnote)))),
        }
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)


class _Print:
    """Standard output: only what is new is written."""

    def __init__(self) -> None:
        self._written = 0

    def show(self, text: str, footnote: str, _style: str) -> None:
        sys.stdout.write(_printable(text[self._written :]))
        self._written = len(text)
        if footnote:
            sys.stdout.write(("\n" if text else "") + _printable(footnote) + "\n")
        sys.stdout.flush()


def _html(text: str, footnote: str, style: str) -> str:
    """``mathjax_ignore`` keeps two amounts in one line from becoming a formula."""
    line = f'<div class="swsllm-footnote" style="{style}">{escape(footnote)}</div>'
    return f'<div class="swsllm mathjax_ignore">{clean_html(text)}{line if footnote else ""}</div>'


def _printable(text: str) -> str:
    """The text without control characters: a terminal would obey an answer's escape sequences."""
    return text.translate(CONTROL_CHARACTERS)


def _shows_html() -> bool:
    """Whether the front end shows HTML: any IPython but the one in a terminal."""
    from IPython import get_ipython

    shell = get_ipython()
    names = {kind.__name__ for kind in type(shell).__mro__}
    return shell is not None and "TerminalInteractiveShell" not in names


def show_table(models: Any, outcomes: Any) -> None:
    """Placeholder of the table that another branch brings."""
    sys.stdout.write(
        "".join(f"{model}: {outcome}\n" for model, outcome in zip(models, outcomes, strict=True))
    )
