"""What is done to accounts, their keys and passwords, each act one transaction.

Every function raises ValueError, with a sentence for people, for what cannot be done.
"""

import json
from dataclasses import dataclass, field, replace

from swsllm_nb.money import usd_text
from swsllm_nb.proxy.course import known_models
from swsllm_nb.proxy.keys import NewKey, add_key, revoke
from swsllm_nb.proxy.ledger import adjust, locked_account
from swsllm_nb.proxy.standing import ACCOUNT, Account, account_of_row
from swsllm_nb.proxy.work import Work, ask

__all__ = [
    "DELETED",
    "Limits",
    "NewAccount",
    "Person",
    "add_account",
    "all_accounts",
    "check_sum",
    "credit",
    "delete_account",
    "edit",
    "find",
    "find_present",
    "grant",
    "insert_account",
    "named",
    "new_key",
    "revoke_keys",
    "set_enabled",
    "set_limits",
]


DELETED = "deleted-"
"""What the name of an account begins with once the person's is forgotten."""


@dataclass(frozen=True)
class Person:
    """Whose an account is, as far as the course has to know; "" where it does not."""

    full_name: str = ""
    email: str = ""


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


@dataclass(frozen=True)
class NewAccount:
    """An account that is to be made, with its first grant."""

    name: str
    budget_pico: int
    password_hash: str = field(repr=False)
    key: NewKey
    person: Person = Person()
    limits: Limits = Limits()


def all_accounts() -> Work[list[Account]]:
    rows = yield ask(f"SELECT {ACCOUNT} FROM accounts WHERE deleted_at IS NULL ORDER BY name")
    return [account_of_row(row) for row in rows]


def find(name: str) -> Work[Account]:
    """The account of that name, locked until the transaction ends; also one that was deleted."""
    return (yield from named(name, lock="FOR UPDATE"))


def named(name: str, lock: str = "") -> Work[Account]:
    """The account of that name, as it is read; also one that was deleted."""
    sql = f"SELECT {ACCOUNT} FROM accounts WHERE name = $1 {lock}"
    # Not every database takes a NUL in a text.
    rows = (yield ask(sql, name)) if name.isprintable() else []
    if not rows:
        raise ValueError(
            f"There is no account {name!r}. 'swsllm account list' shows those there are."
        )
    return account_of_row(rows[0])


def add_account(new: NewAccount, author: str) -> Work[Account]:
    yield from check_sum(new.budget_pico)
    yield from _check_free(new.name)
    return (yield from insert_account(new, author))


def insert_account(new: NewAccount, author: str) -> Work[Account]:
    """An account of many, once their budgets together went through ``check_sum``."""
    added = yield ask(
        "INSERT INTO accounts (name, password_hash, budget_pico, full_name, email, created_at) "
        "VALUES ($1, $2, $3, $4, $5, utc_now()) ON CONFLICT (name) DO NOTHING RETURNING id",
        new.name, new.password_hash, new.budget_pico, new.person.full_name, new.person.email,
    )  # fmt: skip
    if not added:
        raise ValueError(f"There is an account {new.name!r} already.")
    account_id = added[0]["id"]
    yield from _grant_row(account_id, new.budget_pico, "first budget", author)
    yield from add_key(account_id, new.key)
    yield from _keep_limits(account_id, new.limits)
    return (yield from locked_account(account_id))


def grant(name: str, amount_pico: int, reason: str, author: str) -> Work[Account]:
    """Add to a budget; a negative amount takes back what is neither spent nor held."""
    account = yield from find_present(name)
    if account.remaining_pico + min(amount_pico, 0) < min(account.remaining_pico, 0):
        raise ValueError(
            f"Only ${usd_text(max(account.remaining_pico, 0))} of {name}'s budget is left, so "
            f"${usd_text(-amount_pico)} cannot be taken back."
        )
    yield from check_sum(amount_pico)
    yield from _grant_row(account.id, amount_pico, reason, author)
    yield ask(
        "UPDATE accounts SET budget_pico = budget_pico + $2 WHERE id = $1", account.id, amount_pico
    )
    return (yield from locked_account(account.id))


