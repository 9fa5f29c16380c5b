"""Bars for what takes longer than a breath: on a terminal alone, and beside what is printed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["progress"]


@contextmanager
def progress(total: int | None, unit: str) -> Iterator[Callable[[int], Any]]:
    """Gives what is told of each step's size; ``total`` None is one that nobody knows."""
    from tqdm import tqdm

    # Silent where stderr is no terminal (None), and where all is done within a second.
    with tqdm(total=total, unit=unit, disable=None, leave=False, delay=1) as bar:
        yield bar.update
