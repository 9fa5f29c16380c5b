"""Where the page is found, and whether a request came there."""

import re
from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

__all__ = ["PublicAddress", "inside"]

_NUMERIC_HOST: Final = re.compile(
    r"(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?", re.ASCII
)
_INSIDE: Final = re.compile(r"/(?!/)[A-Za-z0-9/_.~%-]*(\?[A-Za-z0-9/_.~%&=+,:-]*)?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class PublicAddress:
    """The origin people type, and the path under it: empty, or from a slash to before one.

    Where nobody stated an origin, None, the page answers only to numeric addresses and localhost:
    any site can give a name of its own to this machine's address (DNS rebinding).
    """

    origin: str | None
    path: str

    @classmethod
    def of(cls, public_url: str | None, prefix: str) -> Self:
        """Of an address that was stated, else of the prefix alone."""
        if public_url is None:
            return cls(None, prefix)
        parts = urlsplit(public_url)
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
        return cls(f"{parts.scheme}://{host}", parts.path.rstrip("/"))

    @property
    def secure(self) -> bool:
        return self.origin is not None and self.origin.startswith("https://")

    @property
    def stated_url(self) -> str | None:
        return None if self.origin is None else f"{self.origin}{self.path}/"

    def origin_of(self, host: str | None) -> str | None:
        """The origin of a request with this Host; None where it is not ours."""
        host = (host or "").lower()
        if self.origin is None:
            return f"http://{host}" if _NUMERIC_HOST.fullmatch(host) else None
        scheme, _, own_host = self.origin.partition("://")
        return self.origin if host in (own_host, own_host + _DEFAULT_PORTS[scheme]) else None

    def url(self, path: str) -> str:
        """A link to one of our paths, without the origin."""
        return f"{self.path}{path}"


def inside(path: str | None) -> str | None:
    """A path that somebody sent, if it surely is one of this site's own."""
    return path if path and len(path) <= 500 and _INSIDE.fullmatch(path) else None
