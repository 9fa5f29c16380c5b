"""What students do themselves, to the account that they are signed in to."""

from dataclasses import dataclass, field

from swsllm_nb.proxy.accounts import find_present, new_key
from swsllm_nb.proxy.keys import NewKey
from swsllm_nb.proxy.standing import Account
from swsllm_nb.proxy.work import Work, ask

__all__ = ["LiveKey", "live_key", "replace_key", "set_language", "set_password"]


@dataclass(frozen=True)
class LiveKey:
    """The key that works, as its student may see it again; ``sealed`` None: not any more."""

    id: int
    prefix: str
    created_at: str
    sealed: bytes | None = field(repr=False)


def live_key(account_id: int) -> Work[LiveKey | None]:
    rows = yield ask(
        "SELECT id, prefix, created_at, sealed FROM keys "
        "WHERE account_id = $1 AND revoked_at IS NULL ORDER BY id DESC LIMIT 1",
        account_id,
    )
    return LiveKey(**rows[0]) if rows else None


def replace_key(name: str, key: NewKey, replaces: int | None) -> Work[Account | None]:
    """A new key in the place of the one of an id; None where that is not the one that works.

    With None for the id, for an account without a key.
    """
    account = yield from find_present(name)
    live = yield from live_key(account.id)
    if live is not None and live.id != replaces:
        return None
    return (yield from new_key(name, key))


def set_password(account_id: int, password_hash: str, *, initial: bool) -> Work[None]:
    """Change a password; whoever is signed in with the old one is so no longer."""
    yield ask(
        "UPDATE accounts SET password_hash = $2, password_is_initial = $3 "
        "WHERE id = $1 AND deleted_at IS NULL",
        account_id, password_hash, int(initial),
    )  # fmt: skip
    yield ask("DELETE FROM sessions WHERE account_id = $1", account_id)


def set_language(account_id: int, language: str | None) -> Work[None]:
    yield ask("UPDATE accounts SET language = $2 WHERE id = $1", account_id, language)
