"""What staff do to accounts, keys, models and the course, each act one transaction.

Every function raises ValueError, with a sentence for people, for what cannot be done.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swsllm_nb.catalogue import overlaid
from swsllm_nb.money import usd_text
from swsllm_nb.proxy.ledger import adjust, locked_account
from swsllm_nb.proxy.models import row_named
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.work import Work, ask

__all__ = [
    "DELETED",
    "Limits",
    "NewAccount",
    "NewKey",
    "add_account",
    "all_accounts",
    "credit",
    "delete_account",
    "find",
    "grant",
    "keep_secret_check",
    "model_rows",
    "new_key",
    "rename",
    "revoke_keys",
    "set_course_cap",
    "set_enabled",
    "set_limits",
    "set_model_row",
]


DELETED = "deleted-"
"""What the name of an account begins with once the person's is forgotten."""


@dataclass(frozen=True)
class NewKey:
    """What is kept of a key: its hash, and the beginning that people know it by."""

    hash: bytes = field(repr=False)
    prefix: str


@dataclass(frozen=True)
class NewAccount:
    """An account that is to be made, with its first grant."""

    name: str
    budget_pico: int
    password_hash: str = field(repr=False)
    key: NewKey


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an account may do beside its budget; None leaves a limit as it is, "" lifts it.

    Moments are UTC in ISO 8601; ``allowed_models`` is a tuple, or "" for every model.
    """

    in_flight: int | None = None
    per_minute: int | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    allowed_models: tuple[str, ...] | str | None = None


def all_accounts() -> Work[list[Account]]:
    rows = yield ask(f"SELECT {ACCOUNT} FROM accounts WHERE deleted_at IS NULL ORDER BY name")
    return [account_of_row(row) for row in rows]


def find(name: str) -> Work[Account]:
    """The account of that name, locked until the transaction ends; also one that was deleted."""
    rows = yield ask(f"SELECT {ACCOUNT} FROM accounts WHERE name = $1 FOR UPDATE", name)
    if not rows:
        raise ValueError(
            f"There is no account {name!r}. 'swsllm account list' shows those there are."
        )
    return account_of_row(rows[0])


def add_account(new: NewAccount, author: str) -> Work[Account]:
    yield from _check_sum(new.budget_pico)
    added = yield ask(
        "INSERT INTO accounts (name, password_hash, budget_pico, created_at) "
        "VALUES ($1, $2, $3, utc_now()) ON CONFLICT (name) DO NOTHING RETURNING id",
        new.name, new.password_hash, new.budget_pico,
    )  # fmt: skip
    if not added:
        raise ValueError(f"There is an account {new.name!r} already.")
    account_id = added[0]["id"]
    yield from _grant_row(account_id, new.budget_pico, "first budget", author)
    yield from _add_key(account_id, new.key)
    return (yield from locked_account(account_id))


def grant(name: str, amount_pico: int, reason: str, author: str) -> Work[Account]:
    """Add to a budget; a negative amount takes back what is neither spent nor held."""
    account = yield from _find_present(name)
    if account.remaining_pico + min(amount_pico, 0) < min(account.remaining_pico, 0):
        raise ValueError(
            f"Only ${usd_text(max(account.remaining_pico, 0))} of {name}'s budget is left, so "
            f"${usd_text(-amount_pico)} cannot be taken back."
        )
    yield from _check_sum(amount_pico)
    yield from _grant_row(account.id, amount_pico, reason, author)
    yield ask(
        "UPDATE accounts SET budget_pico = budget_pico + $2 WHERE id = $1", account.id, amount_pico
    )
    return (yield from locked_account(account.id))


def _check_sum(added_pico: int) -> Work[None]:
    """The books are sums over all accounts, and these are to fit into the databases' integers."""
    (row,) = yield ask("SELECT CAST(coalesce(sum(budget_pico), 0) AS BIGINT) AS pico FROM accounts")
    if added_pico > 0 and row["pico"] + added_pico >= 2**62:
        raise ValueError(
            f"${usd_text(added_pico)} is too much: all budgets together stay below $4,600,000."
        )


def _grant_row(account_id: int, amount_pico: int, reason: str, author: str) -> Work[None]:
    yield ask(
        "INSERT INTO ledger (kind, account_id, at, amount_pico, reason, author) "
        "VALUES ('grant', $1, utc_now(), $2, $3, $4)",
        account_id, amount_pico, reason, author,
    )  # fmt: skip


