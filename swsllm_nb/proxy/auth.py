"""Keys and passwords: how they are made, and what of them is kept."""

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
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = [
    "Secret",
    "hash_password",
    "new_key",
    "new_password",
    "password_is",
    "shown_prefix",
]

_ALPHABET = string.ascii_letters + string.digits
_UNAMBIGUOUS = "abcdefghijkmnpqrstuvwxyz23456789"
_SECRET_VERSION = "1"


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
    """argon2id with the library's parameters; takes about 0.1 s and 70 MB."""
    return PasswordHasher().hash(password)


def password_is(password: str, password_hash: str) -> bool:
    """Whether a hash is of that password; takes as long as making one."""
    try:
        return PasswordHasher().verify(password_hash, password)
    except (InvalidHashError, VerificationError):
        return False
