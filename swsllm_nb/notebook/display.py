"""An answer as it comes, in the output of a cell or in a terminal."""

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, Final

from swsllm_nb.notebook.markdown import DOLLARS_CLASS, clean_html, printable

__all__ = ["FAILED_STYLE", "STYLE", "LiveAnswer", "shows_html", "write"]

REPAINT_SECONDS: Final = 0.1
RENDERS_PER_REPAINT: Final = 4
"""A repaint waits this many times as long as the last one took, so that painting long answers
leaves the kernel most of its time."""
PAINTED_PER_SECOND: Final = 100_000
"""Characters of HTML: an answer of 20 kB is painted about three times a second, a longer one less
often, so that neither the browser nor the connection to it falls behind."""

FORMULAS_WHILE_IT_COMES: Final = 8
"""Each is typeset anew at each repaint, which takes a browser about 5 ms; the rest wait as text."""

# Outside JupyterLab its variables are unknown and the text takes the colour around it.
COLOUR: Final = "var(--jp-content-font-color2, var(--vscode-descriptionForeground, inherit))"
STYLE: Final = f"color: {COLOUR}; font-size: 0.85em; margin-top: 0.6em"
FAILED_STYLE: Final = (
    f"{STYLE}; border-left: 3px solid var(--jp-error-color1, #d32f2f); padding-left: 0.6em"
)


ERASE_LINE: Final = "\x1b[K"


class LiveAnswer:
    """One answer on the screen, painted while it comes and complete when it is finished.

    In a notebook it is one output whose saved state is the answer and its footnote, readable
    without a kernel; elsewhere it is printed. Everything is painted by the thread that calls.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._screen = _CellOutput() if shows_html() else _Print()
        self._painted: str | None = None
        self._next_at = float("-inf")

    def update(self, text: str) -> None:
        """Show the whole answer so far, at once or with a later call where one was just painted."""
        started_at = self._clock()
        if not text or text == self._painted or started_at < self._next_at:
            return
        painted = self._screen.show(text, "", STYLE, formulas=FORMULAS_WHILE_IT_COMES)
        painted_at = self._clock()
        pause = max(
            REPAINT_SECONDS,
            RENDERS_PER_REPAINT * (painted_at - started_at),
            painted / PAINTED_PER_SECOND,
        )
        self._painted, self._next_at = text, painted_at + pause

    def notice(self, line: str) -> None:
        """Show a line where the answer will be, such as a countdown; an empty one takes it away."""
        self._screen.notice(line)

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

    def show(self, text: str, footnote: str, style: str, formulas: int | None = None) -> int:
        """Gives the characters of HTML that were sent."""
        from IPython.display import display

        # No text/markdown: JupyterLab would prefer it, and run the scripts in it.
        html = _html(clean_html(text, formulas=formulas), footnote, style)
        plain = "\n".join(filter(None, (printable(text), printable(footnote))))
        bundle = {"text/html": html, "text/plain": plain}
        if self._handle is None:
            self._handle = display(bundle, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(bundle, raw=True)
        return len(html)

    def notice(self, line: str) -> None:
        self.show("", line, STYLE)


class _Print:
    """Standard output: only what is new is written."""

    def __init__(self) -> None:
        self._written = 0
        self._noticed = False

    def show(self, text: str, footnote: str, _style: str, formulas: int | None = None) -> int:
        """Gives the characters that were written."""
        del formulas
        written = printable(text[self._written :])
        self._written = len(text)
        if footnote:
            written += ("\n" if text else "") + printable(footnote) + "\n"
        write(written)
        return len(written)

    def notice(self, line: str) -> None:
        """On a terminal one line that is written over; elsewhere the first of a countdown."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{ERASE_LINE}{printable(line)}")
        elif line and not self._noticed:
            sys.stderr.write(printable(line) + "\n")
        self._noticed = bool(line)
        sys.stderr.flush()


def write(text: str) -> None:
    """Writes to standard output at once; what its encoding lacks becomes a question mark."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
    sys.stdout.flush()


def _html(answer: str, footnote: str, style: str) -> str:
    line = f'<div class="swsllm-footnote" style="{style}">{escape(printable(footnote))}</div>'
    return f'<div class="swsllm {DOLLARS_CLASS}">{answer}{line if footnote else ""}</div>'


def shows_html() -> bool:
    """Whether the front end shows HTML: any IPython but the one in a terminal."""
    from IPython import get_ipython

    shell = get_ipython()
    names = {kind.__name__ for kind in type(shell).__mro__}
    return shell is not None and "TerminalInteractiveShell" not in names
