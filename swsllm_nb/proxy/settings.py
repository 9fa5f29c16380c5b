"""What one proxy process is told: read once, from flags, environment and settings file."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from platformdirs import user_data_path

from swsllm_nb.proxy.auth import Secret
from swsllm_nb.proxy.forwarded import Network

__all__ = [
    "PRACTICE",
    "Settings",
    "UpstreamAddress",
    "checked_database",
    "checked_prefix",
    "checked_public_url",
    "data_folder",
    "key_variable",
    "read_address",
    "read_secret",
    "read_upstreams",
    "require_secret",
    "secret_places",
]

_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+", re.ASCII)
_NAMED = re.compile(r"([A-Za-z][A-Za-z0-9_-]{0,39})=(.*)", re.DOTALL)
_KEY_VARIABLE = "SWSLLM_UPSTREAM_KEY"
_SECRET_VARIABLE = "SWSLLM_SECRET"
_SECRET_NAME = "secret"
_IN_A_FILE = "_FILE"


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
    ``public_url`` is the address that people use, with the prefix as its path and no slash at the
    end; None means the one that is listened on. Front proxies in ``trusted_proxies`` are believed
    whom they speak for (see ``forwarded``). ``metrics`` is the address that Prometheus asks.
    """

    folder: Path
    secret: Secret
    upstreams: tuple[UpstreamAddress, ...]
    host: str = "127.0.0.1"
    port: int = 8000
    prefix: str = ""
    database: str | None = field(default=None, repr=False)
    workers: int = 1
    public_url: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    metrics: tuple[str, int] | None = None

    def __post_init__(self) -> None:
        if self.workers > 1 and self.database is None:
            raise ValueError(
                f"{self.workers} workers need PostgreSQL: give --database postgresql://… "
                "(SQLite is for one serving process)."
            )
        if not self.upstreams:
            raise ValueError("There is no upstream: name one, or 'practice'.")


def read_upstreams(
    told: Sequence[str], environ: Mapping[str, str] = os.environ
) -> tuple[UpstreamAddress, ...]:
    """Upstreams as they are told, ``practice``, ``URL`` or ``NAME=URL``, each with its key.

    Keys come only from the proxy's own environment: SWSLLM_UPSTREAM_KEY_<NAME>, and for the first
    upstream also SWSLLM_UPSTREAM_KEY; or from a file that such a variable and _FILE name. Raises
    ValueError in words.
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
        if key_variable(name).endswith(_IN_A_FILE):
            raise ValueError(f"The upstream {name!r} would not find its key: choose another name.")
        if name in [known.name for known in read]:
            raise ValueError(f"Two upstreams have the name {name!r}. Name each, as in other=URL.")
        key = _secret_text(key_variable(name), environ)
        if key is None and not read:
            key = _secret_text(_KEY_VARIABLE, environ)
        read.append(UpstreamAddress(name, base_url, key))
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


def checked_public_url(url: str | None) -> str | None:
    """The address that people use, without a slash at its end. Raises ValueError in words."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "The public URL is the address that students use, such as "
            "https://llm.example.org/sws-llm-proxy."
        )
    return f"{parts.scheme}://{parts.netloc.lower()}{_checked_path(parts.path)}"


def read_address(text: str) -> tuple[str, int]:
    """An address to listen on, such as 127.0.0.1:9100 or a port of this machine alone."""
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) < 2**16):
        raise ValueError(f"{text!r} is no address to listen on, such as 127.0.0.1:9100.")
    return host.strip("[]") or "127.0.0.1", int(port)


def checked_prefix(prefix: str | None, public_url: str | None) -> str:
    """The path that the proxy lives under: where none is told, that of its public URL.

    Raises ValueError for what is no path, or not the public one: what the pages link to and what
    their cookies are for would be another place.
    """
    public = None if public_url is None else urlsplit(public_url).path
    if prefix is None:
        return public or ""
    checked = _checked_path(prefix)
    if public is not None and checked != public:
        raise ValueError(
            f"The prefix {prefix!r} is not the path {public!r} of the public URL. Leave the prefix "
            "out: it is taken from there, and a front proxy may strip it or keep it."
        )
    return checked


def _checked_path(path: str) -> str:
    path = path.rstrip("/")
    if path and not _PATH.fullmatch(path):
        raise ValueError(f"The prefix {path!r} must look like '/sws-llm-proxy'.")
    return path


def read_secret(folder: Path, environ: Mapping[str, str] = os.environ) -> Secret:
    """SWSLLM_SECRET, or the file that SWSLLM_SECRET_FILE names, else the one kept in the folder.

    Raises ValueError for a damaged one.
    """
    stated = _secret_text(_SECRET_VARIABLE, environ)
    if stated is not None:
        return Secret.of_text(stated)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Secret.kept_in(folder / _SECRET_NAME)


def require_secret(folder: Path, environ: Mapping[str, str] = os.environ) -> None:
    """Raises ValueError where ``read_secret`` would make a new one."""
    if _secret_text(_SECRET_VARIABLE, environ) is None and not (folder / _SECRET_NAME).exists():
        raise ValueError(
            f"There is no secret in {folder}, and with a new one no key of any student would work. "
            f"Put the course's own there, as {folder / _SECRET_NAME}, or set {_SECRET_VARIABLE}."
        )


@dataclass(frozen=True)
class SecretPlaces:
    """Which variables hold a secret, and which files they name instead."""

    variables: tuple[str, ...]
    files: tuple[Path, ...]


def secret_places(environ: Mapping[str, str]) -> SecretPlaces:
    """Where secrets are handed to this process, beside the folder."""
    ours = (_SECRET_VARIABLE, _KEY_VARIABLE, "PGPASSWORD")
    named = {name: text for name, text in environ.items() if name.startswith(ours) and text}
    in_files = {name for name in named if name.endswith(_IN_A_FILE)}
    files = [named[name] for name in sorted(in_files)]
    if environ.get("PGPASSFILE"):
        files.append(environ["PGPASSFILE"])
    return SecretPlaces(tuple(sorted(named.keys() - in_files)), tuple(map(Path, files)))


def _secret_text(variable: str, environ: Mapping[str, str]) -> str | None:
    """A secret in a variable or, as containers and systemd hand them out, in a file it names."""
    stated, named = environ.get(variable), environ.get(variable + _IN_A_FILE)
    if stated and named:
        raise ValueError(f"Both {variable} and {variable}{_IN_A_FILE} are set: keep one of them.")
    if not named:
        return stated or None
    try:
        text = Path(named).read_text("ascii", "replace").strip()
    except OSError as error:
        raise ValueError(
            f"{variable}{_IN_A_FILE} names {named}, which cannot be read ({error.strerror})."
        ) from None
    if not text:
        raise ValueError(f"{variable}{_IN_A_FILE} names {named}, which is empty.")
    return text
