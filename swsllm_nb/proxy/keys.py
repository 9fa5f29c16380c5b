"""Students' keys as the database keeps them: by a hash, and sealed for who may see theirs again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from swsllm_nb.proxy.work import Work, ask

__all__ = ["NewKey", "add_key", "forget_sealed_keys", "revoke"]


@dataclass(frozen=True)
class NewKey:
    """What is kept of a key: its hash, the beginning that people know it by, and it itself sealed.

    ``seal`` encrypts it for the account of an id; without one it is shown once and never again.
    """

    hash: bytes = field(repr=False)
    prefix: str
    seal: Callable[[int], bytes] | None = field(default=None, repr=False)


def revoke(account_id: int) -> Work[int]:
    """Let no key of an account work any more; gives how many did."""
    revoked = yield ask(
        "UPDATE keys SET revoked_at = utc_now(), sealed = NULL "
        "WHERE account_id = $1 AND revoked_at IS NULL RETURNING id",
        account_id,
    )
    return len(revoked)


def add_key(account_id: int, key: NewKey) -> Work[None]:
    (course,) = yield ask("SELECT keys_shown_once FROM course")
    sealed = key.seal(account_id) if key.seal and not course["keys_shown_once"] else None
    yield ask(
        "INSERT INTO keys (account_id, hash, prefix, sealed, created_at) "
        "VALUES ($1, $2, $3, $4, utc_now())",
        account_id, key.hash, key.prefix, sealed,
    )  # fmt: skip


def forget_sealed_keys() -> Work[None]:
    """Keys go on working, and cannot be shown again."""
    yield ask("UPDATE keys SET sealed = NULL WHERE sealed IS NOT NULL")
