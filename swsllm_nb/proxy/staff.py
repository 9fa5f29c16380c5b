"""What staff do, whatever they do it with: words in, one act on the store, sentences out.

Every function raises ValueError, with a sentence for people, for what cannot be done.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from unicodedata import normalize

from swsllm_nb.money import pico_from_usd
from swsllm_nb.proxy import accounts
from swsllm_nb.proxy.accounts import Limits, NewAccount, NewKey
from swsllm_nb.proxy.auth import Secret, hash_password, new_key, new_password, shown_prefix
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.store import Store

__all__ = [
    "Credentials",
    "add_account",
    "budget_pico",
    "check_secret",
    "day_begins",
    "day_ends",
    "grant",
    "limits",
    "rename",
    "renew_key",
]

_NAME_CHARACTERS = 100
_LIMIT_OF_LIMITS = 10**8


@dataclass(frozen=True)
class Credentials:
    """A new account with what its student needs; shown once and never again."""

    account: Account
    key: str = field(repr=False)
    password: str = field(repr=False)


async def check_secret(store: Store, secret: Secret) -> None:
    """Raises ValueError where the course's keys were hashed with another secret."""
    check = secret.check_value()
    if not await store.write(lambda: accounts.keep_secret_check(check)):
        raise ValueError(
            "The secret is not the one that this course's keys were made with, so none of them "
            "would work. Restore the file 'secret' (or SWSLLM_SECRET) from a backup."
        )


async def add_account(
    store: Store, secret: Secret, name: str, budget_usd: str, *, author: str
) -> Credentials:
    """Add an account with a first grant."""
    key, password = new_key(), new_password()
    new = NewAccount(
        _usable_name(name), budget_pico(budget_usd), hash_password(password), _kept(key, secret)
    )
    account = await store.write(lambda: accounts.add_account(new, author))
    return Credentials(account, key, password)


async def grant(store: Store, name: str, amount_usd: str, reason: str, *, author: str) -> Account:
    """Add to a budget, or take back what is left of it."""
    amount_pico = pico_from_usd(amount_usd)
    if amount_pico == 0 or abs(amount_pico) >= 2**62:
        raise ValueError(f"${amount_usd} cannot be granted: it is nothing, or far too much.")
    if not reason.strip():
        raise ValueError("Say why: a grant stands in the ledger with its reason.")
    return await store.write(lambda: accounts.grant(name, amount_pico, reason.strip(), author))


async def rename(store: Store, name: str, new_name: str) -> Account:
    usable = _usable_name(new_name)
    return await store.write(lambda: accounts.rename(name, usable))


async def renew_key(store: Store, secret: Secret, name: str) -> str:
    """A new key, shown once; the old one stops working everywhere at once."""
    key = new_key()
    await store.write(lambda: accounts.new_key(name, _kept(key, secret)))
    return key


def limits(
    *,
    in_flight: int | None,
    per_minute: int | None,
    models: str | None,
    begins: str | None,
    ends: str | None,
) -> Limits:
    """Limits from words: models parted by commas, days such as 2027-02-28; "" lifts one."""
    for number in (in_flight, per_minute):
        if number is not None and not 1 <= number <= _LIMIT_OF_LIMITS:
            raise ValueError(f"{number} is no limit of calls: it is 1 to {_LIMIT_OF_LIMITS:,}.")
    return Limits(
        in_flight=in_flight,
        per_minute=per_minute,
        allowed_models=models and tuple(name.strip() for name in models.split(",")),
        valid_from=begins and day_begins(begins),
        valid_until=ends and day_ends(ends),
    )


def budget_pico(usd: str) -> int:
    """A budget or a cap in pico-dollars."""
    pico = pico_from_usd(usd)
    if not 0 <= pico < 2**62:
        raise ValueError(f"${usd} cannot be a budget: it is negative or far too large.")
    return pico


def day_begins(day: str) -> str:
    """The first moment of a day here, in UTC."""
    return _utc_midnight(_date(day))


def day_ends(day: str) -> str:
    """The first moment after a day here, in UTC."""
    return _utc_midnight(_date(day) + timedelta(days=1))


def _date(day: str) -> date:
    try:
        told = date.fromisoformat(day)
    except ValueError:
        raise ValueError(f"{day!r} is not a day such as 2027-02-28.") from None
    # The first and the last that there are cannot be told in every time zone.
    if not 2000 <= told.year < 9999:
        raise ValueError(f'{day!r} is no day of a course. Without an end it is lifted by "".')
    return told


def _utc_midnight(day: date) -> str:
    midnight = datetime(day.year, day.month, day.day).astimezone(UTC)
    return midnight.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _usable_name(name: str) -> str:
    # The same letters can be written in two ways, which look alike in every list.
    name = normalize("NFC", name)
    if not name or len(name) > _NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{name[:_NAME_CHARACTERS]!r} cannot be an account's name: it needs 1 to "
            f"{_NAME_CHARACTERS} printable characters and no blanks around them."
        )
    if name.startswith(accounts.DELETED):
        raise ValueError(
            f"Names that begin with {accounts.DELETED!r} are those of deleted accounts."
        )
    return name


def _kept(key: str, secret: Secret) -> NewKey:
    return NewKey(secret.hash_key(key), shown_prefix(key))
