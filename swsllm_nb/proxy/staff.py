"""What staff do with accounts, whatever they do it with."""

from dataclasses import dataclass, field
from unicodedata import normalize

from swsllm_nb.money import pico_from_usd
from swsllm_nb.proxy.auth import Secret, hash_password, new_key, new_password, shown_prefix
from swsllm_nb.proxy.ledger import Account
from swsllm_nb.proxy.store import Store

__all__ = ["Credentials", "add_account"]

_NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Credentials:
    """A new account with what its student needs; shown once and never again."""

    account: Account
    key: str = field(repr=False)
    password: str = field(repr=False)


async def add_account(
    store: Store, secret: Secret, name: str, budget_usd: str, *, author: str
) -> Credentials:
    """Add an account with a first grant. Raises ValueError with a sentence for people."""
    # The same letters can be written in two ways, which look alike in every list.
    name = normalize("NFC", name)
    if not name or len(name) > _NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise ValueError(
            f"{name[:_NAME_CHARACTERS]!r} cannot be an account's name: it needs 1 to "
            f"{_NAME_CHARACTERS} printable characters and no blanks around them."
        )
    budget_pico = pico_from_usd(budget_usd)
    if not 0 <= budget_pico < 2**62:
        raise ValueError(f"${budget_usd} cannot be a budget: it is negative or far too large.")
    key, password = new_key(), new_password()
    account = await store.add_account(
        name,
        budget_pico=budget_pico,
        password_hash=hash_password(password),
        key_hash=secret.hash_key(key),
        key_prefix=shown_prefix(key),
        author=author,
    )
    return Credentials(account, key, password)
