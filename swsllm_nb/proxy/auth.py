"""Keys and passwords: how they are made, and what of them is kept."""

import asyncio
import hashlib
import hmac
import os
import secrets
import string
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = [
    "Passwords",
    "Secret",
    "hash_initial_password",
    "hash_password",
    "initial_password_is",
    "new_key",
    "new_password",
    "password_is",
    "shown_prefix",
]

_ALPHABET = string.ascii_letters + string.digits
_UNAMBIGUOUS = "abcdefghijkmnpqrstuvwxyz23456789"
_SECRET_VERSION = "1"
_SEAL_VERSION = b"\x01"
_NONCE_BYTES = 12
_PASSWORDS_AT_A_TIME = 2

_FOR_CHOSEN = PasswordHasher()
# Nobody guesses 80 random bits, however cheap a guess is; a roster has hundreds of them to hash.
_FOR_RANDOM = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@dataclass(frozen=True)
class Secret:
    """The proxy's own secret, from which each use derives a subkey. Never shown."""

    material: bytes = field(repr=False)

    @classmethod
    def of_text(cls, text: str, found_in: str = "SWSLLM_SECRET") -> "Secret":
        """Raises ValueError for what is not ``1:`` and at least 32 characters."""
        version, _, material = text.strip().partition(":")
        if version != _SECRET_VERSION or len(material) < 32:
            raise ValueError(
                f"The secret in {found_in} is damaged: it is '1:' and at least 32 characters. "
                "Restore it from a backup; with another one no key of any student works."
            )
        return cls(material.encode())

    @classmethod
    def kept_in(cls, path: Path) -> "Secret":
        """The secret in a file that only its owner can read; made on first use."""
        if not path.exists():
            with NamedTemporaryFile("w", dir=path.parent) as file:
                file.write(f"{_SECRET_VERSION}:{secrets.token_urlsafe(32)}\n")
                file.flush()
                with suppress(FileExistsError):
                    os.link(file.name, path)
        return cls.of_text(path.read_text("ascii", "replace"), str(path))

    def hash_key(self, key: str) -> bytes:
        """What a key is looked up by. Keys are random, so that a fast keyed hash is enough."""
        return hmac.digest(self._key_subkey, key.encode(), hashlib.sha256)

    def safety_identifier(self, account_id: int) -> str:
        """A pseudonym of an account for the upstream, so that it can tell students apart."""
        subkey = self._subkey(b"safety identifier")
        return hmac.new(subkey, str(account_id).encode(), hashlib.sha256).hexdigest()[:32]

    def seal_key(self, key: str, account_id: int) -> bytes:
        """A key encrypted so that it can be shown again, to whoever has that account."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._sealing.encrypt(nonce, key.encode(), _account_bytes(account_id))
        return _SEAL_VERSION + nonce + sealed

    def unseal_key(self, sealed: bytes, account_id: int) -> str:
        """Raises ValueError for what was sealed for another account, or with another secret."""
        nonce, body = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
        try:
            if not sealed.startswith(_SEAL_VERSION):
                raise InvalidTag
            return self._sealing.decrypt(nonce, body, _account_bytes(account_id)).decode()
        except (InvalidTag, ValueError):
            raise ValueError("This key cannot be shown any more. Make a new one.") from None

    def keyed_hash(self, purpose: str, text: str) -> bytes:
        """A hash that nobody else can compute; different purposes give unrelated ones."""
        return hmac.digest(self._page_subkey, f"{purpose}:{text}".encode(), hashlib.sha256)

    def check_value(self) -> bytes:
        """By which a course recognises its secret; says nothing about the secret itself."""
        return self._subkey(b"check value")

    @cached_property
    def _key_subkey(self) -> bytes:
        return self._subkey(b"key hash")

    @cached_property
    def _page_subkey(self) -> bytes:
        return self._subkey(b"page")

    @cached_property
    def _sealing(self) -> AESGCM:
        return AESGCM(self._subkey(b"key seal"))

    def _subkey(self, purpose: bytes) -> bytes:
        return HKDF(hashes.SHA256(), length=32, salt=None, info=purpose).derive(self.material)


def new_key() -> str:
    """A fresh API key: ``sws-`` and 40 letters and digits."""
    return "sws-" + "".join(secrets.choice(_ALPHABET) for _ in range(40))


def shown_prefix(key: str) -> str:
    """The part of a key by which people tell it from others."""
    return key[:8]


def new_password() -> str:
    """A password that can be read from a sheet of paper: four groups of four."""
    groups = ("".join(secrets.choice(_UNAMBIGUOUS) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def hash_password(password: str) -> str:
    """argon2id with the library's parameters, for what people choose: 0.1 s or more, 70 MB."""
    return _FOR_CHOSEN.hash(password)


def hash_initial_password(password: str) -> str:
    """argon2id for what ``new_password`` made: 2 ms and 1 MB. Never for what people choose."""
    return _FOR_RANDOM.hash(password)


def password_is(password: str, password_hash: str) -> bool:
    """Whether a password is the one of a hash; "" is the hash of nobody.

    It takes as long for nobody, for a password that was never changed, and for a chosen one.
    """
    was_random = password_hash != "" and _FOR_CHOSEN.check_needs_rehash(password_hash)
    matches = False
    with suppress(VerifyMismatchError):
        matches = password_hash != "" and _FOR_CHOSEN.verify(password_hash, password)
    if was_random or not password_hash:
        _FOR_CHOSEN.hash(password)
    if not was_random:
        _FOR_RANDOM.hash(password)
    return matches


def initial_password_is(password: str, password_hash: str) -> bool:
    """Whether a password is the one that ``new_password`` made; "" is the hash of nobody.

    It takes as long for nobody as for anybody, 2 ms, and says nothing of a chosen password.
    """
    matches = False
    if password_hash and not _FOR_RANDOM.check_needs_rehash(password_hash):
        with suppress(VerifyMismatchError):
            matches = _FOR_RANDOM.verify(password_hash, password)
    else:
        _FOR_RANDOM.hash(password)
    return matches


class Passwords:
    """Hashes and checks passwords in threads, two at a time: each takes 70 MB.

    Who signs in with a first password, or chooses one, does not wait behind all who guess.
    """

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_PASSWORDS_AT_A_TIME)
        self._checks = asyncio.Semaphore(_PASSWORDS_AT_A_TIME)
        self._first = asyncio.Semaphore(_PASSWORDS_AT_A_TIME)

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(hash_password, password)

    async def match_initial(self, password: str, password_hash: str) -> bool:
        """As ``initial_password_is``."""
        async with self._first:
            return await asyncio.to_thread(initial_password_is, password, password_hash)

    async def match(self, password: str, password_hash: str) -> bool:
        """As ``password_is``."""
        # Most of those that wait are kept out of the queue where new passwords wait as well.
        async with self._checks, self._turns:
            return await asyncio.to_thread(password_is, password, password_hash)


def _account_bytes(account_id: int) -> bytes:
    return f"key of account {account_id}".encode()
