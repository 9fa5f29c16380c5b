"""Cells of ours as a front end sends them, before IPython rewrites anything in them.

IPython takes ``>>>`` prompts out of a cell's second line, and a line that ends in ``?`` for a
request for help; a comment above ``%%llm`` makes it an error. Here text is text.
"""

import re
from collections.abc import Callable
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from swsllm_nb.notebook.errors import LLMError
from swsllm_nb.notebook.language import say

__all__ = ["cell_transformer"]


def cell_transformer(name: str) -> Callable[[list[str]], list[str]]:
    """For ``input_transformers_cleanup``: magics of that name as plain calls; else the lines."""
    cell = re.compile(rf"[ \t]*%%{name}(?=\s|$)(.*)", re.DOTALL)
    question = re.compile(rf"%{name}[ \t]+(\S.*\?)[ \t]*\n?")

    def transform(lines: list[str]) -> list[str]:
        first = next((at for at, line in enumerate(lines) if not _is_comment(line)), None)
        if first is None:
            return lines
        found = cell.fullmatch(lines[first])
        if found:
            line, text = found[1].strip(), "".join(lines[first + 1 :])
            # Without a text IPython would say that the cell is empty, and nothing of a question.
            return [f"get_ipython().run_cell_magic({name!r}, {line!r}, {text or chr(10)!r})\n"]
        asked = question.fullmatch(lines[first])
        if asked:
            call = f"get_ipython().run_line_magic({name!r}, {asked[1]!r})\n"
            return [*lines[:first], call, *lines[first + 1 :]]
        _check_place(name, lines, first, cell)
        return lines

    # So that a terminal, which asks whether a cell is complete, waits for the lines below %%llm.
    transform.has_side_effects = True  # type: ignore[attr-defined]
    return transform


def _check_place(name: str, lines: list[str], first: int, cell: re.Pattern[str]) -> None:
    """Raises LLMError for a question below code, which Python would take for mistakes in it.

    Not in a text of several lines, nor below another magic of a whole cell.
    """
    later = next((at for at in range(first + 1, len(lines)) if cell.fullmatch(lines[at])), None)
    if later is None or lines[first].startswith("%%"):
        return
    ipython: Any = TransformerManager
    (state, _) = ipython().check_complete("".join(lines[:later]))
    if state == "complete":
        raise LLMError(
            say(
                f"%%{name} belongs on the first line of its cell, and code stands above it, so "
                "nothing was run and nothing sent: move the code into a cell of its own.",
                f"%%{name} gehört in die erste Zeile seiner Zelle, und darüber steht Code; es "
                "wurde nichts ausgeführt und nichts gesendet: Der Code gehört in eine eigene "
                "Zelle.",
            )
        )


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
