"""Cells of ours as a front end sends them, before IPython rewrites anything in them.

IPython takes ``>>>`` prompts out of a cell's second line, and a line that ends in ``?`` for a
request for help; a comment above ``%%llm`` makes it an error. Here text is text.
"""

import re
from collections.abc import Callable

__all__ = ["cell_transformer"]


def cell_transformer(name: str) -> Callable[[list[str]], list[str]]:
    """For ``input_transformers_cleanup``: magics of that name as plain calls; else the lines."""
    cell = re.compile(rf"%%{name}(?=\s|$)(.*)", re.DOTALL)
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
        return lines

    # So that a terminal, which asks whether a cell is complete, waits for the lines below %%llm.
    transform.has_side_effects = True  # type: ignore[attr-defined]
    return transform


def _is_comment(line: str) -> bool:
    return not line.strip() or line.lstrip().startswith("#")
