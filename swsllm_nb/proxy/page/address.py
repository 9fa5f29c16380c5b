"""Where the page is found, and whether a request came there."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Final, Self
from urllib.parse import urlsplit

from swsllm_nb.proxy.asgi import Scope
from swsllm_nb.proxy.forwarded import Network, request_origin

__all__ = ["PublicAddress", "inside"]

_NUMERIC_HOST: Final = re.compile(
    r"(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?", re.ASCII
)
_INSIDE: Final = re.compile(r"(/|(/(?!\.)[A-Za-z0-9_.~-]+)+)(\?[A-Za-z0-9/_.~%&=+,:-]*)?", re.ASCII)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class PublicAddress:
    """The origin people type, and the path under it: empty, or from a slash to before one.

    Where nobody stated an origin, None, the page answers only to numeric addresses and localhost:
    any site can give a name of its own to this machine's address (DNS rebinding).
    """

    origin: str | None
    path: str
    trusted_proxies: Sequence[Network] = ()

    @classmethod
    def of(cls, public_url: str | None, prefix: str, trusted: Sequence[Network] = ()) -> Self:
        """Of an address that was stated, else of the prefix alone."""
        if public_url is None:
            return cls(None, prefix, trusted)
        parts = urlsplit(public_url)
        host = parts.netloc.lower().removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
        return cls(f"{parts.scheme}://{host}", parts.path.rstrip("/"), trusted)

    @property
    def secure(self) -> bool:
        return self.origin is not None and self.origin.startswith("https://")

    @property
    def stated_url(self) -> str | None:
        return None if self.origin is None else f"{self.origin}{self.path}/"

    def origin_of(self, scope: Scope) -> str | None:
        """The origin that a request came to; None where that is not ours."""
        asked = request_origin(scope, self.trusted_proxies)
        if self.origin is None:
            numeric = _NUMERIC_HOST.fullmatch(asked.host)
            return f"{asked.scheme}://{asked.host}" if numeric else None
        scheme, _, own_host = self.origin.partition("://")
        hosts = (own_host, own_host + _DEFAULT_PORTS[scheme])
        return self.origin if asked.host in hosts else None

    def client_of(self, scope: Scope) -> str:
        """Whose tries count together: an address, of IPv6 the network that one customer gets."""
        # A link-local address names the interface after a percent sign.
        client = request_origin(scope, self.trusted_proxies).client.partition("%")[0]
        return str(ip_network(f"{client}/64", strict=False)) if ":" in client else client

    def url(self, path: str) -> str:
        """A link to one of our paths, without the origin."""
        return f"{self.path}{path}"


def inside(path: str | None) -> str | None:
    """A path that somebody sent, if it surely is one of this site's own.

    Without dots before a name: other applications stand beside the prefix.
    """
    return path if path and len(path) <= 500 and _INSIDE.fullmatch(path) else None
