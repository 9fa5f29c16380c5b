"""The ledger's decisions about a call, each one transaction on either database.

The account's row is locked before it is read, so what is read cannot change before it is written.
Whenever a hold is taken, ``spend + reserved <= budget``. Always, ``spend`` is the sum of charged
calls and adjustments, ``reserved`` that of the open holds, ``in_flight`` their number.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from swsllm_nb.catalogue import Model
from swsllm_nb.pricing import Bound, Prices
from swsllm_nb.proxy import refusing
from swsllm_nb.proxy.audit import PROXY
from swsllm_nb.proxy.books import course_sums
from swsllm_nb.proxy.doubt import Doubt
from swsllm_nb.proxy.pace import Rate, next_call
from swsllm_nb.proxy.standing import ACCOUNT, BALANCE, Account, Balance, Standing, account_of_row
from swsllm_nb.proxy.work import Row, Statement, Work, ask, row_values
from swsllm_nb.wire import Usage

__all__ = [
    "Hold",
    "Intent",
    "Outcome",
    "adjust",
    "close_hold",
    "locked_account",
    "reserve",
    "sweep",
    "withdraw",
]


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
    exercise: str | None = None


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
    billed more than the hold, or another service tier than the default. ``doubt`` says why the
    cost of an unconfirmed call is not known.
    """

    state: Literal["settled", "released", "unconfirmed"]
    charged_pico: int
    usage: Usage | None = None
    upstream: str | None = None
    breach: Literal["bound", "service_tier"] | None = None
    doubt: Doubt | None = None


_RESERVING = f"""
    SELECT {", ".join(Standing._fields[:-4])}, cap_pico, utc_now(), unix_micros(), owner_lives($2)
    FROM keys JOIN accounts ON accounts.id = keys.account_id CROSS JOIN course
    WHERE keys.id = $1 FOR UPDATE OF accounts, keys
"""


def reserve(intent: Intent, owner: str) -> Work[Hold]:
    """Take the hold of a call, or raise what its client must be told.

    Raises Unauthenticated, NotAllowed, BudgetExhausted, BudgetReserved or TooManyCalls; and
    StoreUnavailable where this process is no longer known to live.
    """
    (row,) = yield ask(_RESERVING, intent.key_id, owner)
    standing = Standing._make(row_values(row))
    refusing.check_admitted(standing, intent.model.id)
    rooms = [refusing.Room.of_account(standing)]
    if standing.cap_pico is not None:
        rooms += yield from _course_room()
    refusing.check_unspent(rooms, intent)
    refusing.check_calls_at_once(standing)
    paced_until, rate = next_call(
        standing.paced_until_micros, standing.now_micros, standing.per_minute_limit
    )
    cap = intent.bound.affordable_cap(min(room.remaining_pico for room in rooms))
    if cap is None:
        raise refusing.reserved(rooms, intent)
    hold_pico = intent.bound.hold_pico(cap)
    yield ask(_TAKE, intent.account_id, hold_pico, paced_until, standing.now)
    yield _held_row(intent, owner, standing.now, hold_pico, cap)
    model = intent.model
    return Hold(intent.request_id, intent.account_id, model.id, model.prices, cap, hold_pico, rate)


_TAKE = """
    UPDATE accounts SET reserved_pico = reserved_pico + $2, in_flight = in_flight + 1,
        paced_until_micros = $3, last_call_at = $4
    WHERE id = $1
"""


def _course_room() -> Work[list[refusing.Room]]:
    """What the whole course may still cost; from here on to the commit no other call is decided.

    Nothing, where the cap was lifted while this call waited for its turn. (One that is set while
    calls are being decided holds for those that come after.)
    """
    (course,) = yield ask("SELECT cap_pico FROM course WHERE id = 1 FOR UPDATE")
    cap_pico = course["cap_pico"]
    if cap_pico is None:
        return []
    sums = yield from course_sums()
    return [refusing.Room.of_course(cap_pico, sums["spend_pico"], sums["reserved_pico"])]


