"""The ledger's decisions, each inside one transaction on a SQLite connection.

Every function here runs between BEGIN IMMEDIATE and COMMIT, so what it reads cannot change
before it writes. Whenever a hold is taken, ``spend + reserved <= budget``. Always, ``spend`` is the
sum of charged calls and adjustments, ``reserved`` of the open holds, ``budget`` of the grants.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from swsllm_nb.money import show_cost, show_left
from swsllm_nb.pricing import Bound, Model, Prices
from swsllm_nb.proxy.errors import BudgetExhausted, BudgetReserved, Unauthenticated
from swsllm_nb.wire import Usage

__all__ = [
    "Account",
    "Breach",
    "Hold",
    "Intent",
    "Outcome",
    "Rate",
    "close_hold",
    "reserve",
    "sweep",
]


@dataclass(frozen=True)
class Account:
    """Who pays, and how the budget stands, in pico-dollars."""

    id: int
    name: str
    enabled: bool
    budget_pico: int
    spend_pico: int
    reserved_pico: int
    created_at: str

    @property
    def remaining_pico(self) -> int:
        return self.budget_pico - self.spend_pico - self.reserved_pico


@dataclass(frozen=True)
class Intent:
    """A call that asks for a hold."""

    request_id: str
    account_id: int
    key_id: int
    model: Model
    bound: Bound
    stream: bool
    upstream: str


@dataclass(frozen=True)
class Rate:
    """An account's calls per minute, after a call was admitted."""

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(frozen=True)
class Hold:
    """What was reserved for a call: the cap that is sent upstream and the frozen prices."""

    request_id: str
    account_id: int
    model_id: str
    prices: Prices
    cap_tokens: int
    hold_pico: int
    rate: Rate = Rate(120, 119, 0.5)


