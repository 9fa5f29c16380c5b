"""A course's language models in notebooks: ``%%llm`` cells, a log of every call, a burn-down.

In a notebook, ``%load_ext swsllm_nb``. The functions here do the same in any Python. Nothing
heavy is imported, and no network touched, before the first of them is called.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from IPython.core.interactiveshell import InteractiveShell
    from matplotlib.axes import Axes
    from pandas import DataFrame

    from swsllm_nb.notebook.answer import Answer
    from swsllm_nb.notebook.client import OpenAI
    from swsllm_nb.notebook.course import Course
    from swsllm_nb.notebook.magics import CourseMagics

    __version__: str

__all__ = [
    "__version__",
    "ask",
    "burn_down",
    "client",
    "last",
    "load_ipython_extension",
    "log",
    "unload_ipython_extension",
]


def client(base_url: str | None = None, api_key: str | None = None) -> "OpenAI":
    """The openai library's client for the course; every call it makes lands in ``log()``.

    Key and base URL come from one place: these arguments, the environment (``SWSLLM_BASE_URL``
    and ``SWSLLM_API_KEY``), or the nearest ``.env``. Raises NotConnected.
    """
    magics = _magics()
    return magics.client(base_url, api_key) if magics else _course(base_url, api_key).client()


def ask(
    prompt: str,
    *,
    model: str | None = None,
    system: str | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    seed: int | None = None,
    stop: "str | Sequence[str] | None" = None,
) -> "Answer":
    """The call that ``%%llm`` makes, as a function; as a cell's value the answer shows itself.

    Raises LLMError with one sentence for whatever went wrong.
    """
    return _course().ask(
        prompt,
        model=model,
        system=system,
        temperature=temperature,
        max_tokens=max_tokens,
        seed=seed,
        stop=stop,
    )


def log() -> "DataFrame":
    """Every call of this account from this machine, oldest first; amounts in USD, times UTC."""
    return _course().log()


def last() -> "Answer | None":
    """The latest answer of ``%%llm`` or ``ask``; None before the first."""
    from swsllm_nb.notebook.errors import NotConnected

    try:
        return _course().last
    except NotConnected:
        return None


def burn_down(*, budget_usd: "str | Decimal | None" = None, ax: "Axes | None" = None) -> "Axes":
    """Draw what is left of the budget, call by call.

    ``budget_usd`` is for a server that does not tell it, such as ``"5.00"``.
    """
    from swsllm_nb.notebook.plots import burn_down as draw

    course = _course()
    return draw(course.log(), budget_usd=budget_usd or course.budget_usd(), ax=ax)


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """``%load_ext swsllm_nb``"""
    from swsllm_nb.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """``%unload_ext swsllm_nb``"""
    from swsllm_nb.notebook.magics import unload

    unload(shell)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("swsllm-nb")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _course(base_url: str | None = None, api_key: str | None = None) -> "Course":
    magics = _magics()
    if magics:
        return magics.course(base_url, api_key)
    from swsllm_nb.notebook.course import connect, course_of_script

    return course_of_script(connect(base_url, api_key))


def _magics() -> "CourseMagics | None":
    """The magics of the running shell, where the extension is loaded."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return None
    from swsllm_nb.notebook.magics import magics_of

    return magics_of(shell)
