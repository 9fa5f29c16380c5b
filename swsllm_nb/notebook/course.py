"""A course as a notebook sees it: one connection, one client, one call log."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swsllm_nb.catalogue import default_catalogue
from swsllm_nb.money import pico_from_usd, usd_text
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call, CallLog, Whereabouts, log_path
from swsllm_nb.notebook.connection import Connection, find_connection
from swsllm_nb.notebook.errors import CallFailed, Interrupted, LLMError, explain

if TYPE_CHECKING:
    import pandas as pd

    from swsllm_nb.notebook.answer import Answer
    from swsllm_nb.notebook.client import OpenAI, RecordingClient

__all__ = ["Account", "Course", "connect", "course_of_script", "default_model"]


@dataclass(frozen=True)
class Account:
    """What the proxy says of the account, in pico-dollars."""

    name: str
    budget_pico: int
    spend_pico: int
    remaining_pico: int


class Course:
    """Built from a connection and a log; opens no connection before it is asked something."""

    def __init__(
        self,
        connection: Connection,
        log: CallLog,
        whereabouts: Callable[[], Whereabouts] = Whereabouts,
    ) -> None:
        self.connection = connection
        self.last: Answer | None = None
        self._log = log
        self._whereabouts = whereabouts
        self._built: tuple[OpenAI, RecordingClient] | None = None

    def client(self) -> "OpenAI":
        """The openai library's client; every attempt it makes lands in the log."""
        return self._clients()[0]

    def ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        source: str = "ask",
        paint: Callable[[str], None] | None = None,
    ) -> "Answer":
        """Asks a question and waits for the whole answer; ``paint`` gets the text so far.

        Raises CallFailed, or Interrupted, and ``last`` is then what had come; LLMError for what
        cannot be asked, before anything is sent.
        """
        from swsllm_nb.notebook.answer import Question
        from swsllm_nb.notebook.asking import ask

        _refuse_unsent(prompt, temperature)
        name = model or default_model()
        given = {
            "temperature": temperature,
            _cap_field(name): max_tokens,
            "seed": seed,
            "stop": stop if stop is None or isinstance(stop, str) else list(stop),
        }
        question = Question(
            model=name,
            messages=(
                *([{"role": "system", "content": system}] if system else []),
                {"role": "user", "content": prompt},
            ),
            fields={field: value for field, value in given.items() if value is not None},
        )
        begun = self._whereabouts()
        ticket = Ticket(Whereabouts(source, begun.notebook, begun.cell_id, begun.exercise))
        try:
            self.last = ask(question, ticket, *self._clients(), paint or _paint_nothing)
        except (CallFailed, Interrupted) as failure:
            self.last = failure.partial or self.last
            raise
        return self.last

    def log(self) -> "pd.DataFrame":
        """Every call of this account from this machine; see ``wire.CALL_COLUMNS``."""
        return self._log.frame()

    def account(self) -> Account | None:
        """What the proxy says is left, or None where the server keeps no accounts.

        Raises CallFailed where nobody answers or the key is refused.
        """
        from swsllm_nb.notebook.client import OpenAIError, fetch_account, trouble_of

        try:
            page = fetch_account(self.client())
        except OpenAIError as error:
            trouble = trouble_of(error, self.connection.base_url)
            raise explain(trouble, self.connection.key) from None
        return _account(page) if page else None

    def budget_usd(self) -> str | None:
        """The account's budget, where the proxy can be asked and keeps one."""
        try:
            account = self.account()
        except CallFailed:
            return None
        return usd_text(account.budget_pico) if account else None

    def close(self) -> None:
        """Closes the connections and writes the log."""
        if self._built:
            self._built[0].close()
            self._built = None
        self._log.close()

    def _clients(self) -> "tuple[OpenAI, RecordingClient]":
        if self._built is None:
            from swsllm_nb.notebook.client import build_client

            self._built = build_client(self.connection, self._record, self._whereabouts)
        return self._built

    def _record(self, call: Call) -> None:
        self._log.append(call)


def connect(base_url: str | None = None, api_key: str | None = None) -> Connection:
    """The connection that the arguments, the environment or the nearest ``.env`` give.

    Raises NotConnected.
    """
    return find_connection(base_url, api_key, environ=os.environ, start_folder=Path.cwd())


@cache
def course_of_script(connection: Connection) -> Course:
    """The course where no notebook holds one; the same for the same connection, so that a loop
    of questions shares its connections and ``last()`` finds the answer."""
    return Course(connection, CallLog(log_path(connection)))


def _refuse_unsent(prompt: str, temperature: float | None) -> None:
    if not prompt.strip():
        raise LLMError("There is no question: the text is empty, so nothing was sent.")
    if temperature is not None and not isfinite(temperature):
        raise LLMError(
            f"A temperature is a number from 0 to 2, and {temperature} is not, so nothing was sent."
        )


def _paint_nothing(text: str) -> None:
    del text


def default_model() -> str:
    """The name of the model that is asked where none was chosen."""
    model = default_catalogue().default
    return (model.aliases or (model.id,))[0]


def _cap_field(model: str) -> str:
    known = default_catalogue().find(model)
    return known.cap_field if known else "max_tokens"


def _account(page: Mapping[str, Any]) -> Account | None:
    try:
        return Account(
            name=str(page.get("account", "")),
            budget_pico=pico_from_usd(page["budget_usd"]),
            spend_pico=pico_from_usd(page["spend_usd"]),
            remaining_pico=pico_from_usd(page["remaining_usd"]),
        )
    except (KeyError, TypeError, ValueError):
        return None
