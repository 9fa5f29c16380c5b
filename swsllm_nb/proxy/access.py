"""Whose request it is: the account comes only from the bearer key."""

import hashlib
import os
from dataclasses import dataclass

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import Unauthenticated
from swsllm_nb.proxy.store import KeyHolder, Store

__all__ = ["Caller", "Callers", "authenticate", "bearer_key"]

_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call; ``pseudonym`` is what the upstream may know of the account."""

    key_id: int
    account_id: int
    pseudonym: str


class Callers:
    """Remembers whose each key is: a key never changes its account.

    Whether it still is alive says the transaction that takes the call's hold.
    """

    def __init__(self, secret: Secret, store: Store) -> None:
        self._secret = secret
        self._store = store
        self._salt = os.urandom(32)
        self._known: dict[bytes, Caller] = {}

    async def caller(self, authorization: str | None) -> Caller:
        """The caller of an Authorization header. Raises Unauthenticated."""
        key = bearer_key(authorization)
        # Not by the stored hash: that one lets the ledger's thread have the interpreter each time.
        seen = hashlib.blake2b(key.encode(), key=self._salt).digest()
        caller = self._known.get(seen)
        if caller is None:
            holder = await _holder(self._secret.hash_key(key), self._store)
            account_id = holder.account.id
            pseudonym = self._secret.safety_identifier(account_id)
            caller = Caller(holder.key_id, account_id, pseudonym)
            if len(self._known) >= _REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[seen] = caller
        return caller


async def authenticate(authorization: str | None, secret: Secret, store: Store) -> KeyHolder:
    """The holder of the key in an Authorization header, as of now. Raises Unauthenticated."""
    return await _holder(secret.hash_key(bearer_key(authorization)), store)


def bearer_key(authorization: str | None) -> str:
    """The key of an Authorization header. Raises Unauthenticated."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    kind, key = scheme.lower(), key.strip()
    if kind == "basic":
        raise Unauthenticated(
            "A username and password do not work here. Send your API key, as in "
            "'Authorization: Bearer YOUR_KEY'."
        )
    if kind != "bearer" or not key:
        raise Unauthenticated(
            "You didn't provide an API key. Send yours in the header "
            "'Authorization: Bearer YOUR_KEY'; the openai library does so with api_key."
        )
    return key


async def _holder(key_hash: bytes, store: Store) -> KeyHolder:
    holder = await store.key_holder(key_hash)
    if holder is None:
        raise Unauthenticated(
            "Incorrect API key provided. Copy the current key of your course account; "
            "a key that was replaced works no more. If in doubt ask the teaching staff."
        )
    return holder