def check_sum(added_pico: int) -> Work[None]:
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
    sql = (
        "SELECT id, account_id, state, amount_pico FROM ledger "
        "WHERE request_id = $1 AND kind = 'call'"
    )
    rows = (yield ask(sql, request_id)) if request_id.isprintable() else []
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


def find_present(name: str) -> Work[Account]:
    """The account of that name, locked until the transaction ends, if it was not deleted."""
    account = yield from find(name)
    if account.deleted_at is not None:
        raise ValueError(f"The account {name!r} was deleted. Add a new one instead.")
    return account


def set_enabled(name: str, enabled: bool) -> Work[Account]:
    account = yield from find_present(name)
    yield ask("UPDATE accounts SET enabled = $2 WHERE id = $1", account.id, int(enabled))
    return (yield from locked_account(account.id))


def edit(
    name: str,
    *,
    new_name: str | None = None,
    full_name: str | None = None,
    email: str | None = None,
) -> Work[Account]:
    """Change what an account is called, and whose it is; None leaves it as it is."""
    account = yield from find_present(name)
    if new_name is not None:
        yield from _check_free(new_name, but_id=account.id)
    yield ask(
        "UPDATE accounts SET name = $2, full_name = $3, email = $4 WHERE id = $1",
        account.id,
        account.name if new_name is None else new_name,
        account.full_name if full_name is None else full_name,
        account.email if email is None else email,
    )
    return (yield from locked_account(account.id))


def _check_free(name: str, but_id: int | None = None) -> Work[None]:
    """Raises ValueError where somebody is called so; ``ADA`` and ``ada`` are one person."""
    for row in (yield ask("SELECT id, name FROM accounts")):
        if row["id"] != but_id and row["name"].casefold() == name.casefold():
            raise ValueError(f"There is an account {row['name']!r} already.")


def delete_account(name: str) -> Work[Account]:
    """Take a person out of the course. The ledger stays, under a name that names nobody."""
    account = yield from find_present(name)
    yield from revoke(account.id)
    yield ask("DELETE FROM sessions WHERE account_id = $1", account.id)
    yield ask(
        "UPDATE accounts SET name = $2, full_name = '', email = '', language = NULL, enabled = 0, "
        "password_hash = '', deleted_at = utc_now() WHERE id = $1",
        account.id, f"{DELETED}{account.id}",
    )  # fmt: skip
    return (yield from locked_account(account.id))


def set_limits(name: str, limits: Limits) -> Work[Account]:
    account = yield from find_present(name)
    allowed = limits.allowed_models
    if isinstance(allowed, tuple):
        limits = replace(limits, allowed_models=(yield from known_models(allowed)))
    yield from _keep_limits(account.id, limits)
    return (yield from locked_account(account.id))


def _keep_limits(account_id: int, limits: Limits) -> Work[None]:
    allowed = limits.allowed_models
    stated = {
        "in_flight_limit": limits.in_flight,
        "per_minute_limit": limits.per_minute,
        "valid_from": limits.valid_from,
        "valid_until": limits.valid_until,
        "allowed_models": json.dumps(allowed) if isinstance(allowed, tuple) else allowed,
    }
    for column, value in stated.items():
        if value is not None:
            yield ask(f"UPDATE accounts SET {column} = $2 WHERE id = $1", account_id, value or None)


def new_key(name: str, key: NewKey) -> Work[Account]:
    """A new key; from the commit on the old one admits nothing, in any process."""
    account = yield from find_present(name)
    yield from revoke(account.id)
    yield from add_key(account.id, key)
    return account


def revoke_keys(name: str) -> Work[int]:
    """Let no key of an account work any more; gives how many did."""
    account = yield from find(name)
    return (yield from revoke(account.id))
