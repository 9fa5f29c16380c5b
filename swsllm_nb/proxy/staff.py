"""What staff do, whatever they do it with: words in, one act on the store, sentences out.

Every function raises ValueError, with a sentence for people, for what cannot be done.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
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
    "credit",
    "day_begins",
    "day_ends",
    "grant",
    "limits",
    "rename",
    "renew_key",
]

_NAME_CHARACTERS = 100
_LIMIT_OF_LIMITS = 10**8
_FIRST_YEAR, _LAST_YEAR = 2000, 9998


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
    why = _reason(reason)
    return await store.write(lambda: accounts.grant(name, amount_pico, why, author))


async def credit(store: Store, request_id: str, reason: str, *, author: str) -> Account:
    """Give back what an unconfirmed call was charged."""
    why = _reason(reason)
    return await store.write(lambda: accounts.credit(request_id, why, author))


def _reason(text: str) -> str:
    if not text.strip():
        raise ValueError("Say why: it stands in the ledger with its reason.")
    return text.strip()


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
    valid_from, valid_until = begins and day_begins(begins), ends and day_ends(ends)
    if valid_from and valid_until and valid_from >= valid_until:
        raise ValueError(f"No day is from {begins} on and until {ends}.")
    return Limits(
        in_flight=in_flight,
        per_minute=per_minute,
        allowed_models=models and tuple(name.strip() for name in models.split(",")),
        valid_from=valid_from,
        valid_until=valid_until,
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
    return _utc_midnight(_date(day), timedelta(days=1))


def _date(day: str) -> date:
    try:
        read = date.fromisoformat(day)
    except ValueError:
        read = date.min
    if not _FIRST_YEAR <= read.year <= _LAST_YEAR:
        raise ValueError(f"{day!r} is not a day such as 2027-02-28.")
    return read


def _utc_midnight(day: date, later: timedelta = timedelta()) -> str:
    midnight = datetime.combine(day + later, time.min).astimezone(UTC)
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
