"""A course as a notebook sees it: one connection, one client, one call log."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar

from swsllm_nb.money import pico_from_usd, usd_text
from swsllm_nb.notebook.answer import Answer, Question
from swsllm_nb.notebook.attempt import Ticket
from swsllm_nb.notebook.calls import Call, CallLog, Whereabouts
from swsllm_nb.notebook.connection import Connection, find_connection
from swsllm_nb.notebook.errors import CallFailed, LLMError, explain
from swsllm_nb.notebook.language import say
from swsllm_nb.notebook.ledger import Ledger, LedgerCall, read_ledger
from swsllm_nb.notebook.settling import NoLedger, Settler

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import pandas as pd

    from swsllm_nb.notebook.client import AsyncOpenAI, OpenAI, Pulse, RecordingClient
    from swsllm_nb.notebook.reconcile import Reconciliation

__all__ = ["Account", "Course", "Scope", "connect"]

Scope: TypeAlias = Literal["account", "notebook"]

_MAY_HAVE_COST: Final = ("timeout", "cut")
"""Attempts that broke off and may be in the proxy's ledger all the same."""

_CLOCKS_DIFFER: Final = timedelta(minutes=10)
_LEDGER_TRIES: Final = 5
"""While calls end, account and ledger are not of one moment."""

_Fetched = TypeVar("_Fetched")


