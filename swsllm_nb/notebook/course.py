"""A course as a notebook sees it: one connection, one client, one call log."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from swsllm_nb.money import pico_from_usd, usd_text
from swsllm_nb.notebook.answer import Answer, Question
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call, CallLog, Whereabouts
from swsllm_nb.notebook.connection import Connection, find_connection
from swsllm_nb.notebook.errors import CallFailed, explain

if TYPE_CHECKING:
    import pandas as pd

    from swsllm_nb.notebook.client import OpenAI, Pulse, RecordingClient

__all__ = ["Account", "Course", "connect"]

_Told = TypeVar("_Told")


@dataclass(frozen=True)
class Account:
    """What the proxy says of the account, in pico-dollars; ``reserved_pico`` is held for calls
    that run. ``valid_until`` is a moment in ISO 8601, None where there is no end."""

    name: str
    budget_pico: int
    spend_pico: int
    remaining_pico: int
    reserved_pico: int = 0
    valid_until: str | None = None
    enabled: bool = True


class Course:
    """Built from a connection and a log; opens no connection before it is asked something."""

    def __init__(
        self,
        connection: Connection,
        log: CallLog,
        whereabouts: Callable[[], Whereabouts] = Whereabouts,
    ) -> None:
        self.connection = connection
        self._log = log
        self._whereabouts = whereabouts
        self._built: tuple[OpenAI, RecordingClient] | None = None

    def client(self) -> "OpenAI":
        """The openai library's client; every attempt it makes lands in the log."""
        return self._clients()[0]

    def ask(
        self, question: Question, whereabouts: Whereabouts, paint: Callable[[str], None]
    ) -> Answer:
        """Asks and waits for the whole answer; ``paint`` gets the text so far.

        Raises CallFailed, or Interrupted; both keep what had come.
        """
        from swsllm_nb.notebook.asking import ask

        return ask(question, Ticket(whereabouts), *self._clients(), paint)

    def ask_several(
        self, questions: Sequence[Question], whereabouts: Whereabouts
    ) -> list[Answer | CallFailed]:
        """Asks at once and waits for all. Raises Interrupted, and then all are stopped."""
        from swsllm_nb.notebook.asking import ask_together

        return ask_together([(each, Ticket(whereabouts)) for each in questions], *self._clients())

    def log(self, notebook: str | None = None) -> "pd.DataFrame":
        """Every call of this account from this machine, or those of a notebook alone (of this
        process where its name is empty); see ``wire.CALL_COLUMNS``."""
        return self._log.frame(notebook)

    def clear_log(self) -> int:
        """Deletes every row of the log and tells how many there were. Raises LLMError."""
        return self._log.clear()

    def account(self) -> Account | None:
        """What the proxy says is left, or None where the server keeps no accounts.

        Raises CallFailed where nobody answers or the key is refused.
        """
        from swsllm_nb.notebook.client import fetch_account

        page = self._told(fetch_account)
        return _account(page) if page else None

    def models(self) -> list[dict[str, Any]] | None:
        """What the server says of each of its models, at least the ``id``; None where it has no
        such page. Raises CallFailed as ``account`` does."""
        from swsllm_nb.notebook.client import fetch_models

        return self._told(fetch_models)

    def pulse(self) -> "Pulse":
        """How long the server takes to answer, and its clock. Raises CallFailed."""
        from swsllm_nb.notebook.client import fetch_pulse

        return self._told(fetch_pulse)

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

    def _told(self, fetch: "Callable[[OpenAI], _Told]") -> "_Told":
        from swsllm_nb.notebook.client import OpenAIError, trouble_of

        try:
            return fetch(self.client())
        except OpenAIError as error:
            trouble = trouble_of(error, self.connection.base_url)
            raise explain(trouble, self.connection.key) from None

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


def _account(page: Mapping[str, Any]) -> Account | None:
    try:
        return Account(
            name=str(page.get("account", "")),
            budget_pico=pico_from_usd(page["budget_usd"]),
            spend_pico=pico_from_usd(page["spend_usd"]),
            remaining_pico=pico_from_usd(page["remaining_usd"]),
            reserved_pico=pico_from_usd(page.get("reserved_usd") or 0),
            valid_until=_text_or_none(page.get("valid_until")),
            enabled=page.get("enabled") is not False,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _text_or_none(told: Any) -> str | None:
    return told if isinstance(told, str) and told else None