def _held_row(intent: Intent, owner: str, now: str, hold_pico: int, cap_tokens: int) -> Statement:
    return ask(
        """
        INSERT INTO ledger (kind, state, at, request_id, account_id, key_id, owner, upstream, model,
                            stream, hold_pico, cap_tokens, prices, exercise)
        VALUES ('call', 'held', $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        now, intent.request_id, intent.account_id, intent.key_id, owner, intent.upstream,
        intent.model.id, int(intent.stream), hold_pico, cap_tokens, intent.model.prices.frozen,
        intent.exercise,
    )  # fmt: skip


_CLOSE = """
    UPDATE ledger SET state = $2, amount_pico = $3, finished_at = utc_now(), prompt_tokens = $4,
        cached_tokens = $5, cache_write_tokens = $6, completion_tokens = $7, reasoning_tokens = $8,
        upstream = coalesce($9, upstream), breach = $10, reason = $11
    WHERE id = $1
"""

_CHARGE = """
    UPDATE accounts SET reserved_pico = reserved_pico - $2, spend_pico = spend_pico + $3,
        in_flight = in_flight - 1
    WHERE id = $1
"""


_OPEN = f"""
    SELECT ledger.id, hold_pico, account_id, {BALANCE}
    FROM ledger JOIN accounts ON accounts.id = account_id
    WHERE request_id = $1 AND state = 'held' FOR UPDATE OF ledger, accounts
"""


def close_hold(request_id: str, outcome: Outcome) -> Work[Balance | None]:
    """Close a hold, exactly once, and give the account's balance as it then stands.

    A second outcome of the same call changes nothing, unless the first did not know the usage: what
    is learned later is an adjustment. None where there never was such a hold.
    """
    open_holds = yield ask(_OPEN, request_id)
    if not open_holds:
        return (yield from _learn_late(request_id, outcome))
    call_id, hold_pico, account_id, *before = row_values(open_holds[0])
    usage = outcome.usage
    yield ask(
        _CLOSE,
        call_id,
        outcome.state,
        outcome.charged_pico,
        usage and usage.prompt_tokens,
        usage and usage.cached_tokens,
        usage and usage.cache_write_tokens,
        usage and usage.completion_tokens,
        usage and usage.reasoning_tokens,
        outcome.upstream,
        outcome.breach,
        outcome.doubt and outcome.doubt.value,
    )
    yield ask(_CHARGE, account_id, hold_pico, outcome.charged_pico)
    return Balance._make(before).after(hold_pico, outcome.charged_pico)


def _balance(account_id: int) -> Work[Balance]:
    (row,) = yield ask(f"SELECT {BALANCE} FROM accounts WHERE id = $1", account_id)
    return Balance._make(row_values(row))


def _learn_late(request_id: str, outcome: Outcome) -> Work[Balance | None]:
    found = yield ask(
        "SELECT account_id FROM ledger WHERE request_id = $1 AND kind = 'call'", request_id
    )
    if not found:
        return None
    account = yield from locked_account(found[0]["account_id"])
    if outcome.state != "unconfirmed":
        yield from _adjust_once(request_id, outcome)
    return (yield from _balance(account.id))


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
        yield from adjust(row, amount_pico, f"learned later: {outcome.state}", PROXY)


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


def withdraw(owner: str, request_ids: Collection[str]) -> Work[None]:
    """Release those of a process's holds that are of these calls: they were never sent."""
    rows = yield ask(
        "SELECT request_id FROM ledger WHERE state = 'held' AND owner = $1 ORDER BY id", owner
    )
    for row in rows:
        if row["request_id"] in request_ids:
            yield from close_hold(row["request_id"], Outcome("released", 0))


def sweep(owner: str) -> Work[int]:
    """Charge the holds of a dead process as unconfirmed; gives their number."""
    rows = yield ask(
        "SELECT request_id, hold_pico FROM ledger WHERE state = 'held' AND owner = $1 ORDER BY id",
        owner,
    )
    for row in rows:
        yield from close_hold(
            row["request_id"],
            Outcome("unconfirmed", row["hold_pico"], doubt=Doubt.PROXY_DIED),
        )
    return len(rows)
