"""What one proxy process is told: read once, from flags and environment."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platformdirs import user_data_path

from swsllm_nb.proxy.auth import Secret

__all__ = [
    "PRACTICE",
    "Settings",
    "UpstreamAddress",
    "checked_database",
    "data_folder",
    "key_variable",
    "read_secret",
    "read_upstreams",
]

_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,39})=(.*)", re.DOTALL)
_KEY_VARIABLE = "SWSLLM_UPSTREAM_KEY"


@dataclass(frozen=True)
class UpstreamAddress:
    """Where calls go: a name for the ledger, a base URL, and the teacher's key there."""

    name: str
    base_url: str
    key: str | None = field(default=None, repr=False)


PRACTICE: Final = UpstreamAddress("practice", "practice")
"""The practice model, which has no address."""


@dataclass(frozen=True)
class Settings:
    """How to serve. The preferred upstream comes first; port 0 means any free one.

    ``database`` is the address of a PostgreSQL, with its password; None means SQLite in ``folder``.
    """

    folder: Path
    secret: Secret
    upstreams: tuple[UpstreamAddress, ...]
    host: str = "127.0.0.1"
    port: int = 8000
    prefix: str = ""
    database: str | None = field(default=None, repr=False)
    workers: int = 1

    def __post_init__(self) -> None:
        if self.workers > 1 and self.database is None:
            raise ValueError(
                f"{self.workers} workers need PostgreSQL: give --database postgresql://… "
                "(SQLite is for one serving process)."
            )
        if not self.upstreams:
            raise ValueError("There is no upstream: name one, or 'practice'.")
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise ValueError(f"The prefix {self.prefix!r} must look like '/sws-llm-proxy'.")


def read_upstreams(
    told: Sequence[str], environ: Mapping[str, str] = os.environ
) -> tuple[UpstreamAddress, ...]:
    """Upstreams as they are told, ``practice``, ``URL`` or ``NAME=URL``, each with its key.

    Keys come only from the proxy's own environment: SWSLLM_UPSTREAM_KEY_<NAME>, and for the first
    upstream also SWSLLM_UPSTREAM_KEY. Raises ValueError in words.
    """
    if list(told) == [PRACTICE.name]:
        return (PRACTICE,)
    read: list[UpstreamAddress] = []
    for text in told:
        named = _NAMED.fullmatch(text)
        name, base_url = named.groups() if named else (None, text)
        host = _host(base_url)
        if host is None:
            raise ValueError(_not_an_address(text, base_url, alone=len(told) == 1))
        name = name or host
        if name == PRACTICE.name:
            raise ValueError("Only the practice model has the name 'practice'; choose another.")
        if name in [known.name for known in read]:
            raise ValueError(f"Two upstreams have the name {name!r}. Name each, as in other=URL.")
        key = environ.get(key_variable(name))
        if not key and not read:
            key = environ.get(_KEY_VARIABLE)
        read.append(UpstreamAddress(name, base_url, key or None))
    return tuple(read)


def key_variable(name: str) -> str:
    """Where the key of an upstream is looked for, whichever place it has."""
    return f"{_KEY_VARIABLE}_{re.sub('[^A-Z0-9]', '_', name.upper())}"


def _not_an_address(text: str, base_url: str, *, alone: bool) -> str:
    if base_url == PRACTICE.name and not alone:
        return "The practice model is an upstream of its own: it cannot stand beside others."
    if "@" in base_url:
        # What stands before it may be a password, and is not to be shown.
        return "An upstream's address has no user or key in it; its key is SWSLLM_UPSTREAM_KEY."
    return (
        f"The upstream {text!r} is neither 'practice' nor an address that begins with https:// "
        "(or http://), alone or as NAME=ADDRESS."
    )


def _host(base_url: str) -> str | None:
    """The host of an address that can be called, else None."""
    try:
        address = urlsplit(base_url)
        sound = address.scheme in ("http", "https") and address.port != 0
    except ValueError:
        return None
    return address.hostname if sound and "@" not in address.netloc else None


def data_folder(told: Path | None) -> Path:
    """The folder of database and secret: where told, else the user's own data folder."""
    return told or user_data_path("swsllm", appauthor=False)


def checked_database(url: str | None) -> str | None:
    """The address of a database as it was given. Raises ValueError for what is none.

    An address that would be read otherwise than it was meant is not shown: a part of the password
    may stand where it is least expected.
    """
    if url is None:
        return None
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("--database is an address that begins with postgresql://")
    try:
        parts = urlsplit(url)
        sound = parts.port != 0 and "@" not in parts.path + parts.query + parts.fragment
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(
            "The address of --database cannot be read. In a password write / as %2F, # as %23, "
            "? as %3F, @ as %40, [ as %5B and % as %25; a port is 1 to 65535."
        )
    return url


def read_secret(folder: Path, environ: Mapping[str, str] = os.environ) -> Secret:
    """SWSLLM_SECRET, else the one kept in the folder. Raises ValueError for a damaged one."""
    stated = environ.get("SWSLLM_SECRET")
    if stated:
        return Secret.of_text(stated)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Secret.kept_in(folder / "secret")
