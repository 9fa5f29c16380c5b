"""``%llm log``"""

from collections.abc import Sequence

from swsllm_nb.notebook.calls import table_html
from swsllm_nb.notebook.desk import Desk

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """The frame of every call."""
    from IPython.display import display

    del words
    frame = desk.course().log()
    bundle = {"text/html": table_html(frame), "text/plain": str(frame)}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
