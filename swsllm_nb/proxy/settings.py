"""What one proxy process is told: read once, from flags and environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from platformdirs import user_data_path

from swsllm_nb.proxy.auth import Secret

__all__ = [
    "PRACTICE",
    "Settings",
    "checked_database",
    "data_folder",
    "read_secret",
    "read_upstream_key",
]

PRACTICE = "practice"


@dataclass(frozen=True)
class Settings:
    """How to serve. ``upstream`` is ``practice`` or a base URL; port 0 means any free one.

    ``database`` is the address of a PostgreSQL, with its password; None means SQLite in ``folder``.
    """

    folder: Path
    secret: Secret
    upstream: str
    upstream_key: str | None = field(default=None, repr=False)
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
        if self.upstream != PRACTICE and not _is_address(self.upstream):
            raise ValueError(
                f"The upstream {self.upstream!r} is neither 'practice' nor an address that begins "
                "with https:// (or http://)."
            )
        if self.prefix and (not self.prefix.startswith("/") or self.prefix.endswith("/")):
            raise ValueError(f"The prefix {self.prefix!r} must look like '/sws-llm-proxy'.")


def _is_address(text: str) -> bool:
    try:
        address = urlsplit(text)
        return address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        return False


def data_folder(told: Path | None) -> Path:
    """The folder of database and secret: where told, else the user's own data folder."""
    return told or user_data_path("swsllm", appauthor=False)


def checked_database(url: str | None) -> str | None:
    """The address of a database as it was given. Raises ValueError for what is none."""
    if url is not None and not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("--database is an address that begins with postgresql://")
    return url


def read_secret(folder: Path, environ: Mapping[str, str] = os.environ) -> Secret:
    """SWSLLM_SECRET, else the one kept in the folder. Raises ValueError for a damaged one."""
    stated = environ.get("SWSLLM_SECRET")
    if stated:
        return Secret.of_text(stated)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Secret.kept_in(folder / "secret")


def read_upstream_key(environ: Mapping[str, str] = os.environ) -> str | None:
    """The teacher's key at the upstream, only ever from the proxy's own environment."""
    return environ.get("SWSLLM_UPSTREAM_KEY") or None
