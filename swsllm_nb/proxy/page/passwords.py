"""Passwords are looked at in threads, at most two at a time: each takes 70 MB and 0.1 s."""

import asyncio
import secrets
from functools import cached_property

from swsllm_nb.proxy.auth import hash_password, password_is

__all__ = ["Passwords", "complaint"]

_AT_ONCE = 2
_LONGEST = 200
SHORTEST = 10


class Passwords:
    """The passwords of one process."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def are(self, password: str, password_hash: str | None) -> bool:
        """Whether that is the password; where there is none, it takes as long to say no."""
        async with self._turns:
            return await asyncio.to_thread(self._are, password[:_LONGEST], password_hash)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(hash_password, password)

    def _are(self, password: str, password_hash: str | None) -> bool:
        decoy = self._decoy
        return password_is(password, password_hash or decoy) and bool(password_hash)

    @cached_property
    def _decoy(self) -> str:
        return hash_password(secrets.token_urlsafe())


def complaint(new: str, again: str, name: str) -> str | None:
    """Why a password cannot be chosen, in English."""
    if len(new) < SHORTEST:
        return "The new password is too short: take at least 10 characters."
    if len(new) > _LONGEST:
        return "The new password is too long: take at most 200 characters."
    if new.strip().lower() == name.lower() or len(set(new)) < 4:
        return "The new password is too easy to guess. Take another."
    if new != again:
        return "The two new passwords are not the same. Nothing was changed."
    return None
