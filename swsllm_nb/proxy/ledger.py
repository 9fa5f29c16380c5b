"""The ledger's decisions about a call, each one transaction on either database.

The account's row is locked before it is read, so what is read cannot change before it is written.
Whenever a hold is taken, ``spend + reserved <= budget``. Always, ``spend`` is the sum of charged
calls and adjustments, ``reserved`` that of the open holds, ``in_flight`` their number.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from swsllm_nb.pricing import Bound, Model, Prices
from swsllm_nb.proxy import refusing
from swsllm_nb.proxy.books import course_sums
from swsllm_nb.proxy.pace import Rate, next_call
from swsllm_nb.proxy.work import Row, Statement, Work, ask
from swsllm_nb.wire import Usage

__all__ = [
    "ACCOUNT",
    "Account",
    "Hold",
    "Intent",
    "Outcome",
    "account_of_row",
    "adjust",
    "close_hold",
    "locked_account",
    "reserve",
    "sweep",
]

_ACCOUNT_COLUMNS = (
    "id", "name", "enabled", "budget_pico", "spend_pico", "reserved_pico", "in_flight",
    "in_flight_limit", "per_minute_limit", "valid_from", "valid_until", "allowed_models",
    "created_at", "deleted_at",
)  # fmt: skip

ACCOUNT = ", ".join(_ACCOUNT_COLUMNS)
"""The columns of an account."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who pays, how the budget stands in pico-dollars, and what is allowed.

    It is valid from ``valid_from`` to before ``valid_until`` (None: always). ``allowed_models``
    None means every model of the catalogue.
    """

    id: int
    name: str
    enabled: bool
    budget_pico: int
    spend_pico: int
    reserved_pico: int
    in_flight: int
    in_flight_limit: int
    per_minute_limit: int
    valid_from: str | None
    valid_until: str | None
    allowed_models: tuple[str, ...] | None
    created_at: str
    deleted_at: str | None

    @property
    def remaining_pico(self) -> int:
        return self.budget_pico - self.spend_pico - self.reserved_pico


@dataclass(frozen=True)
class Intent:
    """A call that asks for a hold. ``upstream`` is the one it will be sent to first."""

    request_id: str
    account_id: int
    key_id: int
    model: Model
    bound: Bound
    stream: bool
    upstream: str


@dataclass(frozen=True)
class Hold:
    """What was reserved for a call: the cap that is sent upstream and the frozen prices."""

    request_id: str
    account_id: int
    model_id: str
    prices: Prices
    cap_tokens: int
    hold_pico: int
    rate: Rate


@dataclass(frozen=True)
class Outcome:
    """How a call ended. Released costs nothing, unconfirmed the whole hold.

    ``upstream`` is the one that served it. ``breach`` says what the upstream did not keep: it
    billed more than the hold, or another service tier than the default.
    """

    state: Literal["settled", "released", "unconfirmed"]
    charged_pico: int
    usage: Usage | None = None
    upstream: str | None = None
    breach: Literal["bound", "service_tier"] | None = None


def account_of_row(row: Row) -> Account:
    values = {column: row[column] for column in _ACCOUNT_COLUMNS}
    allowed = values["allowed_models"]
    values["enabled"] = bool(values["enabled"])
    values["allowed_models"] = None if allowed is None else tuple(json.loads(allowed))
    return Account(**values)


_RESERVING = f"""
    SELECT {", ".join(f"a.{column}" for column in _ACCOUNT_COLUMNS)},
           a.paced_until, k.revoked_at, c.cap_pico, utc_now() AS now,
           owner_lives($2) AS owner_lives
    FROM keys k JOIN accounts a ON a.id = k.account_id CROSS JOIN course c
    WHERE k.id = $1 FOR UPDATE OF a, k
"""


def reserve(intent: Intent, owner: str) -> Work[Hold]:
    """Take the hold of a call, or raise what its client must be told.

    Raises Unauthenticated, NotAllowed, BudgetExhausted, BudgetReserved or TooManyCalls; and
    StoreUnavailable where this process is no longer known to live.
    """
    (row,) = yield ask(_RESERVING, intent.key_id, owner)
    account = account_of_row(row)
    if not row["owner_lives"]:
        raise refusing.not_alive()
    refusing.check_admitted(account, row["revoked_at"], row["now"], intent.model.id)
    rooms = [refusing.Room.of_account(account)]
    if row["cap_pico"] is not None:
        rooms.append((yield from _course_room()))
    refusing.check_unspent(rooms, intent)
    refusing.check_calls_at_once(account)
    now = datetime.fromisoformat(row["now"])
    paced_until, rate = next_call(row["paced_until"], now, account.per_minute_limit)
    cap = intent.bound.affordable_cap(min(room.remaining_pico for room in rooms))
    if cap is None:
        raise refusing.reserved(rooms, intent)
    hold_pico = intent.bound.hold_pico(cap)
    taken = yield ask(_TAKE, account.id, hold_pico, paced_until)
    if not taken:
        raise refusing.reserved(rooms, intent)
    yield _held_row(intent, owner, row["now"], hold_pico, cap)
    prices = intent.model.prices
    return Hold(intent.request_id, account.id, intent.model.id, prices, cap, hold_pico, rate)


# The row was locked before it was read; the condition is the promise all the same.
_TAKE = """
    UPDATE accounts SET reserved_pico = reserved_pico + $2, in_flight = in_flight + 1,
        paced_until = $3
    WHERE id = $1 AND spend_pico + reserved_pico + $2 <= budget_pico RETURNING id
