"""``%llm burndown``: the picture of what is left, and its sentence."""

import sys
from collections.abc import Sequence

from swsllm_nb.notebook.commands.line import taken
from swsllm_nb.notebook.desk import Desk
from swsllm_nb.notebook.errors import LLMError

__all__ = ["show"]


def show(desk: Desk, words: Sequence[str]) -> None:
    """A picture of what is left of the budget; --by model, exercise or source: spent on what."""
    from IPython.display import display

    from swsllm_nb.notebook.pictures import burn_down_picture

    given = taken("burndown", words, values=("--by",))
    try:
        picture = burn_down_picture(desk, given.values.get("--by"))
    except ValueError as error:
        raise LLMError(str(error)) from None
    bundle = {"image/png": picture.png, "text/plain": picture.text}
    size = {"width": picture.width, "height": picture.height}
    display(bundle, raw=True, metadata={"image/png": size})  # type: ignore[no-untyped-call]
    # The text of an image is shown to nobody where the image is.
    sys.stdout.write(f"{picture.text}\n")
