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

    from swsllm_nb.notebook.answer import Answer, Answers
    from swsllm_nb.notebook.client import AsyncOpenAI, OpenAI
    from swsllm_nb.notebook.course import Scope
    from swsllm_nb.notebook.desk import Desk
    from swsllm_nb.notebook.estimate import Estimate
    from swsllm_nb.notebook.gauge import Budget
    from swsllm_nb.notebook.magics import CourseMagics
    from swsllm_nb.notebook.reconcile import Reconciliation

    __version__: str

__all__ = [
    "__version__",
    "ask",
    "async_client",
    "budget",
    "burn_down",
    "client",
    "last",
    "load_ipython_extension",
    "log",
    "reconcile",
    "unload_ipython_extension",
]


def client(base_url: str | None = None, api_key: str | None = None) -> "OpenAI":
    """The openai library's client for the course; every call it makes lands in ``log()``.

    Key and base URL come from one place: these arguments, the environment (``SWSLLM_BASE_URL``
    and ``SWSLLM_API_KEY``), or the nearest ``.env``. Raises NotConnected.
    """
    return _desk().client(base_url, api_key)


def async_client(base_url: str | None = None, api_key: str | None = None) -> "AsyncOpenAI":
    """As ``client()``, for code that awaits."""
    return _desk().async_client(base_url, api_key)


def ask(
    prompt: str,
    *,
    model: "str | Sequence[str] | None" = None,
    system: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    presence_penalty: float | None = None,
    frequency_penalty: float | None = None,
    seed: int | None = None,
    stop: "str | Sequence[str] | None" = None,
    reasoning_effort: str | None = None,
    json: bool | None = None,
    schema: Any = None,
    chat: str | None = None,
    new: bool | None = None,
    stream: bool | None = None,
    estimate: bool | None = None,
    max_cost: "str | float | Decimal | None" = None,
    exercise: str | None = None,
    raw: bool | None = None,
) -> "Answer | Answers | Estimate | list[Estimate]":
    """The call that ``%%llm`` makes, with the same options; ``%%llm?`` is their manual.

    Gives an Answer, which shows itself as a cell's value; of several models a list. With
    ``estimate`` nothing is sent. Raises LLMError with one sentence for whatever went wrong.
    """
    given = dict(locals())
    from swsllm_nb.notebook.inquiry import ask as ask_desk
    from swsllm_nb.notebook.options import Options

    return ask_desk(_desk(), given.pop("prompt"), Options.of(**given))


def log(scope: "Scope" = "account") -> "DataFrame":
    """Every call of this account from this machine, oldest first; amounts in USD, times UTC.

    With ``scope="notebook"`` those of this notebook; where none is known, of this process.
    """
    return _desk().course().log(scope)


def reconcile() -> "Reconciliation":
    """Compare the log with the proxy's ledger, to the last pico-dollar.

    Calls whose cost was unknown, such as interrupted ones, get the proxy's figure. The value says
    what was spent here and elsewhere; ``.outside`` is a frame of the calls not made here.
    Raises LLMError.
    """
    return _desk().course().reconcile()


def last() -> "Answer | None":
    """The latest answer of ``%%llm`` or ``ask``; None before the first."""
    return _desk().last


def budget() -> "Budget":
    """What was granted, is spent, held and left, until when; ``budget().widget()`` follows calls.

    Where the server keeps no accounts it is what this machine's log says. Raises LLMError.
    """
    return _desk().budget()


def burn_down(
    *, budget_usd: "str | float | Decimal | None" = None, ax: "Axes | None" = None
) -> "Axes":
    """Draw what is left of the budget, call by call.

    ``budget_usd`` is for a server that does not tell it, such as ``"5.00"``. Raises LLMError.
    """
    from swsllm_nb.money import usd_text
    from swsllm_nb.notebook.accepted import amount_pico
    from swsllm_nb.notebook.plots import burn_down as draw

    desk = _desk()
    typed = None if budget_usd is None else usd_text(amount_pico(budget_usd, "budget_usd"))
    return draw(desk.course().log(), budget_usd=typed or desk.budget_usd(), ax=ax)


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


def _desk() -> "Desk":
    """The desk of the running shell, where the extension is loaded, else that of the script."""
    magics = _magics()
    if magics:
        return magics.desk
    from swsllm_nb.notebook.desk import desk_of_script

    return desk_of_script()


def _magics() -> "CourseMagics | None":
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        return None
    from swsllm_nb.notebook.magics import magics_of

    return magics_of(shell)
