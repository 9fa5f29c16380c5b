"""``%llm log``"""

from collections.abc import Sequence

from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.frames import table_html

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """The frame of every call."""
    from IPython.display import display

    del words
    frame = desk.course().log()
    bundle = {"text/html": table_html(frame), "text/plain": str(frame)}
    display(bundle, raw=True)  # type: ignore[no-untyped-call]