Breach = Literal["bound", "service_tier"]


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Released costs nothing, unconfirmed the whole hold."""

    state: Literal["settled", "released", "unconfirmed"]
    charged_pico: int
    usage: Usage | None = None
    upstream: str | None = None
    breach: Breach | None = None


def utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def account_of_row(row: sqlite3.Row) -> Account:
    names = ("id", "name", "budget_pico", "spend_pico", "reserved_pico", "created_at")
    return Account(enabled=bool(row["enabled"]), **{name: row[name] for name in names})


def read_account(connection: sqlite3.Connection, account_id: int) -> Account:
    row = connection.execute("SELECT * FROM accounts WHERE id = ?", (account_id,)).fetchone()
    return account_of_row(row)


def reserve(connection: sqlite3.Connection, intent: Intent, owner: str) -> Hold:
    """Take the hold of a call, or raise what its client must be told.

    Raises BudgetExhausted, BudgetReserved, or Unauthenticated where the key or the account went
    away since it was looked up.
    """
    live = connection.execute(
        "SELECT 1 FROM keys k JOIN accounts a ON a.id = k.account_id "
        "WHERE k.id = ? AND k.revoked_at IS NULL AND a.enabled = 1",
        (intent.key_id,),
    ).fetchone()
    if live is None:
        raise Unauthenticated("This API key is no longer valid. Copy the current one and use it.")
    account = read_account(connection, intent.account_id)
    cap = intent.bound.affordable_cap(account.remaining_pico)
    if cap is None:
        raise _refusal(account, intent)
    hold_pico = intent.bound.hold_pico(cap)
    # On SQLite nobody writes since the reading above; the condition is the promise all the same.
    taken = connection.execute(
        "UPDATE accounts SET reserved_pico = reserved_pico + :hold "
        "WHERE id = :account AND spend_pico + reserved_pico + :hold <= budget_pico",
        {"hold": hold_pico, "account": intent.account_id},
    )
    if taken.rowcount != 1:
        raise _refusal(read_account(connection, intent.account_id), intent)
    _insert_hold(connection, intent, owner, cap, hold_pico)
    return Hold(intent.request_id, account.id, intent.model.id, intent.model.prices, cap, hold_pico)


def _insert_hold(
    connection: sqlite3.Connection, intent: Intent, owner: str, cap_tokens: int, hold_pico: int
) -> None:
    prices = intent.model.prices
    connection.execute(
        """
        INSERT INTO ledger (kind, state, at, request_id, account_id, key_id, owner, upstream, model,
                            stream, hold_pico, cap_tokens, input_pico, cached_input_pico,
                            output_pico)
        VALUES ('call', 'held', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        """,
        (
            utc_now(), intent.request_id, intent.account_id, intent.key_id, owner,
            intent.upstream, intent.model.id, int(intent.stream), hold_pico, cap_tokens,
            prices.input_pico, prices.cached_input_pico, prices.output_pico,
        ),
    )  # fmt: skip


def _refusal(account: Account, intent: Intent) -> BudgetExhausted | BudgetReserved:
    bound = intent.bound
    needed_pico = bound.hold_pico(bound.floor_cap_tokens)
    left = f"{show_left(account.remaining_pico)} of {show_left(account.budget_pico)} is left"
    could_cost = f"this call could cost up to {show_cost(needed_pico)}"
    unspent_pico = account.budget_pico - account.spend_pico
    if unspent_pico >= needed_pico:
        held = show_cost(account.reserved_pico)
        return BudgetReserved(
            f"{left}, {held} is held for calls that are still running, and {could_cost}. "
            "Wait until they are done and try again."
        )
    fitting = (account.remaining_pico - bound.prompt_pico) // bound.pico_per_cap_token
    advice = (
        f"With {intent.model.cap_field} = {fitting} it would fit. "
        "For more budget ask the teaching staff."
        if fitting > 0
        else "Please ask the teaching staff for more budget."
    )
    return BudgetExhausted(
        f"Your budget does not cover this call: {left}, and {could_cost}. {advice}"
    )


def close_hold(connection: sqlite3.Connection, request_id: str, outcome: Outcome) -> Account:
    """Close a hold, exactly once: a second outcome of the same call changes nothing."""
    usage = outcome.usage
    row = connection.execute(
        """
        UPDATE ledger SET state = :state, amount_pico = :charged, finished_at = :at,
            prompt_tokens = :prompt, cached_tokens = :cached, cache_write_tokens = :written,
            completion_tokens = :completion, reasoning_tokens = :reasoning
        WHERE request_id = :request_id AND state = 'held'
        RETURNING hold_pico
        """,
        {
            "state": outcome.state,
            "charged": outcome.charged_pico,
            "at": utc_now(),
            "prompt": usage and usage.prompt_tokens,
            "cached": usage and usage.cached_tokens,
            "written": usage and usage.cache_write_tokens,
            "completion": usage and usage.completion_tokens,
            "reasoning": usage and usage.reasoning_tokens,
            "request_id": request_id,
        },
    ).fetchone()
    (account_id,) = connection.execute(
        "SELECT account_id FROM ledger WHERE request_id = ?", (request_id,)
    ).fetchone()
    if row is not None:
        connection.execute(
            "UPDATE accounts SET reserved_pico = reserved_pico - ?, spend_pico = spend_pico + ? "
            "WHERE id = ?",
            (row["hold_pico"], outcome.charged_pico, account_id),
        )
    return read_account(connection, account_id)


def sweep(connection: sqlite3.Connection, owner: str) -> int:
    """Charge the holds of a dead process as unconfirmed; gives their number."""
    rows = connection.execute(
        "SELECT request_id, hold_pico FROM ledger WHERE state = 'held' AND owner = ?", (owner,)
    ).fetchall()
    for row in rows:
        close_hold(connection, row["request_id"], Outcome("unconfirmed", row["hold_pico"]))
    return len(rows)


def differences(connection: sqlite3.Connection) -> list[Mapping[str, Any]]:
    """The accounts whose budget, spend or reserved is not the sum of their ledger rows."""
    return [
        dict(row)
        for row in connection.execute(
            """
            SELECT a.name, a.budget_pico, a.spend_pico, a.reserved_pico,
                   coalesce(sum(l.amount_pico) FILTER (WHERE l.kind = 'grant'), 0) AS granted,
                   coalesce(sum(l.amount_pico) FILTER (WHERE l.kind <> 'grant'), 0) AS charged,
                   coalesce(sum(l.hold_pico) FILTER (WHERE l.state = 'held'), 0) AS held
            FROM accounts a LEFT JOIN ledger l ON l.account_id = a.id
            GROUP BY a.id
            HAVING a.budget_pico <> granted OR a.spend_pico <> charged OR a.reserved_pico <> held
            """
        )
    ]
