"""A course's language models in notebooks: ``%%llm`` cells, a log of every call, a burn-down.

In a notebook, ``%load_ext swsllm_nb``. The functions here do the same in any Python. Nothing
heavy is imported, and no network touched, before the first of them is called.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from IPython.core.interactiveshell import InteractiveShell
    from pandas import DataFrame

    from swsllm_nb.notebook.answer import Answer, Answers
    from swsllm_nb.notebook.client import AsyncOpenAI, OpenAI
    from swsllm_nb.notebook.course import Scope
    from swsllm_nb.notebook.desk import Desk
    from swsllm_nb.notebook.estimate import Estimate
    from swsllm_nb.notebook.gauge import Budget
    from swsllm_nb.notebook.pictures import burn_down as burn_down
    from swsllm_nb.notebook.pictures import burn_down_frame as burn_down_frame
    from swsllm_nb.notebook.pictures import cost_by as cost_by
    from swsllm_nb.notebook.pictures import cost_by_frame as cost_by_frame
    from swsllm_nb.notebook.pictures import ledger as ledger
    from swsllm_nb.notebook.pictures import most_expensive as most_expensive
    from swsllm_nb.notebook.pictures import tokens as tokens
    from swsllm_nb.notebook.pictures import tokens_frame as tokens_frame
    from swsllm_nb.notebook.pictures import what_if as what_if
    from swsllm_nb.notebook.pictures import what_if_frame as what_if_frame
    from swsllm_nb.notebook.reconcile import Reconciliation

    __version__: str

__all__ = [
    "__version__",
    "ask",
    "async_client",
    "budget",
    "burn_down",
    "burn_down_frame",
    "client",
    "cost_by",
    "cost_by_frame",
    "last",
    "ledger",
    "load_ipython_extension",
    "log",
    "most_expensive",
    "reconcile",
    "tokens",
    "tokens_frame",
    "unload_ipython_extension",
    "what_if",
    "what_if_frame",
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


def load_ipython_extension(shell: "InteractiveShell") -> None:
    """``%load_ext swsllm_nb``"""
    from swsllm_nb.notebook.magics import load

    load(shell)


def unload_ipython_extension(shell: "InteractiveShell") -> None:
    """``%unload_ext swsllm_nb``"""
    from swsllm_nb.notebook.magics import unload

    unload(shell)


_PICTURES = frozenset(
    {
        "burn_down", "burn_down_frame", "cost_by", "cost_by_frame", "ledger", "most_expensive",
        "tokens", "tokens_frame", "what_if", "what_if_frame",
    }
)  # fmt: skip


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _PICTURES:
        return getattr(import_module("swsllm_nb.notebook.pictures"), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("swsllm-nb")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _desk() -> "Desk":
    from swsllm_nb.notebook.desk import desk_here

    return desk_here()
