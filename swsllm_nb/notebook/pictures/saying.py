"""The sentence under a picture: JupyterLab shows nobody the alternative text of an image."""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["say_under"]


def say_under(sentence: str) -> None:
    """Print it: at the end of the running cell, below its pictures, or at once in a script."""
    shell = _shell()
    if shell is None:
        _print(sentence)
        return
    events = shell.events

    def print_once(*_: Any) -> None:
        events.unregister("post_run_cell", print_once)
        _print(sentence)

    # Figures appear on post_execute, which comes before:
    # https://github.com/ipython/matplotlib-inline/blob/main/matplotlib_inline/backend_inline.py
    events.register("post_run_cell", print_once)


def _print(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")


def _shell() -> Any:
    get_ipython: Callable[[], Any] | None = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_ipython() if get_ipython else None
