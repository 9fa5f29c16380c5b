"""A picture as a PNG, on a figure of its own that no notebook shows a second time."""

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from swsllm_nb.notebook.pictures.axes import OWN_FIGURE, PICTURE_INCHES

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

__all__ = ["Picture", "rendered"]

SHOWN_DPI: Final = 96
PIXELS_PER_SHOWN: Final = 2
"""A screen of high density shows each of them."""


@dataclass(frozen=True)
class Picture:
    """A PNG, its size on the screen in pixels, and what it says in words."""

    png: bytes
    width: int
    height: int
    text: str


def rendered(draw: "Callable[[Axes], object]", text: str) -> Picture:
    """What ``draw`` draws on the axes it is given."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=PICTURE_INCHES, layout="constrained")
    figure.set_gid(OWN_FIGURE)
    draw(figure.subplots())
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=PIXELS_PER_SHOWN * SHOWN_DPI)
    width, height = (round(inches * SHOWN_DPI) for inches in figure.get_size_inches())
    return Picture(page.getvalue(), width, height, text)