@dataclass(frozen=True)
class Account:
    """What the proxy says of the account, in pico-dollars; ``reserved_pico`` is held for calls
    that run. ``valid_until`` is a moment in ISO 8601, None where there is no end; ``contact`` is
    whom the course names for questions, empty where it names nobody."""

    name: str
    budget_pico: int
    spend_pico: int
    remaining_pico: int
    reserved_pico: int = 0
    valid_until: str | None = None
    contact: str = ""


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
        # One for each event loop: its connections end with the loop that they belong to.
        self._async_clients: dict[AbstractEventLoop | None, AsyncOpenAI] = {}
        self._settler = Settler(log, self._ledger_call)

    def client(self) -> "OpenAI":
        """The openai library's client; every attempt it makes lands in the log."""
        return self._clients()[0]

    def ask(
        self,
        question: Question,
        whereabouts: Whereabouts,
        paint: Callable[[str], None],
        notice: Callable[[str], None] | None,
    ) -> Answer:
        """Asks and waits for the whole answer; ``paint`` gets the text so far.

        ``notice`` gets a line while it waits to be asked again. Raises CallFailed, or Interrupted;
        both keep what had come.
        """
        from swsllm_nb.notebook.asking import ask

        return ask(question, Ticket(whereabouts), *self._clients(), paint, notice)

    def ask_several(
        self,
        questions: Sequence[Question],
        whereabouts: Whereabouts,
        notice: Callable[[str], None] | None,
    ) -> list[Answer | CallFailed]:
        """Asks at once and waits for all. Raises Interrupted, and then all are stopped."""
        from swsllm_nb.notebook.asking import ask_together

        asked = [(each, Ticket(whereabouts)) for each in questions]
        return ask_together(asked, *self._clients(), notice)

    def async_client(self) -> "AsyncOpenAI":
        """The openai library's client for ``await``; every attempt it makes lands in the log."""
        from swsllm_nb.notebook.client import build_async_client

        loop = _running_loop()
        for each in [each for each in self._async_clients if each and each.is_closed()]:
            del self._async_clients[each]
        client = self._async_clients.get(loop)
        if client is None or client.is_closed():
            client = build_async_client(self.connection, self._record, self._whereabouts)
            self._async_clients[loop] = client
        return client

    def log(self, scope: Scope = "account") -> "pd.DataFrame":
        """Every call of this account from this machine, or this notebook's alone.

        See ``wire.CALL_COLUMNS``. Where no notebook is known, as in a script, ``notebook`` means
        this process.
        """
        if scope not in ("account", "notebook"):
            raise LLMError(
                say(
                    f'log() shows scope="notebook" or scope="account", and not {scope!r}.',
                    f'log() zeigt scope="notebook" oder scope="account", nicht {scope!r}.',
                )
            )
        return self._log.frame(self._whereabouts().notebook if scope == "notebook" else None)

    def clear_log(self) -> int:
        """Deletes every row of the log and tells how many there were. Raises LLMError."""
        return self._log.clear()

    def reconcile(self) -> "Reconciliation":
        """The log against the proxy's ledger; rows get the ledger's figures.

        Raises CallFailed where nobody answers or the key is refused, and LLMError where the
        server keeps no ledger.
        """
        from swsllm_nb.notebook.reconcile import reconcile

        for _ in range(_LEDGER_TRIES):
            account, ledger = self.account(), self._explained(self._ledger)
            if not (account and ledger and ledger.spend_pico != account.spend_pico):
                break
        if account is None or ledger is None:
            raise LLMError(
                say(
                    f"The server at {self.connection.base_url} keeps no ledger, so there is "
                    "nothing to compare with; log() has every call of this machine.",
                    f"Der Server {self.connection.base_url} führt kein Buch, es gibt also nichts "
                    "zu vergleichen; log() hat jeden Aufruf dieses Rechners.",
                )
            )
        return reconcile(self._log, ledger, account.spend_pico, self._whereabouts().notebook)

    def ledger(self) -> "pd.DataFrame | None":
        """The proxy's ledger as ``booked`` tells it; None where the server keeps none.

        Raises CallFailed as ``account`` does.
        """
        from swsllm_nb.notebook.booked import booked
        from swsllm_nb.notebook.client import fetch_usage

        page = self._explained(fetch_usage, self.client())
        try:
            return None if page is None else booked(page, self._log.calls().values())
        except ValueError:
            return None

    def account(self) -> Account | None:
        """What the proxy says is left, or None where the server keeps no accounts.

        Raises CallFailed where nobody answers or the key is refused.
        """
        from swsllm_nb.notebook.client import fetch_account

        page = self._explained(fetch_account, self.client())
        return _account(page) if page else None

    def models(self) -> list[dict[str, Any]] | None:
        """What the server says of each of its models, at least the ``id``; None where it has no
        such page. Raises CallFailed as ``account`` does."""
        from swsllm_nb.notebook.client import fetch_models

        return self._explained(fetch_models, self.client())

    def pulse(self) -> "Pulse":
        """How long the server takes to answer, and its clock. Raises CallFailed."""
        from swsllm_nb.notebook.client import fetch_pulse

        return self._explained(fetch_pulse, self.client())

    def budget_usd(self) -> str | None:
        """The account's budget, where the proxy can be asked and keeps one."""
        try:
            account = self.account()
        except CallFailed:
            return None
        return usd_text(account.budget_pico) if account else None

    def close(self) -> None:
        """Closes the connections and writes the log."""
        self._settler.close()
        if self._built:
            self._built[0].close()
            self._built = None
        self._async_clients.clear()
        self._log.close()

    def _clients(self) -> "tuple[OpenAI, RecordingClient]":
        # A course outlives "with client() as …", which closes the client at its end.
        if self._built is None or self._built[0].is_closed():
            from swsllm_nb.notebook.client import build_client

            self._built = build_client(self.connection, self._record, self._whereabouts)
        return self._built

    def _record(self, call: Call) -> None:
        row_id = self._log.append(call)
        if call.cost_source == "unknown" and (
            call.status == "interrupted" or call.error_code in _MAY_HAVE_COST
        ):
            self._settler.add(row_id, call)

    def _ledger(self, **asked: str) -> Ledger | None:
        """The ledger, or the part of it that is asked for; None where the server keeps none."""
        from swsllm_nb.notebook.client import fetch_usage

        page = fetch_usage(self.client(), **asked)
        try:
            return None if page is None else read_ledger(page)
        except ValueError:
            return None

    def _ledger_call(self, call: Call) -> LedgerCall | None:
        """What the ledger knows of a call by now. Raises NoLedger, or OpenAIError."""
        if call.request_id:
            ledger = self._ledger(request_id=call.request_id)
        else:
            ledger = self._ledger(since=(call.at - _CLOCKS_DIFFER).isoformat())
        if ledger is None:
            raise NoLedger
        return next((each for each in ledger.calls if each.is_of(call)), None)

    def _explained(self, fetch: Callable[..., _Fetched], *given: Any) -> _Fetched:
        from swsllm_nb.notebook.client import OpenAIError, trouble_of

        try:
            return fetch(*given)
        except OpenAIError as error:
            trouble = trouble_of(error, self.connection.base_url)
            raise explain(trouble, self.connection.key) from None


def connect(base_url: str | None = None, api_key: str | None = None) -> Connection:
    """The connection that the arguments, the environment or the nearest ``.env`` give.

    Raises NotConnected.
    """
    return find_connection(base_url, api_key, environ=os.environ, start_folder=Path.cwd())


def _running_loop() -> "AbstractEventLoop | None":
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _account(page: Mapping[str, Any]) -> Account | None:
    try:
        return Account(
            name=str(page.get("account", "")),
            budget_pico=pico_from_usd(page["budget_usd"]),
            spend_pico=pico_from_usd(page["spend_usd"]),
            remaining_pico=pico_from_usd(page["remaining_usd"]),
            reserved_pico=pico_from_usd(page.get("reserved_usd") or 0),
            valid_until=_text_or_none(page.get("valid_until")),
            contact=_text_or_none(page.get("contact")) or "",
        )
    except (KeyError, TypeError, ValueError):
        return None


def _text_or_none(told: Any) -> str | None:
    return told if isinstance(told, str) and told else None
