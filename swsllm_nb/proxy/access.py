"""Whose request it is: the account comes only from the bearer key."""

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.errors import Unauthenticated
from swsllm_nb.proxy.store import KeyHolder, Store

__all__ = ["authenticate"]


async def authenticate(authorization: str | None, secret: Secret, store: Store) -> KeyHolder:
    """The holder of the key in an Authorization header. Raises Unauthenticated."""
    scheme, _, key = (authorization or "").strip().partition(" ")
    if scheme.lower() == "basic":
        raise Unauthenticated(
            "A username and password do not work here. Send your API key, as in "
            "'Authorization: Bearer YOUR_KEY'."
        )
    if scheme.lower() != "bearer" or not key.strip():
        raise Unauthenticated(
            "You didn't provide an API key. Send yours in the header "
            "'Authorization: Bearer YOUR_KEY'; the openai library does so with api_key."
        )
    holder = await store.key_holder(secret.hash_key(key.strip()))
    if holder is None:
        raise Unauthenticated(
            "Incorrect API key provided. Copy the current key of your course account; "
            "a key that was replaced works no more. If in doubt ask the teaching staff."
        )
    return holder