def credit(request_id: str, reason: str, author: str) -> Work[Account]:
    """Give back what an unconfirmed call was charged."""
    rows = yield ask(
        "SELECT id, account_id, state, amount_pico FROM ledger "
        "WHERE request_id = $1 AND kind = 'call'",
        request_id,
    )
    if not rows:
        raise ValueError(f"There is no call {request_id!r} in the ledger.")
    call = rows[0]
    if call["state"] != "unconfirmed":
        raise ValueError(
            f"The call {request_id} is {call['state']}; only unconfirmed calls are credited."
        )
    account = yield from locked_account(call["account_id"])
    if (yield ask("SELECT id FROM ledger WHERE adjusts_id = $1", call["id"])):
        raise ValueError(f"The call {request_id} was adjusted already.")
    yield from adjust(call, -call["amount_pico"], reason, author)
    return (yield from locked_account(account.id))


def _find_present(name: str) -> Work[Account]:
    account = yield from find(name)
    if account.deleted_at is not None:
        raise ValueError(f"The account {name!r} was deleted. Add a new one instead.")
    return account


def set_enabled(name: str, enabled: bool) -> Work[Account]:
    account = yield from _find_present(name)
    yield ask("UPDATE accounts SET enabled = $2 WHERE id = $1", account.id, int(enabled))
    return (yield from locked_account(account.id))


def rename(name: str, new_name: str) -> Work[Account]:
    account = yield from _find_present(name)
    if (yield ask("SELECT id FROM accounts WHERE name = $1", new_name)):
        raise ValueError(f"There is an account {new_name!r} already.")
    yield ask("UPDATE accounts SET name = $2 WHERE id = $1", account.id, new_name)
    return (yield from locked_account(account.id))


def delete_account(name: str) -> Work[Account]:
    """Take a person out of the course. The ledger stays, under a name that names nobody."""
    account = yield from _find_present(name)
    yield from _revoke(account.id)
    yield ask(
        "UPDATE accounts SET name = $2, enabled = 0, password_hash = '', deleted_at = utc_now() "
        "WHERE id = $1",
        account.id, f"{DELETED}{account.id}",
    )  # fmt: skip
    return (yield from locked_account(account.id))


def set_limits(name: str, limits: Limits) -> Work[Account]:
    account = yield from _find_present(name)
    allowed = limits.allowed_models
    if isinstance(allowed, tuple):
        rows = overlaid((yield from model_rows()))
        allowed = tuple(dict.fromkeys(row_named(rows, model)["id"] for model in allowed))
    stated = {
        "in_flight_limit": limits.in_flight,
        "per_minute_limit": limits.per_minute,
        "valid_from": limits.valid_from,
        "valid_until": limits.valid_until,
        "allowed_models": json.dumps(allowed) if isinstance(allowed, tuple) else allowed,
    }
    for column, value in stated.items():
        if value is not None:
            yield ask(f"UPDATE accounts SET {column} = $2 WHERE id = $1", account.id, value or None)
    return (yield from locked_account(account.id))


def new_key(name: str, key: NewKey) -> Work[Account]:
    """A new key; from the commit on the old one admits nothing, in any process."""
    account = yield from _find_present(name)
    yield from _revoke(account.id)
    yield from _add_key(account.id, key)
    return account


def revoke_keys(name: str) -> Work[int]:
    """Let no key of an account work any more; gives how many did."""
    account = yield from find(name)
    return (yield from _revoke(account.id))


def _revoke(account_id: int) -> Work[int]:
    revoked = yield ask(
        "UPDATE keys SET revoked_at = utc_now() WHERE account_id = $1 AND revoked_at IS NULL "
        "RETURNING id",
        account_id,
    )
    return len(revoked)


def _add_key(account_id: int, key: NewKey) -> Work[None]:
    yield ask(
        "INSERT INTO keys (account_id, hash, prefix, created_at) VALUES ($1, $2, $3, utc_now())",
        account_id, key.hash, key.prefix,
    )  # fmt: skip


def set_course_cap(cap_pico: int | None) -> Work[None]:
    """The most that all accounts together may spend; None lifts it."""
    yield ask("UPDATE course SET cap_pico = $1", cap_pico)


def keep_secret_check(check: bytes) -> Work[bool]:
    """Whether the secret is the one that this course's keys were hashed with."""
    (row,) = yield ask("SELECT secret_check FROM course FOR UPDATE")
    if row["secret_check"] is None:
        yield ask("UPDATE course SET secret_check = $1", check)
    return row["secret_check"] in (None, check)


def model_rows() -> Work[dict[str, Mapping[str, Any]]]:
    """The catalogue rows that staff have changed, by model id."""
    rows = yield ask("SELECT id, document FROM models ORDER BY id")
    return {row["id"]: json.loads(row["document"]) for row in rows}


def set_model_row(model_id: str, row: Mapping[str, Any], author: str) -> Work[None]:
    yield ask(
        "INSERT INTO models (id, document, author, changed_at) VALUES ($1, $2, $3, utc_now()) "
        "ON CONFLICT (id) DO UPDATE SET document = excluded.document, author = excluded.author, "
        "changed_at = excluded.changed_at",
        model_id, json.dumps(row), author,
    )  # fmt: skip