"""


def _course_room() -> Work[refusing.Room]:
    """What the whole course may still cost; from here on to the commit no other call is decided."""
    yield ask("SELECT id FROM course FOR UPDATE")
    sums = yield from course_sums()
    return refusing.Room.of_course(sums["cap_pico"], sums["spend_pico"], sums["reserved_pico"])


def _held_row(intent: Intent, owner: str, now: str, hold_pico: int, cap_tokens: int) -> Statement:
    return ask(
        """
        INSERT INTO ledger (kind, state, at, request_id, account_id, key_id, owner, upstream, model,
                            stream, hold_pico, cap_tokens, prices)
        VALUES ('call', 'held', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        now, intent.request_id, intent.account_id, intent.key_id, owner, intent.upstream,
        intent.model.id, int(intent.stream), hold_pico, cap_tokens, intent.model.prices.frozen,
    )  # fmt: skip


_CLOSE = """
    UPDATE ledger SET state = $2, amount_pico = $3, finished_at = utc_now(), prompt_tokens = $4,
        cached_tokens = $5, cache_write_tokens = $6, completion_tokens = $7, reasoning_tokens = $8,
        upstream = coalesce($9, upstream), breach = $10
    WHERE request_id = $1 AND state = 'held' RETURNING account_id, hold_pico
"""

_CHARGE = f"""
    UPDATE accounts SET reserved_pico = reserved_pico - $2, spend_pico = spend_pico + $3,
        in_flight = in_flight - 1
    WHERE id = $1 RETURNING {ACCOUNT}
"""


def close_hold(request_id: str, outcome: Outcome) -> Work[Account | None]:
    """Close a hold, exactly once, and give the account as it then stands.

    A second outcome of the same call changes nothing, unless the first did not know the usage: what
    is learned later is an adjustment. None where there never was such a hold.
    """
    usage = outcome.usage
    closed = yield ask(
        _CLOSE,
        request_id,
        outcome.state,
        outcome.charged_pico,
        usage and usage.prompt_tokens,
        usage and usage.cached_tokens,
        usage and usage.cache_write_tokens,
        usage and usage.completion_tokens,
        usage and usage.reasoning_tokens,
        outcome.upstream,
        outcome.breach,
    )
    if closed:
        (call,) = closed
        (row,) = yield ask(_CHARGE, call["account_id"], call["hold_pico"], outcome.charged_pico)
        return account_of_row(row)
    return (yield from _learn_late(request_id, outcome))


def _learn_late(request_id: str, outcome: Outcome) -> Work[Account | None]:
    found = yield ask(
        "SELECT account_id FROM ledger WHERE request_id = $1 AND kind = 'call'", request_id
    )
    if not found:
        return None
    account = yield from locked_account(found[0]["account_id"])
    if outcome.state == "unconfirmed":
        return account
    yield from _adjust_once(request_id, outcome)
    return (yield from locked_account(account.id))


def locked_account(account_id: int) -> Work[Account]:
    """The account as it stays until the transaction ends."""
    (row,) = yield ask(f"SELECT {ACCOUNT} FROM accounts WHERE id = $1 FOR UPDATE", account_id)
    return account_of_row(row)


def _adjust_once(request_id: str, outcome: Outcome) -> Work[None]:
    unknown = yield ask(
        "SELECT id, account_id, amount_pico FROM ledger l WHERE request_id = $1 "
        "AND state = 'unconfirmed' "
        "AND NOT EXISTS (SELECT 1 FROM ledger known WHERE known.adjusts_id = l.id)",
        request_id,
    )
    for row in unknown:
        amount_pico = outcome.charged_pico - row["amount_pico"]
        yield from adjust(row, amount_pico, f"learned later: {outcome.state}", "the proxy")


def adjust(call: Row, amount_pico: int, reason: str, author: str) -> Work[None]:
    """Add to the spend of a call's account, with a row that names the call."""
    yield ask(
        "INSERT INTO ledger (kind, account_id, at, amount_pico, adjusts_id, reason, author) "
        "VALUES ('adjustment', $1, utc_now(), $2, $3, $4, $5)",
        call["account_id"], amount_pico, call["id"], reason, author,
    )  # fmt: skip
    yield ask(
        "UPDATE accounts SET spend_pico = spend_pico + $2 WHERE id = $1",
        call["account_id"], amount_pico,
    )  # fmt: skip


def sweep(owner: str) -> Work[int]:
    """Charge the holds of a dead process as unconfirmed; gives their number."""
    rows = yield ask(
        "SELECT request_id, hold_pico FROM ledger WHERE state = 'held' AND owner = $1 ORDER BY id",
        owner,
    )
    for row in rows:
        yield from close_hold(row["request_id"], Outcome("unconfirmed", row["hold_pico"]))
    return len(rows)
