"""Where in a student's own code a mistake happened, in a few words."""

import linecache
import sys
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any

from swsllm_nb.notebook.language import say

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["place_in_cell"]


def place_in_cell(trace: TracebackType | None) -> str:
    """The innermost line of any cell on the way to a mistake, such as ``line 3 of this cell``.

    Empty outside IPython, and where the cell has one line only: there is nothing to look for.
    """
    shell = _shell()
    if shell is None:
        return ""
    format_name: Callable[[str], tuple[str, str] | None] = shell.compile.format_code_name
    steps = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(trace)]
    cells = [(cell[1], file, line) for file, line in steps if (cell := format_name(file))]
    if not cells:
        return ""
    (running, _, _), (name, file, line) = cells[0], cells[-1]
    if name != running:
        return say(f"line {line} of {name}", f"Zeile {line} von {name}")
    if sum(bool(text.strip()) for text in linecache.getlines(file)) < 2:
        return ""
    return say(f"line {line} of this cell", f"Zeile {line} dieser Zelle")


def _shell() -> Any:
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    return get_ipython()
